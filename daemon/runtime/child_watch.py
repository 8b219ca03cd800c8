"""Whether a child process still works, and within its bounds: told from outside, by what the kernel counts.

The child need not cooperate, so a fit that hangs inside a library, or a process that somebody stopped, is noticed, too.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from daemon.runtime.supervision import STANDSTILL_S

if TYPE_CHECKING:
    from daemon.core.clock import Clock

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_WORDS = {"T": "it was stopped by a signal", "t": "a debugger holds it", "D": "it waits for a disk"}


class ChildWatch:
    """Looks at one child.

    Args:
        pid: of the child.
        clock: for durations.
        patience_s: real seconds without any CPU time used, after which it is taken to hang.
        most_bytes: resident memory that it may take; None: any.
    """

    def __init__(self, pid: int, *, clock: Clock, patience_s: float, most_bytes: int | None) -> None:
        self._stat = f"/proc/{pid}/stat"
        self._clock = clock
        self._patience_s = patience_s
        self._most_bytes = most_bytes
        self._cpu_s = -1.0
        self._moved_s = self._looked_s = clock.monotonic_s()

    def fault(self) -> str:
        """What is wrong with the child now; empty if nothing is, or if it is gone. Call it about every second."""
        try:
            file = os.open(self._stat, os.O_RDONLY | os.O_CLOEXEC)
            try:
                state, cpu_s, resident = _figures(os.read(file, 4096).decode(errors="replace"))
            finally:
                os.close(file)
        except OSError:
            return ""  # it has ended: its parent finds out why
        now_s = self._clock.monotonic_s()
        if cpu_s != self._cpu_s or now_s - self._looked_s > STANDSTILL_S:
            self._cpu_s, self._moved_s = cpu_s, now_s
        self._looked_s = now_s
        if self._most_bytes is not None and resident > self._most_bytes:
            return (
                f"took {resident / 1e6:.0f} MB, more than {self._most_bytes / 1e6:.0f} MB "
                "(candled.training.max_memory_mb)"
            )
        if now_s - self._moved_s > self._patience_s:
            why = _WORDS.get(state, "it waits for something")
            return f"made no progress for {now_s - self._moved_s:.0f} s ({why})"
        return ""


def _figures(stat: str) -> tuple[str, float, int]:
    """State, CPU seconds and resident bytes of a line of ``/proc/PID/stat`` (proc(5))."""
    fields = stat.rpartition(")")[2].split()  # the name of the program may hold blanks and brackets
    return fields[0], (int(fields[11]) + int(fields[12])) / _TICKS_PER_S, int(fields[21]) * _PAGE
