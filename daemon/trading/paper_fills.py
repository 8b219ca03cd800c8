"""How orders are filled on paper: a pure function of the order and of the way the price took since it was accepted.

Told in short in docs/trading.md. An order that takes meets what the book offers when it comes, and goes on from
piece to piece with a share of what each traded. An order that rests is filled when the price has gone through its
limit. No price is outside of what the market showed in that piece, and none is worse than the order's own limit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import ROUND_UP, Decimal
from typing import TYPE_CHECKING

from daemon.core.errors import Refused
from daemon.trading.orders import ZERO, Fill, OrderState, OrderType, Side
from daemon.trading.paper_market import above, below, share_of

if TYPE_CHECKING:
    from daemon.market.path import Piece
    from daemon.trading.broker import MarketRules
    from daemon.trading.orders import Intent
    from daemon.trading.paper_market import Depth

FEE_STEP = Decimal("1E-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperOrder:
    """An order on the paper exchange.

    Attributes:
        intent: what was ordered.
        state: where it stands.
        accepted_ms: when it came, ms UTC.
        seen_ms: up to when the price's way was looked at, ms UTC.
        triggered: whether a stop order's price was reached.
        filled: amount, base currency.
        fills: oldest first; one that was taken up again after a restart has only those since then.
        count: how many fills there are in all.
        changed_ms: when it was filled or ended last, ms UTC.
    """

    intent: Intent
    state: OrderState = OrderState.OPEN
    accepted_ms: int
    seen_ms: int
    triggered: bool = False
    filled: Decimal = ZERO
    fills: tuple[Fill, ...] = ()
    count: int = 0
    changed_ms: int

    @property
    def remaining(self) -> Decimal:
        """Amount that is still to be filled, base currency."""
        return self.intent.amount - self.filled

    @property
    def exchange_id(self) -> str:
        """The paper exchange's name for it."""
        return f"paper-{self.intent.client_id}"

    @property
    def wakes_at(self) -> Decimal | None:
        """The price at or below which something happens to it; None: at any."""
        stops = self.intent.type in (OrderType.STOP, OrderType.STOP_LIMIT)
        return self.intent.stop_price if stops and not self.triggered else None


def accepted(intent: Intent, depth: Depth, rules: MarketRules, now_ms: int) -> PaperOrder:
    """An order that has just come: what can be had at once is had.

    Raises:
        Refused: it breaks a filter, would have to buy at a stop, or is ``PO`` and would take.
    """
    quote = depth.quote
    buys, stops = intent.side is Side.BUY, intent.type in (OrderType.STOP, OrderType.STOP_LIMIT)
    if stops and buys:
        raise Refused("stop orders that buy are not offered on paper")
    expected = intent.price or intent.stop_price or (quote.ask if buys else quote.bid)
    rules.check(intent.amount, expected, market=intent.type is OrderType.MARKET)
    order = PaperOrder(intent=intent, accepted_ms=now_ms, seen_ms=now_ms, changed_ms=now_ms)
    if stops:
        return order
    for price, amount in depth.asks if buys else depth.bids:
        if order.remaining == 0 or _worse(intent, price):
            break
        if intent.time_in_force == "PO":
            raise Refused(f"a post-only order at {intent.price} would take at {price}")
        order = _filled(order, amount, price, rules, now_ms, maker=False)
    return _in_force(order, intent, now_ms)


def advanced(order: PaperOrder, piece: Piece, rules: MarketRules) -> PaperOrder:
    """The same order when a piece of the price's way is over; of one that it came into, nobody knows what came first."""
    if order.state is not OrderState.OPEN or piece.end_ms <= order.seen_ms:
        return order
    seen = replace(order, seen_ms=piece.end_ms)
    if piece.start_ms < order.accepted_ms:
        return seen
    kind, stop = order.intent.type, order.intent.stop_price
    if stop is not None and not order.triggered:
        return _met(replace(seen, triggered=True), stop, piece, rules) if piece.low <= stop else seen
    if kind in (OrderType.LIMIT, OrderType.STOP_LIMIT):
        return _rested(seen, piece, rules)
    return _met(seen, piece.last, piece, rules)


def cancelled(order: PaperOrder, now_ms: int) -> PaperOrder:
    """The same order, ended on request."""
    return replace(order, state=OrderState.CANCELLED, changed_ms=now_ms)


def _in_force(order: PaperOrder, intent: Intent, now_ms: int) -> PaperOrder:
    """What its time in force makes of an order that has met the book."""
    if order.remaining == 0 or intent.time_in_force not in ("IOC", "FOK"):
        return order
    if intent.time_in_force == "FOK":  # all or nothing: nothing
        order = replace(order, filled=ZERO, fills=(), count=0)
    return replace(order, state=OrderState.EXPIRED, changed_ms=now_ms)


def _rested(order: PaperOrder, piece: Piece, rules: MarketRules) -> PaperOrder:
    """Filled at its limit once the price has gone through it; better only where the market skipped the limit."""
    limit = order.intent.price or ZERO
    if order.intent.side is Side.BUY:
        through, price = piece.low < limit, min(limit, piece.high)
    else:
        through, price = piece.high > limit, max(limit, piece.low)
    if not through:
        return order
    return _filled(order, share_of(piece), price, rules, piece.end_ms, maker=True)


def _met(order: PaperOrder, price: Decimal, piece: Piece, rules: MarketRules) -> PaperOrder:
    """Filled by what the piece traded: half the spread worse than a price, but at nothing that the piece did not show."""
    if order.intent.side is Side.BUY:
        price = min(piece.high, above(price, rules.price_step))
    else:
        price = max(piece.low, below(min(price, piece.high), rules.price_step))
    if _worse(order.intent, price):
        return order
    return _filled(order, share_of(piece), price, rules, piece.end_ms, maker=False)


def _worse(intent: Intent, price: Decimal) -> bool:
    """Whether a price is beyond the order's limit; an order without one takes any."""
    if intent.price is None:
        return False
    return price > intent.price if intent.side is Side.BUY else price < intent.price


def _filled(
    order: PaperOrder, most: Decimal | None, price: Decimal, rules: MarketRules, at_ms: int, *, maker: bool
) -> PaperOrder:
    """The order with one more fill, as large as ``most`` allows; unchanged if that is less than a step."""
    amount = order.remaining if most is None else min(order.remaining, rules.amount(most))
    if amount <= 0:
        return order
    intent = order.intent
    rate = rules.maker_fee if maker else rules.taker_fee
    fill = Fill(
        fill_id=f"{intent.client_id}-{order.count}",
        client_id=intent.client_id,
        exchange_id=order.exchange_id,
        pair=intent.pair,
        side=intent.side,
        amount=amount,
        price=price,
        fee=(amount * price * rate).quantize(FEE_STEP, ROUND_UP),
        fee_currency=intent.pair.quote,
        at_ms=at_ms,
        maker=maker,
    )
    filled = order.filled + amount
    return replace(
        order,
        filled=filled,
        fills=(*order.fills, fill),
        count=order.count + 1,
        state=OrderState.FILLED if filled == intent.amount else OrderState.OPEN,
        changed_ms=at_ms,
    )
