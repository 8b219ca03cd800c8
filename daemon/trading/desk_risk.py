"""Limits that no strategy can move: the desk's part, which keeps what they have seen in the ledger."""

from __future__ import annotations

import logging
from decimal import Decimal
from typing import TYPE_CHECKING

from daemon.trading import risk
from daemon.trading.orders import ZERO
from daemon.trading.risk import RiskState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.config.own import RiskSettings
    from daemon.core.pair import Pair
    from daemon.trading.account import Account
    from daemon.trading.ledger import Ledger

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
    """

    def __init__(self, ledger: Ledger, limits: RiskSettings) -> None:
        self._ledger = ledger
        self._limits = limits
        self._state: RiskState | None = None
        self._kept: RiskState | None = None
        self._worth = ZERO

    def take(self, limits: RiskSettings) -> None:
        """Go by other limits from now on; what was broken stays so until `reset`, or its day is over."""
        self._limits = limits

    def look(self, worth: Decimal, now_ms: int) -> None:
        """What the account is worth now, stake currency; only while everything that is held has a price."""
        if self._kept is None:
            stored = self._ledger.get(RISK)
            self._state = self._kept = RiskState.of(stored) if stored else None
        self._worth = worth
        before = self._state
        self._state = risk.observed(before, worth, now_ms, self._limits)
        for breach in set(self.breaches()) - set(risk.breaches(before, self._limits)):
            log.error("risk_limit", extra={"fields": {"breach": breach}})
        if self._matters(self._kept, self._state):
            self._keep()

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
        """Losses count from what the account is worth now."""
        if self._state is not None:
            self._state = risk.reset(self._state, self._worth)
            self._keep()

    def _keep(self) -> None:
        if self._state is not None:
            self._ledger.put(RISK, self._state.stored())
            self._kept = self._state

    def _matters(self, kept: RiskState | None, now: RiskState) -> bool:
        """Whether the state has to be on the disk."""
        if kept is None:
            return True
        same = (kept.day_ms, kept.day_breach, kept.drawdown_breach) == (
            now.day_ms,
            now.day_breach,
            now.drawdown_breach,
        )
        return not same or now.peak_worth > kept.peak_worth * (1 + KEPT)
