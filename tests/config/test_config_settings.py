import pickle
from pathlib import Path

import pytest
from pydantic import ValidationError

from daemon.config import Settings, load_settings, redacted
from daemon.core.errors import ConfigError

EXAMPLE = Path(__file__).parents[2] / "config.example.json"


def test_the_shipped_example_loads_without_a_warning():
    settings = load_settings([EXAMPLE], env={})
    assert settings.warnings == ()
    assert settings.exchange.name == "simulated"
    assert len(settings.pairs) == 8
    assert settings.freqai.feature_parameters.include_timeframes == ("5m", "15m", "1h")


def test_defaults_are_freqais_but_models_expire(loaded, document):
    settings = loaded(document)
    assert settings.dry_run is True
    assert settings.freqaimodel == "CatboostRegressor"
    assert settings.freqai.expiration_hours == 24
    assert settings.freqai.live_retrain_hours == 0
    assert settings.freqai.purge_old_models == 2
    assert settings.freqai.data_split_parameters.test_size == 0.1
    assert settings.candled.simulated.speed == 60
    assert settings.candled.grace_s == 2


def test_expiry_can_be_switched_off(loaded, document):
    document["freqai"]["expiration_hours"] = 0
    assert loaded(document).freqai.expiration_hours == 0


@pytest.mark.parametrize(("written_as", "kept"), [(True, 2), (False, 0), (5, 5), (0, 0)])
def test_purge_old_models_is_a_number_or_freqais_older_boolean(loaded, document, written_as, kept):
    document["freqai"]["purge_old_models"] = written_as
    assert loaded(document).freqai.purge_old_models == kept


def test_null_means_not_given(loaded, document):
    document |= {"strategy_path": None, "user_data_dir": None, "candled": None}
    document["exchange"]["key"] = None
    settings = loaded(document)
    assert settings.user_data_dir == Path("user_data")
    assert settings.exchange.key is None


def test_pairs_are_the_whitelist_without_what_the_blacklist_matches_as_a_whole(loaded, document):
    document["exchange"] |= {
        "pair_whitelist": ["ETH/USDT", "BTC/USDT", "BTCUP/USDT", "SOL/USDT"],
        "pair_blacklist": [".*up/usdt", "SOL", "XRP/USDT"],
    }
    assert loaded(document).pairs == ("ETH/USDT", "BTC/USDT", "SOL/USDT")


def test_correlated_pairs_are_added_once_behind_the_others(loaded, document):
    document["freqai"]["feature_parameters"]["include_corr_pairlist"] = ["ETH/USDT", "LTC/USDT", "BNB/BTC"]
    assert loaded(document).feature_pairs == ("BTC/USDT", "ETH/USDT", "LTC/USDT", "BNB/BTC")


def test_folders(loaded, document):
    document |= {"user_data_dir": "~/u"}
    document["exchange"]["name"] = "Binance"
    settings = loaded(document)
    assert settings.identifier_folder == Path.home() / "u/models/one"
    assert settings.data_folder == Path.home() / "u/data/binance"
    document["datadir"] = "/candles"
    assert loaded(document).data_folder == Path("/candles")


def test_the_files_that_were_read_are_known(written, document):
    base, more = written(document, "a.json"), written({"bot_name": "x"}, "b.json")
    assert load_settings([base, more], env={}).config_files == (base, more)


def test_settings_do_not_change(loaded, document):
    with pytest.raises(ValidationError, match="frozen"):
        loaded(document).freqai.train_period_days = 3


def test_settings_survive_the_way_to_another_process(loaded, document):
    document["exchange"]["key"] = "abcdefgh"
    document["max_open_trades"] = 3
    settings = loaded(document)
    copy = pickle.loads(pickle.dumps(settings))
    assert copy == settings
    assert (copy.pairs, copy.raw, copy.warnings) == (settings.pairs, settings.raw, settings.warnings)


def test_a_document_is_checked_as_a_whole_without_files_too(document):
    document["proxy_coin"] = "BNFCR"
    settings = Settings.model_validate(document)
    assert settings.warnings[0].startswith("proxy_coin")
    document["freqai"]["feature_parameters"]["include_timeframes"] = ["1m"]
    with pytest.raises(ValidationError, match="must not be shorter"):
        Settings.model_validate(document)


