import traceback

import pytest

from daemon.config import load_settings
from daemon.core.errors import ConfigError


def section(document, dotted):
    *path, key = dotted.split(".")
    for name in path:
        document = document.setdefault(name, {})
    return document, key


@pytest.mark.parametrize(
    ("dotted", "value", "message"),
    [
        ("freqai.train_period_days", -3, "freqai.train_period_days: -3 is not allowed: must be above 0 (days)"),
        ("freqai.train_period_days", "30", '"30" is not allowed: must be a whole number (days)'),
        ("freqai.train_period_days", True, "true is not allowed: must be a whole number (days)"),
        ("freqai.expiration_hours", -1, "-1 is not allowed: must be at least 0 (hours)"),
        ("freqai.data_split_parameters.test_size", 1, "1 is not allowed: must be below 1"),
        ("freqai.feature_parameters.DI_threshold", float("inf"), "must be a finite number"),
        ("freqai.feature_parameters.indicator_periods_candles", [10, 0], "must be periods of at least 1"),
        ("freqai.feature_parameters.indicator_periods_candles", 10, "must be a list"),
        ("freqai.identifier", "../evil", 'freqai.identifier: "../evil" is not allowed'),
        ("freqai.identifier", "a/b", "letters, digits"),
        ("freqai.identifier", "a..b", "letters, digits"),
        ("freqai.identifier", ".hidden", "letters, digits"),
        ("freqai.identifier", "a\n", "letters, digits"),
        ("freqai.enabled", False, "must be true"),
        ("freqai", [], "freqai: [] is not allowed: must be an object"),
        ("timeframe", "5", 'timeframe: "5" is not allowed: must be a number and s, m, h, d or w'),
        ("timeframe", 5, "must be a timeframe in quotes"),
        ("dry_run", False, "dry_run: the simulated exchange takes no real orders; set dry_run to true"),
        ("stoploss", 0, "stoploss: 0 is not allowed: must be below 0"),
        ("stake_amount", "all", 'must be a number above 0 (stake currency), or "unlimited"'),
        ("max_open_trades", -2, "must be a whole number, or -1 for no limit"),
        ("minimal_roi", {"soon": 0.1}, "must be minutes and a profit"),
        ("dry_run_wallet", {"USDT": "many"}, "must be an amount of the stake currency, or amounts such as"),
        ("protections", [{"method": "Luck"}], 'protections[0].method: "Luck" is not allowed: must be one of'),
        ("protections", [{"method": "CooldownPeriod", "trade_limit": 1}], "CooldownPeriod has no 'trade_limit'"),
        ("db_url", "postgresql://x", "as `sqlite:///path`"),
        ("trading_mode", "futures", "spot only in this version"),
        ("strategy", "my strategy.py", "Name of the strategy's class"),
        ("freqaimodel", "PyTorchMLPRegressor", "must be a model of this version: CatboostRegressor, CatboostClassifier, "),
        ("freqaimodel", "CatBoostRegresor", "did you mean 'CatboostRegressor'?"),
        ("exchange.name", "../../etc", "exchange.name"),
        ("exchange.pair_whitelist", [], "exchange.pair_whitelist: [] is not allowed: must have at least 1 entry"),
        ("exchange.pair_whitelist", ["BTCUSDT"], 'exchange.pair_whitelist[0]: "BTCUSDT" is not allowed: must be written as'),
        ("exchange.pair_whitelist", [".*/USDT"], "patterns are not expanded"),
        ("exchange.pair_blacklist", ["("], "is not a regular expression"),
        ("exchange.ccxt_config", [], "must be an object"),
        ("candled.simulated.speed", 0, "must be above 0 (market s per real s)"),
        ("candled.simulated.start", "tomorrow", "must be a date, such as 2026-01-01"),
        ("candled.log_format", "xml", "must be one of 'auto', 'text' or 'json'"),
        ("candled.training.nice", 20, "must be at most 19"),
    ],
)  # fmt: skip
def test_a_value_that_is_not_allowed_is_named_with_what_is(refusal, document, dotted, value, message):
    home, key = section(document, dotted)
    home[key] = value
    assert message in refusal(document)


