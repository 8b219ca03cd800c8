"""What every decision about a pair goes by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from daemon.trading.broker import MarketRules
    from daemon.trading.callbacks import Callbacks
    from daemon.trading.rules import TradeRules


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The strategy's rules, the exchange's, and the strategy itself.

    Attributes:
        rules: freqtrade's keys as they hold for the strategy.
        market: precision and limits of the pair.
        callbacks: of the strategy.
    """

    rules: TradeRules
    market: MarketRules
    callbacks: Callbacks
