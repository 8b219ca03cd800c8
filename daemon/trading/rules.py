"""The rules by which trades are decided: the configuration's over the strategy's own, checked as a whole."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from daemon.config.fields import Section
from daemon.config.orders import EntryPricing, ExitPricing, OrderTimeInForce, OrderTypes, UnfilledTimeout
from daemon.config.protections import ProtectionSettings
from daemon.core.errors import StrategyError

if TYPE_CHECKING:
    from daemon.config.settings import Settings
    from daemon.core.timeframe import Timeframe
    from daemon.strategy.interface import IStrategy

S = TypeVar("S", bound=Section)


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeRules:
    """freqtrade's keys as they hold for one strategy. Ratios: 0.01 is 1 %; money is in stake currency.

    Attributes:
        max_open_trades: infinity for no limit.
        stake_amount: None: what may be traded with, divided by ``max_open_trades``.
        minimal_roi: minutes since the trade was opened -> profit, in the order of the minutes.
        stoploss: below zero.
        fee: of every order; None: what the exchange's rules for the pair say.
        expired_after_ms: age of a candle, from its close, at which its entry signal is over; never above a candle.
    """

    strategy: str
    timeframe: Timeframe
    stake_currency: str
    dry_run: bool
    max_open_trades: float
    stake_amount: Decimal | None
    tradable_balance_ratio: Decimal
    available_capital: Decimal | None
    amend_last_stake_amount: bool
    last_stake_amount_min_ratio: Decimal
    amount_reserve_percent: Decimal
    fee: Decimal | None
    minimal_roi: tuple[tuple[int, float], ...]
    use_custom_roi: bool
    stoploss: float
    trailing_stop: bool
    trailing_stop_positive: float | None
    trailing_stop_positive_offset: float
    trailing_only_offset_is_reached: bool
    use_custom_stoploss: bool
    use_exit_signal: bool
    exit_profit_only: bool
    exit_profit_offset: float
    ignore_roi_if_entry_signal: bool
    expired_after_ms: int
    position_adjustment_enable: bool
    max_entry_position_adjustment: int
    order_types: OrderTypes
    time_in_force: OrderTimeInForce
    unfilled: UnfilledTimeout
    entry_pricing: EntryPricing
    exit_pricing: ExitPricing
    custom_price_max_distance_ratio: float
    protections: tuple[ProtectionSettings, ...]

    @property
    def most_trades(self) -> int | None:
        """``max_open_trades`` as a number; None for no limit."""
        return None if math.isinf(self.max_open_trades) else int(self.max_open_trades)


def trade_rules(settings: Settings, strategy: IStrategy) -> TradeRules:
    """The rules of a strategy under a configuration.

    Args:
        settings: the configuration.
        strategy: loaded, so that the configuration's values are among its attributes already.

    Raises:
        StrategyError: a value cannot be what it must be, or two do not fit together; the message names the key.
    """
    name = strategy.get_strategy_name()
    rules = TradeRules(
        strategy=name,
        timeframe=settings.timeframe,
        stake_currency=settings.stake_currency,
        dry_run=settings.dry_run,
        max_open_trades=_number(strategy, "max_open_trades"),
        stake_amount=_stake(strategy),
        tradable_balance_ratio=_exact(settings.tradable_balance_ratio),
        available_capital=None if settings.available_capital is None else _exact(settings.available_capital),
        amend_last_stake_amount=settings.amend_last_stake_amount,
        last_stake_amount_min_ratio=_exact(settings.last_stake_amount_min_ratio),
        amount_reserve_percent=_exact(settings.amount_reserve_percent),
        fee=None if settings.fee is None else _exact(settings.fee),
        minimal_roi=_roi(strategy),
        use_custom_roi=bool(strategy.use_custom_roi),
        stoploss=_stoploss(strategy),
        trailing_stop=bool(strategy.trailing_stop),
        trailing_stop_positive=_number_or_none(strategy, "trailing_stop_positive"),
        trailing_stop_positive_offset=_number(strategy, "trailing_stop_positive_offset"),
        trailing_only_offset_is_reached=bool(strategy.trailing_only_offset_is_reached),
        use_custom_stoploss=bool(strategy.use_custom_stoploss),
        use_exit_signal=bool(strategy.use_exit_signal),
        exit_profit_only=bool(strategy.exit_profit_only),
        exit_profit_offset=_number(strategy, "exit_profit_offset"),
        ignore_roi_if_entry_signal=bool(strategy.ignore_roi_if_entry_signal),
        expired_after_ms=_expiry(strategy, settings.timeframe),
        position_adjustment_enable=bool(strategy.position_adjustment_enable),
        max_entry_position_adjustment=int(_number(strategy, "max_entry_position_adjustment")),
        order_types=_section(strategy, "order_types", OrderTypes),
        time_in_force=_section(strategy, "order_time_in_force", OrderTimeInForce),
        unfilled=_section(strategy, "unfilledtimeout", UnfilledTimeout),
        entry_pricing=settings.entry_pricing,
        exit_pricing=settings.exit_pricing,
        custom_price_max_distance_ratio=settings.custom_price_max_distance_ratio,
        protections=_protections(settings, strategy),
    )
    _check(rules)
    return rules


def _check(rules: TradeRules) -> None:
    """What freqtrade refuses, too: values that do not fit together."""
    positive, offset = rules.trailing_stop_positive, rules.trailing_stop_positive_offset
    kinds, entry, leave = rules.order_types, rules.entry_pricing, rules.exit_pricing
    for wrong, words in (
        (
            rules.stake_amount is None and rules.most_trades is None,
            "max_open_trades and stake_amount cannot both be without limit; set one of them to a number",
        ),
        (
            rules.trailing_stop and rules.trailing_only_offset_is_reached and not positive,
            "trailing_only_offset_is_reached needs trailing_stop_positive",
        ),
        (
            rules.trailing_stop and positive == 0,
            "trailing_stop_positive must not be 0: every trade would be closed at once",
        ),
        (
            rules.trailing_stop and bool(positive) and 0 < offset <= (positive or 0),
            f"trailing_stop_positive_offset ({offset}) must be above trailing_stop_positive ({positive})",
        ),
        (
            kinds.entry == "market" and entry.price_side not in ("ask", "other"),
            'order_types.entry "market" needs entry_pricing.price_side "other"',
        ),
        (
            kinds.exit == "market" and leave.price_side not in ("bid", "other"),
            'order_types.exit "market" needs exit_pricing.price_side "other"',
        ),
    ):
        if wrong:
            raise StrategyError(f"{rules.strategy}: {words}")


def _number(strategy: IStrategy, key: str) -> float:
    value = _number_or_none(strategy, key)
    if value is None:
        raise StrategyError(f"{strategy.get_strategy_name()}: {key} is missing; write a number")
    return value


def _number_or_none(strategy: IStrategy, key: str) -> float | None:
    value = getattr(strategy, key, None)
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if math.isnan(number):
        raise StrategyError(f"{strategy.get_strategy_name()}: {key} = {value!r} is not a number")
    return number


def _stoploss(strategy: IStrategy) -> float:
    if getattr(strategy, "stoploss", None) is None:
        raise StrategyError(
            f"{strategy.get_strategy_name()}: stoploss is missing: without one a trade could lose everything; "
            "write for example stoploss = -0.1 (10 %) into the strategy or the configuration"
        )
    value = _number(strategy, "stoploss")
    if not -1 <= value < 0:
        raise StrategyError(f"{strategy.get_strategy_name()}: stoploss = {value} must be from -1 to below 0")
    return value


def _stake(strategy: IStrategy) -> Decimal | None:
    value: Any = getattr(strategy, "stake_amount", "unlimited")
    if value == "unlimited":
        return None
    number = _number(strategy, "stake_amount")
    if not number > 0:
        raise StrategyError(f"{strategy.get_strategy_name()}: stake_amount = {value!r} must be above 0")
    return _exact(number)


def _roi(strategy: IStrategy) -> tuple[tuple[int, float], ...]:
    return tuple(sorted((int(minutes), float(profit)) for minutes, profit in strategy.minimal_roi.items()))


def _expiry(strategy: IStrategy, timeframe: Timeframe) -> int:
    """A candle is never traded once the next one has closed; a strategy may want it younger still."""
    wanted_s = _number_or_none(strategy, "ignore_buying_expired_candle_after") or 0
    return min(int(wanted_s * 1000) or timeframe.ms, timeframe.ms)


def _section(strategy: IStrategy, key: str, kind: type[S]) -> S:
    value: Any = getattr(strategy, key, None)
    if value is None:
        return kind()
    given = {name: entry for name, entry in dict(value).items() if entry is not None}
    try:
        return kind.model_validate(given)
    except ValidationError as exc:
        raise StrategyError(f"{strategy.get_strategy_name()}: {key}: {_words(exc)}") from None


def _protections(settings: Settings, strategy: IStrategy) -> tuple[ProtectionSettings, ...]:
    """The configuration's; else the strategy's, which may be a property that reads its parameters."""
    if settings.protections is not None:
        return settings.protections
    try:
        return tuple(ProtectionSettings.model_validate(dict(entry)) for entry in strategy.protections)
    except ValidationError as exc:
        raise StrategyError(f"{strategy.get_strategy_name()}: protections: {_words(exc)}") from None


def _words(exc: ValidationError) -> str:
    error = exc.errors(include_url=False)[0]
    place = ".".join(str(part) for part in error["loc"])
    return f"{place}: {error['msg']}" if place else str(error["msg"]).removeprefix("Value error, ")


def _exact(value: float) -> Decimal:
    return Decimal(str(value))