@pytest.mark.parametrize(
    ("dotted", "message"),
    [
        ("timefrane", "timefrane: unknown key; did you mean 'timeframe'?"),
        ("freqai.feature_parameters.indclude_timeframes", "did you mean 'include_timeframes'?"),
        ("freqai.feature_parameters.di_threshold", "did you mean 'DI_threshold'?"),
        ("max_open_trade", "did you mean 'max_open_trades'?"),
        ("order_types.entri", "did you mean 'entry'?"),
        ("exchange.pair_witelist", "did you mean 'pair_whitelist'?"),
        ("identifier", "identifier: unknown key; 'identifier' belongs in 'freqai'"),
        ("freqai.timeframe", "'timeframe' belongs to the outermost object"),
        (
            "candled.retrain.zzz",
            "candled.retrain.zzz: unknown key; candled knows: min_predictions, skill_share",
        ),
        ("freqai.rl_config.train_cycle", "did you mean 'train_cycles'?"),
    ],
)
def test_an_unknown_key_is_named_with_the_one_that_was_meant(refusal, document, dotted, message):
    home, key = section(document, dotted)
    home[key] = 1
    assert message in refusal(document)


@pytest.mark.parametrize(
    "dotted",
    ["timeframe", "stake_currency", "strategy", "exchange", "exchange.name", "exchange.pair_whitelist", "freqai",
     "freqai.identifier", "freqai.train_period_days", "freqai.feature_parameters"],
)  # fmt: skip
def test_a_missing_key_is_named_with_its_meaning(refusal, document, dotted):
    home, key = section(document, dotted)
    del home[key]
    assert f"{dotted}: missing: " in refusal(document)


def test_all_problems_stand_in_one_message_a_line_each(refusal, document):
    document["freqai"] |= {"train_period_days": -3, "typo": 1}
    document["exchange"]["pair_whitelist"] += ["BTC/USDT", "FOO", "ETH/EUR"]
    del document["strategy"]
    head, *lines = refusal(document).splitlines()
    assert head.startswith("6 problems in ")
    assert len(lines) == 6
    assert sorted(line.split(":")[0].strip() for line in lines) == [
        "exchange.pair_whitelist", "exchange.pair_whitelist[3]", "exchange.pair_whitelist[4]",
        "freqai.train_period_days", "freqai.typo", "strategy",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("dotted", "value"),
    [
        ("exchange.secret", ["topsecret"]),
        ("exchange.secret", {"a": "topsecret"}),
        ("exchange", [{"secret": "topsecret"}]),
        ("exchange.secrett", "topsecret"),
        ("exchange.ccxt_config", ["https://user:topsecret@proxy"]),
        ("exchange.ccxt_async_config", [{"password": "top"}]),
    ],
)
def test_no_message_shows_a_secret(refusal, document, dotted, value):
    home, key = section(document, dotted)
    home[key] = value
    text = refusal(document)
    assert dotted in text
    assert "topsecret" not in text
    assert '"top"' not in text


def test_a_secret_is_masked_even_where_it_does_not_belong(refusal, document):
    document["exchange"]["secret"] = "topsecret"
    document["exchange"]["name"] = "topsecret!"
    assert "topsecret" not in refusal(document)


def test_the_traceback_of_a_refusal_shows_no_value(written, document):
    document["exchange"]["secret"] = ["topsecret"]
    path = written(document)
    try:
        load_settings([path], env={})
    except ConfigError as exc:
        text = "".join(traceback.format_exception(exc))
    assert "exchange.secret" in text
    assert "topsecret" not in text


def test_a_long_value_is_cut(refusal, document):
    document["timeframe"] = "x" * 5000
    assert len(refusal(document)) < 300
