"""What a newly read configuration changes of the running one."""

import pytest

from daemon.config.reference import config_schema
from daemon.config.reloading import RELOADED, reloaded, reloads
from daemon.core.errors import ConfigError


def keys(found):
    return [change.key for change in found.changed]


def test_the_same_file_changes_nothing(loaded, document):
    running = loaded(document)
    found = reloaded(running, loaded(document))
    assert (found.settings, found.changed, found.restart) == (running, (), ())


def test_what_may_change_is_taken_and_the_rest_is_named_and_stays(loaded, document):
    running = loaded(document)
    document["max_open_trades"] = 5
    document["stoploss"] = -0.2
    document["exchange"]["pair_whitelist"] = ["ETH/USDT", "SOL/USDT"]
    document["freqai"] |= {"live_retrain_hours": 2, "train_period_days": 10}
    document["candled"] = {"risk": {"max_stake": 50}, "grace_s": 1}
    found = reloaded(running, loaded(document))
    assert set(keys(found)) == {
        "max_open_trades",
        "exchange.pair_whitelist",
        "freqai.live_retrain_hours",
        "candled.risk.max_stake",
    }
    assert set(found.restart) == {"stoploss", "freqai.train_period_days", "candled.grace_s"}
    now = found.settings
    assert now.pairs == ("ETH/USDT", "SOL/USDT")
    assert (now.max_open_trades, now.freqai.live_retrain_hours, now.candled.risk.max_stake) == (5, 2, 50)
    assert (now.stoploss, now.freqai.train_period_days, now.candled.grace_s) == (None, 30, 2)
    assert now.document["exchange"]["pair_whitelist"] == ["ETH/USDT", "SOL/USDT"]
    assert now.raw["max_open_trades"] == 5
    assert "stoploss" not in now.raw
    assert running.pairs == ("BTC/USDT", "ETH/USDT")


def test_what_stayed_is_named_again_and_can_be_taken_back(loaded, document):
    first = loaded(document)
    document["candled"] = {"grace_s": 1, "max_disk_gb": 3}
    second = reloaded(first, loaded(document)).settings
    third = reloaded(second, loaded(document))
    assert (third.changed, third.restart) == ((), ("candled.grace_s",))
    del document["candled"]
    fourth = reloaded(second, loaded(document))
    assert (keys(fourth), fourth.restart) == (["candled.max_disk_gb"], ())
    assert fourth.settings.candled.max_disk_gb is None


def test_what_a_further_file_says_is_taken_without_a_word_about_the_file(loaded, document, written):
    running = loaded(document)
    written({"max_open_trades": 9, "timeframe": "5m"}, "more.json")
    found = reloaded(running, loaded({**document, "add_config_files": ["more.json"]}))
    assert (keys(found), found.restart) == (["max_open_trades"], ())


def test_a_list_that_fits_only_to_what_needs_a_restart_is_refused(loaded, document):
    running = loaded(document)
    document["stake_currency"] = "EUR"
    document["exchange"]["pair_whitelist"] = ["BTC/EUR"]
    with pytest.raises(ConfigError, match=r"restart the daemon:\n.*BTC/EUR.*quoted in stake_currency USDT"):
        reloaded(running, loaded(document))


def test_no_secret_is_shown(loaded, document):
    running = loaded(document)
    document["exchange"] |= {"key": "very-secret-key", "secret": "very-secret-word"}
    found = reloaded(running, loaded(document))
    assert set(found.restart) == {"exchange.key", "exchange.secret"}
    assert "very-secret" not in repr(found)
    kept = reloaded(loaded(document), loaded({**document, "max_open_trades": 1})).settings
    assert kept.exchange.key.get_secret_value() == "very-secret-key"
    assert "very-secret" not in repr(kept)


def test_every_name_is_a_key_or_a_section():
    for name in RELOADED:
        place = config_schema()
        for part in name.split("."):
            place = place["properties"][part]
    assert reloads("candled.risk.max_stake")
    assert not reloads("candled.retrainer")
    assert not reloads("stake_currency")
