"""Orders, from what is intended to what was filled: the values that decisions, ledger and brokers exchange.

Amounts are in base currency and prices in quote currency, both exact (`Decimal`); times are ms UTC, market time.
"""

from __future__ import annotations

import enum
import hashlib
from dataclasses import dataclass
from decimal import Context, Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daemon.core.pair import Pair

ZERO = Decimal(0)
EXACT = Context(prec=80)
"""Sums and products of money are exact in it; the usual context rounds to 28 digits."""


class Side(enum.StrEnum):
    """Which way an order goes."""

    BUY = "buy"
    SELL = "sell"


class Leg(enum.StrEnum):
    """What an order is for in its trade."""

    ENTRY = "entry"
    """Opens the trade or adds to it."""
    EXIT = "exit"
    """Closes the trade or takes some of it out."""
    STOP = "stop"
    """Lies at the exchange and closes the trade when the price has fallen so far."""


class OrderType(enum.StrEnum):
    """How an order meets the market."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    """Sells at the market once the price has reached ``stop_price``."""
    STOP_LIMIT = "stop_limit"
    """Becomes a limit order at ``price`` once the price has reached ``stop_price``."""


class OrderState(enum.StrEnum):
    """Where an order stands. What is filled is told by its fills, in every state."""

    INTENDED = "intended"
    """In the ledger; no request has left."""
    UNKNOWN = "unknown"
    """A request has left, or may have: only the exchange knows, and it is asked by the client id."""
    OPEN = "open"
    """The exchange has it; it may be filled in part."""
    CANCELLING = "cancelling"
    """Open, and a request to cancel it has left, or may have."""
    FILLED = "filled"
    """Filled as a whole. Final."""
    CANCELLED = "cancelled"
    """Ended by us, by hand or by the exchange before it was filled as a whole. Final."""
    EXPIRED = "expired"
    """Ended by its time in force. Final."""
    REJECTED = "rejected"
    """The exchange did not take it. Final."""
    ABSENT = "absent"
    """The exchange, asked long enough after the request, does not know it. Final."""
    DROPPED = "dropped"
    """No request ever left: a gate was closed, or the moment had passed. Final."""

    @property
    def final(self) -> bool:
        """Whether nothing can happen to the order any more."""
        return not TRANSITIONS[self]

    @property
    def alive(self) -> bool:
        """Whether the exchange has it, or may have it."""
        return self in (OrderState.UNKNOWN, OrderState.OPEN, OrderState.CANCELLING)


TRANSITIONS: Mapping[OrderState, frozenset[OrderState]] = MappingProxyType(
    {
        OrderState.INTENDED: frozenset({OrderState.UNKNOWN, OrderState.DROPPED}),
        OrderState.UNKNOWN: frozenset(
            {
                OrderState.OPEN,
                OrderState.CANCELLING,
                OrderState.FILLED,
                OrderState.CANCELLED,
                OrderState.EXPIRED,
                OrderState.REJECTED,
                OrderState.ABSENT,
            }
        ),
        OrderState.OPEN: frozenset(
            {OrderState.CANCELLING, OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED}
        ),
        # It may be cancelled while it is unknown, and then turn out never to have been taken.
        OrderState.CANCELLING: frozenset(
            {
                OrderState.FILLED,
                OrderState.CANCELLED,
                OrderState.EXPIRED,
                OrderState.REJECTED,
                OrderState.ABSENT,
            }
        ),
        OrderState.FILLED: frozenset(),
        OrderState.CANCELLED: frozenset(),
        OrderState.EXPIRED: frozenset(),
        OrderState.REJECTED: frozenset(),
        OrderState.ABSENT: frozenset(),
        OrderState.DROPPED: frozenset(),
    }
)
"""To which states an order may go; to stay is always allowed."""


def client_id(account: str, pair: Pair, candle_ms: int, leg: Leg, attempt: int) -> str:
    """The id under which an order is known to the exchange before it is sent: a function of what it is for.

    Args:
        account: tells two daemons on one exchange account apart.
        pair: what is traded.
        candle_ms: open time of the candle that led to the order, ms UTC.
        leg: what it is for.
        attempt: counts the orders of that pair, candle and leg from 0; another attempt is another order.

    Returns:
        26 letters and digits, which every exchange takes; the first ones are ``cd``.
    """
    text = f"{account}|{pair}|{candle_ms}|{leg}|{attempt}"
    return "cd" + hashlib.sha256(text.encode()).hexdigest()[:24]


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """An order that is to be sent: committed to the ledger before any request leaves.

    Attributes:
        client_id: see `client_id`.
        trade_id: of the ledger's trade that it belongs to.
        pair: what is traded.
        leg: what it is for.
        side: which way.
        type: how.
        amount: base currency, already of the exchange's precision.
        price: limit price; None for a market or stop order.
        stop_price: price that triggers a stop order; None for the others.
        time_in_force: ``GTC``, ``IOC``, ``FOK`` or ``PO`` (post only).
        candle_ms: open time of the candle that led to it, ms UTC.
        attempt: counts the orders of that pair, candle and leg.
        reason: tag of the entry, or reason of the exit (``roi``, ``stop_loss``, ...).
        created_ms: when it was decided, ms UTC.

    Raises:
        ValueError: an amount or price that is not above zero, or one that the type does not have.
    """

    client_id: str
    trade_id: int
    pair: Pair
    leg: Leg
    side: Side
    type: OrderType
    amount: Decimal
    candle_ms: int
    created_ms: int
    price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: str = "GTC"
    attempt: int = 0
    reason: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be an order."""
        if not self.amount > 0:
            raise ValueError(f"order {self.client_id}: amount {self.amount} is not above zero")
        for name, value, wanted in (
            ("price", self.price, self.type in (OrderType.LIMIT, OrderType.STOP_LIMIT)),
            ("stop_price", self.stop_price, self.type in (OrderType.STOP, OrderType.STOP_LIMIT)),
        ):
            if wanted != (value is not None) or (value is not None and not value > 0):
                raise ValueError(f"order {self.client_id}: {name} {value} does not fit a {self.type} order")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One execution of an order, under the exchange's own id; the same id is the same execution.

    Attributes:
        fill_id: the exchange's trade id, unique for a pair.
        client_id: of the order; empty where the exchange tells only its own order id.
        exchange_id: the exchange's order id.
        pair: what was traded.
        side: which way.
        amount: base currency.
        price: quote currency.
        fee: what was paid, in ``fee_currency``; below zero for a rebate.
        fee_currency: in which currency.
        at_ms: when, ms UTC of the exchange.
        maker: whether the order lay in the book; None if the exchange does not say.
        fee_rate: price of a third currency in which the fee was paid, at that time, in the pair's quote currency; None
            for other fees, and where nobody knows it.
    """

    fill_id: str
    client_id: str
    exchange_id: str
    pair: Pair
    side: Side
    amount: Decimal
    price: Decimal
    at_ms: int
    fee: Decimal = ZERO
    fee_currency: str = ""
    maker: bool | None = None
    fee_rate: Decimal | None = None

    @property
    def third(self) -> bool:
        """Whether the fee was paid in neither currency of the pair (``BNB``)."""
        return bool(self.fee) and self.fee_currency not in (self.pair.base, self.pair.quote)

    @property
    def fee_value(self) -> Decimal:
        """What a fee in a third currency was worth, quote currency; 0 for other fees, and where its price is not known."""
        return EXACT.multiply(self.fee, self.fee_rate) if self.third and self.fee_rate is not None else ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReport:
    """What an exchange says about an order; it may come late, twice, or out of order.

    Attributes:
        client_id: under which we sent it; empty for an order that is not ours.
        exchange_id: the exchange's id; empty if it gave none.
        pair: what is traded.
        state: never `INTENDED`, `UNKNOWN` or `DROPPED`, which only we know.
        filled: amount that is filled so far, base currency.
        amount: of the whole order.
        at_ms: when that was so, ms UTC of the exchange.
        detail: the exchange's words, for a rejection.
        fills: executions, where the answer carries them.
    """

    client_id: str
    exchange_id: str
    pair: Pair
    state: OrderState
    filled: Decimal
    amount: Decimal
    at_ms: int
    side: Side | None = None
    price: Decimal | None = None
    detail: str = ""
    fills: tuple[Fill, ...] = ()
