"""The rules of a strategy under a configuration."""

import pytest
from decisions import Plain, loaded, rules_of

from daemon.core.errors import StrategyError


class Opinions(Plain):
    stoploss = -0.05
    minimal_roi = {"60": 0.01, "0": 0.04}  # noqa: RUF012 - as strategies are written
    max_open_trades = 7
    stake_amount = 50
    unfilledtimeout = {"entry": 3, "exit": 4}  # noqa: RUF012
    protections = [{"method": "CooldownPeriod", "stop_duration_candles": 2}]  # noqa: RUF012
    order_types = {"entry": "limit", "exit": "limit", "stoploss": "market", "stoploss_on_exchange": False}  # noqa: RUF012


def test_what_the_configuration_leaves_out_is_the_strategys():
    rules = rules_of(Opinions)
    assert (rules.stoploss, rules.most_trades, rules.stake_amount) == (-0.05, 7, 50)
    assert rules.minimal_roi == ((0, 0.04), (60, 0.01))
    assert (rules.unfilled.entry, rules.unfilled.exit) == (3, 4)
    assert rules.order_types.stoploss == "market"
    assert rules.order_types.emergency_exit == "market"
    assert rules.protections[0].stop_duration_candles == 2


def test_the_configuration_wins():
    rules = rules_of(
        Opinions,
        stoploss=-0.2,
        max_open_trades=2,
        stake_amount="unlimited",
        minimal_roi={"0": 1},
        protections=[],
    )
    assert (rules.stoploss, rules.most_trades, rules.stake_amount) == (-0.2, 2, None)
    assert (rules.minimal_roi, rules.protections) == (((0, 1.0),), ())


def test_what_nobody_says_is_freqtrades_default():
    rules = rules_of()
    assert (rules.most_trades, rules.stake_amount, rules.use_exit_signal) == (3, None, True)
    assert (rules.unfilled.entry, rules.unfilled.unit) == (10, "minutes")
    assert (rules.order_types.entry, rules.order_types.stoploss_on_exchange) == ("limit", False)
    assert (rules.time_in_force.entry, rules.max_entry_position_adjustment) == ("GTC", -1)


@pytest.mark.parametrize(("wanted_s", "ms"), [(0, 300_000), (60, 60_000), (900, 300_000)])
def test_a_signal_is_never_acted_on_once_the_next_candle_has_closed(wanted_s, ms):
    assert rules_of(ignore_buying_expired_candle_after=wanted_s).expired_after_ms == ms


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"max_open_trades": -1}, "max_open_trades and stake_amount cannot both be without limit"),
        ({"trailing_stop": True, "trailing_only_offset_is_reached": True}, "needs trailing_stop_positive"),
        (
            {"trailing_stop": True, "trailing_stop_positive": 0.02, "trailing_stop_positive_offset": 0.01},
            r"trailing_stop_positive_offset \(0.01\) must be above trailing_stop_positive \(0.02\)",
        ),
        ({"order_types": {"entry": "market"}}, 'needs entry_pricing.price_side "other"'),
        ({"order_types": {"exit": "market"}}, 'needs exit_pricing.price_side "other"'),
    ],
)
def test_what_does_not_fit_together_is_refused(config, words):
    with pytest.raises(StrategyError, match=f"Plain: .*{words}"):
        rules_of(**config)


@pytest.mark.parametrize(
    ("attribute", "value", "words"),
    [
        ("stoploss", None, "stoploss is missing"),
        ("stoploss", 0.1, "must be from -1 to below 0"),
        ("stake_amount", -5, "must be above 0"),
        ("trailing_stop_positive", "much", "'much' is not a number"),
        ("order_types", {"entry": "guess"}, "order_types: entry"),
        ("protections", [{"method": "Luck"}], "protections: method"),
        (
            "protections",
            [{"method": "CooldownPeriod", "trade_limit": 2}],
            "CooldownPeriod has no 'trade_limit'",
        ),
        ("protections", [{"method": "CooldownPeriod", "stop_duration": 2, "unlock_at": "1:00"}], "not both"),
    ],
)
def test_what_the_strategy_says_wrongly_is_named(attribute, value, words):
    class Wrong(Plain):
        pass

    if value is not None:
        setattr(Wrong, attribute, value)
    else:
        Wrong.stoploss = None
    with pytest.raises(StrategyError, match=f"Wrong: .*{words}"):
        rules_of(Wrong)


def test_the_strategy_finds_the_same_values_in_its_configuration():
    strategy = loaded(Opinions).instance
    assert strategy.config["max_open_trades"] == 7
    assert strategy.config["stake_amount"] == 50
    assert strategy.config["unfilledtimeout"] == {"entry": 3, "exit": 4}
