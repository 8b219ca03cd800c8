"""freqtrade's functions, written anew: values that freqtrade 2026.9 itself gives."""

import enum
import inspect
from datetime import UTC, datetime

import pytest

from daemon.core.errors import StrategyError
from daemon.strategy.callbacks import TradingCallbacks
from daemon.strategy.compat import enums, exceptions
from daemon.strategy.compat.space import Categorical, Integer, SKDecimal
from daemon.strategy.compat.stoploss import stoploss_from_absolute, stoploss_from_open
from daemon.strategy.compat.timeframes import (
    date_minus_candles,
    timeframe_to_minutes,
    timeframe_to_msecs,
    timeframe_to_next_date,
    timeframe_to_prev_date,
    timeframe_to_resample_freq,
    timeframe_to_seconds,
)
from daemon.strategy.parameters import CategoricalParameter, DecimalParameter, IntParameter


@pytest.mark.parametrize(
    ("timeframe", "seconds", "resample"),
    [
        ("1s", 1, "1s"),
        ("5m", 300, "300s"),
        ("4h", 14_400, "14400s"),
        ("1d", 86_400, "86400s"),
        ("1w", 604_800, "1W-MON"),
        ("1M", 2_592_000, "1MS"),
        ("1y", 31_536_000, "1YS"),
    ],
)
def test_lengths_of_timeframes(timeframe, seconds, resample):
    assert timeframe_to_seconds(timeframe) == seconds
    assert timeframe_to_minutes(timeframe) == seconds // 60
    assert timeframe_to_msecs(timeframe) == seconds * 1000
    assert timeframe_to_resample_freq(timeframe) == resample


@pytest.mark.parametrize(
    ("timeframe", "before", "after"),
    [
        ("5m", (2024, 5, 16, 13, 35), (2024, 5, 16, 13, 40)),
        ("4h", (2024, 5, 16, 12, 0), (2024, 5, 16, 16, 0)),
        ("1d", (2024, 5, 16), (2024, 5, 17)),
        ("1w", (2024, 5, 13), (2024, 5, 20)),
        ("2w", (2024, 5, 13), (2024, 5, 27)),
        ("1M", (2024, 5, 1), (2024, 6, 1)),
        ("3M", (2024, 4, 1), (2024, 7, 1)),
        ("1y", (2024, 1, 1), (2025, 1, 1)),
    ],
)
def test_boundaries_of_timeframes(timeframe, before, after):
    moment = datetime(2024, 5, 16, 13, 37, 42, 5, tzinfo=UTC)
    opened, following = datetime(*before, tzinfo=UTC), datetime(*after, tzinfo=UTC)
    assert timeframe_to_prev_date(timeframe, moment) == opened
    assert timeframe_to_next_date(timeframe, moment) == following
    assert timeframe_to_prev_date(timeframe, opened) == opened
    assert timeframe_to_next_date(timeframe, opened) == following


def test_without_a_date_it_is_the_candle_in_progress():
    opened = timeframe_to_prev_date("1d")
    assert opened <= datetime.now(UTC) < timeframe_to_next_date("1d")


def test_candles_are_counted_back():
    assert date_minus_candles("1h", 3, datetime(2024, 5, 16, 13, 37, tzinfo=UTC)) == datetime(
        2024, 5, 16, 10, tzinfo=UTC
    )


@pytest.mark.parametrize("text", ["", "m", "5", "x5m", "5q", "-5m"])
def test_what_is_no_timeframe_is_refused(text):
    with pytest.raises(ValueError, match="is not a timeframe"):
        timeframe_to_seconds(text)


@pytest.mark.parametrize(
    ("arguments", "stop"),
    [
        ((-0.05, 0.1), 0.1363636363636364),
        ((0.02, 0.05), 0.02857142857142858),
        ((0.05, 0.02), 0.0),
        ((-0.05, 0.1, True), 0.16666666666666674),
        ((0.02, 0.05, True), 0.031578947368421151),
        ((-0.1, 0.2, False, 5.0), 0.28846153846153855),
        ((0.1, -1), 1),
        ((0.1, 1, True), 1),
    ],
)
def test_stop_relative_to_the_entry(arguments, stop):
    assert stoploss_from_open(*arguments) == pytest.approx(stop, rel=1e-12)


@pytest.mark.parametrize(
    ("arguments", "stop"),
    [
        ((90, 100), 0.1),
        ((110, 100), 0.0),
        ((110, 100, True), 0.1),
        ((90, 100, True), 0.0),
        ((90, 100, False, 3.0), 0.3),
        ((90, 0), 1),
    ],
)
def test_stop_at_a_price(arguments, stop):
    assert stoploss_from_absolute(*arguments) == pytest.approx(stop, rel=1e-12)


def test_enumerations_have_freqtrades_values():
    assert enums.RunMode("dry_run") is enums.RunMode.DRY_RUN
    assert enums.CandleType.from_string("") is enums.CandleType.SPOT
    assert enums.CandleType.get_default("futures") is enums.CandleType.FUTURES
    assert [mode.value for mode in enums.TRADE_MODES] == ["live", "dry_run"]
    assert str(enums.ExitType.STOP_LOSS) == "stop_loss"
    assert str(enums.MarketDirection.LONG) == "long"
    assert str(enums.State.RUNNING) == str(enums.HyperoptState(1)).replace("startup", "running") == "running"
    assert all(inspect.isclass(getattr(enums, name)) or name.isupper() for name in enums.__all__)
    assert isinstance(enums.SignalType.ENTER_LONG, enum.StrEnum)


def test_exceptions_can_be_caught_as_freqtrades_and_end_as_ours():
    with pytest.raises(exceptions.DependencyException):
        raise exceptions.TemporaryError
    assert issubclass(exceptions.OperationalException, StrategyError)


def test_parameters_describe_their_spaces():
    assert IntParameter(1, 5, default=2).get_space("a") == Integer(1, 5, "a")
    assert DecimalParameter(0, 1, default=0.5, decimals=2).get_space("b") == SKDecimal(0, 1, 2, "b")
    assert CategoricalParameter(["x", "y"]).get_space("c") == Categorical(["x", "y"], "c")


def call(method, **given):
    names = inspect.signature(method).parameters
    return method(**{name: given.get(name) for name in names if name not in {"kwargs", "self"}})


@pytest.mark.parametrize(
    ("name", "given", "answer"),
    [
        ("confirm_trade_entry", {}, True),
        ("confirm_trade_exit", {}, True),
        ("custom_stake_amount", {"proposed_stake": 7}, 7),
        ("custom_entry_price", {"proposed_rate": 7}, 7),
        ("custom_exit_price", {"proposed_rate": 7}, 7),
        ("custom_stoploss", {}, -0.1),
        ("custom_roi", {}, None),
        ("custom_exit", {}, None),
        ("adjust_trade_position", {}, None),
        ("adjust_order_price", {"current_order_rate": 7, "is_entry": True}, 7),
        ("adjust_order_price", {"current_order_rate": 7, "is_entry": False}, 7),
        ("check_entry_timeout", {}, False),
        ("check_exit_timeout", {}, False),
        ("order_filled", {}, None),
        ("leverage", {}, 1.0),
    ],
)
def test_a_callback_that_is_not_overridden_has_no_opinion(name, given, answer):
    callbacks = TradingCallbacks()
    callbacks.stoploss = -0.1
    assert call(getattr(callbacks, name), **given) == answer
