"""What the strategy asks for at a candle: its own code is called, and its faults stop one pair at most."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

import pandas as pd

from daemon.core.errors import StrategyError
from daemon.trading.signals import SignalKind, signals

if TYPE_CHECKING:
    from daemon.core.pair import Pair
    from daemon.core.prediction import Outcome
    from daemon.strategy.hooks import Hooks
    from daemon.trading.signals import Signal

log = logging.getLogger(__name__)


class AnalysisFrames(Protocol):
    """Where the strategy's frames come from and go to."""

    def frame(self, pair: Pair) -> pd.DataFrame:
        """A new frame of the newest base candles of ``pair``."""
        ...

    def keep(self, pair: Pair, analysed: pd.DataFrame) -> None:
        """Remember what the strategy made of it, for ``dp.get_analyzed_dataframe``."""
        ...


class StrategySignals:
    """Asks the strategy, in the engine's thread.

    Args:
        hooks: of the strategy.
        frames: what it is shown.
    """

    def __init__(self, hooks: Hooks, frames: AnalysisFrames) -> None:
        self._hooks = hooks
        self._frames = frames
        self._faults: dict[Pair, str] = {}
        self._loop_fault = ""

    def begin(self, close_ms: int) -> None:
        """The strategy's ``bot_loop_start``; its faults stop nothing."""
        try:
            self._hooks.bot_loop_start(datetime.fromtimestamp(close_ms / 1000, UTC))
        except StrategyError as exc:
            if self._loop_fault != str(exc):  # the first of a streak
                log.error("strategy_failed", extra={"fields": {"error": str(exc)}})  # noqa: TRY400
            self._loop_fault = str(exc)
        else:
            self._loop_fault = ""

    def signals(self, outcome: Outcome, *, recorded: bool, barred: str) -> list[Signal]:
        """What the strategy asks for at the newest candle; its own faults stop only this pair."""
        pair = outcome.pair
        candles = self._frames.frame(pair)
        if candles.empty or int(candles["date"].iloc[-1].timestamp() * 1000) != outcome.candle_ms:
            return []
        try:
            analysed = self._analysed(outcome, candles)
        except StrategyError as exc:
            if self._faults.get(pair) != str(exc):  # the first of a streak
                log.error("strategy_failed", extra={"fields": {"pair": pair, "error": str(exc)}})  # noqa: TRY400
            self._faults[pair] = str(exc)
            return []
        if self._faults.pop(pair, None) is not None:
            log.info("strategy_recovered", extra={"fields": {"pair": pair}})
        self._frames.keep(pair, analysed)
        return signals(pair, analysed, outcome, recorded=recorded, barred=barred)

    def _analysed(self, outcome: Outcome, candles: pd.DataFrame) -> pd.DataFrame:
        """The strategy's frame, whose last row is the outcome's candle.

        Raises:
            StrategyError: the strategy raised, or its frame is not that.
        """
        analysed = self._hooks.populate(candles, {"pair": str(outcome.pair)})
        fault = _frame_fault(analysed, outcome.candle_ms)
        if fault:
            raise StrategyError(f"{self._hooks.strategy.file}: populate_* [{outcome.pair}]: {fault}")
        return analysed


def _frame_fault(analysed: pd.DataFrame, candle_ms: int) -> str:
    """Why no signal can be read from a strategy's frame; empty if all is well. freqtrade checks much the same."""
    read = {"date", "enter_tag", "exit_tag", *(kind.value for kind in SignalKind)}
    doubled = sorted(read.intersection(analysed.columns[analysed.columns.duplicated()]))
    if doubled:
        return f"returned two columns named {doubled[0]!r}"
    if "date" not in analysed.columns:
        return "returned a frame without the column 'date'"
    last, wanted = analysed["date"].iloc[-1], pd.Timestamp(candle_ms, unit="ms", tz="UTC")
    if not (isinstance(last, pd.Timestamp) and last == wanted):
        return f"returned a frame that ends at {last} instead of at the newest candle, {wanted}"
    return ""
