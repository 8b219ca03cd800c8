"""What the ledger knows, as values: orders with their fills, and trades made of them.

Nothing here is stored as it stands: an order's filled amount, a trade's position, its open rate, its profit and
whether it is open are sums over fills and states, computed when they are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, reduce
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from daemon.trading.orders import EXACT, ZERO

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from daemon.core.pair import Pair
    from daemon.trading.orders import Fill, Intent, Leg, OrderState, Side

_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class OrderRecord:
    """An order as the ledger has it.

    Attributes:
        intent: what was to be sent.
        state: where it stands.
        exchange_id: empty as long as the exchange has told none.
        reported: filled amount by the exchange's reports; above `filled` while fills are still to be fetched.
        sent_ms: when the request left, ms UTC; None if none did.
        changed_ms: when the state changed last, ms UTC.
        detail: why it was rejected, dropped or cancelled.
        fills: oldest first.
    """

    intent: Intent
    state: OrderState
    exchange_id: str = ""
    reported: Decimal
    sent_ms: int | None = None
    changed_ms: int
    detail: str = ""
    fills: tuple[Fill, ...] = ()

    @cached_property
    def filled(self) -> Decimal:
        """Amount filled, base currency."""
        return reduce(EXACT.add, (fill.amount for fill in self.fills), ZERO)

    @cached_property
    def value(self) -> Decimal:
        """What the fills cost or brought, quote currency, without fees."""
        return reduce(EXACT.add, (EXACT.multiply(fill.amount, fill.price) for fill in self.fills), ZERO)

    @property
    def average(self) -> Decimal | None:
        """Mean price of the fills; None without any."""
        return self.value / self.filled if self.filled else None

    @property
    def settled(self) -> bool:
        """Whether it is final and every fill that the exchange reported is here."""
        return self.state.final and self.filled >= self.reported


@dataclass(frozen=True, slots=True, kw_only=True)
class StopState:
    """Where a trade's stop-loss stands. It only ever rises, except when `custom_stoploss` is asked after a fill.

    Attributes:
        price: the trade is closed at or below it, quote currency.
        initial: what it was at first.
        ratio: by how much it lay below the price that it was computed from: -0.05 is 5 %; 0 for unknown.
        initial_ratio: the same of the first one.
        trailing: whether it has been raised.
        rule: what set it: ``stoploss``, ``trailing_stop``, ``custom_stoploss``.
    """

    price: Decimal
    initial: Decimal
    ratio: float = 0.0
    initial_ratio: float = 0.0
    trailing: bool = False
    rule: str = "stoploss"


@dataclass(frozen=True, kw_only=True)
class TradeRecord:
    """A trade: a position from its first entry to its last exit.

    Attributes:
        trade_id: counts from 1.
        pair: what is traded.
        opened_ms: when its first entry was decided, ms UTC.
        enter_tag: the strategy's, empty if none.
        strategy: name of the strategy's class.
        timeframe: base timeframe.
        stake_currency: quote currency.
        orders: oldest first, fills included.
        stop: None until the first fill.
        highest: highest price seen since the first fill; None before.
        lowest: lowest one.
        exit_reason: freqtrade's word for why it is being or was closed: ``roi``, ``stop_loss``, ``trailing_stop_loss``,
            ``exit_signal``, ``force_exit``, ``emergency_exit``, a strategy's own...
        exit_detail: which rule with which value: ``roi: profit 0.0123 >= 0.01 after 240 min``.
        custom: what the strategy keeps with it (``set_custom_data``).
        dust: what is left that is too little to sell, written off when the trade was closed, base currency.
        closed_ms: when it was closed; None while it is open.
    """

    trade_id: int
    pair: Pair
    opened_ms: int
    strategy: str
    timeframe: str
    stake_currency: str
    enter_tag: str = ""
    orders: tuple[OrderRecord, ...] = ()
    stop: StopState | None = None
    highest: Decimal | None = None
    lowest: Decimal | None = None
    exit_reason: str = ""
    exit_detail: str = ""
    custom: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    dust: Decimal
    closed_ms: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether it still holds something, or may come to."""
        return self.closed_ms is None

    @property
    def filled(self) -> bool:
        """Whether any of its orders was ever filled, in part at least."""
        return any(order.fills for order in self.orders)

    @property
    def incomplete(self) -> bool:
        """Whether the exchange has reported more as filled than its executions here tell: what is held is not known."""
        return any(order.reported > order.filled for order in self.orders)

    def alive(self, *legs: Leg) -> tuple[OrderRecord, ...]:
        """Orders that the exchange has or may have, of these legs (none named: of all)."""
        return tuple(o for o in self.orders if o.state.alive and (not legs or o.intent.leg in legs))

    def fills(self, side: Side) -> tuple[Fill, ...]:
        """Executions of one side, in the order of the orders."""
        return tuple(fill for order in self.orders if order.intent.side is side for fill in order.fills)
