"""How the desk looks after open trades: stops, exits, orders that wait, positions that the strategy changes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from daemon.core.errors import Refused, Retryable, StrategyError
from daemon.trading.adjusting import adjustment
from daemon.trading.desk_leaving import FORCED, DeskLeaving
from daemon.trading.exits import ExitDecision, ExitKind, ExitLook, check_exits
from daemon.trading.leaving import ExitWish, plan_exit
from daemon.trading.orders import Leg, Side
from daemon.trading.positions import position_of
from daemon.trading.timeouts import Waiting, check_waiting

if TYPE_CHECKING:
    from decimal import Decimal

    from daemon.trading.desk_entries import DeskEntries
    from daemon.trading.desk_ground import Ground
    from daemon.trading.desk_orders import DeskOrders
    from daemon.trading.desk_stops import DeskStops
    from daemon.trading.ledger import Ledger
    from daemon.trading.look import Look
    from daemon.trading.records import OrderRecord, TradeRecord

log = logging.getLogger(__name__)


class DeskExits:
    """Looks after one trade at a time.

    Args:
        ledger: where trades are.
        orders: sends and cancels.
        ground: what decisions go by.
        entries: adds to positions.
        stops: keeps stop orders at the exchange, and what follows from fills.
    """

    def __init__(
        self, ledger: Ledger, orders: DeskOrders, *, ground: Ground, entries: DeskEntries, stops: DeskStops
    ) -> None:
        self._ledger = ledger
        self._orders = orders
        self._ground = ground
        self._entries = entries
        self._stops = stops
        self._leaving = DeskLeaving(ledger, orders, ground=ground, stops=stops)

    def look(self, trade: TradeRecord, look: Look) -> None:
        """Look after one trade.

        Raises:
            StrategyError: a callback raised; the position stays protected.
            Refused: the exchange's rules do not allow what is wanted.
            Retryable: the ledger cannot be written.
        """
        trade = self._stops.after_fills(trade, look)
        if self._stops.over(trade, look):
            return
        faults = self._wait(trade, look)
        if self._leaving.ended(trade.trade_id, look):
            return
        trade = self._ledger.trade(trade.trade_id)
        if position_of(trade).amount > 0 and trade.pair in look.quotes:
            faults += self._hold(trade, look)
        elif trade.exit_reason == FORCED.reason:  # told to leave before anything was filled
            self._leaving.cancel(trade, FORCED.detail, Leg.ENTRY)
        if faults:
            raise StrategyError("; ".join(faults))

    def force(self, trade: TradeRecord, look: Look) -> None:
        """Leave a trade by command: what does not succeed now is tried at every look, also after a restart."""
        self._ledger.note(trade.trade_id, exit_reason=FORCED.reason, exit_detail=FORCED.detail)
        for order in trade.alive(Leg.EXIT):
            if order.intent.reason != FORCED.reason:
                self._orders.cancel(order, FORCED.detail)
        trade = self._ledger.trade(trade.trade_id)
        try:
            self.look(trade, look)
        except (StrategyError, Refused, Retryable) as exc:
            log.warning("exit_waits", extra={"fields": {"trade": trade.trade_id, "error": str(exc)}})

    def cancel_at_the_end(self, order: OrderRecord) -> None:
        """The daemon stops: entries and exits are not left alone; stop orders are."""
        if order.intent.leg is not Leg.STOP:
            self._orders.cancel(order, "the daemon stops")

    def _wait(self, trade: TradeRecord, look: Look) -> list[str]:
        """Orders that wait for their fill; what callbacks did wrong."""
        faults = []
        for order in trade.alive(Leg.ENTRY, Leg.EXIT):
            if trade.pair not in look.quotes or not order.exchange_id:
                continue
            try:
                faults.append(self._look_at_waiting(trade, order, look))
            except Refused as exc:  # of this order; the position is looked after all the same
                faults.append(str(exc))
        return [fault for fault in faults if fault]

    def _look_at_waiting(self, trade: TradeRecord, order: OrderRecord, look: Look) -> str:
        """Cancel or replace an order whose time is over; what a callback did wrong.

        Raises:
            Refused: the exchange would not take the order at its new price.
        """
        check = check_waiting(
            order,
            self._ground.shown(trade),
            rate=self._ground.rate_or_ticker(order.intent.side, trade.pair, look)[0],
            now_ms=look.now_ms,
            newest_close_ms=look.candle_ms + self._ground.rules.timeframe.ms,
            terms=self._ground.terms(trade.pair),
        )
        if check.verdict is not Waiting.KEEP:
            ended = self._orders.cancel(order, check.detail)
            if check.verdict is Waiting.REPLACE and check.price is not None and ended.settled:
                self._replace(ended, check.price, look)
        return check.fault

    def _replace(self, order: OrderRecord, price: Decimal, look: Look) -> None:
        """Send what is left of a cancelled order anew at another price."""
        left = order.intent.amount - order.filled
        trade = self._ledger.trade(order.intent.trade_id)
        if left <= 0:
            return
        if order.intent.leg is Leg.ENTRY:
            self._entries.replace(trade, price, left * price, look, tag=order.intent.reason)
            return
        decision = ExitDecision(
            kind=ExitKind.EXIT_SIGNAL, reason=order.intent.reason, detail=trade.exit_detail
        )
        plan = plan_exit(
            ExitWish(
                pair=trade.pair,
                trade=self._ground.shown(trade),
                decision=decision,
                rate=price,
                amount=left,
                now_ms=look.now_ms,
                replacing=True,
            ),
            self._ground.terms(trade.pair),
        )
        self._orders.add(trade, plan, look.candle_ms)

    def _hold(self, trade: TradeRecord, look: Look) -> list[str]:
        """A trade that holds something: move its stop, leave it if a rule says so, else let the strategy change it."""
        rate, bookless = self._ground.rate_or_ticker(Side.SELL, trade.pair, look)
        leave = look.leaves(trade.pair)
        check = check_exits(
            trade,
            self._ground.shown(trade),
            ExitLook(
                rate=rate,
                now_ms=look.now_ms,
                enter=look.enters(trade.pair),
                leave=leave is not None,
                exit_tag="" if leave is None else leave.tag,
            ),
            self._ground.terms(trade.pair),
        )
        trade = self._ledger.note(trade.trade_id, stop=check.stop, highest=check.highest, lowest=check.lowest)
        found = [*check.faults, *filter(None, [bookless])]
        if any(order.state.final and not order.settled for order in trade.orders):
            # Executions are not listed yet. What seems to be held may be sold: it must not be sold twice.
            return found
        wishes = tuple(
            each for each in self._leaving.wishes(trade, check) if each.kind.protective or not bookless
        )
        leaving, faults = self._leaving.leaves(trade, wishes, rate, look)
        if not leaving:
            self._stops.keep_at_exchange(self._ledger.trade(trade.trade_id), look)
            if not bookless:
                self._adjust(self._ledger.trade(trade.trade_id), rate, look)
        return [*found, *faults]

    def _adjust(self, trade: TradeRecord, rate: Decimal, look: Look) -> None:
        """Let the strategy add to a position or take some of it out."""
        rules = self._ground.rules
        if not rules.position_adjustment_enable or trade.exit_reason == FORCED.reason:
            return
        if trade.alive(Leg.ENTRY, Leg.EXIT) or trade.incomplete:
            return
        entry_rate = self._ground.rate(Side.BUY, trade.pair, look)
        found, why = adjustment(
            self._ground.shown(trade),
            entry_rate=entry_rate,
            exit_rate=rate,
            now_ms=look.now_ms,
            account=self._ground.account(),
            terms=self._ground.terms(trade.pair),
        )
        if why:
            log.debug("adjustment_refused", extra={"fields": {"trade": trade.trade_id, "why": why}})
        if found is None:
            return
        if found.decision is None:
            self._entries.add(trade, found.stake, look, tag=found.tag)
            return
        plan = plan_exit(
            ExitWish(
                pair=trade.pair,
                trade=self._ground.shown(trade),
                decision=found.decision,
                rate=rate,
                amount=found.amount,
                now_ms=look.now_ms,
                whole=False,
            ),
            self._ground.terms(trade.pair),
        )
        held = position_of(trade).amount
        self._leaving.cancel(self._ledger.trade(trade.trade_id), found.decision.detail, Leg.STOP)
        now = self._ledger.trade(trade.trade_id)
        if now.alive() or now.incomplete or position_of(now).amount != held:
            return  # the strategy will be asked again
        self._orders.add(now, plan, look.candle_ms)
