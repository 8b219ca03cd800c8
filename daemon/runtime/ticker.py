"""Timers: they only wake the threads that do the work."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from daemon.core.clock import system_time

if TYPE_CHECKING:
    import threading

    from daemon.core.clock import Clock
    from daemon.core.timeframe import Timeframe

HEARTBEAT_S = 10.0
"""APScheduler sleeps on the monotonic clock, so it does not notice a system clock that was set or a laptop
that slept; a heartbeat this often wakes the engine all the same, which decides by the clock what is due."""


class Ticker:
    """Wakes the engine after each candle's close, and the trainer once per candle.

    What is due is decided by whoever is woken, from the clock: a timer that fires late, twice or not at all
    changes when a candle is handled, never which.

    Args:
        clock: market time, and how much faster than real time it runs.
        base: timeframe whose closes matter.
        grace_ms: market milliseconds after a close before the candle is asked for.
        engine: wakes the engine.
        trainer: wakes the trainer.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        base: Timeframe,
        grace_ms: int,
        engine: threading.Event,
        trainer: threading.Event,
    ) -> None:
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            # Jobs only set events. A second thread would come on some day when two of them fall together.
            executors={"default": ThreadPoolExecutor(1)},
            # A late timer fires once, however late: with APScheduler's own default (one second of grace) a
            # machine that was stopped over a boundary would not wake the engine until the next candle.
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        now_ms = clock.now_ms()
        next_close_ms = base.ceil(now_ms - grace_ms + 1) + grace_ms
        until_s = (next_close_ms - now_ms) / 1000 / clock.speed
        candle = IntervalTrigger(
            seconds=base.ms / 1000 / clock.speed,
            start_date=system_time() + timedelta(seconds=until_s),
            timezone=UTC,
        )
        heartbeat = IntervalTrigger(seconds=HEARTBEAT_S, timezone=UTC)
        self._scheduler.add_job(engine.set, candle, id="candle")
        self._scheduler.add_job(trainer.set, candle, id="retrain")
        self._scheduler.add_job(engine.set, heartbeat, id="engine_heartbeat")
        self._scheduler.add_job(trainer.set, heartbeat, id="trainer_heartbeat")

    def start(self) -> None:
        """Begin to fire."""
        self._scheduler.start()

    def stop(self) -> None:
        """Fire no more."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
