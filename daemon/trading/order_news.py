"""What the exchange says of orders: heard, asked for until it is known, and put into the ledger."""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from typing import TYPE_CHECKING

from daemon.core.errors import ConfigError, RateLimited, Refused, Retryable
from daemon.trading.book import Contradiction
from daemon.trading.orders import OrderState
from daemon.trading.reconcile import is_told_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from daemon.core.clock import Clock
    from daemon.core.errors import CandledError
    from daemon.core.pair import Pair
    from daemon.trading.broker import Broker
    from daemon.trading.ledger import Ledger, Taken
    from daemon.trading.orders import Fill, Intent, OrderReport
    from daemon.trading.records import OrderRecord

log = logging.getLogger(__name__)

OVERLAP_MS = 60_000
"""Fills are fetched from so long before an order was sent: clocks differ."""


class OrderNews:
    """Hears and asks, and sends nothing but a cancellation that did not arrive.

    Args:
        ledger: its one writer is the thread that calls this.
        broker: where orders go.
        clock: market and real time.
        late_ms: how long after its answer was lost an order may still turn up at the exchange, market milliseconds.
        ask_s: real seconds between two questions about an open order of which no news has come.
    """

    def __init__(self, ledger: Ledger, broker: Broker, *, clock: Clock, late_ms: int, ask_s: float) -> None:
        self._ledger = ledger
        self._broker = broker
        self._clock = clock
        self._late_s = late_ms / 1000 / clock.speed
        self._ask_s = ask_s
        self._asked_s: dict[str, float] = {}
        self._unknown_s: dict[str, float] = {}
        self._whys: dict[str, str] = {}
        self._faults: dict[str, str] = {}
        self._silent_until_s = -math.inf
        self.moves = 0
        """Counts what may have changed the account."""

    @property
    def trouble(self) -> str:
        """What the exchange does not answer, in words; empty if it does."""
        return "; ".join(f"{what}: {error}" for what, error in self._faults.items())

    def pull(self) -> None:
        """Take what the exchange has told, and ask about what it should have told."""
        self._hear()
        unsettled = self._ledger.orders(unsettled=True)
        for order in unsettled:
            if order.state is OrderState.INTENDED:  # its request failed to be committed
                self._ledger.drop(order.intent.client_id, self._clock.now_ms(), "the moment had passed")
            elif self._is_due(order):
                self._ask_one(order)
        alive = {order.intent.client_id for order in unsettled}
        for known in (self._asked_s, self._unknown_s, self._whys):
            for name in [each for each in known if each not in alive]:
                del known[name]
        about = {_about(name) for name in alive}
        for what in self._faults.keys() - about - {"news"}:
            if not alive or what.startswith(_about("")):  # what went wrong with an order is over with it
                del self._faults[what]

    def take(self, reports: Iterable[OrderReport], fills: Iterable[Fill] = ()) -> Taken:
        """Commit what the exchange said, and log what is new in it."""
        told = [replace(each, detail=each.detail or self._whys.get(each.client_id, "")) for each in reports]
        taken = self._ledger.take(told, fills, self._clock.now_ms())
        self.moves += bool(taken.changed or taken.fills)
        for fill in taken.fills:
            fields = {"pair": fill.pair, "side": fill.side.value, "amount": fill.amount, "price": fill.price}
            log.info(
                "fill",
                extra={"fields": {**fields, "fee": fill.fee, "order": fill.client_id or fill.exchange_id}},
            )
        for what in taken.contradictions:
            log.error("contradiction", extra={"fields": {"what": what, "remedy": "candled resume --settled"}})
        return taken

    def ask_again(self) -> None:
        """Have every unsettled order asked for at the next `pull`."""
        self._asked_s.clear()

    def _ask_one(self, order: OrderRecord) -> None:
        """Ask for an order; where the answer cannot be true a human has to look, and the others go on.

        That is shown until the order is asked for without it, or is over; the contradiction itself bars entries until
        somebody has settled it.
        """
        about = _about(order.intent.client_id)
        try:
            self._ask(order)
        except Contradiction as exc:
            self._fault(about, exc)
        else:
            self._faults.pop(about, None)

    def _hear(self) -> None:
        """Take what the exchange has pushed."""
        try:
            news = self._broker.news()
        except (Retryable, Refused, ConfigError) as exc:
            self._fault("news", exc)
            news = ()
        else:
            self._faults.pop("news", None)
        if news:
            try:
                self.take(news)
            except Retryable:
                self._asked_s.clear()  # it will not be told again: ask for all
                raise

    def _is_due(self, order: OrderRecord) -> bool:
        """Whether to ask: what is doubtful at once, what is open now and then."""
        name, now_s = order.intent.client_id, self._clock.monotonic_s()
        asked_s = self._asked_s.get(name)
        patience_s = self._ask_s if order.state is OrderState.OPEN else min(1.0, self._ask_s)
        if asked_s is not None and now_s - asked_s < patience_s:
            return False
        self._asked_s[name] = now_s
        return True

    def _ask(self, order: OrderRecord) -> OrderRecord:
        """Ask the exchange how an order stands, and for the fills that are missing."""
        intent = order.intent
        fills: Sequence[Fill] = ()
        if not self._lists(intent.pair):
            # By the refusal that had the markets asked for again.
            if intent.pair in self._faults.get("order", ""):
                del self._faults["order"]
            return order
        try:
            report = self._broker.order(intent.pair, intent.client_id, order.exchange_id)
            if report is not None and report.filled > sum((f.amount for f in report.fills), order.filled):
                since_ms = (order.sent_ms or intent.created_ms) - OVERLAP_MS
                fills = self._broker.fills(intent.pair, since_ms)
        except (Retryable, Refused, ConfigError) as exc:
            if not self._is_about_a_lost_pair(exc, intent.pair):
                self._fault("order", exc)
            return order
        self._faults.pop("order", None)
        if report is None:
            self._not_known(order)
            return self._known(intent.client_id)
        self.take([report], fills)
        order = self._known(intent.client_id)
        if order.state is OrderState.CANCELLING and report.state is OrderState.OPEN:
            self._cancel_again(order)
        return self._known(intent.client_id)

    def _not_known(self, order: OrderRecord) -> None:
        """The exchange does not know an order: if it still does not when nothing can arrive any more, that is the answer.

        When it says so first, the request has long left: its answer was lost, or who sent it is dead. From then on it
        counts, by a clock that nobody sets.
        """
        name, now_s = order.intent.client_id, self._clock.monotonic_s()
        first_s = self._unknown_s.setdefault(name, now_s)
        if order.state is OrderState.UNKNOWN and now_s - first_s >= self._late_s and not is_told_of(order):
            self._ledger.absent(name, self._clock.now_ms())
            log.warning("order_absent", extra={"fields": named(order.intent)})

    def _cancel_again(self, order: OrderRecord) -> None:
        """The request to cancel did not arrive."""
        try:
            report = self._broker.cancel(order.intent.pair, order.intent.client_id, order.exchange_id)
        except (Retryable, Refused, ConfigError) as exc:
            self._fault("cancel", exc)
            return
        if report is not None:
            self.take([report])

    def _lists(self, pair: Pair) -> bool:
        """Whether the exchange can be asked about a pair; of one that it has no more, nothing is learned (`DeskTruth` tells)."""
        try:
            return not self._broker.unlisted([pair])
        except (Retryable, Refused, ConfigError):  # whatever is wanted of it will tell
            return True

    def _is_about_a_lost_pair(self, exc: CandledError, pair: Pair) -> bool:
        """Whether a request failed because of what is told anyway."""
        return isinstance(exc, Refused) and not self._lists(pair)

    def _fault(self, what: str, exc: CandledError) -> None:
        if isinstance(exc, RateLimited):
            self._silent_until_s = self._clock.monotonic_s() + exc.wait_s
        if what not in self._faults:  # the first of a streak
            log.warning("exchange_failed", extra={"fields": {"request": what, "error": str(exc)}})
        self._faults[what] = str(exc)

    def _known(self, name: str) -> OrderRecord:
        order = self._ledger.order(name)
        if order is None:
            raise Contradiction(f"order {name} is not in the ledger any more")
        return order


def named(intent: Intent) -> dict[str, object]:
    """An order, as a line of the log names it."""
    shown: dict[str, object] = {
        "pair": intent.pair,
        "trade": intent.trade_id,
        "leg": intent.leg.value,
        "type": intent.type.value,
        "amount": intent.amount,
    }
    if intent.price is not None:
        shown["price"] = intent.price
    if intent.stop_price is not None:
        shown["stop_price"] = intent.stop_price
    return {**shown, "order": intent.client_id}


def _about(name: str) -> str:
    return f"order {name}"
