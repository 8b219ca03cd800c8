"""What the runtime injects into a strategy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from daemon.strategy.provider import DataProvider, FreqaiDoor

if TYPE_CHECKING:
    from datetime import datetime

    from pandas import DataFrame

    from daemon.core.clock import Clock
    from daemon.strategy.loader import LoadedStrategy

__all__ = ["CandleSource", "PredictionSource", "bind"]


class PredictionSource(Protocol):
    """Where ``self.freqai.start`` gets its columns from."""

    def attach(self, pair: str, frame: DataFrame) -> DataFrame:
        """The frame plus the prediction columns, one row per row of ``frame``.

        Args:
            pair: the pair.
            frame: closed candles, oldest first; may be written into.
        """
        ...


class CandleSource(Protocol):
    """Where ``self.dp`` gets its candles from.

    Rules: frames hold closed candles only. They may be shared with other callers: the strategy gets a
    copy-on-write copy. A pair or timeframe without candles is answered by an empty frame.
    """

    def candles(self, pair: str, timeframe: str) -> DataFrame:
        """Candles: date (open time, UTC), open, high, low, close, volume; oldest first."""
        ...

    def analyzed(self, pair: str, timeframe: str) -> tuple[DataFrame, datetime]:
        """The frame that `Hooks.populate` returned last, and when (UTC); empty and 1970 if none."""
        ...

    def whitelist(self) -> list[str]:
        """Pairs that are traded."""
        ...


def bind(
    strategy: LoadedStrategy,
    *,
    predictions: PredictionSource,
    candles: CandleSource,
    clock: Clock | None = None,
) -> None:
    """Connect a strategy to predictions and candles.

    Args:
        strategy: what `load_strategy` returned.
        predictions: answers ``self.freqai.start``.
        candles: answers ``self.dp``.
        clock: tells which candle a message of ``self.dp.send_msg`` belongs to; the system's by default.
    """
    instance = strategy.instance
    door = FreqaiDoor(predictions)
    door.class_names = instance.freqai.class_names
    instance.freqai = door
    instance.dp = DataProvider(instance.config, candles, clock)
