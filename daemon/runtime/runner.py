"""The one loop that every thread runs: step, wait, and a sign of progress."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from daemon.core.clock import Clock

log = logging.getLogger(__name__)


class Steps(Protocol):
    """What a runner runs.

    Rules: ``step`` does at most one unit of work and returns whether it did any; it returns soon after
    ``stop`` (which it was given at construction) is set.
    """

    def step(self) -> bool:
        """Do one unit of work; False: there was none."""
        ...


class Heartbeat:
    """When something last showed that it makes progress; beaten by its owner, looked at by the supervisor."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.at_s = clock.monotonic_s()
        """Real time (monotonic) of the last beat."""

    def beat(self) -> None:
        """There is progress."""
        self.at_s = self._clock.monotonic_s()


class Runner(threading.Thread):
    """Runs steps until told to stop.

    Waiting is on `wake`: a timer or another thread sets it when there may be work. An exception that
    reaches this loop is a bug: it is logged, kept in `failure`, and stops the daemon. So is a ``sys.exit``
    in a strategy, which would end the thread in silence.

    Args:
        name: of the thread.
        steps: what to run.
        clock: for waiting.
        stop: ends the loop.
        idle_s: longest wait between two steps, real seconds: a missed wake-up costs no more than this.
        patience_s: real seconds without a beat, after which a step is taken to hang.
        heartbeat: that the steps beat by themselves, where one step may rightly take long.
        wake: ends a wait; its own by default.
    """

    def __init__(
        self,
        name: str,
        steps: Steps,
        *,
        clock: Clock,
        stop: threading.Event,
        idle_s: float,
        patience_s: float = 100.0,
        heartbeat: Heartbeat | None = None,
        wake: threading.Event | None = None,
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._steps = steps
        self._clock = clock
        self._stopping = stop
        self._idle_s = idle_s
        self.patience_s = patience_s + idle_s
        self.wake = wake or threading.Event()
        self.failure: BaseException | None = None
        self.heartbeat = heartbeat or Heartbeat(clock)

    def run(self) -> None:
        """Step and wait until stopped."""
        try:
            while not self._stopping.is_set():
                worked = self._steps.step()
                self.heartbeat.beat()
                if not worked:
                    self._clock.wait(self.wake, self._idle_s)
                    self.wake.clear()
        except BaseException as exc:  # the root of a thread: the supervisor ends the daemon
            self.failure = exc
            log.critical("thread_died", exc_info=exc, extra={"fields": {"thread": self.name}})
            self._stopping.set()
