import json

import pytest

from daemon.config import redacted
from daemon.config.redaction import is_secret_name, masked, masked_text, secret_values

SECRETS = {
    "exchange": {
        "key": "S1-aaaaaa", "secret": "S1-bbbbbb", "password": "S1-cccccc", "uid": "S1-dddddd", "api_key": "S1-aaaaaa",
        "ccxt_config": {
            "apiKey": "S1-eeeeee", "secret": "S1-ffffff", "privateKey": "S1-gggggg", "options": {"token": "S1-hhhhhh"},
            "proxies": {"https": "http://user:S1-iiiiii@proxy:1"}, "headers": {"X-MBX-APIKEY": "S1-jjjjjj"},
            "httpProxy": "http://S1-kkkkkk:pw@proxy:2/?token=S1-llllll",
        },
    },
    "telegram": {"enabled": True, "token": "S1-mmmmmm", "chat_id": "S1-nnnnnn"},
    "api_server": {"enabled": True, "password": "S1-oooooo", "jwt_secret_key": "S1-pppppp", "ws_token": ["S1-qqqqqq"]},
    "webhook": {"enabled": True, "url": "https://hook/S1-rrrrrr"},
    "discord": {"enabled": True, "webhook_url": "https://discord/S1-ssssss"},
    "log_config": {"handlers": {"db": "postgresql://u:S1-tttttt@db/x"}},
}  # fmt: skip


@pytest.fixture
def settings(loaded, document):
    exchange = {**document["exchange"], **SECRETS["exchange"]}
    return loaded({**document, **SECRETS, "exchange": exchange, "bot_name": "S1-aaaaaa here"})


def test_no_copy_of_the_configuration_holds_a_secret(settings):
    for shown in (
        json.dumps(redacted(settings)),
        repr(settings),
        str(settings),
        str(settings.raw),
        str(settings.warnings),
    ):
        # The name of the bot is a value of its own: what a user puts there on purpose is his.
        assert "S1-" not in shown.replace("bot_name='S1-aaaaaa here'", "")


def test_what_is_no_secret_stays(settings, document):
    copy = redacted(settings)
    assert copy["timeframe"] == "5m"
    assert copy["exchange"]["pair_whitelist"] == document["exchange"]["pair_whitelist"]
    assert copy["exchange"]["ccxt_config"]["proxies"]["https"] == "http://***@proxy:1"
    assert copy["exchange"]["key"] == "***"


def test_the_daemon_itself_still_has_the_secrets(settings):
    assert settings.exchange.secret.get_secret_value() == "S1-bbbbbb"
    assert settings.exchange.ccxt_config["apiKey"] == "S1-eeeeee"


def test_secrets_are_known_for_filters(settings):
    assert {"S1-bbbbbb", "S1-eeeeee", "S1-mmmmmm"} <= settings.secret_values


def test_a_secret_of_the_environment_is_masked_as_one_of_the_file(loaded, document):
    settings = loaded(document, env={"CANDLED__EXCHANGE__SECRET": "S1-uuuuuu"})
    assert redacted(settings)["exchange"]["secret"] == "***"
    assert "S1-uuuuuu" not in repr(settings)


def test_a_redacted_copy_can_be_loaded_again(settings, loaded):
    again = loaded(redacted(settings))
    assert again.exchange.key is None
    assert again.pairs == settings.pairs


def test_absence_and_flags_are_shown():
    document = {"exchange": {"key": "", "secret": None}, "requiredCredentials": {"apiKey": True}}
    assert masked(document) == document


@pytest.mark.parametrize(
    "name", ["key", "apiKey", "api_key", "SECRET", "listen_token", "wallet_address", "passphrase"]
)
def test_names_of_secrets(name):
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["key_file", "identifier", "keras", "timeframe", "url", "seed", "name"])
def test_names_of_no_secrets(name):
    assert not is_secret_name(name)


def test_a_secret_that_is_part_of_another_leaves_no_rest():
    text = masked_text("x abcdefghij y abcdef", frozenset({"abcdef", "abcdefghij"}))
    assert text == "x *** y ***"


@pytest.mark.parametrize(
    ("address", "told", "shown"),
    [
        ("json://127.0.0.1:8765/VERYSECRETPATH", "no answer: /VERYSECRETPATH", "no answer: /***"),
        ("tgram://123456789:AAEabc-def_ghi/77", "/bot123456789:AAEabc-def_ghi/x", "/bot***:***/x"),
        ("jsons://localhost:8080/x", "localhost refused", "localhost refused"),
        (
            "mailto://me:hunter2hunter@mail.example.org",
            "mail.example.org: hunter2hunter",
            "mail.example.org: ***",
        ),
    ],
)
def test_a_part_of_a_secret_address_is_a_secret(address, told, shown):
    document = {"candled": {"notify": {"urls": [address]}}}
    assert masked_text(told, secret_values(document)) == shown
