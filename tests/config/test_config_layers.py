import json
from pathlib import Path

import pytest


def test_the_environment_wins_over_files_and_the_command_line_over_both(loaded, document):
    env = {"CANDLED__FREQAI__TRAIN_PERIOD_DAYS": "10", "CANDLED__BOT_NAME": "env"}
    settings = loaded(document, env=env, overrides={"freqai.train_period_days": 5, "bot_name": None})
    assert settings.freqai.train_period_days == 5
    assert settings.bot_name == "env"


def test_variable_names_match_keys_without_regard_to_case(loaded, document):
    env = {
        "CANDLED__FREQAI__FEATURE_PARAMETERS__DI_THRESHOLD": "0.9",
        "candled__freqai__feature_parameters__use_svm_to_remove_outliers": "True",
    }
    parameters = loaded(document, env=env).freqai.feature_parameters
    assert parameters.DI_threshold == 0.9
    assert parameters.use_SVM_to_remove_outliers is True


def test_variables_that_are_not_ours_are_left_alone(loaded, document):
    loaded(document, env={"CANDLED_HOME": "/x", "FREQTRADE__TIMEFRAME": "1h", "HOME": "/"})


def test_lists_and_numbers_are_json(loaded, document):
    env = {
        "CANDLED__FREQAI__FEATURE_PARAMETERS__INDICATOR_PERIODS_CANDLES": "[10, 20]",
        "CANDLED__CANDLED__SIMULATED__SPEED": "2.5",
    }
    settings = loaded(document, env=env)
    assert settings.freqai.feature_parameters.indicator_periods_candles == (10, 20)
    assert settings.candled.simulated.speed == 2.5


def test_a_text_that_looks_like_a_number_stays_text_where_text_belongs(loaded, document):
    env = {
        "CANDLED__EXCHANGE__PASSWORD": "0123",
        "CANDLED__FREQAI__IDENTIFIER": "7",
        "CANDLED__STRATEGY_PATH": "2026",
        "CANDLED__EXCHANGE__CCXT_CONFIG__apiKey": "12345678",
        "CANDLED__CANDLED__SIMULATED__START": "2025-02-03",
    }
    settings = loaded(document, env=env)
    assert settings.exchange.password.get_secret_value() == "0123"
    assert settings.freqai.identifier == "7"
    assert settings.strategy_path == Path("2026")
    assert settings.exchange.ccxt_config == {"apiKey": "12345678"}
    assert settings.candled.simulated.start.isoformat() == "2025-02-03"


def test_keys_of_free_objects_keep_the_spelling_of_the_file(loaded, document):
    document["freqai"]["model_training_parameters"] = {"l2_leaf_reg": 1, "Depth": 3}
    env = {
        "CANDLED__FREQAI__MODEL_TRAINING_PARAMETERS__DEPTH": "6",
        "CANDLED__FREQAI__MODEL_TRAINING_PARAMETERS__N_ESTIMATORS": "50",
    }
    parameters = loaded(document, env=env).freqai.model_training_parameters
    assert parameters == {"l2_leaf_reg": 1, "Depth": 6, "n_estimators": 50}


def test_a_variable_that_names_no_key_is_an_error_that_names_the_variable(refusal, document):
    text = refusal(document, env={"CANDLED__FREQAI__TRAIN_PERIOD_DAY": "3"})
    assert "freqai.train_period_day: unknown key (from CANDLED__FREQAI__TRAIN_PERIOD_DAY)" in text
    assert "did you mean 'train_period_days'?" in text


def test_a_wrong_value_names_where_it_came_from(refusal, document):
    env = {"CANDLED__FREQAI__TRAIN_PERIOD_DAYS": "many"}
    assert '"many" (from CANDLED__FREQAI__TRAIN_PERIOD_DAYS) is not allowed' in refusal(document, env=env)
    assert "-1 (from the command line)" in refusal(document, overrides={"candled.simulated.seed": -1})


def test_credentials_of_systemd_lie_between_files_and_environment(loaded, document, tmp_path):
    document["exchange"] |= {"key": "file-key", "secret": "file-secret", "password": "file-password"}
    (tmp_path / "exchange_key").write_text("credential-key\n")
    (tmp_path / "exchange_secret").write_text("credential-secret\n")
    env = {"CREDENTIALS_DIRECTORY": str(tmp_path), "CANDLED__EXCHANGE__KEY": "env-key"}
    exchange = loaded(document, env=env).exchange
    assert exchange.key.get_secret_value() == "env-key"
    assert exchange.secret.get_secret_value() == "credential-secret"
    assert exchange.password.get_secret_value() == "file-password"


def test_an_empty_credential_is_an_error(refusal, document, tmp_path):
    (tmp_path / "exchange_key").write_text("\n")
    assert "exchange_key is empty" in refusal(document, env={"CREDENTIALS_DIRECTORY": str(tmp_path)})


def test_a_secret_may_lie_in_a_file_of_its_own(loaded, document, tmp_path):
    (tmp_path / "key").write_text("from-a-file\n")
    document["exchange"]["key_file"] = str(tmp_path / "key")
    exchange = loaded(document).exchange
    assert exchange.key.get_secret_value() == "from-a-file"
    assert exchange.key_file is None


def test_a_key_of_the_environment_wins_over_a_key_file_of_the_configuration(loaded, document, tmp_path):
    (tmp_path / "key").write_text("from-a-file")
    document["exchange"]["key_file"] = str(tmp_path / "key")
    settings = loaded(document, env={"CANDLED__EXCHANGE__KEY": "from-env"})
    assert settings.exchange.key.get_secret_value() == "from-env"


def test_a_missing_secret_file_and_a_wrong_value_stand_in_one_message(refusal, document, tmp_path):
    document["exchange"]["secret_file"] = str(tmp_path / "none")
    document["freqai"]["train_period_days"] = 0
    text = refusal(document)
    assert f"exchange.secret_file: {tmp_path / 'none'} cannot be read: No such file" in text
    assert "freqai.train_period_days: 0 is not allowed" in text


def test_a_secret_and_its_file_together_are_refused(refusal, document, tmp_path):
    (tmp_path / "key").write_text("a")
    document["exchange"] |= {"key_file": str(tmp_path / "key"), "key": "topsecret"}
    text = refusal(document)
    assert "exchange.key_file: exchange.key is given as well" in text
    assert "topsecret" not in text


@pytest.mark.parametrize(
    ("other", "own"), [("api_key", "key"), ("apiKey", "key"), ("privateKey", "private_key")]
)
def test_freqtrades_other_spellings_of_secrets_are_taken(loaded, document, other, own):
    document["exchange"][other] = "abcdefgh"
    assert getattr(loaded(document).exchange, own).get_secret_value() == "abcdefgh"


def test_two_spellings_with_two_values_are_refused(refusal, document):
    document["exchange"] |= {"key": "aaaaaaaa", "api_key": "bbbbbbbb"}
    text = refusal(document)
    assert "exchange.api_key: another spelling of exchange.key" in text
    assert "aaaaaaaa" not in text


def test_a_path_of_the_command_line_is_taken(loaded, document):
    settings = loaded(document, overrides={"user_data_dir": Path("/srv/candled")})
    assert settings.identifier_folder == Path("/srv/candled/models/one")
    assert json.dumps(settings.document)
