"""Whether every thread makes progress: existence alone says nothing."""

from __future__ import annotations

import logging
import sys
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    from daemon.core.clock import Clock
    from daemon.runtime.runner import Runner

log = logging.getLogger(__name__)

STANDSTILL_S = 5.0
"""A look that comes so late means that the whole process stood still (a stopped process, a machine without memory)."""


class Supervisor:
    """Looks at the heartbeats of threads.

    Args:
        runners: the threads.
        clock: for durations.
    """

    def __init__(self, runners: Sequence[Runner], clock: Clock) -> None:
        self._runners = runners
        self._clock = clock
        self._looked_s = clock.monotonic_s()

    def hung(self) -> tuple[str, ...]:
        """Names of the threads that made no progress for longer than they may; each is logged with its stack.

        Call it about every second: time in which nobody ran is no thread's fault.
        """
        now_s = self._clock.monotonic_s()
        if now_s - self._looked_s > STANDSTILL_S:
            for runner in self._runners:
                runner.heartbeat.beat()
        self._looked_s = now_s
        found = [runner for runner in self._runners if now_s - runner.heartbeat.at_s > runner.patience_s]
        for runner in found:
            seconds = round(now_s - runner.heartbeat.at_s)
            fields = {"thread": runner.name, "seconds": seconds, "stack": stack_of(runner)}
            log.error("thread_hangs", extra={"fields": fields})
        return tuple(runner.name for runner in found)


def stack_of(thread: threading.Thread) -> str:
    """Where a thread is now, innermost call last; empty if it has ended."""
    frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001 - the one way to another thread's stack
    return "".join(traceback.format_stack(frame)[-6:]) if frame is not None else ""
