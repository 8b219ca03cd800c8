"""A strategy that looks ahead: told by `candled check`, and kept from trading by the whole daemon."""

import json
import threading

import pytest
from desk import BASE, NOW_MS, PAIRS, STRATEGIES
from typer.testing import CliRunner

from daemon import app
from daemon.cli import app as commands
from daemon.config import load_settings
from daemon.core.clock import FastClock
from daemon.core.market import CandleKey
from daemon.market.feather import candle_path
from daemon.market.simulated import SimulatedMarket
from daemon.runtime.status_file import read_status
from daemon.runtime.world import candle_folder
from daemon.state.folder import StateFolder
from daemon.state.history import PredictionHistory

pytestmark = pytest.mark.usefixtures("unhurried_stop")
BTC, ETH = WHITELIST = PAIRS[:2]
SPEED = 500.0


@pytest.fixture(autouse=True)
def whole_sample(monkeypatch):
    """A busy machine looks at as much as an idle one."""
    monkeypatch.setattr("daemon.runtime.truth.SAMPLE_S", 60.0)


@pytest.fixture
def config(tmp_path):
    """config(strategy): a configuration file."""

    def written(strategy):
        document = {
            "timeframe": "5m",
            "stake_currency": "USDT",
            "strategy": strategy,
            "strategy_path": str(STRATEGIES),
            "user_data_dir": str(tmp_path / "user_data"),
            "exchange": {"name": "simulated", "pair_whitelist": [str(pair) for pair in WHITELIST]},
            "freqai": {
                "identifier": "one",
                "train_period_days": 1,
                "live_retrain_hours": 12,
                "feature_parameters": {
                    "include_timeframes": ["5m"],
                    "include_corr_pairlist": [],
                    "indicator_periods_candles": [10],
                    "label_period_candles": 12,
                },
                "model_training_parameters": {"iterations": 5},
            },
        }
        path = tmp_path / "config.json"
        path.write_text(json.dumps(document), "utf-8")
        return path

    return written


def lived(path, caplog, enough):
    """The figures of a daemon that ran until it had predicted each pair three times, and what it logged.

    It runs on until ``enough(logged)``: late candles, as a busy machine has them, bring no signals.
    """
    settings, stop = load_settings([path], env={}), threading.Event()
    clock = FastClock(NOW_MS, SPEED)
    market = SimulatedMarket(pairs=PAIRS, seed=7, clock=clock, base=BASE)

    def logged():
        return [(record.message, getattr(record, "fields", {})) for record in [*caplog.records]]

    def show(figures):
        if figures["predictions"] >= 6 and enough(logged()):
            stop.set()

    with caplog.at_level("INFO"):
        assert app.run(settings, stop, app.Options(show=show, clock=clock, market=market)) == 0
    return settings, read_status(StateFolder(settings.identifier_folder).status), logged()


def fields_of(logged, event):
    return [fields for name, fields in logged if name == event]


@pytest.mark.parametrize(
    ("strategy", "column"),
    [("SignalAhead", "enter_long"), ("EntersOnLeak", "%-leak_gen_BTC/USDT_5m")],
)
def test_a_strategy_that_looks_ahead_predicts_and_enters_nothing(config, caplog, strategy, column):
    path = config(strategy)
    always = strategy == "EntersOnLeak"  # it asks at every candle

    def enough(logged):
        blocked = {each["why"] for each in fields_of(logged, "signal_blocked")}
        told = [each["why"] for each in fields_of(logged, "entries_blocked")]
        return told and (told[0] in blocked or not always)

    settings, figures, logged = lived(path, caplog, enough)
    frame = PredictionHistory.read(StateFolder(settings.identifier_folder)).frame(BTC)
    assert (frame["model"] != "").sum() >= 3
    why = figures["entries_blocked"]
    assert why.startswith(f"{column} (")
    assert "looks ahead: at candle 20" in why
    assert not [each for each in fields_of(logged, "signal") if each["signal"].startswith("enter")]
    (told,) = fields_of(logged, "entries_blocked")
    assert told["why"] == why
    blocked = fields_of(logged, "signal_blocked")
    assert {each["why"] for each in blocked} <= {why, "the strategy asks to exit at the same candle"}
    if always:
        assert why in {each["why"] for each in blocked}
    shown = CliRunner().invoke(commands, ["status", "-c", str(path)]).stdout
    assert f"no entries: {column} (" in shown


def test_a_strategy_that_looks_back_only_is_not_blocked(config, caplog):
    _, figures, logged = lived(config("EntersAlways"), caplog, lambda logged: fields_of(logged, "signal"))
    assert "entries_blocked" not in figures
    assert fields_of(logged, "signal")
    assert not fields_of(logged, "truth_not_checked")


def test_a_strategy_that_cannot_be_examined_is_told_and_goes_on(config, caplog):
    _, figures, logged = lived(
        config("NeedsRecord"), caplog, lambda logged: fields_of(logged, "truth_not_checked")
    )
    (told,) = fields_of(logged, "truth_not_checked")
    assert "threshold" in told["error"]
    assert "entries_blocked" not in figures


def check(path, *arguments):
    return CliRunner().invoke(commands, ["check", "-c", str(path), *arguments], catch_exceptions=False)


def test_check_says_what_looks_ahead_and_ends_with_status_1(config):
    path = config("ShiftedBack")
    found = check(path)
    assert found.exit_code == 1
    assert (
        "ShiftedBack may not trade:\n  %-leak_gen_BTC/USDT_5m (feature_engineering_expand_basic"
        in found.stdout
    )
    settings = load_settings([path], env={})
    assert not candle_path(candle_folder(settings), CandleKey(BTC, BASE)).exists()  # nothing is stored


def test_check_of_every_pair_as_json(config):
    found = check(config("ShiftedBack"), "--pair", "all", "--json")
    assert found.exit_code == 1
    report = json.loads(found.stdout)
    assert not report["clean"]
    columns = [finding["column"] for finding in report["findings"]]
    assert columns == [f"%-leak_gen_{pair}_5m" for pair in WHITELIST]
    parts = [(part["place"], part["part"]) for part in report["parts"]]
    assert parts == [(f"{pair} 5m", part) for pair in WHITELIST for part in ("expand", "standard", "signals")]
    (first, *_) = report["findings"]
    assert first["share_of_range"] > 0.5
    assert first["times"] >= 60


def test_check_of_a_clean_strategy_names_what_never_settles_and_what_is_missing(config):
    found = check(config("Mediocre"), "--pair", "eth/usdt")
    assert found.exit_code == 0
    assert "Mediocre: no column changes when later candles come." in found.stdout
    assert (
        "depend on where the history begins, however far back:\n  %-so_far_gen_ETH/USDT_5m\n" in found.stdout
    )
    assert "  %-rare_gen_ETH/USDT_5m\n" in found.stdout.split("without a value")[1]
    assert "have one value throughout:\n  %-same_gen_ETH/USDT_5m\n" in found.stdout
    assert "are no features here:\n  %-ahead\n" in found.stdout


def test_check_of_an_unknown_pair_is_refused(config):
    assert "not in exchange.pair_whitelist" in str(
        CliRunner().invoke(commands, ["check", "-c", str(config("Plain")), "--pair", "X/Y"]).exception
    )
