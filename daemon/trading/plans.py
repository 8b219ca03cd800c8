"""Orders that are wanted, before they have an id: what the desk makes intents of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from daemon.trading.orders import OrderType

if TYPE_CHECKING:
    from decimal import Decimal

    from daemon.core.pair import Pair
    from daemon.trading.orders import Leg, Side


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPlan:
    """An order that the rules and the strategy want, of the exchange's precision and within its limits.

    Attributes:
        pair: what is traded.
        leg: what it is for.
        side: which way.
        type: `OrderType.MARKET`, `LIMIT`, `STOP` or `STOP_LIMIT`.
        amount: base currency.
        price: limit price; None where the type has none.
        stop_price: of a stop order; None else.
        expected: price that it is expected to get, quote currency.
        time_in_force: ``GTC``, ``IOC``, ``FOK`` or ``PO``.
        reason: tag of the entry, or reason of the exit.
        detail: which rule with which value.
        faults: what callbacks did wrong that does not hold the order back.
    """

    pair: Pair
    leg: Leg
    side: Side
    type: OrderType
    amount: Decimal
    expected: Decimal
    price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: str = "GTC"
    reason: str = ""
    detail: str = ""
    faults: tuple[str, ...] = ()

    @property
    def stake(self) -> Decimal:
        """Its value at the expected price, stake currency."""
        return self.amount * self.expected


def order_type(kind: str) -> OrderType:
    """``limit`` or ``market`` of the configuration as a type of order."""
    return OrderType.LIMIT if kind == "limit" else OrderType.MARKET
