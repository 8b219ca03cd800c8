"""Limits that no strategy can move: the desk's part, which keeps what they have seen in the ledger."""

from __future__ import annotations

import logging
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from daemon.trading import risk
from daemon.trading.orders import ZERO
from daemon.trading.positions import position_of
from daemon.trading.risk import RiskState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.config.own import RiskSettings
    from daemon.core.pair import Pair
    from daemon.trading.account import Account
    from daemon.trading.ledger import Ledger
    from daemon.trading.look import Look
    from daemon.trading.records import TradeRecord

log = logging.getLogger(__name__)

RISK = "risk"
"""Fact: `RiskState.stored`."""
KEPT = Decimal("0.0005")
"""A rise of the highest worth that is less than this share of it is not written down at once."""


class DeskRisk:
    """Watches the account's worth.

    Args:
        ledger: keeps the state.
        limits: of the configuration.
        currency: the account's stake currency.
    """

    def __init__(self, ledger: Ledger, limits: RiskSettings, currency: str) -> None:
        self._ledger = ledger
        self._currency = currency
        self._limits = limits
        stored = ledger.get(RISK)
        self._state = self._kept = RiskState.of(stored) if stored else None

    def take(self, limits: RiskSettings) -> None:
        """Go by other limits from now on; what was broken stays so until `reset`, or its day is over."""
        self._limits = limits

    def look(self, trades: Sequence[TradeRecord], look: Look) -> None:
        """Take note of what the account is worth; only while everything that these trades hold has a price."""
        held = [(position_of(trade).amount, look.quotes.get(trade.pair)) for trade in trades]
        priced = [(amount, quote.bid) for amount, quote in held if quote is not None]
        if len(priced) < len(held):
            return
        # By the ledger, in which money and positions are of one moment; an exchange's balances are of another one.
        worth = risk.worth_of(self._currency, self._ledger.wallet(), priced)
        put_in = sum((amount for coin, amount, *_ in self._ledger.deposits() if coin == self._currency), ZERO)
        before = self._state
        self._state = risk.observed(before, worth, look.now_ms, self._limits, put_in)
        for breach in set(self.breaches()) - set(risk.breaches(before, self._limits)):
            log.error("risk_limit", extra={"fields": {"breach": breach}})
        if self._matters(self._kept, self._state):
            self._ledger.put(RISK, self._state.stored())
            self._kept = self._state

    def breaches(self) -> tuple[str, ...]:
        """Limits that are broken."""
        return risk.breaches(self._state, self._limits)

    def room(self, account: Account, pair: Pair) -> Decimal | None:
        """The most that may still be bound in a pair; None: no limit."""
        return risk.room(self._limits, account, pair)

    def too_many_orders(self, sent_ms: Sequence[int], now_ms: int) -> str:
        """Why no further entry may be sent now; empty if one may."""
        return risk.too_many_orders(self._limits, sent_ms, now_ms)

    def reset(self) -> None:
        """Losses count from what the account is worth at the next look."""
        self._ledger.put(RISK, None)
        self._state = self._kept = None

    def _matters(self, kept: RiskState | None, now: RiskState) -> bool:
        """Whether the state has to be on the disk."""
        if kept is None:
            return True
        risen = kept.peak_worth < now.peak_worth <= kept.peak_worth * (1 + KEPT)
        return kept != (replace(now, peak_worth=kept.peak_worth) if risen else now)
