"""Where a trade's stop-loss stands: ``stoploss``, ``trailing_stop``, ``custom_stoploss``. Pure but for the callback."""

from __future__ import annotations

from dataclasses import replace
from decimal import ROUND_UP, Decimal
from typing import TYPE_CHECKING

from daemon.core.errors import StrategyError
from daemon.trading.records import StopState

if TYPE_CHECKING:
    from daemon.strategy.persistence import Trade
    from daemon.trading.broker import MarketRules
    from daemon.trading.rules import TradeRules
    from daemon.trading.terms import Terms


def first_stop(open_rate: float, rules: TradeRules, market: MarketRules) -> StopState:
    """The stop-loss of a trade that has just been filled."""
    price = _below(open_rate, rules.stoploss, market)
    ratio = -abs(rules.stoploss)
    return StopState(price=price, initial=price, ratio=ratio, initial_ratio=ratio)


def raised(
    stop: StopState, rate: float, ratio: float, market: MarketRules, *, rule: str, refresh: bool = False
) -> StopState:
    """The stop-loss after a rule wants it at a distance below a price.

    Args:
        stop: where it stands.
        rate: price from which the distance counts, quote currency.
        ratio: distance; its sign does not matter.
        market: the exchange's precision.
        rule: what wants it.
        refresh: whether it may fall as well.
    """
    price = _below(rate, ratio, market)
    if not refresh and price <= stop.price:
        return stop
    return replace(stop, price=price, ratio=-abs(ratio), trailing=stop.trailing or not refresh, rule=rule)


def stop_after_entry(
    stop: StopState | None, trade: Trade, rules: TradeRules, market: MarketRules
) -> StopState:
    """The stop-loss after an entry was filled: of the first entry it is set, by further ones it may only rise.

    Args:
        stop: where it stood before.
        trade: with the fill in it.
        rules: ``stoploss``.
        market: the exchange's precision.
    """
    entries = sum(1 for order in trade.orders if order.ft_order_side == "buy" and order.filled)
    if stop is None or (entries <= 1 and stop.rule == "stoploss"):
        return first_stop(trade.open_rate, rules, market)
    return raised(stop, trade.open_rate, stop.ratio or rules.stoploss, market, rule=stop.rule)


def moved_stop(
    stop: StopState,
    trade: Trade,
    rate: float,
    *,
    now_ms: int,
    terms: Terms,
    after_fill: bool = False,
) -> tuple[StopState, str]:
    """The stop-loss after a look at the price.

    Args:
        stop: where it stood before.
        trade: as the strategy is to see it.
        rate: what the position would be sold at, quote currency.
        now_ms: market time, ms UTC.
        terms: the trailing keys, the exchange's precision, ``custom_stoploss``.
        after_fill: whether an order was just filled; then `custom_stoploss` may lower the stop, too.

    Returns:
        The stop, and what the strategy's callback did wrong (empty if nothing): then the stop stays where it was.
    """
    rules, market, callbacks = terms.rules, terms.market, terms.callbacks
    if after_fill and not callbacks.stop_after_fill:
        return stop, ""
    if stop.price >= rate:  # it is hit: it moves no more
        return stop, ""
    ratio, profit, fault = rules.stoploss, trade.calc_profit_ratio(rate), ""
    if rules.use_custom_stoploss:
        try:
            custom = callbacks.custom_stoploss(
                trade, now_ms=now_ms, current_rate=rate, current_profit=profit, after_fill=after_fill
            )
        except StrategyError as exc:
            custom, fault = None, str(exc)
        if custom is not None:
            ratio = custom
            stop = raised(stop, rate, custom, market, rule="custom_stoploss", refresh=after_fill)
    offset = rules.trailing_stop_positive_offset
    if rules.trailing_stop and not (rules.trailing_only_offset_is_reached and profit < offset):
        rule = "trailing_stop"
        if rules.trailing_stop_positive is not None and profit > offset:
            ratio, rule = rules.trailing_stop_positive, "trailing_stop_positive"
        stop = raised(stop, rate, ratio, market, rule=rule)
    return stop, fault


def _below(rate: float, ratio: float, market: MarketRules) -> Decimal:
    """A price below another, rounded up to the exchange's precision: never looser than wanted."""
    return market.price(Decimal(str(rate * (1 - abs(ratio)))), ROUND_UP)
