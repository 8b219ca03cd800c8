"""What the desk needs from the settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from daemon.trading.reconcile import CONFIRM_MS, GRACE_MS

if TYPE_CHECKING:
    from daemon.config.own import RiskSettings
    from daemon.core.pair import Pair
    from daemon.core.timeframe import Timeframe
    from daemon.trading.rules import TradeRules

LEAST_LOOK_S = 0.1
"""Shortest time between two looks, real seconds, however fast the market's clock runs."""
LOOKS_PER_CANDLE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskOptions:
    """What the desk needs from the settings.

    Attributes:
        pairs: the whitelist.
        base: timeframe of the candles that are traded on.
        stake_currency: quote currency of the account.
        throttle_s: longest time between two looks, market seconds.
        cancel_on_exit: whether entries and exits that are open are cancelled when the daemon stops.
        late_ms: how long after its answer was lost an order may still turn up at the exchange, market milliseconds;
            None: as the exchange has it (`live_checks.late_ms`).
        grace_ms: how long after its request it may, as a reconciliation sees it (`reconcile.is_absent`).
        confirm_ms: how long a difference of balances must have stood to be believed (`reconcile.adjustments`).
        start: ``running``, ``paused`` or ``stopped``: how a start finds it.
    """

    pairs: tuple[Pair, ...]
    base: Timeframe
    stake_currency: str
    throttle_s: float
    cancel_on_exit: bool = False
    start: str = "running"
    late_ms: int | None = None
    grace_ms: int = GRACE_MS
    confirm_ms: int = CONFIRM_MS

    def idle_s(self, speed: float) -> float:
        """Real seconds between two looks."""
        market_s = min(self.throttle_s, self.base.ms / 1000 / LOOKS_PER_CANDLE)
        return max(LEAST_LOOK_S, market_s / speed)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskTerms:
    """What of the desk's settings may change while it runs.

    Attributes:
        pairs: the whitelist: what may be entered. Trades that are open are looked after, whatever their pair.
        watched: the whitelist, and pairs that left it with a trade open: what is held against the exchange.
        rules: freqtrade's keys as they hold for the strategy.
        limits: of risk.
        may_enter: whether ``force_entry_enable`` allows entries by command.
    """

    pairs: tuple[Pair, ...]
    watched: tuple[Pair, ...]
    rules: TradeRules
    limits: RiskSettings
    may_enter: bool
