"""What follows from fills: the stop-loss, the stop order at the exchange, the end of a trade."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from daemon.core.errors import Refused, StrategyError
from daemon.trading.exits import ExitDecision, ExitKind
from daemon.trading.leaving import is_dust, least_sellable, plan_stop_order, stop_order_outdated
from daemon.trading.orders import ZERO, Leg, OrderState
from daemon.trading.positions import position_of
from daemon.trading.stops import moved_stop, stop_after_entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from daemon.trading.desk_ground import Ground
    from daemon.trading.desk_orders import DeskOrders
    from daemon.trading.ledger import Ledger
    from daemon.trading.look import Look
    from daemon.trading.records import OrderRecord, TradeRecord

log = logging.getLogger(__name__)

TOLD = "fills_told"
"""Fact: ids of orders of open trades whose fills the strategy was told of."""


class DeskStops:
    """Draws the consequences of fills.

    Args:
        ledger: where trades are.
        orders: sends and cancels.
        ground: what decisions go by.
        before_close: told of each trade that is about to be closed after it has held something, and when; what it
            returns is told of the closed trade, in the transaction that closes it.
    """

    def __init__(
        self,
        ledger: Ledger,
        orders: DeskOrders,
        *,
        ground: Ground,
        before_close: Callable[[TradeRecord, int], Callable[[TradeRecord], None]],
    ) -> None:
        self._ledger = ledger
        self._orders = orders
        self._ground = ground
        self._before_close = before_close
        self._told: dict[str, None] | None = None

    def after_fills(self, trade: TradeRecord, look: Look) -> TradeRecord:
        """Set the stop-loss after entries, and tell the strategy of orders that were filled.

        A crash in between tells the strategy once more; it never leaves a stop-loss out.

        Raises:
            StrategyError: `order_filled` or `custom_stoploss` raised; the stop-loss stands where it must at least.
        """
        told = self._known()
        faults: list[str] = []
        for order in trade.orders:
            if order.intent.client_id in told or not (order.settled and order.fills):
                continue
            trade = self._with_stop(trade, order, look, faults)
            try:
                self._tell(trade, order, look)
            except StrategyError as exc:
                faults.append(str(exc))
            told[order.intent.client_id] = None
            self._ledger.put(TOLD, list(told))
        if faults:
            raise StrategyError("; ".join(faults))
        return trade

    def over(self, trade: TradeRecord, look: Look) -> bool:
        """Close a trade that has no order left and has sold all that can be sold now; whether it is closed."""
        if any(not order.settled for order in trade.orders):
            return False
        position = position_of(trade)
        left = ""
        if position.amount > 0:
            if not position.sold or position.close_rate is None:
                return False
            market, quote = self._ground.terms(trade.pair).market, look.quotes.get(trade.pair)
            if not is_dust(position.amount, market):
                if quote is None:
                    return False
                # Left of a sale is what was too little even at its price: a part that was kept on purpose is none, though
                # the price has fallen since.
                rate = max(quote.bid, position.close_rate)
                if market.amount(position.amount) >= least_sellable(rate, market):
                    return False
                left = (
                    f"{position.amount:f} {trade.pair.base} are left, worth {position.amount * quote.bid:f} "
                    f"{trade.pair.quote}: too little to be sold"
                )
        last = next((o for o in reversed(trade.orders) if o.fills), None)
        stop = last is not None and last.intent.leg is Leg.STOP
        # An exit that was tried before, and came to nothing, is no reason.
        if position.bought and (stop or not trade.exit_reason):
            kind = ExitKind.STOPLOSS_ON_EXCHANGE if stop else ExitKind.SOLD_ON_EXCHANGE
            rate = position.close_rate or ZERO
            asked = (
                f", stop {last.intent.stop_price:f}" if last is not None and last.intent.stop_price else ""
            )
            trade = self._ledger.note(
                trade.trade_id, exit_reason=kind.value, exit_detail=f"{kind}: sold at {rate:f}{asked}"
            )
        self._close(trade, look, left)
        return True

    def write_off(self, trade: TradeRecord, decision: ExitDecision, look: Look) -> None:
        """Close a trade that holds what cannot be sold, or by command what cannot be sold now."""
        held = position_of(trade).amount
        left = f"{held:f} {trade.pair.base} are too little to be sold"
        self._close(replace(trade, exit_reason=decision.reason, exit_detail=decision.detail), look, left)

    def unprotected(self, trade: TradeRecord) -> ExitDecision | None:
        """The exit of a trade whose stop order the exchange did not take; None if it has one, or needs none."""
        stops = [order for order in trade.orders if order.intent.leg is Leg.STOP]
        if not self._ground.rules.order_types.stoploss_on_exchange or not stops:
            return None
        if stops[-1].state is not OrderState.REJECTED:
            return None
        return ExitDecision(
            kind=ExitKind.EMERGENCY_EXIT,
            reason=ExitKind.EMERGENCY_EXIT.value,
            detail=f"emergency_exit: the exchange refused the stop order: {stops[-1].detail}",
        )

    def keep_at_exchange(self, trade: TradeRecord, look: Look) -> None:
        """Have a stop order lie at the exchange, for all that is held, where the stop-loss stands."""
        rules, stop = self._ground.rules, trade.stop
        if not rules.order_types.stoploss_on_exchange or stop is None:
            return
        if trade.alive(Leg.EXIT) or trade.incomplete:  # what is left to protect will be known
            return
        market, held = self._ground.terms(trade.pair).market, position_of(trade).amount
        at_market = rules.order_types.stoploss != "limit"
        for order in trade.alive(Leg.STOP):
            placed, placed_ms = order.intent.stop_price or ZERO, order.sent_ms or order.intent.created_ms
            if stop_order_outdated(placed, placed_ms, stop, look.now_ms, rules):
                self._orders.cancel(order, f"the stop-loss stands at {stop.price:f} now")
            elif order.intent.amount - order.filled != market.at_once(held, market=at_market):
                self._orders.cancel(order, f"{held:f} are held now")
        trade = self._ledger.trade(trade.trade_id)
        held = position_of(trade).amount
        if trade.alive(Leg.STOP) or any(not o.settled for o in trade.orders if o.intent.leg is Leg.STOP):
            return
        if self.unprotected(trade) is not None or market.amount(held) < least_sellable(stop.price, market):
            return
        try:
            plan = plan_stop_order(trade.pair, stop, held, rules=rules, market=market)
        except Refused as exc:
            log.warning("no_stop_order", extra={"fields": {"trade": trade.trade_id, "why": str(exc)}})
            return
        self._orders.add(trade, plan, look.candle_ms)

    def _known(self) -> dict[str, None]:
        if self._told is None:
            self._told = dict.fromkeys(self._ledger.get(TOLD, []))
        return self._told

    def _with_stop(
        self, trade: TradeRecord, order: OrderRecord, look: Look, faults: list[str]
    ) -> TradeRecord:
        """The trade with its stop-loss after a fill."""
        if position_of(trade).amount <= 0:
            return trade
        terms, shown = self._ground.terms(trade.pair), self._ground.shown(trade)
        stop = trade.stop
        if order.intent.leg is Leg.ENTRY or stop is None:
            stop = stop_after_entry(stop, shown, terms.rules, terms.market)
        if terms.rules.use_custom_stoploss:
            rate = float(order.average or stop.price)
            stop, fault = moved_stop(stop, shown, rate, now_ms=look.now_ms, terms=terms, after_fill=True)
            faults.extend([fault] if fault else [])
        return self._ledger.note(trade.trade_id, stop=stop)

    def _tell(self, trade: TradeRecord, order: OrderRecord, look: Look) -> None:
        shown = self._ground.shown(trade)
        told = shown.select_order_by_order_id(order.exchange_id or order.intent.client_id)
        if told is not None:
            self._ground.callbacks.order_filled(shown, told, now_ms=look.now_ms)

    def close(self, trade: TradeRecord, look: Look, end: Callable[[], TradeRecord]) -> TradeRecord:
        """End a trade by ``end``, which does so in the ledger: with what follows from it, in one transaction."""
        told = self._known()
        mine = {order.intent.client_id for order in trade.orders}
        others = {name: None for name in told if name not in mine}
        # Whoever has to ask the exchange does so now: it may take long, and others wait for the ledger.
        after = self._before_close(trade, look.now_ms) if position_of(trade).bought else None
        # A kill must not come between a trade's end and the locks that follow from it.
        with self._ledger.together():
            closed = end()
            self._ground.closed.put([closed])
            if len(others) < len(told):
                self._ledger.put(TOLD, list(others))
            if after is not None:
                after(closed)
        self._told = others
        position = position_of(closed)
        if not position.bought:
            log.info("entry_ended", extra={"fields": {"trade": closed.trade_id, "pair": closed.pair}})
            return closed
        profit = position.received - position.paid
        fields = {
            "trade": closed.trade_id,
            "pair": closed.pair,
            "profit": round(profit, 8),
            "ratio": f"{profit / position.paid:+.4%}",
            "reason": closed.exit_reason,
            "rule": closed.exit_detail,
        }
        log.info("trade_closed", extra={"fields": fields})
        return closed

    def _close(self, trade: TradeRecord, look: Look, left: str = "") -> None:
        """End a trade; ``left``: what is written off with it, in words, which belong to the reason of the exit then."""

        def end() -> TradeRecord:
            if left:
                detail = f"{trade.exit_detail}; {left}"
                self._ledger.note(trade.trade_id, exit_reason=trade.exit_reason, exit_detail=detail)
            dust = max(position_of(trade).amount, ZERO)
            return self._ledger.close_trade(trade.trade_id, look.now_ms, dust=dust)

        self.close(trade, look, end)
        if left:
            log.warning("dust", extra={"fields": {"trade": trade.trade_id, "pair": trade.pair, "left": left}})
