"""Bad input: one message that says what, where and what to do, and the exit status that says who must act."""

import json

import pytest

IN_USE, CONFIG = 75, 78
HEAD = "from freqtrade.strategy import IStrategy\nclass Mine(IStrategy):\n    stoploss = -0.1\n"
FEATURE = (
    "    def feature_engineering_standard(self, dataframe, metadata, **kwargs):\n"
    "        dataframe['%-hour'] = dataframe['date'].dt.hour\n"
    "        return dataframe\n"
)
SETTINGS = {
    "several problems": (
        {
            "freqai__train_perod_days": 3,
            "exchange__pair_whitelist": ["BTCUSDT"],
            "freqaimodel": "CatbostRegressor",
        },
        ["freqai.train_perod_days", "'train_period_days'", "pair_whitelist[0]", "CatboostRegressor"],
    ),
    "an identifier outside": ({"freqai__identifier": "../mine"}, ["freqai.identifier", "../mine"]),
    "an unknown exchange": ({"exchange__name": "binanze"}, ["exchange.name", "binance"]),
    "an unknown strategy": ({"strategy": "CandledExampleStrateg"}, ["CandledExampleStrategy"]),
    "a folder nobody can write": ({"user_data_dir": "/proc/nowhere"}, ["/proc/nowhere"]),
}
STRATEGIES = {
    "a syntax error": (HEAD + "    def x(self)\n        pass\n", ["mine.py:4", "SyntaxError"]),
    "no targets": (HEAD + FEATURE, ["mine.py", "set_freqai_targets"]),
    "no target set": (
        HEAD
        + FEATURE
        + "    def set_freqai_targets(self, dataframe, metadata, **kwargs):\n        return dataframe\n",
        ["mine.py:7", "set_freqai_targets", "'&'"],
    ),
    "no features": (
        HEAD + "    def set_freqai_targets(self, dataframe, metadata, **kwargs):\n        return dataframe\n",
        ["mine.py", "no features"],
    ),
}


def refusal(here, *arguments, status=CONFIG):
    done = here.command("run", *arguments)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize("case", SETTINGS)
def test_settings(place, case):
    changes, words = SETTINGS[case]
    told = refusal(place(**changes))
    assert all(word in told for word in words), told


@pytest.mark.parametrize("case", STRATEGIES)
def test_a_strategy(place, case):
    source, words = STRATEGIES[case]
    here = place(strategy="Mine")
    here.strategy(source)
    told = refusal(here)
    assert all(word in told for word in words), told


def test_no_configuration(place):
    here = place()
    told = refusal(here, "-c", "absent.json")
    assert "absent.json" in told
    assert "config.example.json" in told
    assert not (here.folder / "user_data").exists()


def test_broken_json(place):
    here = place()
    (here.folder / "config.json").write_text('{\n "timeframe": "5m",,\n}', "utf-8")
    assert "line 2" in refusal(here)


def test_an_identifier_on_the_command_line_goes_through_the_same_check(place):
    here = place()
    assert "command line" in refusal(here, "--identifier", "../../mine")
    assert not (here.folder / "mine").exists()


def test_a_pair_without_candles_and_a_timeframe_that_is_not_served(place):
    here = place(exchange__pair_whitelist=["BTC/USDT", "NOPE/USDT"], candled__simulated__replay="recorded")
    (here.folder / "recorded").mkdir()
    told = refusal(here)
    assert "BTC/USDT" in told
    assert "recorded" in told


def test_a_timeframe_that_the_exchange_lacks(place):
    served = ["7m", "14m"]
    here = place(timeframe="7m", freqai__feature_parameters__include_timeframes=served)
    assert "7m" in refusal(here, "--candles", "2")


def test_a_second_daemon_is_refused_and_told_who_is_there(place):
    here = place()
    first = here.start()
    first.await_event("fetching_candles")
    told = refusal(here, status=IN_USE)
    assert f"process {first.pid}" in told
    assert first.process.poll() is None
    assert first.stop() == 0


def test_a_secret_stands_in_no_file_and_no_log(place):
    here = place(exchange__key="k3y-of-mine", exchange__secret="s3cret-of-mine")
    log = here.run("--candles", "2")
    written = [file for file in (here.folder / "user_data").rglob("*") if file.is_file()]
    assert any(file.name.startswith("config_") for file in written)
    for word in ("k3y-of-mine", "s3cret-of-mine"):
        assert word not in log.text() + json.dumps(here.status)
        assert not [file for file in written if word.encode() in file.read_bytes()]
