"""What closed trades have earned: each is summed once, and again only when something about it has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.trading.orders import EXACT, ZERO
from daemon.trading.positions import position_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from daemon.trading.ledger_reads import LedgerReader
    from daemon.trading.records import TradeRecord


class ClosedTrades:
    """Sums over the closed trades that were ever filled. One thread uses it.

    Args:
        ledger: where trades are.
    """

    def __init__(self, ledger: LedgerReader) -> None:
        self._ledger = ledger
        self._profits: dict[int, Decimal] | None = None
        self._profit = ZERO

    @property
    def number(self) -> int:
        """How many there are."""
        return len(self._known())

    @property
    def profit(self) -> Decimal:
        """What they have earned, stake currency."""
        self._known()
        return self._profit

    def put(self, trades: Iterable[TradeRecord]) -> None:
        """Take trades as they are now: closed, open again, or with other fees."""
        known = self._known()
        for trade in trades:
            self._profit = EXACT.subtract(self._profit, known.pop(trade.trade_id, ZERO))
            position = None if trade.is_open else position_of(trade)
            if position is not None and position.bought:
                known[trade.trade_id] = EXACT.subtract(position.received, position.paid)
                self._profit = EXACT.add(self._profit, known[trade.trade_id])

    def reopened(self, trades: Iterable[TradeRecord]) -> None:
        """Forget those of these open trades that were closed before."""
        known = self._known()
        self.put([trade for trade in trades if trade.trade_id in known])

    def _known(self) -> dict[int, Decimal]:
        if self._profits is None:
            self._profits = {}
            self.put(self._ledger.trades(is_open=False))
        return self._profits
