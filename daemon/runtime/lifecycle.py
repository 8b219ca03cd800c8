"""The life of the daemon: start the threads, watch them, stop in stages."""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
from typing import TYPE_CHECKING, Protocol

from daemon.runtime.supervision import Supervisor
from daemon.runtime.systemd import Watchdog, notify

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence
    from types import FrameType

    from daemon.core.clock import Clock
    from daemon.runtime.runner import Runner
    from daemon.runtime.tally import Tally
    from daemon.runtime.ticker import Ticker

log = logging.getLogger(__name__)

STOP_S = 6.0
"""What all threads together have to end; with writing what is in memory a stop takes less than ten seconds."""
DEADLINE_S = 9.0
"""What a stop may take in all; then the process ends by itself, with status 1."""
WATCH_S = 0.5
STATUS_S = 1.0


class Closing(Protocol):
    """Something that has to be put away, in its stage of the stop."""

    def __call__(self) -> None:
        """Put it away."""
        ...


def stop_on_signals(stop: threading.Event, reload: threading.Event) -> None:
    """Have SIGINT and SIGTERM set ``stop``, a second one ends the process at once; SIGHUP sets ``reload``.

    SIGHUP is heard from the first moment on: before the daemon is ready it is remembered, instead of ending it. Where
    the terminal that the daemon was started on is gone, it means what it says: hang up.

    Ending at once is safe: what was acknowledged is on disk, and a start is a recovery. For the same reason the
    first signal sets a deadline: whatever hangs (a strategy's own loop, before there are threads to wait for),
    the process ends, and says where it hung.
    """
    numbers = (signal.SIGINT, signal.SIGTERM)
    on_terminal = os.isatty(2)

    def handle(_number: int, _frame: FrameType | None) -> None:
        faulthandler.dump_traceback_later(DEADLINE_S, exit=True)
        for number in numbers:  # the kernel ends the process at the second one, whatever Python is doing
            signal.signal(number, signal.SIG_DFL)
        if os.isatty(2):
            os.write(2, b"\x1b[?25h")  # the live view hides the cursor, and may not come to show it again
        stop.set()

    for number in numbers:
        signal.signal(number, handle)

    def hear(number: int, frame: FrameType | None) -> None:
        if on_terminal and not os.isatty(2):
            handle(number, frame)
        else:
            reload.set()

    signal.signal(signal.SIGHUP, hear)


class Daemon:
    """Everything that runs, started together and stopped in order.

    Args:
        runners: the threads, in the order in which they are started and waited for.
        ticker: the timers.
        clock: for waiting.
        tally: figures.
        stop: set by signals, by a thread that died, or here.
        finished: whether there is nothing left to do (the end of a replay).
        show: called now and then with the daemon's state ("running", "stopping", "stopped"); returns it in one line.
        tend: called at every look, in the main thread: for what comes up now and then and belongs to nobody else.
        closings: what to put away at the end, in order, each with its name.
    """

    def __init__(
        self,
        *,
        runners: Sequence[Runner],
        ticker: Ticker,
        clock: Clock,
        tally: Tally,
        stop: threading.Event,
        finished: Callable[[], bool],
        show: Callable[[str], str],
        tend: Callable[[], None] = lambda: None,
        closings: list[tuple[str, Closing]],
    ) -> None:
        self._runners = runners
        self._ticker = ticker
        self._clock = clock
        self._tally = tally
        self._stop = stop
        self._finished = finished
        self._show = show
        self._tend = tend
        self._closings = closings
        self._supervisor = Supervisor(runners, clock)
        self._watchdog = Watchdog(clock)
        self._gave_up = False

    def run(self) -> int:
        """Run until told to stop; return the exit status: 0, or 1 where a thread died."""
        if not self._stop.is_set():
            for runner in self._runners:
                runner.start()
            self._ticker.start()
            log.info("ready")
            notify("READY=1")
            self._watch()
        notify("STOPPING=1")
        return self._shut_down()

    def _watch(self) -> None:
        """Look at everything twice a second; a thread that hangs cannot be replaced, so the daemon ends."""
        shown_s = -STATUS_S
        while not self._clock.wait(self._stop, WATCH_S):
            self._tend()
            if self._clock.monotonic_s() - shown_s >= STATUS_S:
                shown_s = self._clock.monotonic_s()
                notify(f"STATUS={self._show('running')}")
            if self._supervisor.hung():
                # The service manager starts us into recovery. Should the thread hold the interpreter, too, the
                # process ends all the same: by this timer, or because nobody feeds the watchdog any more.
                faulthandler.dump_traceback_later(DEADLINE_S, exit=True)
                self._gave_up = True
                self._stop.set()
            else:
                self._watchdog.feed()
            if self._finished():
                self._stop.set()

    def _shut_down(self) -> int:
        """Stop in stages; one that hangs is named and does not hold up the others."""
        log.info("stopping")
        self._show("stopping")
        self._stop.set()
        self._ticker.stop()
        deadline_s = self._clock.monotonic_s() + STOP_S
        for runner in self._runners:
            runner.wake.set()
        hung = [
            runner.name
            for runner in self._runners
            if not _ended(runner, deadline_s - self._clock.monotonic_s())
        ]
        self._show("stopped")
        if hung:
            log.error("threads_hang", extra={"fields": {"threads": hung, "seconds": STOP_S}})
            # Files must not be closed under a thread that still writes them; the next start recovers.
            return 1
        for name, close in self._closings:
            log.debug("closing", extra={"fields": {"part": name}})
            close()
        log.info("stopped", extra={"fields": {"ticks": self._tally.snapshot()["ticks"]}})
        return 1 if self._gave_up or any(runner.failure is not None for runner in self._runners) else 0


def _ended(runner: Runner, seconds: float) -> bool:
    """Whether a thread has ended within so many seconds, or never began."""
    if runner.ident is not None:
        runner.join(max(seconds, 0.1))
    return not runner.is_alive()
