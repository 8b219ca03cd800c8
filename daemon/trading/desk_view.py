"""How trading stands, as one frozen value for everybody who shows it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from daemon.trading import pauses
from daemon.trading.messages import DeskView, OpenTrade
from daemon.trading.orders import ZERO
from daemon.trading.positions import position_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from daemon.core.pair import Pair
    from daemon.trading.broker import Balance, Quote
    from daemon.trading.closed import ClosedTrades
    from daemon.trading.ledger_reads import LedgerReader
    from daemon.trading.records import TradeRecord


class Showing:
    """Makes views.

    Args:
        ledger: where trades are.
        stake_currency: in which the account's worth is told.
        closed: sums over closed trades.
    """

    def __init__(self, ledger: LedgerReader, stake_currency: str, closed: ClosedTrades) -> None:
        self._ledger = ledger
        self._stake_currency = stake_currency
        self._closed = closed

    def view(
        self,
        now_ms: int,
        trades: Sequence[TradeRecord],
        quotes: Mapping[Pair, Quote],
        *,
        balances: Mapping[str, Balance],
        gates: Mapping[str, tuple[str, ...]],
        trouble: str,
    ) -> DeskView:
        """One view.

        Args:
            now_ms: market time, ms UTC.
            trades: the open ones.
            quotes: prices of their pairs.
            balances: the account.
            gates: pair (``*``: all) -> why nothing is entered.
            trouble: what is wrong, in words.
        """
        self._closed.reopened(trades)
        shown = tuple(open_trade(trade, quotes.get(trade.pair)) for trade in trades)
        return DeskView(
            at_ms=now_ms,
            trades=shown,
            gates=MappingProxyType(dict(gates)),
            balances=balances,
            worth=_worth(shown, balances, self._stake_currency),
            closed=self._closed.number,
            closed_profit=self._closed.profit,
            orders=sum(len(trade.alive()) for trade in trades),
            paused=pauses.paused(self._ledger),
            trouble=trouble,
        )


def open_trade(trade: TradeRecord, quote: Quote | None) -> OpenTrade:
    """An open trade at a price; without one at the price that it was bought at."""
    position = position_of(trade)
    price = quote.bid if quote is not None else None
    at = price or position.open_rate or ZERO
    return OpenTrade(
        record=trade,
        price=price,
        profit=position.profit(at),
        profit_ratio=position.ratio(at),
        amount=position.amount,
    )


def _worth(trades: Sequence[OpenTrade], balances: Mapping[str, Balance], stake_currency: str) -> Decimal:
    """The account in stake currency, with what the trades hold at its price."""
    money = balances[stake_currency].total if stake_currency in balances else ZERO
    return money + sum((trade.amount * (trade.price or ZERO) for trade in trades), ZERO)
