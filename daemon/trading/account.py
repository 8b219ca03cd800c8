"""The account as sizing sees it. Pure; stake currency, exact."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from daemon.trading.broker import Balance
from daemon.trading.orders import ZERO, Side

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from decimal import Decimal

    from daemon.trading.records import TradeRecord
    from daemon.trading.rules import TradeRules

_EMPTY: Mapping[str, Balance] = MappingProxyType({})
_NOTHING = Balance()


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What there is, what is bound, what was earned.

    Attributes:
        stake_currency: in which the amounts below are.
        balances: every currency that the account holds.
        tied_up: stake of the open trades: what their position cost, and what their open entries would.
        by_pair: the same, pair by pair.
        closed_profit: of all closed trades.
    """

    stake_currency: str
    balances: Mapping[str, Balance] = field(default_factory=lambda: _EMPTY)
    tied_up: Decimal = ZERO
    by_pair: Mapping[str, Decimal] = field(default_factory=lambda: MappingProxyType({}))
    closed_profit: Decimal = ZERO

    @property
    def free(self) -> Decimal:
        """Stake currency that is bound in no order."""
        return self.balances.get(self.stake_currency, _NOTHING).free

    def starting_balance(self, rules: TradeRules) -> Decimal:
        """What the account began with; ``available_capital``, where it is set."""
        if rules.available_capital is not None:
            return rules.available_capital
        return (self.free - self.closed_profit + self.tied_up) * rules.tradable_balance_ratio

    def total_stake(self, rules: TradeRules) -> Decimal:
        """What may be traded with, bound or free."""
        if rules.available_capital is not None:
            return rules.available_capital + self.closed_profit
        return (self.free + self.tied_up) * rules.tradable_balance_ratio

    def available_stake(self, rules: TradeRules) -> Decimal:
        """What a new trade may use; below zero if more is bound than may be."""
        return min(self.total_stake(rules) - self.tied_up, self.free)


def stake_of(trade: TradeRecord) -> Decimal:
    """What a trade's position has cost (without fees) and what its open entries would: its stake."""
    held = value = ZERO
    for order in trade.orders:
        for fill in order.fills:
            net = fill.amount - (fill.fee if fill.fee_currency == trade.pair.base else ZERO)
            if order.intent.side is Side.BUY:
                held, value = held + net, value + net * fill.price
            elif held > 0:
                left = max(held - fill.amount, ZERO)
                held, value = left, value * left / held
    for order in trade.orders:
        if order.intent.side is Side.BUY and not order.settled:
            price = order.intent.price or order.average or ZERO
            ends_at = order.reported if order.state.final else order.intent.amount
            value += max(ends_at - order.filled, ZERO) * price
    return value


def account_of(
    stake_currency: str,
    balances: Mapping[str, Balance],
    open_trades: Iterable[TradeRecord],
    closed_profit: Decimal,
) -> Account:
    """The account, from what the ledger or the exchange says.

    Args:
        stake_currency: of the configuration.
        balances: `Ledger.wallet` in a dry run, `Broker.balances` else.
        open_trades: all of them.
        closed_profit: of all closed trades, stake currency.
    """
    by_pair: dict[str, Decimal] = {}
    for trade in open_trades:
        by_pair[trade.pair] = by_pair.get(trade.pair, ZERO) + stake_of(trade)
    return Account(
        stake_currency=stake_currency,
        balances=balances,
        tied_up=sum(by_pair.values(), ZERO),
        by_pair=MappingProxyType(by_pair),
        closed_profit=closed_profit,
    )
