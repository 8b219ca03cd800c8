"""What the engine needs from the settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from daemon.core.market import CandleKey
    from daemon.core.pair import Pair
    from daemon.core.timeframe import Timeframe


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """What the engine needs from the settings.

    Attributes:
        pairs: what is predicted: the whitelist, and pairs that left it while a trade is open.
        keys: candle series that are fetched.
        base: timeframe of the candles that are predicted on.
        grace_ms: market milliseconds after a close before the candle is asked for.
        keep_ms: age of feature rows, market milliseconds, beyond which no training asks for them.
        expiration_ms: age at which a model predicts no more, market milliseconds; None: never.
    """

    pairs: tuple[Pair, ...]
    keys: tuple[CandleKey, ...] = ()
    base: Timeframe
    grace_ms: int
    keep_ms: int
    expiration_ms: int | None = None
