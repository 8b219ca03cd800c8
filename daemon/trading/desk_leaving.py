"""How the desk leaves a trade: what is urgent before what is not, and nothing twice."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from daemon.core.errors import Refused, StrategyError
from daemon.trading.exits import ExitDecision, ExitKind
from daemon.trading.leaving import ExitWish, TooLittle, exit_order_kind, is_dust, least_sellable, plan_exit
from daemon.trading.orders import Leg
from daemon.trading.positions import position_of
from daemon.trading.timeouts import emergency_due

if TYPE_CHECKING:
    from decimal import Decimal

    from daemon.trading.desk_ground import Ground
    from daemon.trading.desk_orders import DeskOrders
    from daemon.trading.desk_stops import DeskStops
    from daemon.trading.exits import ExitCheck
    from daemon.trading.ledger import Ledger
    from daemon.trading.look import Look
    from daemon.trading.records import OrderRecord, TradeRecord

log = logging.getLogger(__name__)

FORCED = ExitDecision(
    kind=ExitKind.FORCE_EXIT, reason=ExitKind.FORCE_EXIT.value, detail="force_exit: by command"
)


class DeskLeaving:
    """Sells what trades hold.

    Args:
        ledger: where trades are.
        orders: sends and cancels.
        ground: what decisions go by.
        stops: closes what is sold, or cannot be.
    """

    def __init__(self, ledger: Ledger, orders: DeskOrders, *, ground: Ground, stops: DeskStops) -> None:
        self._ledger = ledger
        self._orders = orders
        self._ground = ground
        self._stops = stops

    def wishes(self, trade: TradeRecord, check: ExitCheck) -> tuple[ExitDecision, ...]:
        """Why to leave, the first in rank first: an emergency before all rules.

        A command stays the reason until it is done, however it is sold: at the market where a rule protects.
        """
        emergency = emergency_due(trade, self._ground.rules) or self._stops.unprotected(trade)
        found = (*([emergency] if emergency else []), *check.exits)
        if trade.exit_reason != FORCED.reason:
            return found
        protective = [each for each in found if each.kind.protective]
        return (
            *(replace(e, reason=FORCED.reason, detail=f"{FORCED.detail}; {e.detail}") for e in protective),
            FORCED,
        )

    def leaves(
        self, trade: TradeRecord, wishes: tuple[ExitDecision, ...], rate: Decimal, look: Look
    ) -> tuple[bool, list[str]]:
        """Whether the trade is being left; what callbacks did wrong."""
        for order in trade.alive(Leg.EXIT):
            partial = order.intent.amount < self._ground.terms(trade.pair).market.amount(
                position_of(trade).amount
            )
            urgent = next((each for each in wishes if each.kind.protective), None)
            if urgent is not None and self._is_in_the_way(order, urgent, trade, rate):
                self._orders.cancel(order, f"makes room: {urgent.detail}")
            return not partial or urgent is not None, []
        faults: list[str] = []
        for decision in wishes:
            try:
                self._leave(trade, decision, rate, look)
            except TooLittle as exc:  # so it is for every other wish
                faults.append(str(exc))
                break
            except Refused as exc:
                fields = {"trade": trade.trade_id, "why": str(exc)}
                log.debug("exit_refused", extra={"fields": fields})
            except StrategyError as exc:  # it must not keep a stop-loss that ranks behind it from acting
                faults.append(str(exc))
            else:
                return True, faults
        return False, faults

    def _is_in_the_way(
        self, order: OrderRecord, urgent: ExitDecision, trade: TradeRecord, rate: Decimal
    ) -> bool:
        """Whether an exit that rests keeps a more urgent one from being made, which the exchange would take."""
        terms = self._ground.terms(trade.pair)
        at_market = exit_order_kind(urgent.kind, terms.rules) == "market"
        if order.intent.reason == urgent.reason and not (at_market and order.intent.price is not None):
            return False
        try:
            held = position_of(trade).amount
            amount, price = terms.market.at_once(held, market=at_market), terms.market.price(rate)
            terms.market.check(amount, price, market=at_market)
        except Refused:
            return False
        return True

    def _leave(self, trade: TradeRecord, decision: ExitDecision, rate: Decimal, look: Look) -> None:
        """Sell all that a trade holds; orders that are in the way are cancelled first.

        Raises:
            TooLittle: what is held cannot be sold at this price.
            Refused: the strategy denies it, or the exchange would.
            StrategyError: a callback raised, and this exit is none that protects; nothing was done.
        """
        terms = self._ground.terms(trade.pair)
        held = position_of(trade).amount
        if terms.market.amount(held) < least_sellable(rate, terms.market):
            if trade.alive():
                self.cancel(trade, decision.detail, Leg.ENTRY)
            elif is_dust(held, terms.market) or decision.reason == FORCED.reason:
                self._stops.write_off(trade, decision, look)
            else:
                raise TooLittle(
                    f"{decision.detail}: {held:f} {trade.pair.base} are worth {held * rate:f} {trade.pair.quote}, less "
                    f"than the least order of {terms.market.min_cost:f}: kept until they are worth more; `candled exit "
                    f"{trade.trade_id}` writes them off"
                )
            return
        wish = ExitWish(
            pair=trade.pair,
            trade=self._ground.shown(trade),
            decision=decision,
            rate=rate,
            amount=held,
            now_ms=look.now_ms,
        )
        plan = plan_exit(wish, terms)
        self.cancel(trade, decision.detail, Leg.ENTRY, Leg.STOP)
        now = self._ledger.note(trade.trade_id, exit_reason=decision.reason, exit_detail=decision.detail)
        if now.alive() or any(not order.settled for order in now.orders):
            return  # first it must be known what they have come to; the rule will hold at the next look, or not
        if position_of(now).amount != held:
            return
        for fault in plan.faults:
            log.error("strategy_failed", extra={"fields": {"pair": trade.pair, "error": fault}})
        self._orders.add(now, plan, look.candle_ms)
        self.ended(trade.trade_id, look)

    def ended(self, trade_id: int, look: Look) -> bool:
        """Tell the strategy of fills that came within this look, and close the trade if it is over; whether it is."""
        trade = self._ledger.trade(trade_id)
        try:
            trade = self._stops.after_fills(trade, look)
        except StrategyError as exc:
            fields = {"pair": trade.pair, "error": str(exc)}
            log.error("strategy_failed", extra={"fields": fields})  # noqa: TRY400 - the text tells where
            trade = self._ledger.trade(trade_id)
        return self._stops.over(trade, look)

    def cancel(self, trade: TradeRecord, why: str, *legs: Leg) -> None:
        """Cancel a trade's orders of these legs."""
        for order in trade.alive(*legs):
            self._orders.cancel(order, why)
