"""What a trade holds and has earned: sums over its fills, nothing else. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Context, localcontext
from types import MappingProxyType
from typing import TYPE_CHECKING

from daemon.trading.orders import EXACT, ZERO, Side

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from decimal import Decimal

    from daemon.core.pair import Pair
    from daemon.trading.orders import Fill
    from daemon.trading.records import TradeRecord

_RATE = Context(prec=28)
_NO_FEES: Mapping[str, Decimal] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What some fills of one pair come to.

    Fees in the base currency make the amount smaller, fees in the quote currency the money; fees in a third currency
    (``BNB``) count as money at their price of then, where it is known (`Fill.fee_value`).

    Attributes:
        amount: what is held, base currency; below zero if more was sold than was there.
        bought: amount of all buys, before fees.
        sold: amount of all sells.
        paid: what all buys cost, quote currency, quote fees and valued ones included.
        received: what all sells brought, quote currency, quote fees and valued ones taken off.
        cost: the part of ``paid`` that belongs to what is held, at the average of the buys.
        open_rate: average price of what is held, without fees; after the last sale of all: of what was held.
        close_rate: average price of all sells; None without any.
        fees: currency -> what was paid in it.
        unvalued: the part of them that no sum of money has in it, because nobody knows its price.
        first_ms: time of the first fill, ms UTC; None without any.
        last_ms: time of the last one.
    """

    amount: Decimal = ZERO
    bought: Decimal = ZERO
    sold: Decimal = ZERO
    paid: Decimal = ZERO
    received: Decimal = ZERO
    cost: Decimal = ZERO
    open_rate: Decimal | None = None
    close_rate: Decimal | None = None
    fees: Mapping[str, Decimal] = field(default_factory=lambda: _NO_FEES)
    unvalued: Mapping[str, Decimal] = field(default_factory=lambda: _NO_FEES)
    first_ms: int | None = None
    last_ms: int | None = None

    @property
    def realized(self) -> Decimal:
        """What the sells have earned so far, quote currency, fees in base and quote included."""
        with localcontext(EXACT):
            return self.received - (self.paid - self.cost)

    def profit(self, price: Decimal, fee: Decimal = ZERO) -> Decimal:
        """Earned in all if what is held were sold now: at ``price``, paying ``fee`` (0.001 is 0.1 %); quote currency."""
        with localcontext(EXACT):
            return self.received + self.amount * price * (1 - fee) - self.paid

    def ratio(self, price: Decimal, fee: Decimal = ZERO) -> Decimal:
        """`profit` by all that was paid; 0 before anything was."""
        return self.profit(price, fee) / self.paid if self.paid else ZERO


def position_of(trade: TradeRecord) -> Position:
    """What a trade holds and has earned."""
    return folded((fill for order in trade.orders for fill in order.fills), trade.pair)


def folded(fills: Iterable[Fill], pair: Pair) -> Position:
    """The position that some fills of a pair make, in whatever order they are given."""
    tally = _Tally(pair)
    with localcontext(EXACT):
        for fill in sorted(fills, key=_when):
            tally.take(fill)
        return tally.position()


def effects(fill: Fill) -> dict[str, Decimal]:
    """By how much a fill changes each currency of the account."""
    got, paid = fill.amount, EXACT.multiply(fill.amount, fill.price)
    if fill.side is Side.BUY:
        changes = {fill.pair.base: got, fill.pair.quote: paid.copy_negate()}
    else:
        changes = {fill.pair.base: got.copy_negate(), fill.pair.quote: paid}
    return added(changes, {fill.fee_currency: fill.fee.copy_negate()}) if fill.fee else changes


def added(totals: Mapping[str, Decimal], changes: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Totals of currencies with changes added to them."""
    found = dict(totals)
    for currency, amount in changes.items():
        found[currency] = EXACT.add(found.get(currency, ZERO), amount)
    return found


def _when(fill: Fill) -> tuple[int, bool, int, str]:
    """Oldest first; of one millisecond, what was bought is there before it is sold."""
    return fill.at_ms, fill.side is Side.SELL, len(fill.fill_id), fill.fill_id


class _Tally:
    """The sums while fills are gone through."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.amount = self.bought = self.sold = self.paid = self.received = self.cost = ZERO
        self.held = self.held_value = self.sold_value = ZERO
        self.open_rate: Decimal | None = None
        self.fees: dict[str, Decimal] = {}
        self.unvalued: dict[str, Decimal] = {}
        self.times: list[int] = []

    def take(self, fill: Fill) -> None:
        """One further fill."""
        self.times.append(fill.at_ms)
        if fill.fee:
            self.fees = added(self.fees, {fill.fee_currency: fill.fee})
        if fill.third and fill.fee_rate is None:
            self.unvalued = added(self.unvalued, {fill.fee_currency: fill.fee})
        changes = effects(fill)
        money, change = changes[self.pair.quote] - fill.fee_value, changes[self.pair.base]
        if fill.side is Side.BUY:
            self.bought += fill.amount
            self.paid -= money
            self.cost -= money
            self.held += fill.amount
            self.held_value += fill.amount * fill.price
            self.open_rate = _RATE.divide(self.held_value, self.held)
        else:
            self.sold += fill.amount
            self.sold_value += fill.amount * fill.price
            self.received += money
            self._release(-change)
        self.amount += change

    def _release(self, amount: Decimal) -> None:
        """Take the cost of what was sold out of the cost of what is held; all of it with the last of it."""
        left = self.amount - amount
        share = left / self.amount if left > 0 and self.amount > 0 else ZERO
        self.cost *= share
        self.held *= share
        self.held_value *= share

    def position(self) -> Position:
        """The sums as a value."""
        return Position(
            amount=self.amount,
            bought=self.bought,
            sold=self.sold,
            paid=self.paid,
            received=self.received,
            cost=self.cost,
            open_rate=self.open_rate,
            close_rate=_RATE.divide(self.sold_value, self.sold) if self.sold else None,
            fees=MappingProxyType(self.fees),
            unvalued=MappingProxyType(self.unvalued),
            first_ms=min(self.times, default=None),
            last_ms=max(self.times, default=None),
        )
