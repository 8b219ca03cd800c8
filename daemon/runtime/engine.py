"""The main loop: one closed candle at a time, for all pairs."""

from __future__ import annotations

import logging
import queue
from typing import TYPE_CHECKING

import numpy as np

from daemon.core.market import CandleKey
from daemon.core.prediction import Abstention, Prediction
from daemon.runtime.tally import Laps
from daemon.state.history import HistoryRow
from daemon.trading.messages import Tick

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from daemon.core.clock import Clock
    from daemon.core.pair import Pair
    from daemon.core.prediction import Outcome
    from daemon.market.feed import Feed, FeedReport
    from daemon.runtime.engine_options import EngineOptions
    from daemon.runtime.forecaster import Forecaster
    from daemon.runtime.live_statistics import LiveStatistics
    from daemon.runtime.strategy_signals import StrategySignals
    from daemon.runtime.tally import Tally
    from daemon.state.history import PredictionHistory
    from daemon.trading.signals import Signal

log = logging.getLogger(__name__)

FETCH_SHARE = 0.5
"""Share of a candle's length within which its data must have come; then the tick goes on without."""
FETCH_MOST_S = 30.0


class Engine:
    """Handles every closed candle once: fetch, features, predictions, record, signals.

    Which candle is due is decided by the clock and by what is recorded, never by how often or when the engine
    was woken: a late, doubled or lost wake-up, a clock that jumped and a machine that slept all end here.

    ``asked`` asks the strategy, as the last part of a tick that may trade.
    ``between_ticks`` is unset while candles are handled: the trainer, which shares the interpreter with the
    engine, waits for it before each piece of Python work. ``statistics``, if given, replace those of the training.
    ``trade`` is told of each tick that may trade; it must not wait.
    ``examined`` says why the strategy may enter nothing: it was found to look ahead. Predictions and exits go on. The first
    call may take seconds: it comes when no candle is due, else when its predictions are on the disk.
    ``beat`` is called when a candle was handled.
    """

    def __init__(
        self,
        options: EngineOptions,
        *,
        clock: Clock,
        feed: Feed,
        forecaster: Forecaster,
        history: PredictionHistory,
        asked: StrategySignals,
        tally: Tally,
        between_ticks: threading.Event,
        stop: threading.Event,
        statistics: LiveStatistics | None = None,
        trade: Callable[[Tick], None] | None = None,
        examined: Callable[[], str] = str,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._options = options
        self._examined = examined
        self._statistics = statistics
        self._trade = trade
        self._clock = clock
        self._feed = feed
        self._forecaster = forecaster
        self._history = history
        self._asked = asked
        self._tally = tally
        self._between_ticks = between_ticks
        self._stop = stop
        self._beat = beat
        self._handled_ms = self._last_recorded_close()
        self._given: queue.SimpleQueue[tuple[EngineOptions, Feed | None]] = queue.SimpleQueue()

    def take(self, options: EngineOptions, joining: Feed | None = None) -> None:
        """Go by other options from the next step on; called from any thread.

        Args:
            options: these.
            joining: a feed that has warmed up the series that are new in ``keys``.
        """
        self._given.put((options, joining))

    @property
    def handled_ms(self) -> int | None:
        """The newest close that was handled, this run or an earlier one."""
        return self._handled_ms

    def step(self) -> bool:
        """Handle whatever candles have closed since the last one handled."""
        self._turn()
        base = self._options.base
        newest_ms = base.floor(self._clock.now_ms() - self._options.grace_ms)
        if self._handled_ms is not None and newest_ms <= self._handled_ms:
            self._examined()
            return False
        started = self._clock.monotonic_s()
        report = self._fetched(newest_ms)
        fetched_s = self._clock.monotonic_s() - started
        closes = self._closes(newest_ms)
        if not closes:
            return False  # nobody has the candle: an outage; it is asked for again, and none is passed over
        self._between_ticks.clear()
        try:
            for close_ms in closes:
                if self._stop.is_set():
                    break
                self._handle(close_ms, report, fetched_s, newest=close_ms == newest_ms)
                self._beat()
        finally:
            self._between_ticks.set()
        return True

    def _turn(self) -> None:
        """Go by what was given since the last step: between two candles, so that none is handled by halves."""
        while not self._given.empty():
            options, joining = self._given.get()
            if joining is not None:
                self._feed.join(joining)
            self._feed.keep(frozenset(options.keys))
            self._forecaster.expiration_ms = options.expiration_ms
            self._options = options

    def _last_recorded_close(self) -> int | None:
        """The close up to which all is done; the newest recorded candle is due again if some pair lacks it."""
        recorded = [self._history.last_ms(pair) for pair in self._options.pairs]
        newest_ms = max((ms for ms in recorded if ms is not None), default=None)
        if newest_ms is None:
            return None
        whole = all(ms == newest_ms for ms in recorded)
        return newest_ms + self._options.base.ms if whole else newest_ms

    def _fetched(self, close_ms: int) -> FeedReport:
        """Ask until every pair has its candle or the time for it is over."""
        length_s = self._options.base.ms / 1000 / self._clock.speed
        return self._feed.update(close_ms, min(FETCH_MOST_S, FETCH_SHARE * length_s), self._stop)

    def _closes(self, newest_ms: int) -> list[int]:
        """Closes to handle, oldest first: those after the last one for which any pair has a candle."""
        base = self._options.base
        after_ms = newest_ms - base.ms if self._handled_ms is None else self._handled_ms
        found: set[int] = set()
        for pair in self._options.pairs:
            times = self._feed.frame(CandleKey(pair, base)).open_ms
            first, stop = (int(i) for i in np.searchsorted(times, [after_ms, newest_ms - base.ms + 1]))
            found.update((times[first:stop] + base.ms).tolist())
        return sorted(found)

    def _handle(self, close_ms: int, report: FeedReport, fetched_s: float, *, newest: bool) -> None:
        """One tick; only the newest candle may trade, and only while it is younger than its own length."""
        base = self._options.base
        laps = Laps(self._clock)
        skipped = 0 if self._handled_ms is None else (close_ms - self._handled_ms) // base.ms - 1
        late = not newest or self._clock.now_ms() - close_ms >= base.ms
        pairs = [pair for pair in self._options.pairs if self._wants(pair, close_ms - base.ms)]
        faults = self._forecaster.advance(pairs, close_ms)
        laps.lap("features")
        outcomes = [self._forecaster.outcome(pair, close_ms, late=late) for pair in pairs]
        if self._statistics is not None:
            outcomes = [self._statistics.added(outcome) for outcome in outcomes]
        laps.lap("predictions")
        recorded = self._history.append([self._row(outcome) for outcome in outcomes]).saved
        self._handled_ms = close_ms
        laps.lap("record")
        found: list[Signal] = []
        if not late:
            barred = self._examined()
            self._asked.begin(close_ms)
            for outcome in outcomes:
                found.extend(self._asked.signals(outcome, recorded=recorded, barred=barred))
            if self._trade is not None:  # whatever it does, the predictions are on the disk
                self._trade(Tick(close_ms=close_ms, candle_ms=close_ms - base.ms, signals=tuple(found)))
        self._forecaster.forget_before(close_ms - self._options.keep_ms)
        for key, message in faults.items():
            log.debug("feature_hook_failed", extra={"fields": {"block": str(key), "error": message}})
        laps.lap("strategy")
        self._tally.tick(
            close_ms=close_ms,
            outcomes=outcomes,
            signals=found,
            late=late,
            skipped=skipped,
            seconds=laps.seconds + fetched_s,
            missing=[str(key) for key in report.missing],
            stages={"fetch": fetched_s, **laps.parts},
        )

    def _wants(self, pair: Pair, candle_ms: int) -> bool:
        """Whether the candle is not recorded yet: after a crash some pairs may be."""
        last_ms = self._history.last_ms(pair)
        return last_ms is None or last_ms < candle_ms

    def _row(self, outcome: Outcome) -> HistoryRow:
        """The record of an outcome, with FreqAI's columns and ours."""
        frame = self._feed.frame(CandleKey(outcome.pair, self._options.base))
        i = int(np.searchsorted(frame.open_ms, outcome.candle_ms))
        here = i < len(frame) and frame.open_ms[i] == outcome.candle_ms
        high, low, close = frame.values[i, 1:4].tolist() if here else (np.nan,) * 3
        values: dict[str, float | str] = {
            **outcome.values,
            "do_predict": outcome.do_predict,
            "DI_values": outcome.di,
            "high_price": high,
            "low_price": low,
            "close_price": close,
            "late": float(outcome.late),
            "model": outcome.model if isinstance(outcome, Prediction) else "",
            "abstention": _words(outcome) if isinstance(outcome, Abstention) else "",
        }
        return HistoryRow(pair=outcome.pair, candle_ms=outcome.candle_ms, values=values)


def _words(outcome: Abstention) -> str:
    """Reason and detail as one text, short enough for a record of every candle."""
    return f"{outcome.reason}: {outcome.detail[:80]}" if outcome.detail else str(outcome.reason)
