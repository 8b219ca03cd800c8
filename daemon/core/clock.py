"""The only place that reads time or sleeps.

Two kinds of time: **market time** (``now_ms``), by which candles close and models age, and **real
time** (``monotonic_s``, ``wait``), by which requests time out and durations are measured. They differ
on the simulated exchange, whose market may run many times faster than real time.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where time comes from.

    Rules: ``monotonic_s`` never goes back; ``now_ms`` may (a system clock that is set). ``wait`` returns
    at once when the event is set. All methods may be called from any thread.
    """

    speed: float
    """Market seconds per real second."""

    def now_ms(self) -> int:
        """Market time, milliseconds since the epoch, UTC."""
        ...

    def monotonic_s(self) -> float:
        """Real seconds since an arbitrary start, for durations and deadlines."""
        ...

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """Wait ``timeout_s`` real seconds or until ``event`` is set; return whether it is set."""
        ...


class SystemClock:
    """The machine's own clock: market time is real time."""

    speed = 1.0

    def now_ms(self) -> int:
        """See `Clock`."""
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        """See `Clock`."""
        return time.monotonic()

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """See `Clock`."""
        return event.wait(max(timeout_s, 0.0))


class FastClock:
    """Market time that starts at a chosen moment and runs ``speed`` times as fast as real time."""

    def __init__(self, start_ms: int, speed: float) -> None:
        if not speed > 0:
            raise ValueError(f"speed must be above 0, not {speed}")
        self.speed = speed
        self._start_ms = start_ms
        self._origin_s = time.monotonic()

    def now_ms(self) -> int:
        """See `Clock`."""
        return self._start_ms + int((time.monotonic() - self._origin_s) * 1000 * self.speed)

    def monotonic_s(self) -> float:
        """See `Clock`."""
        return time.monotonic()

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """See `Clock`."""
        return event.wait(max(timeout_s, 0.0))


class FakeClock:
    """A clock that stands still until told: for tests. Waiting moves it on."""

    def __init__(self, now_ms: int = 0, speed: float = 1.0) -> None:
        self.speed = speed
        self._now_ms = now_ms
        self._real_s = 0.0
        self._lock = threading.Lock()

    def now_ms(self) -> int:
        """See `Clock`."""
        return self._now_ms

    def monotonic_s(self) -> float:
        """See `Clock`."""
        return self._real_s

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """See `Clock`; time passes at once."""
        if not event.is_set():
            self.advance(int(max(timeout_s, 0.0) * 1000 * self.speed))
        return event.is_set()

    def advance(self, by_ms: int) -> None:
        """Let market time pass, and real time with it."""
        with self._lock:
            self._now_ms += by_ms
            self._real_s += by_ms / 1000 / self.speed

    def set(self, now_ms: int) -> None:
        """Set market time, as somebody sets a system clock: real time does not move."""
        self._now_ms = now_ms


def cpu_time_s() -> float:
    """CPU seconds of this process, all threads."""
    return time.process_time()


def system_time() -> datetime:
    """The machine's own time, UTC: only for a library that schedules by it."""
    return datetime.now(UTC)
