"""A strategy's attributes: its own, its parameter file's, and what the configuration says over them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from daemon.core.errors import StrategyError
from daemon.strategy.compat.enums import CandleType, MarginMode, RunMode, TradingMode

if TYPE_CHECKING:
    from daemon.strategy.interface import IStrategy

# Attribute -> value where neither the configuration nor the strategy has one (None: it stays absent).
_ATTRIBUTES: dict[str, Any] = {
    "minimal_roi": {"0": 10.0},
    "timeframe": None,
    "stoploss": None,
    "trailing_stop": False,
    "trailing_stop_positive": None,
    "trailing_stop_positive_offset": 0.0,
    "trailing_only_offset_is_reached": False,
    "use_custom_stoploss": False,
    "process_only_new_candles": True,
    "order_types": None,
    "order_time_in_force": None,
    "stake_currency": None,
    "stake_amount": "unlimited",
    "startup_candle_count": 0,
    "unfilledtimeout": {"entry": 10, "exit": 10, "unit": "minutes"},
    "use_exit_signal": True,
    "exit_profit_only": False,
    "exit_profit_offset": 0.0,
    "ignore_roi_if_entry_signal": False,
    "disable_dataframe_checks": False,
    "ignore_buying_expired_candle_after": 0,
    "position_adjustment_enable": False,
    "max_entry_position_adjustment": -1,
    "max_open_trades": 3,
}


def strategy_config(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A copy of the configuration for a strategy to read (and write), with the entries freqtrade adds."""
    own: dict[str, Any] = _plain(config)
    own["strategy"] = name
    own["trading_mode"] = TradingMode(own.get("trading_mode") or "spot")
    own["margin_mode"] = MarginMode(own.get("margin_mode") or "")
    own["candle_type_def"] = CandleType.get_default(own["trading_mode"])
    default_mode = RunMode.LIVE if own.get("dry_run") is False else RunMode.DRY_RUN
    own["runmode"] = RunMode(own.get("runmode") or default_mode)
    return own


LIMITS = ("max_open_trades", "stake_amount")
"""Attributes that a reload may change."""


def apply_settings(instance: IStrategy, stored: Mapping[str, Any]) -> dict[str, Any]:
    """Set every attribute from the configuration, else the parameter file, else the strategy.

    What was found is written to the strategy's configuration too, where strategies look for it.

    Args:
        instance: the strategy.
        stored: spaces of its parameter file.

    Returns:
        `LIMITS` as they are where the configuration does not say.

    Raises:
        StrategyError: there is no timeframe, or a value cannot be what it must be.
    """
    from_file = _special_values(stored)
    config = instance.config
    limits = {name: from_file.get(name, getattr(instance, name, _ATTRIBUTES[name])) for name in LIMITS}
    for attribute, default in _ATTRIBUTES.items():
        own = from_file.get(attribute, getattr(instance, attribute, default))
        is_property = isinstance(getattr(type(instance), attribute, None), property)
        if config.get(attribute) is not None and not is_property:
            own = config[attribute]
        if own is None:
            continue
        own = _normal(attribute, own)
        if not is_property:
            setattr(instance, attribute, own)
        config[attribute] = own
    if "timeframe" not in config:
        raise StrategyError(
            f"{instance.get_strategy_name()}: write `timeframe` in the configuration or the strategy"
        )
    return limits


def reapply_settings(
    instance: IStrategy, limits: Mapping[str, Any], config: Mapping[str, Any], keys: Iterable[str]
) -> None:
    """Have a running strategy see what a reload has changed: in its configuration, and in its attributes.

    Each value is replaced by one assignment, for the strategy may just be running in another thread.

    Args:
        instance: the strategy.
        limits: what `apply_settings` returned.
        config: the configuration as it is now, in freqtrade's keys.
        keys: what has changed, dotted.
    """
    for key in keys:
        *way, last = key.split(".")
        theirs: Any = instance.config
        now: Any = config
        for name in way:
            theirs, now = theirs.setdefault(name, {}), now.get(name, {})
        value = now.get(last)
        if value is None and key in LIMITS:
            value = limits[key]
        if value is None:
            theirs.pop(last, None)
            continue
        theirs[last] = _normal(last, value)
        if key in LIMITS and not isinstance(getattr(type(instance), key, None), property):
            setattr(instance, key, theirs[last])


def _special_values(stored: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {**stored.get("trailing", {}), **stored.get("stoploss", {})}
    values.update(stored.get("max_open_trades", {}))
    if "roi" in stored:
        values["minimal_roi"] = stored["roi"]
    return values


def _normal(attribute: str, value: Any) -> Any:
    """The value as freqtrade hands it on: ROI sorted by minutes, -1 open trades without limit."""
    try:
        if attribute == "minimal_roi":
            return dict(sorted((int(minutes), float(ratio)) for minutes, ratio in value.items()))
        if attribute == "stoploss":
            return float(value)
        if attribute == "max_open_trades":
            return math.inf if value < 0 else value
    except (TypeError, ValueError, AttributeError) as exc:
        raise StrategyError(f"{attribute} = {value!r}: {exc}") from exc
    return _plain(value)


def _plain(value: Any) -> Any:
    """A deep copy in plain dicts and lists, so that what the strategy writes stays with it."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
