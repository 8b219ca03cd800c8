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
    from daemon.trading.ledger_reads import LedgerReader
    from daemon.trading.records import TradeRecord


class Showing:
    """Makes views; what closed trades have earned is summed once and goes on from there.

    Args:
        ledger: where trades are.
        stake_currency: in which the account's worth is told.
    """

    def __init__(self, ledger: LedgerReader, stake_currency: str) -> None:
        self._ledger = ledger
        self._stake_currency = stake_currency
        self._closed: tuple[int, Decimal] | None = None
        self._open: frozenset[int] = frozenset()
        self._newest = 0

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
        closed, profit = self._closed_sums(frozenset(trade.trade_id for trade in trades))
        shown = tuple(open_trade(trade, quotes.get(trade.pair)) for trade in trades)
        return DeskView(
            at_ms=now_ms,
            trades=shown,
            gates=MappingProxyType(dict(gates)),
            balances=balances,
            worth=_worth(shown, balances, self._stake_currency),
            closed=closed,
            closed_profit=profit,
            orders=sum(len(trade.alive()) for trade in trades),
            paused=pauses.paused(self._ledger),
            trouble=trouble,
        )

    def _closed_sums(self, open_now: frozenset[int]) -> tuple[int, Decimal]:
        """Number and profit of the closed trades that were ever filled."""
        opened = open_now - self._open
        if self._closed is None or min(opened, default=self._newest + 1) <= self._newest:
            gone = self._ledger.trades(is_open=False)  # one that was closed is open again: all of them anew
            self._closed = 0, ZERO
        else:
            gone = tuple(self._ledger.trade(number) for number in self._open - open_now)
        filled = [position for position in map(position_of, gone) if position.bought]
        number, profit = self._closed
        earned = (position.received - position.paid for position in filled)
        self._closed = number + len(filled), sum(earned, profit)
        self._open, self._newest = open_now, max(self._newest, *open_now, 0)
        return self._closed


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
