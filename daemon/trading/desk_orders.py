"""Orders on their way out: nothing leaves before it is in the ledger."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from daemon.core.errors import ConfigError, Refused, Retryable
from daemon.trading.broker import AnswerLost
from daemon.trading.order_news import OrderNews, named
from daemon.trading.orders import ZERO, Intent, OrderReport, OrderState, client_id
from daemon.trading.reconcile import GRACE_MS

if TYPE_CHECKING:
    from daemon.core.clock import Clock
    from daemon.trading.broker import Broker
    from daemon.trading.ledger import Ledger
    from daemon.trading.plans import OrderPlan
    from daemon.trading.records import OrderRecord, TradeRecord

log = logging.getLogger(__name__)

MINUTE_MS = 60_000


class DeskOrders(OrderNews):
    """Sends and cancels, and knows what came of it. It decides nothing but to intend nothing in a silence.

    Every method may raise `Retryable` where the ledger cannot be written; then no request has left. What goes wrong
    at the exchange does not raise: it shows in the order's state.

    Args:
        ledger: its one writer is the thread that calls this.
        broker: where orders go.
        clock: market and real time.
        account: see `client_id`.
        late_ms: how long after its answer was lost an order may still turn up at the exchange, market milliseconds.
        ask_s: real seconds between two questions about an open order of which no news has come.
    """

    def __init__(
        self,
        ledger: Ledger,
        broker: Broker,
        *,
        clock: Clock,
        account: str,
        late_ms: int = GRACE_MS,
        ask_s: float = 5.0,
    ) -> None:
        super().__init__(ledger, broker, clock=clock, late_ms=late_ms, ask_s=ask_s)
        self._account = account
        self.sent_ms = list(ledger.sent_ms(clock.now_ms() - MINUTE_MS))
        """When orders left within the last minute of market time, also before a restart."""

    def begin(self, plan: OrderPlan, candle_ms: int, *, strategy: str, timeframe: str) -> TradeRecord:
        """Begin a trade with its first order.

        Raises:
            Refused: the exchange asks for silence.
        """
        self._check_silence()
        intent = self.intent(plan, 0, candle_ms)
        trade = self._ledger.begin_trade(
            intent,
            strategy=strategy,
            timeframe=timeframe,
            stake_currency=plan.pair.quote,
            enter_tag=plan.reason,
        )
        self._send(replace(intent, trade_id=trade.trade_id))
        return self._ledger.trade(trade.trade_id)

    def add(self, trade: TradeRecord, plan: OrderPlan, candle_ms: int) -> OrderRecord:
        """One more order of a trade.

        Raises:
            Refused: the exchange asks for silence.
        """
        self._check_silence()
        intent = self.intent(plan, trade.trade_id, candle_ms)
        self._ledger.intend(intent)
        return self._send(intent)

    def cancel(self, order: OrderRecord, why: str) -> OrderRecord:
        """Ask for the end of an order; how it ends is known when its state is final."""
        intent = order.intent
        order = self._known(intent.client_id)  # it may have ended since the caller looked
        if order.state is OrderState.INTENDED:
            return self._ledger.drop(intent.client_id, self._clock.now_ms(), why)
        if order.state.final or order.state is OrderState.UNKNOWN:
            return order  # whether there is anything to cancel, only the exchange knows: it is asked
        if order.state is OrderState.OPEN:
            log.info("order_cancelled", extra={"fields": {**named(intent), "why": why}})
        self._whys[intent.client_id] = why
        self._ledger.cancelling(intent.client_id, self._clock.now_ms())
        try:
            report = self._broker.cancel(intent.pair, intent.client_id, order.exchange_id)
        except (Retryable, Refused, ConfigError) as exc:
            if not self._is_about_a_lost_pair(exc, intent.pair):
                self._fault("cancel", exc)
            return self._known(intent.client_id)
        self._faults.pop("cancel", None)
        if report is None:
            return self._ask(order)
        self.take([report])
        return self._known(intent.client_id)

    def recover(self) -> None:
        """At the start: what was intended and never sent is dropped."""
        for order in self._ledger.orders(unsettled=True):
            if order.state is OrderState.INTENDED:
                self._ledger.drop(
                    order.intent.client_id, self._clock.now_ms(), "the daemon ended before it was sent"
                )

    def intent(self, plan: OrderPlan, trade_id: int, candle_ms: int) -> Intent:
        """A plan as the next order of its pair, candle and leg; nothing is written yet."""
        attempt = self._ledger.next_attempt(plan.pair, candle_ms, plan.leg)
        return Intent(
            client_id=client_id(self._account, plan.pair, candle_ms, plan.leg, attempt),
            trade_id=trade_id,
            pair=plan.pair,
            leg=plan.leg,
            side=plan.side,
            type=plan.type,
            amount=plan.amount,
            price=plan.price,
            stop_price=plan.stop_price,
            time_in_force=plan.time_in_force,
            candle_ms=candle_ms,
            attempt=attempt,
            reason=plan.reason,
            created_ms=self._clock.now_ms(),
        )

    def _send(self, intent: Intent) -> OrderRecord:
        """Commit that the request leaves, let it leave, commit what was answered."""
        now_ms = self._clock.now_ms()
        self._ledger.sending(intent.client_id, now_ms)
        self._asked_s[intent.client_id] = self._clock.monotonic_s()
        self.sent_ms = [ms for ms in self.sent_ms if ms > now_ms - MINUTE_MS] + [now_ms]
        self.moves += 1
        log.info("order", extra={"fields": {**named(intent), "reason": intent.reason}})
        try:
            report = self._broker.send(intent)
        except Refused as exc:
            report = _rejected(intent, self._clock.now_ms(), str(exc))
            log.warning("order_refused", extra={"fields": {**named(intent), "error": str(exc)}})
        except AnswerLost as exc:
            self._fault("send", exc)
            # Most often it has arrived, and only its answer is lost.
            return self._ask(self._known(intent.client_id))
        except (Retryable, ConfigError) as exc:  # nothing has left
            self._fault("send", exc)
            return self._ledger.absent(intent.client_id, self._clock.now_ms())
        self._faults.pop("send", None)
        self.take([report])
        order = self._known(intent.client_id)
        # Most answers carry no executions; what this one has cost decides what the next one may cost.
        return self._ask(order) if order.state.final and not order.settled else order

    def _check_silence(self) -> None:
        """An order that may not leave now is none: its moment will have passed when it may."""
        if self._clock.monotonic_s() < self._silent_until_s:
            raise Refused("the exchange asks for silence")


def _rejected(intent: Intent, now_ms: int, why: str) -> OrderReport:
    return OrderReport(
        client_id=intent.client_id,
        exchange_id="",
        pair=intent.pair,
        state=OrderState.REJECTED,
        filled=ZERO,
        amount=intent.amount,
        at_ms=now_ms,
        side=intent.side,
        price=intent.price,
        detail=why,
    )
