"""The life of the daemon: start the threads, watch them, stop in stages."""

from __future__ import annotations

import logging
import os
import signal
from typing import TYPE_CHECKING, Protocol

from daemon.runtime.systemd import notify

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from types import FrameType

    from daemon.core.clock import Clock
    from daemon.runtime.runner import Runner
    from daemon.runtime.tally import Tally
    from daemon.runtime.ticker import Ticker

log = logging.getLogger(__name__)

ENGINE_STOP_S = 4.0
TRAINER_STOP_S = 2.0
"""Together with writing what is in memory these stay below the ten seconds that a stop may take."""
WATCH_S = 0.5
STATUS_S = 1.0


class Closing(Protocol):
    """Something that has to be put away, in its stage of the stop."""

    def __call__(self) -> None:
        """Put it away."""
        ...


def stop_on_signals(stop: threading.Event) -> None:
    """Have SIGINT and SIGTERM set ``stop``; a second one ends the process at once.

    Ending at once is safe: what was acknowledged is on disk, and a start is a recovery.
    """

    def handle(number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handle)


class Daemon:
    """Everything that runs, started together and stopped in order.

    Args:
        engine: the main loop's thread.
        trainer: the trainer's thread.
        ticker: the timers.
        clock: for waiting.
        tally: figures; tells when enough ticks were handled.
        stop: set by signals, by a thread that died, or here.
        finished: whether there is nothing left to do (the end of a replay).
        show: called now and then with the daemon's state ("running", "stopping", "stopped").
        closings: what to put away at the end, in order, each with its name.
    """

    def __init__(
        self,
        *,
        engine: Runner,
        trainer: Runner,
        ticker: Ticker,
        clock: Clock,
        tally: Tally,
        stop: threading.Event,
        finished: Callable[[], bool],
        show: Callable[[str], None],
        closings: list[tuple[str, Closing]],
    ) -> None:
        self._engine = engine
        self._trainer = trainer
        self._ticker = ticker
        self._clock = clock
        self._tally = tally
        self._stop = stop
        self._finished = finished
        self._show = show
        self._closings = closings

    def run(self) -> int:
        """Run until told to stop; return the exit status: 0, or 1 where a thread died."""
        if not self._stop.is_set():
            self._engine.start()
            self._trainer.start()
            self._ticker.start()
            log.info("ready")
            notify("READY=1")
            self._watch()
        notify("STOPPING=1")
        return self._shut_down()

    def _watch(self) -> None:
        shown_s = -STATUS_S
        while not self._clock.wait(self._stop, WATCH_S):
            if self._clock.monotonic_s() - shown_s >= STATUS_S:
                shown_s = self._clock.monotonic_s()
                self._show("running")
            if self._tally.enough.is_set() or self._finished():
                self._stop.set()

    def _shut_down(self) -> int:
        """Stop in stages; one that hangs is named and does not hold up the others."""
        log.info("stopping")
        self._stop.set()
        self._ticker.stop()
        hung = False
        for runner, seconds in ((self._engine, ENGINE_STOP_S), (self._trainer, TRAINER_STOP_S)):
            runner.wake.set()
            if runner.ident is not None:
                runner.join(seconds)
            if runner.is_alive():
                hung = True
                log.error("thread_hangs", extra={"fields": {"thread": runner.name, "seconds": seconds}})
        self._show("stopped")
        if hung:
            # Files must not be closed under a thread that still writes them; the next start recovers.
            return 1
        for name, close in self._closings:
            log.debug("closing", extra={"fields": {"part": name}})
            close()
        log.info("stopped", extra={"fields": {"ticks": self._tally.snapshot()["ticks"]}})
        return 0 if self._engine.failure is None and self._trainer.failure is None else 1
