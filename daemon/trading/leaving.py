"""An exit order: its price, its amount, and whether the strategy confirms it. Pure but for the callbacks."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from typing import TYPE_CHECKING

from daemon.core.errors import Refused, StrategyError
from daemon.trading.exits import ExitDecision, ExitKind
from daemon.trading.orders import Leg, OrderType, Side
from daemon.trading.plans import OrderPlan, order_type
from daemon.trading.prices import bounded_price, order_price

if TYPE_CHECKING:
    from daemon.core.pair import Pair
    from daemon.strategy.persistence import Trade
    from daemon.trading.broker import MarketRules
    from daemon.trading.records import StopState
    from daemon.trading.rules import TradeRules
    from daemon.trading.terms import Terms


class TooLittle(Refused):
    """What a trade holds is worth less than the exchange's least order now; at a higher price it can be sold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitWish:
    """What is to be sold.

    Attributes:
        pair: what is sold.
        trade: whose it is, as strategies see it.
        decision: why.
        rate: by ``exit_pricing``, or the new price where ``replacing``; quote currency.
        amount: base currency; the part to sell, or all of it.
        whole: whether ``amount`` is all that the trade holds.
        now_ms: market time, ms UTC.
        replacing: whether it takes the place of an exit order that was cancelled for a new price.
    """

    pair: Pair
    trade: Trade
    decision: ExitDecision
    rate: Decimal
    amount: Decimal
    now_ms: int
    whole: bool = True
    replacing: bool = False


def plan_exit(wish: ExitWish, terms: Terms) -> OrderPlan:
    """The exit order that follows from a wish; of an amount that is too large for one order, as much as it may be of.

    A callback that raises holds an order back, but never a protective one (`ExitKind.protective`): that goes at the
    proposed price, and the fault is in the plan.

    Raises:
        Refused: no such order may be sent: with the limit that is broken, or that the strategy denies it.
        StrategyError: a callback raised; there is no order then.
    """
    rules, market = terms.rules, terms.market
    decision, faults = wish.decision, []
    kind = exit_order_kind(decision.kind, rules)
    price = wish.rate
    if kind == "limit" and not wish.replacing:
        try:
            price = _custom_price(wish, terms)
        except StrategyError as exc:
            if not decision.kind.protective:
                raise
            faults.append(str(exc))
    price = order_price(Side.SELL, price, market)
    amount = market.at_once(wish.amount, market=kind == "market")
    market.check(amount, price, market=kind == "market")
    # What a human has told to leave, leaves: a strategy that may deny it would be stronger than the kill switch.
    if wish.whole and not wish.replacing and decision.reason != ExitKind.FORCE_EXIT.value:
        try:
            confirmed = _confirmed(wish, kind, amount, price, terms)
        except StrategyError as exc:
            if not decision.kind.protective:
                raise
            confirmed = True
            faults.append(str(exc))
        if not confirmed:
            raise Refused(f"{wish.pair}: confirm_trade_exit denied the exit ({decision.reason})")
    limit = order_type(kind) is OrderType.LIMIT
    return OrderPlan(
        pair=wish.pair,
        leg=Leg.EXIT,
        side=Side.SELL,
        type=order_type(kind),
        amount=amount,
        expected=price,
        price=price if limit else None,
        time_in_force=rules.time_in_force.exit if limit else "GTC",
        reason=decision.reason,
        detail=decision.detail,
        faults=tuple(faults),
    )


def plan_stop_order(
    pair: Pair, stop: StopState, amount: Decimal, *, rules: TradeRules, market: MarketRules
) -> OrderPlan:
    """The stop order that lies at the exchange while a trade is open (``stoploss_on_exchange``).

    Of an amount that is too large for one order, it is of as much as it may be: when it is filled, the rest is sold.

    Raises:
        Refused: the exchange would not take it: with the limit that is broken.
    """
    kinds = rules.order_types
    limit = kinds.stoploss == "limit"
    price = order_price(Side.SELL, stop.price * Decimal(str(kinds.stoploss_on_exchange_limit_ratio)), market)
    price = min(price, stop.price)
    amount = market.at_once(amount, market=not limit)
    market.check(amount, price if limit else stop.price, market=not limit)
    return OrderPlan(
        pair=pair,
        leg=Leg.STOP,
        side=Side.SELL,
        type=OrderType.STOP_LIMIT if limit else OrderType.STOP,
        amount=amount,
        expected=stop.price,
        price=price if limit else None,
        stop_price=stop.price,
        reason=ExitKind.STOPLOSS_ON_EXCHANGE.value,
        detail=f"stoploss_on_exchange: stop {stop.price:f} ({stop.rule} {stop.ratio:g})",
    )


def stop_order_outdated(
    placed: Decimal, placed_ms: int, stop: StopState, now_ms: int, rules: TradeRules
) -> bool:
    """Whether the stop order at the exchange should be moved up to where the stop-loss stands now.

    Args:
        placed: stop price of the order.
        placed_ms: when it was sent, ms UTC.
        stop: where the stop-loss stands.
        now_ms: market time, ms UTC.
        rules: ``stoploss_on_exchange_interval``.
    """
    due_ms = placed_ms + rules.order_types.stoploss_on_exchange_interval * 1000
    return stop.price > placed and now_ms >= due_ms


def exit_order_kind(kind: ExitKind, rules: TradeRules) -> str:
    """``limit`` or ``market``, by what closes the trade."""
    kinds = rules.order_types
    if kind in (ExitKind.STOP_LOSS, ExitKind.TRAILING_STOP_LOSS):
        return kinds.stoploss
    if kind is ExitKind.EMERGENCY_EXIT:
        return kinds.emergency_exit
    return (kinds.force_exit or kinds.exit) if kind is ExitKind.FORCE_EXIT else kinds.exit


def least_sellable(rate: Decimal, market: MarketRules) -> Decimal:
    """The smallest amount that can be sold at a price, base currency."""
    by_cost = market.min_cost / rate if rate > 0 else Decimal(0)
    least = max(by_cost, market.min_amount, market.amount_step)
    return (least / market.amount_step).to_integral_value(ROUND_UP) * market.amount_step


def is_dust(amount: Decimal, market: MarketRules) -> bool:
    """Whether an amount can be sold at no price: less than a lot, or than the least amount."""
    return market.amount(amount) < max(market.min_amount, market.amount_step)


def _custom_price(wish: ExitWish, terms: Terms) -> Decimal:
    proposed = float(wish.rate)
    custom = terms.callbacks.custom_exit_price(
        wish.trade,
        now_ms=wish.now_ms,
        proposed_rate=proposed,
        current_profit=wish.trade.calc_profit_ratio(proposed),
        exit_tag=wish.decision.reason,
    )
    if custom == proposed:
        return wish.rate
    return bounded_price(custom, wish.rate, terms.rules.custom_price_max_distance_ratio)


def _confirmed(wish: ExitWish, kind: str, amount: Decimal, price: Decimal, terms: Terms) -> bool:
    return terms.callbacks.confirm_trade_exit(
        wish.trade,
        now_ms=wish.now_ms,
        order_type=kind,
        amount=float(amount),
        rate=float(price),
        time_in_force=terms.rules.time_in_force.exit,
        exit_reason=wish.decision.reason,
    )