def test_a_secret_file_is_never_ignored_in_silence(document):
    document["exchange"]["key_file"] = "/x"
    with pytest.raises(ValidationError, match="load_settings only"):
        Settings.model_validate(document)


def test_placeholders_are_no_secrets(loaded, document):
    document["exchange"] |= {"key": "your_exchange_key", "secret": "", "password": "***", "uid": "yourself"}
    exchange = loaded(document).exchange
    assert (exchange.key, exchange.secret, exchange.password) == (None, None, None)
    assert exchange.uid.get_secret_value() == "yourself"


def test_training_threads_leave_one_core_free(loaded, document):
    assert loaded(document).candled.training.thread_count >= 1
    document["candled"] = {"training": {"threads": 7}}
    assert loaded(document).candled.training.thread_count == 7


def test_the_simulated_start_is_midnight_utc(loaded, document):
    document["candled"] = {"simulated": {"start": "1970-01-02"}}
    assert loaded(document).candled.simulated.start_ms == 86_400_000


def test_strategies_see_what_the_user_wrote_over_freqtrades_defaults(loaded, document):
    document["freqai"] |= {"live_retrain_hours": 3, "purge_old_models": True}
    document["stake_amount"] = 10
    raw = loaded(document).raw
    assert raw["stake_amount"] == 10
    assert raw["tradable_balance_ratio"] == 0.99
    assert raw["entry_pricing"]["price_side"] == "same"
    assert raw["dry_run"] is True
    assert raw["timeframe"] == "5m"
    assert raw["user_data_dir"] == Path("user_data")
    assert raw["exchange"]["pair_whitelist"] == ["BTC/USDT", "ETH/USDT"]
    assert raw["freqai"]["live_retrain_hours"] == 3
    assert raw["freqai"]["purge_old_models"] == 2
    assert raw["freqai"]["feature_parameters"]["include_corr_pairlist"] == []
    assert type(raw["timeframe"]) is str


def test_a_label_horizon_that_nobody_set_stays_missing_for_the_strategy(loaded, document):
    assert "label_period_candles" not in loaded(document).raw["freqai"]["feature_parameters"]
    document["freqai"]["feature_parameters"]["label_period_candles"] = 24
    assert loaded(document).raw["freqai"]["feature_parameters"]["label_period_candles"] == 24


def test_what_a_strategy_writes_into_its_configuration_changes_nobody_elses(loaded, document):
    settings = loaded(document)
    settings.raw["freqai"]["feature_parameters"]["include_timeframes"].append("1w")
    assert settings.raw["freqai"]["feature_parameters"]["include_timeframes"] == ["5m", "1h"]
    redacted(settings)["exchange"]["name"] = "x"
    assert redacted(settings)["exchange"]["name"] == "simulated"


def test_extra_returns_are_numbers_or_texts_by_a_name_of_their_own(loaded, document):
    document["freqai"]["extra_returns_per_train"] = {"threshold": 1, "regime": "calm"}
    settings = loaded(document)
    assert settings.freqai.extra_returns_per_train == {"threshold": 1.0, "regime": "calm"}
    assert settings.warnings == ()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"do_predict": 1}, "'do_predict' is a column of the record"),
        ({"close": 1}, "'close' is a column"),
        ({"": 1}, "a value needs a name"),
        ({"a": [1]}, r"extra_returns_per_train\.a"),
    ],
)
def test_extra_returns_that_cannot_be_a_column_are_refused(loaded, document, values, words):
    document["freqai"]["extra_returns_per_train"] = values
    with pytest.raises(ConfigError, match=words):
        loaded(document)


def test_continual_learning_with_a_forest_is_said_to_have_no_effect(loaded, document):
    document["freqai"]["continual_learning"] = True
    assert loaded(document).warnings == ()
    document["freqaimodel"] = "XGBoostRFRegressor"
    (warning,) = loaded(document).warnings
    assert warning.startswith("freqai.continual_learning has no effect on XGBoostRFRegressor")


