"""The paper broker: orders that never leave the house, filled as the market would have filled them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from daemon.core.errors import Refused
from daemon.trading.broker import Balance
from daemon.trading.orders import ZERO, OrderReport, OrderState, Side
from daemon.trading.paper_fills import PaperOrder, accepted, advanced, cancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from decimal import Decimal

    from daemon.core.clock import Clock
    from daemon.core.pair import Pair
    from daemon.trading.broker import MarketRules, Quote
    from daemon.trading.orders import Fill, Intent
    from daemon.trading.paper_market import Depth, PaperMarket
    from daemon.trading.records import OrderRecord

ENDED_KEPT = 100
"""Orders that are over and still answered for though the ledger has their end; one of which it has not, always is."""


class PaperBroker:
    """A `Broker` on paper.

    What it knows beyond the ledger is nothing: after a restart it is given the ledger's open orders and fills them
    along the way that the price took meanwhile, with the same fill ids as if it had never stopped. An order whose
    acceptance did not reach the ledger is not known to it any more, as if the request had been lost on its way.

    Fees are paid in quote currency, as in freqtrade's dry-run.

    Args:
        market: prices, depth and filters.
        clock: when orders come.
        account: balances by the ledger; an order that they do not cover is refused.
        awaited: client ids of the orders whose end, or some of whose fills, the ledger has not.
    """

    def __init__(
        self,
        market: PaperMarket,
        *,
        clock: Clock,
        account: Callable[[], Mapping[str, Balance]],
        awaited: Callable[[], Collection[str]],
    ) -> None:
        self.name = f"paper on {market.name}"
        self._market = market
        self._clock = clock
        self._account = account
        self._awaited = awaited
        self._lock = threading.RLock()
        self._open: dict[str, PaperOrder] = {}
        self._ended: dict[str, PaperOrder] = {}
        self._untold: dict[str, None] = {}

    def restore(self, orders: Iterable[OrderRecord]) -> None:
        """Take up the open orders that the ledger has from earlier runs."""
        with self._lock:
            for record in orders:
                if record.state in (OrderState.OPEN, OrderState.CANCELLING) and record.sent_ms is not None:
                    self._open[record.intent.client_id] = _restored(record)

    def rules(self, pair: Pair) -> MarketRules:
        """See `Broker`."""
        return self._market.rules(pair)

    def unlisted(self, pairs: Iterable[Pair]) -> frozenset[Pair]:
        """See `Broker`."""
        return frozenset(pair for pair in pairs if not self._lists(pair))

    def quotes(self, pairs: Sequence[Pair]) -> Mapping[Pair, Quote]:
        """See `Broker`."""
        return self._market.quotes(pairs)

    def depth(self, pair: Pair) -> Depth:
        """What an order that comes now meets; see `PaperMarket`."""
        return self._market.depth(pair)

    def send(self, intent: Intent) -> OrderReport:
        """See `Broker`."""
        with self._lock:
            if self._found(intent.client_id) is not None:
                raise Refused(f"order {intent.client_id} was sent before")
            depth = self._market.depth(intent.pair)
            taken = intent.price or (depth.quote.ask if intent.side is Side.BUY else depth.quote.bid)
            self._check_funds(intent, taken)
            order = accepted(intent, depth, self.rules(intent.pair), self._clock.now_ms())
            self._put(order)
            self._untold.pop(intent.client_id, None)
            return _report(order)

    def cancel(self, pair: Pair, client_id: str, exchange_id: str) -> OrderReport | None:
        """See `Broker`."""
        del pair, exchange_id
        with self._lock:
            self._advance(client_id)
            order = self._open.get(client_id)
            if order is None:
                return None
            ended = cancelled(order, self._clock.now_ms())
            self._put(ended)
            return _report(ended)

    def order(self, pair: Pair, client_id: str, exchange_id: str) -> OrderReport | None:
        """See `Broker`."""
        del pair, exchange_id
        with self._lock:
            self._advance(client_id)
            order = self._found(client_id)
            return None if order is None else _report(order)

    def open_orders(self, pairs: Sequence[Pair]) -> Sequence[OrderReport]:
        """See `Broker`."""
        with self._lock:
            self._advance_all()
            return [_report(order) for order in self._open.values() if order.intent.pair in pairs]

    def fills(self, pair: Pair, since_ms: int) -> Sequence[Fill]:
        """See `Broker`; of the orders that are still answered for."""
        with self._lock:
            self._advance_all()
            known = [*self._ended.values(), *self._open.values()]
            found = [fill for order in known for fill in order.fills if fill.pair == pair]
            return sorted((fill for fill in found if fill.at_ms >= since_ms), key=lambda fill: fill.at_ms)

    def balances(self) -> Mapping[str, Balance]:
        """See `Broker`: the ledger's own."""
        return self._account()

    def news(self) -> Sequence[OrderReport]:
        """See `Broker`: orders that were filled or ended since the last call."""
        with self._lock:
            self._forget()
            self._advance_all()
            told = [_report(order) for name in self._untold if (order := self._found(name)) is not None]
            self._untold.clear()
            return told

    def clock_off_ms(self) -> int:
        """See `Broker`: it has our own clock."""
        return 0

    def close(self) -> None:
        """See `Broker`."""
        self._market.close()

    def _lists(self, pair: Pair) -> bool:
        try:
            self._market.rules(pair)
        except Refused:
            return False
        return True

    def _found(self, client_id: str) -> PaperOrder | None:
        return self._open.get(client_id) or self._ended.get(client_id)

    def _advance_all(self) -> None:
        for client_id in tuple(self._open):
            self._advance(client_id)

    def _advance(self, client_id: str) -> None:
        """Fill an open order along the way that the price took since it was looked at last."""
        order = self._open.get(client_id)
        if order is None:
            return
        try:
            rules, before = self.rules(order.intent.pair), order.count
        except Refused:  # a pair that this market has no more: nothing happens to its order
            return
        while order.state is OrderState.OPEN:
            wakes_at = order.wakes_at
            for piece in self._market.path(order.intent.pair, order.seen_ms, at_or_below=wakes_at):
                order = advanced(order, piece, rules)
                if order.state is not OrderState.OPEN or order.wakes_at != wakes_at:
                    break  # from here on every piece matters to it
            else:
                break
        if order.count != before:
            self._untold[client_id] = None
        self._put(order)

    def _put(self, order: PaperOrder) -> None:
        client_id = order.intent.client_id
        if order.state is OrderState.OPEN:
            self._open[client_id] = order
            return
        self._open.pop(client_id, None)
        self._ended[client_id] = order

    def _forget(self) -> None:
        """Answer no longer for the oldest that are over. What was told may not have reached the ledger: it is asked."""
        if len(self._ended) <= ENDED_KEPT:
            return
        kept = {*self._awaited(), *self._untold}
        for name in [each for each in self._ended if each not in kept][:-ENDED_KEPT]:
            del self._ended[name]

    def _check_funds(self, intent: Intent, price: Decimal) -> None:
        """Refuse what the account, less what open orders bind, does not cover."""
        buys = intent.side is Side.BUY
        currency = intent.pair.quote if buys else intent.pair.base
        fee = self.rules(intent.pair).taker_fee
        needed = _bound(intent, intent.amount, price) * (1 + fee) if buys else intent.amount
        bound = sum(
            (
                _bound(order.intent, order.remaining, order.intent.price or price)
                for order in self._open.values()
                if order.intent.side is intent.side and _currency(order.intent) == currency
            ),
            ZERO,
        )
        has = self._account().get(currency, Balance()).total
        if needed > has - bound:
            raise Refused(f"{needed:f} {currency} are needed, {has - bound:f} of {has:f} {currency} are free")


def _currency(intent: Intent) -> str:
    """The currency that an order pays with."""
    return intent.pair.quote if intent.side is Side.BUY else intent.pair.base


def _bound(intent: Intent, amount: Decimal, price: Decimal) -> Decimal:
    """What an amount of an order binds of the currency that it pays with, without fees."""
    return amount * price if intent.side is Side.BUY else amount


def _restored(record: OrderRecord) -> PaperOrder:
    """An open order as it stood when the ledger last heard of it; stop orders walk the whole way again."""
    sent_ms = record.sent_ms or 0
    at_ms = record.fills[-1].at_ms if record.fills else sent_ms
    return PaperOrder(
        intent=record.intent,
        accepted_ms=sent_ms,
        seen_ms=at_ms,
        triggered=bool(record.fills),
        filled=record.filled,
        count=len(record.fills),
        changed_ms=record.changed_ms,
    )


def _report(order: PaperOrder) -> OrderReport:
    return OrderReport(
        client_id=order.intent.client_id,
        exchange_id=order.exchange_id,
        pair=order.intent.pair,
        state=order.state,
        filled=order.filled,
        amount=order.intent.amount,
        at_ms=order.changed_ms,
        side=order.intent.side,
        price=order.intent.price,
        fills=order.fills,
    )
