"""How a trade ends whose pair the exchange has no more: by the word of its owner, who alone knows what became of it."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from daemon.core.errors import Refused
from daemon.trading.exits import ExitKind
from daemon.trading.orders import Leg, OrderType, Side
from daemon.trading.plans import OrderPlan
from daemon.trading.positions import position_of

if TYPE_CHECKING:
    from decimal import Decimal

    from daemon.trading.desk_orders import DeskOrders
    from daemon.trading.desk_stops import DeskStops
    from daemon.trading.desk_truth import DeskTruth
    from daemon.trading.ledger import Ledger
    from daemon.trading.look import Look
    from daemon.trading.records import TradeRecord

log = logging.getLogger(__name__)

SETTLED = ExitKind.SETTLED_BY_HAND.value


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnersWord:
    """What the owner of a trade says has become of it.

    Attributes:
        price: what each coin has brought after fees, quote currency; None: nothing, they are written off.
        at_ms: when they were sold, ms UTC; None: now.
        orders_ended: that no order of the trade is open at the exchange any more.
    """

    price: Decimal | None = None
    at_ms: int | None = None
    orders_ended: bool = False


class DeskSettling:
    """Settles trades of pairs that are gone. No other is taken out of the hands of the rules.

    Args:
        ledger: where trades are.
        orders: cancels what the exchange (the paper one always) may still cancel.
        stops: closes.
        truth: knows which pairs are gone.
    """

    def __init__(self, ledger: Ledger, orders: DeskOrders, *, stops: DeskStops, truth: DeskTruth) -> None:
        self._ledger = ledger
        self._orders = orders
        self._stops = stops
        self._truth = truth

    def settle(self, trade: TradeRecord, word: OwnersWord, look: Look) -> TradeRecord:
        """Close a trade as its owner says; all of it is one transaction.

        Raises:
            Refused: its pair can be traded, orders of it may be open, or the time cannot be, and nothing has changed; or
                an order was filled that had to be cancelled: the word was about another amount.
            Retryable: the ledger cannot be written; nothing but requests to cancel has happened.
        """
        sold_ms = look.now_ms if word.at_ms is None else word.at_ms
        self._check(trade, word, sold_ms, look.now_ms)
        for order in trade.alive():
            self._orders.cancel(order, SETTLED)
        before, trade = trade, self._ledger.trade(trade.trade_id)
        if _filled(trade) != _filled(before):
            raise Refused(
                f"{_named(trade)}: its orders turned out to be filled further when they were cancelled; look at candled "
                f"trades {trade.trade_id}, and say again what has become of the rest"
            )
        held, sale = position_of(trade).amount, None
        if word.price is None or held <= 0:
            said = f"{held:f} {trade.pair.base} are written off" if held > 0 else "nothing is held"
        else:
            said = f"{held:f} {trade.pair.base} were sold at {word.price:f}"
            plan = OrderPlan(
                pair=trade.pair,
                leg=Leg.EXIT,
                side=Side.SELL,
                type=OrderType.LIMIT,
                amount=held,
                expected=word.price,
                price=word.price,
                reason=SETTLED,
            )
            intent = self._orders.intent(plan, trade.trade_id, look.candle_ms)
            sale = replace(intent, created_ms=sold_ms)
        detail = f"{SETTLED}: by the owner's word, {said}"
        settle = partial(
            self._ledger.settle, trade.trade_id, look.now_ms, sale, reason=SETTLED, detail=detail
        )
        closed = self._stops.close(trade, look, settle)
        log.warning(
            "settled_by_hand", extra={"fields": {"trade": trade.trade_id, "pair": trade.pair, "said": said}}
        )
        self._truth.soon()
        return closed

    def _check(self, trade: TradeRecord, word: OwnersWord, sold_ms: int, now_ms: int) -> None:
        name = _named(trade)
        if trade.pair not in self._truth.unlisted:
            raise Refused(
                f"{name} cannot be settled by hand: the exchange is not known to have no such market any more; "
                f"candled exit {trade.trade_id} sells it"
            )
        unsettled = [order.intent.client_id for order in trade.orders if not order.settled]
        if unsettled and not word.orders_ended:
            raise Refused(
                f"{name} has orders that may be open or filled at the exchange ({', '.join(unsettled)}): look there, and "
                "say --orders-ended if they are over; what they have sold or bought belongs into the price"
            )
        last_ms = max((fill.at_ms for order in trade.orders for fill in order.fills), default=trade.opened_ms)
        if not last_ms <= sold_ms <= now_ms:
            raise Refused(
                f"{name}: it was not sold before what is known of it happened ({_utc(last_ms)}), nor is it yet to be sold "
                f"(it is {_utc(now_ms)})"
            )


def _filled(trade: TradeRecord) -> list[tuple[Decimal, Decimal]]:
    """By each order, what the exchange has reported and what its executions tell."""
    return [(order.reported, order.filled) for order in trade.orders]


def _named(trade: TradeRecord) -> str:
    return f"trade {trade.trade_id} {trade.pair}"


def _utc(ms: int) -> str:
    """A time as it may be said."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