def test_training_and_test_rows_cannot_be_more_than_there_are(loaded, document):
    document["freqai"]["data_split_parameters"] = {"train_size": 0.8}
    settings = loaded(document)
    assert settings.freqai.data_split_parameters.test_share == pytest.approx(0.2)
    assert settings.warnings == ()
    document["freqai"]["data_split_parameters"] = {"train_size": 0.8, "test_size": 0.3}
    with pytest.raises(ConfigError, match="train_size and test_size must add up to at most 1"):
        loaded(document)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("multitarget_parallel_training", True, "one after the other"),
        ("conv_width", 3, "only a network"),
        ("keras", True, "no Keras models"),
        ("model_save_type", "pytorch", "their library's own format"),
        ("data_split_parameters", {"stratify": [0, 1]}, "one value per row"),
    ],
)
def test_a_key_that_cannot_matter_says_why(loaded, document, key, value, words):
    document["freqai"][key] = value
    (warning,) = loaded(document).warnings
    assert words in warning
    assert "later" not in warning


LIVE = {"name": "binance", "key": "k-abcdef", "secret": "s-abcdef"}


def test_live_trading_needs_the_account_of_the_exchange(loaded, document, refusal):
    document["dry_run"] = False
    document["exchange"] |= {**LIVE, "secret": "your_exchange_secret"}
    assert "exchange: live trading (dry_run false) needs key and secret" in refusal(document)
    document["exchange"] |= LIVE
    assert loaded(document).dry_run is False


def test_live_trading_in_a_demo_mode_that_is_not_there_is_refused(document, refusal):
    document["dry_run"] = False
    document["exchange"] |= {**LIVE, "demo_trading": True}
    assert "orders would be real" in refusal(document)


def test_the_ledger_of_a_dry_run_has_a_file_of_its_own(loaded, document):
    document["exchange"] |= LIVE
    assert loaded(document).ledger_file == Path("user_data/one.dryrun.sqlite")
    assert loaded({**document, "dry_run": False}).ledger_file == Path("user_data/one.sqlite")
    assert loaded({**document, "db_url": "sqlite:////x/y.sqlite"}).ledger_file == Path("/x/y.sqlite")


def test_trading_keys_that_the_strategy_may_have_are_left_to_it(loaded, document):
    settings = loaded(document)
    assert (settings.stoploss, settings.max_open_trades, settings.unfilledtimeout) == (None, None, None)
    assert not {"max_open_trades", "stake_amount", "unfilledtimeout", "stoploss"} & set(settings.raw)


def test_trading_keys_are_read_as_freqtrade_reads_them(loaded, document):
    document |= {
        "minimal_roi": {"60": 0.01, "0": 0.04}, "max_open_trades": -1, "stake_amount": "unlimited",
        "dry_run_wallet": {"USDT": 5, "BTC": 0.1}, "order_time_in_force": {"entry": "gtc", "exit": "fok"},
        "unfilledtimeout": {"entry": 30, "unit": "seconds"},
        "protections": [{"method": "CooldownPeriod", "unlock_at": "7:30"}],
    }  # fmt: skip
    settings = loaded(document)
    assert list(settings.minimal_roi.items()) == [(0, 0.04), (60, 0.01)]
    assert (settings.max_open_trades, settings.stake_amount) == (-1, "unlimited")
    assert settings.order_time_in_force.exit == "FOK"
    assert settings.unfilledtimeout.wait_ms(entry=True) == 30_000
    assert settings.protections[0].unlock_time.minute == 30
    assert settings.warnings == ()


def test_a_model_of_the_users_own_is_looked_for_in_its_folder_then_among_the_users_files(
    loaded, document, refusal, tmp_path
):
    own, usual = tmp_path / "own", tmp_path / "data" / "freqaimodels"
    document |= {"freqaimodel": "Mine", "freqaimodel_path": str(own), "user_data_dir": str(tmp_path / "data")}
    assert f"no file in {own}, {usual} has a class of that name" in refusal(document)
    usual.mkdir(parents=True)
    (usual / "any_name.py").write_text("import broken beyond repair\nclass Mine(Base):\n", "utf-8")
    settings = loaded(document)
    assert settings.model_folders == (own, usual)
    assert not settings.warnings


def test_a_seed_that_no_library_takes_is_refused(loaded, refusal, document):
    split = document["freqai"].setdefault("data_split_parameters", {})
    split["random_state"] = 2**32 - 1
    assert loaded(document).freqai.data_split_parameters.random_state == 2**32 - 1
    split["random_state"] = 2**32
    assert "data_split_parameters.random_state: 4294967296 is not allowed: must be at most" in refusal(
        document
    )
