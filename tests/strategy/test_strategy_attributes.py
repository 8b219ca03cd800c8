"""A strategy's attributes and its copy of the configuration."""

from types import MappingProxyType

import pytest

from daemon.core.errors import StrategyError
from daemon.strategy.attributes import reapply_settings
from daemon.strategy.compat.enums import CandleType, RunMode, TradingMode


def test_the_configuration_goes_before_the_strategys_attributes(sound, config):
    config |= {"timeframe": "15m", "stoploss": -0.2, "minimal_roi": {"40": 0.0, "5": 0.1}}
    instance = sound("minimal_roi = {'0': 9}\ntrailing_stop = True\n").instance
    assert (instance.timeframe, instance.stoploss, instance.trailing_stop) == ("15m", -0.2, True)
    assert list(instance.minimal_roi.items()) == [(5, 0.1), (40, 0.0)]


def test_a_strategys_timeframe_counts_where_the_configuration_has_none(sound, config):
    del config["timeframe"]
    instance = sound().instance
    assert instance.timeframe == instance.config["timeframe"] == "5m"


def test_without_any_timeframe_the_strategy_is_refused(sound, config):
    del config["timeframe"]
    with pytest.raises(StrategyError, match="write `timeframe` in the configuration or the strategy"):
        sound("del timeframe\n")


def test_defaults_are_freqtrades(sound):
    instance = sound().instance
    assert (instance.use_exit_signal, instance.exit_profit_only, instance.exit_profit_offset) == (
        True,
        False,
        0.0,
    )
    assert instance.minimal_roi == {}
    assert instance.order_types["exit"] == "limit"
    assert instance.startup_candle_count == 0


def test_a_property_is_left_alone(sound, config):
    config["startup_candle_count"] = 5
    body = "@property\ndef startup_candle_count(self):\n    return 77\n"
    instance = sound(body).instance
    assert instance.startup_candle_count == instance.config["startup_candle_count"] == 77


def test_strategies_find_what_they_look_up_in_the_configuration(sound, config):
    config["trading_mode"] = "futures"
    instance = sound().instance
    assert instance.config["runmode"] is RunMode.DRY_RUN
    assert instance.config["runmode"].value in ("live", "dry_run")
    assert instance.config["trading_mode"] is TradingMode.FUTURES
    assert instance.config["candle_type_def"] is CandleType.FUTURES
    assert instance.config["stoploss"] == -0.1
    assert instance.freqai_info is instance.config["freqai"]


@pytest.mark.parametrize(("dry_run", "mode"), [(True, "dry_run"), (False, "live")])
def test_the_run_mode_follows_dry_run_unless_the_runtime_says_otherwise(sound, config, dry_run, mode):
    config["dry_run"] = dry_run
    assert sound().instance.config["runmode"] == mode
    config["runmode"] = "backtest"
    assert sound().instance.dp.runmode is RunMode.BACKTEST


def test_what_a_strategy_writes_into_its_configuration_stays_with_it(sound, config):
    config["freqai"] = MappingProxyType(config["freqai"])
    instance = sound().instance
    instance.config["freqai"]["feature_parameters"]["label_period_candles"] = 99
    instance.order_types["entry"] = "market"
    assert config["freqai"]["feature_parameters"]["label_period_candles"] == 12
    assert sound().instance.order_types["entry"] == "limit"


@pytest.mark.parametrize("line", ["stoploss = 'low'", "minimal_roi = [1]", "max_open_trades = 'all'"])
def test_a_value_that_cannot_be_is_refused_by_name(sound, line):
    with pytest.raises(StrategyError, match=line.split(" ", maxsplit=1)[0]):
        sound(line + "\n")


def test_unlimited_open_trades(sound):
    assert sound("max_open_trades = -1\n").instance.max_open_trades == float("inf")


def test_a_reload_is_seen_in_attributes_and_configuration_and_a_key_taken_out_gives_the_strategys_own(
    sound, config
):
    config |= {"max_open_trades": 2, "exchange": {"pair_whitelist": ["BTC/USDT"]}}
    strategy = sound("max_open_trades = 7\n")
    instance = strategy.instance
    now = config | {"max_open_trades": -1, "exchange": {"pair_whitelist": ["ETH/USDT"]}, "stoploss": -0.5}
    reapply_settings(instance, strategy.limits, now, ["max_open_trades", "exchange.pair_whitelist"])
    assert instance.max_open_trades == instance.config["max_open_trades"] == float("inf")
    assert instance.config["exchange"]["pair_whitelist"] == ["ETH/USDT"]
    assert instance.stoploss != -0.5
    del now["max_open_trades"]
    reapply_settings(instance, strategy.limits, now, ["max_open_trades", "candled.risk.max_stake"])
    assert instance.max_open_trades == instance.config["max_open_trades"] == 7
    assert "max_stake" not in instance.config["candled"]["risk"]
