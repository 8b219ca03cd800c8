import pytest

from daemon.config.inert import EXCHANGE, NOT_ACTING, TOP_LEVEL
from daemon.config.problems import known_keys
from daemon.config.settings import Settings

# What freqtrade's own spot example for FreqAI has beside the keys that act here.
FREQTRADE_EXAMPLE = {
    "$schema": "https://schema.freqtrade.io/schema.json",
    "margin_mode": "",
    "max_open_trades": 5,
    "stake_amount": 200,
    "tradable_balance_ratio": 1,
    "fiat_display_currency": "USD",
    "dry_run_wallet": 1000,
    "cancel_open_orders_on_exit": True,
    "unfilledtimeout": {"entry": 10, "exit": 30},
    "entry_pricing": {"price_side": "same"},
    "exit_pricing": {"price_side": "other"},
    "pairlists": [{"method": "StaticPairList"}],
    "bot_name": "",
    "force_entry_enable": True,
    "initial_state": "running",
    "internals": {"process_throttle_secs": 5},
    "telegram": {"enabled": False, "token": "1:abc"},
}


def test_a_freqtrade_configuration_loads_and_names_each_key_without_effect_once(loaded, document):
    warnings = loaded({**FREQTRADE_EXAMPLE, **document}).warnings
    named = [line.split(" ")[0] for line in warnings]
    assert named == ["fiat_display_currency"]
    assert (
        warnings[0]
        == "fiat_display_currency has no effect in this version: amounts are shown in the stake currency"
    )


def test_a_switched_off_service_is_not_worth_a_word_but_a_switched_on_one_is(loaded, document):
    document["api_server"] = {"enabled": False}
    assert loaded(document).warnings == ()
    document["api_server"] = {"enabled": True}
    assert loaded(document).warnings[0].startswith("api_server has no effect")


def test_keys_of_the_exchange_section_are_known_too(loaded, document):
    document["exchange"] |= {"markets_refresh_interval": 60, "log_responses": False}
    assert [line.split(" ")[0] for line in loaded(document).warnings] == ["exchange.markets_refresh_interval"]


def test_a_freqai_parameter_that_does_not_act_yet_is_named_when_it_would_act_in_freqai(loaded, document):
    document["freqai"] |= {"continual_learning": False, "fit_live_predictions_candles": 300, "conv_width": 2}
    document["freqai"]["feature_parameters"] |= {"indicator_max_period_candles": 5, "DI_threshold": 0.9}
    document["freqai"]["rl_config"] = {"train_cycles": 3, "model_type": "PPO"}
    named = [line.split(" ")[0] for line in loaded(document).warnings]
    assert named == [
        "freqai.feature_parameters.indicator_max_period_candles",
        "freqai.conv_width",
        "freqai.rl_config",
    ]


def test_every_parameter_of_freqais_table_that_acts_is_accepted_without_a_word(loaded, document):
    document["freqai"] |= {
        "enabled": True, "live_retrain_hours": 4, "expiration_hours": 12, "purge_old_models": 3,
        "backtest_period_days": 7, "data_split_parameters": {"test_size": 0.33, "shuffle": True, "random_state": 1},
        "model_training_parameters": {"n_estimators": 800},
    }  # fmt: skip
    document["freqai"]["feature_parameters"] |= {
        "include_corr_pairlist": ["BTC/USDT"], "include_shifted_candles": 2, "indicator_periods_candles": [10],
        "label_period_candles": 24, "weight_factor": 0.9, "buffer_train_data_candles": 10,
        "principal_component_analysis": True, "use_SVM_to_remove_outliers": True, "svm_params": {"nu": 0.1},
        "DI_threshold": 0.9, "use_DBSCAN_to_remove_outliers": True, "noise_standard_deviation": 0.05,
        "outlier_protection_percentage": 20, "reverse_train_test_order": True, "shuffle_after_split": True,
    }  # fmt: skip
    assert loaded(document).warnings == ()


@pytest.mark.parametrize("table", [TOP_LEVEL, EXCHANGE])
def test_no_key_is_both_a_field_and_removed_before_the_fields_are_read(table):
    for section, model in ((), Settings), (("exchange",), Settings.model_fields["exchange"].annotation):
        assert not {path for path in table if path[:-1] == section and path[-1] in model.model_fields}


def test_every_key_that_does_not_act_is_a_field():
    fields = {(*path, key) for path, keys in known_keys(Settings) for key in keys}
    assert set(NOT_ACTING) <= fields
