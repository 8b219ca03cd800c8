"""What a daemon leaves behind, judged and explained: models, explain, train; with a daemon and without."""

import json
import threading

import pytest
from desk import BASE, PAIRS, STRATEGIES
from typer.testing import CliRunner

from daemon import app
from daemon.cli import app as commands
from daemon.cli.options import time_ms
from daemon.config import load_settings
from daemon.core.errors import ConfigError, Refused
from daemon.core.market import CandleKey
from daemon.market.feather import candle_path, read_candles, write_candles
from daemon.runtime.explain import explained
from daemon.runtime.models_report import models_report
from daemon.runtime.status_file import read_status
from daemon.runtime.world import candle_folder
from daemon.state.folder import StateFolder
from daemon.state.history import PredictionHistory
from daemon.state.pair_dictionary import PairDictionary
from daemon.state.requests import requested_trainings

pytestmark = pytest.mark.usefixtures("unhurried_stop")
WHITELIST = PAIRS[:2]
BTC, ETH = WHITELIST


def document(folder):
    return {
        "timeframe": "5m",
        "stake_currency": "USDT",
        "strategy": "Plain",
        "strategy_path": str(STRATEGIES),
        "user_data_dir": str(folder / "user_data"),
        "exchange": {"name": "simulated", "pair_whitelist": [str(pair) for pair in WHITELIST]},
        "freqai": {
            "identifier": "one",
            "train_period_days": 1,
            "live_retrain_hours": 12,
            "write_metrics_to_disk": True,
            "feature_parameters": {
                "include_timeframes": ["5m", "15m"],
                "include_corr_pairlist": ["BTC/USDT"],
                "indicator_periods_candles": [10],
                "include_shifted_candles": 1,
                "label_period_candles": 12,
                "plot_feature_importances": 4,
            },
            "model_training_parameters": {"iterations": 20},
        },
        "candled": {"simulated": {"speed": 500}},
    }


def lived(folder):
    """The configuration file of a daemon that ran until it had predicted each pair."""
    path = folder / "config.json"
    path.write_text(json.dumps(document(folder)), "utf-8")
    stop = threading.Event()

    def show(figures):
        if all("values" in pair for pair in figures["pairs"].values()):
            stop.set()

    assert app.run(load_settings([path], env={}), stop, app.Options(show=show)) == 0
    return path


@pytest.fixture(scope="module")
def config(tmp_path_factory, unhurried_stop):
    return lived(tmp_path_factory.mktemp("lived"))


@pytest.fixture
def settings(config):
    return load_settings([config], env={})


def run(config, *arguments):
    result = CliRunner().invoke(commands, [*arguments, "-c", str(config)], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def recorded(settings, pair):
    frame = PredictionHistory.read(StateFolder(settings.identifier_folder)).frame(pair)
    frame = frame[frame["model"] != ""]
    times = frame["date_pred"].astype("int64")
    return int(times.iloc[-1]), float(frame["&-s_close"].iloc[-1])


@pytest.mark.parametrize("pair", WHITELIST)
def test_contributions_sum_to_the_very_prediction_that_is_on_record(settings, pair):
    candle_ms, prediction = recorded(settings, pair)
    found = explained(settings, pair, None)
    (target,) = found["targets"]
    assert (found["candle_ms"], found["remarks"], found["components"]) == (candle_ms, [], False)
    assert target["said"] == target["recorded"] == prediction  # to the last bit
    summed = target["expected"] + sum(feature["contribution"] for feature in target["features"])
    assert summed == pytest.approx(prediction, rel=1e-9, abs=1e-12)
    assert target["total"] == pytest.approx(summed)
    sizes = [abs(feature["contribution"]) for feature in target["features"]]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 0
    assert {feature["name"] for feature in target["features"]} >= {"%-rsi-period_10_" + pair + "_5m"}


def test_a_candle_that_no_file_holds_yet_is_fetched_and_not_stored(settings):
    """A running daemon has its newest candles in memory alone."""
    candle_ms, prediction = recorded(settings, BTC)
    path = candle_path(candle_folder(settings), CandleKey(BTC, BASE))
    whole = path.read_bytes()
    frame = read_candles(path, BASE)
    try:
        with path.open("wb") as stream:
            write_candles(frame.between(0, candle_ms - 3 * BASE.ms), stream)
        cut = path.read_bytes()
        assert explained(settings, BTC, None)["targets"][0]["said"] == prediction
        assert path.read_bytes() == cut
    finally:
        path.write_bytes(whole)


def test_a_candle_without_a_prediction_is_explained_by_the_live_model_and_that_is_said(settings):
    candle_ms, _ = recorded(settings, BTC)
    found = explained(settings, BTC, candle_ms - 40 * BASE.ms)
    assert "no prediction of this candle on record" in found["remarks"][0]
    assert "trained on later candles" in found["remarks"][1]
    assert found["targets"][0]["recorded"] is None


@pytest.mark.parametrize(
    ("candle_ms", "words"),
    [(1, "no 5m candle opens"), (10**15 // BASE.ms * BASE.ms, "the candle is neither in")],
)
def test_a_candle_that_cannot_be_is_refused(settings, candle_ms, words):
    with pytest.raises(ConfigError, match=words):
        explained(settings, BTC, candle_ms)


def test_another_strategy_is_no_explanation(config, settings):
    changed = json.loads(config.read_text())
    changed["freqai"]["feature_parameters"]["indicator_periods_candles"] = [10, 20]
    other = config.with_name("other.json")
    other.write_text(json.dumps(changed))
    with pytest.raises(Refused, match="makes other features now"):
        explained(load_settings([other], env={}), BTC, None)


def test_the_explanation_on_the_terminal(config, settings):
    _, prediction = recorded(settings, ETH)
    shown = run(config, "explain", "eth/usdt", "--top", "3")
    lines = shown.splitlines()
    assert lines[0].startswith("ETH/USDT, candle 2026-01-01 ")
    assert f"&-s_close: {prediction:+.6g}" in lines
    assert sum("%-" in line for line in lines) == 3
    assert "other features together" in shown
    assert lines[-1].split() == ["sum", f"{prediction:+.6g}"]
    assert json.loads(run(config, "explain", "ETH/USDT", "--json"))["targets"][0]["said"] == prediction


def test_a_time_is_written_as_people_do(config):
    with pytest.raises(ConfigError, match="write the time as"):
        run(config, "explain", "ETH/USDT", "--candle", "yesterday")
    found = json.loads(run(config, "explain", "ETH/USDT", "--json", "--candle", "2026-01-01T00:00"))
    assert found["candle_ms"] == 1_767_225_600_000


@pytest.mark.parametrize(
    "text", ["1767225600000", "20260101", "2026-01-01", "2026-01-01T02:00+02:00", "2026-01-01T00:00Z"]
)
def test_a_time_is_utc_unless_it_says_otherwise(text):
    assert time_ms(text, "--at") == 1_767_225_600_000


@pytest.mark.parametrize("text", ["", "now", "²", "9" * 20, "9" * 5000, "2026-13-01"])
def test_what_is_no_time_is_refused_in_words(text):
    with pytest.raises(ConfigError, match=r"--at .*: write the time as"):
        time_ms(text, "--at")


def test_models_are_shown_with_their_test_against_knowing_nothing(config, settings):
    rows = models_report(settings)
    assert [row["pair"] for row in rows] == list(WHITELIST)
    for row in rows:
        assert row["live"]
        assert row["reason"] == "first"
        assert row["rows"] > 100
        assert {"ic", "r2", "mae", "naive_mae", "hit_rate"} <= set(row["metrics"]["&-s_close"])
    shown = run(config, "models")
    line = next(line for line in shown.splitlines() if f"{rows[0]['name']} *" in line)
    assert f"ic {rows[0]['metrics']['&-s_close']['ic']:+.3f}" in line
    assert line.rstrip().endswith("first")
    assert run(config, "models", "ETH/USDT").count("sub-train-") == 1
    assert [row["metrics"] for row in json.loads(run(config, "models", "--json"))] == [
        row["metrics"] for row in rows
    ]


def test_a_model_whose_metadata_are_damaged_is_left_out(settings):
    folder = StateFolder(settings.identifier_folder)
    name = PairDictionary.read(folder).entry(BTC).data_path
    (path,) = (folder.path / name).glob("*_metadata.json")
    whole = path.read_bytes()
    try:
        path.write_bytes(whole.replace(b"first", b"thirst"))
        # Whose it is cannot be believed any more: it is left out, and the others are shown.
        assert [row["pair"] for row in models_report(settings)] == ["ETH/USDT"]
    finally:
        path.write_bytes(whole)


def test_live_skill_stands_beside_the_model_that_it_is_of(settings):
    folder = StateFolder(settings.identifier_folder)
    name = PairDictionary.read(folder).entry(BTC).data_path
    whole = folder.status.read_bytes()
    figures = read_status(folder.status)
    figures["pairs"]["BTC/USDT"]["model_skill"] = {name: {"&-s_close": {"n": 70.0, "ic": 0.1}}}
    try:
        folder.status.write_text(json.dumps(figures))
        assert [row["skill"] for row in models_report(settings)] == [
            {"&-s_close": {"n": 70.0, "ic": 0.1}},
            {},
        ]
        folder.status.write_text("{")
        assert [row["skill"] for row in models_report(settings)] == [{}, {}]
    finally:
        folder.status.write_bytes(whole)


def test_the_plot_lies_beside_the_model_and_its_checksum_is_known(settings):
    folder = StateFolder(settings.identifier_folder)
    entry = PairDictionary.read(folder).entry(BTC)
    page = folder.path / entry.data_path / f"{entry.model_filename}--s_close.html"
    assert page.read_text().count("<rect") == 8
    (metadata,) = (folder.path / entry.data_path).glob("*_metadata.json")
    assert page.name in json.loads(metadata.read_text())["files"]


def test_timings_are_written_where_they_are_asked_for(settings):
    tracked = json.loads(StateFolder(settings.identifier_folder).metric_tracker.read_text())
    assert tracked.keys() == set(WHITELIST)
    for metrics in tracked.values():
        assert {"train_time", "inference_time", "cpu_load1min", "test_ic:&-s_close"} <= metrics.keys()


def test_a_training_is_asked_for_and_kept_until_a_daemon_hears_it(config, settings):
    folder = StateFolder(settings.identifier_folder)
    assert "no daemon runs; the request is kept" in run(config, "train", "BTC/USDT")
    assert requested_trainings(folder) == (BTC,)
    row = json.loads(run(config, "queue", "--json"))[0]
    assert (row["pair"], row["requested"]) == ("BTC/USDT", True)
    assert "(training requested)" in run(config, "queue")
    with folder.acquire(0):
        assert "takes it up within seconds" in run(config, "train", "all")
    assert requested_trainings(folder) == WHITELIST
    with pytest.raises(ConfigError, match=r"XRP/USDT' is not in exchange\.pair_whitelist"):
        run(config, "train", "XRP/USDT")
    stop = threading.Event()

    def show(figures):
        if figures["trainings"] >= 2:
            stop.set()

    assert app.run(settings, stop, app.Options(show=show)) == 0
    entries = PairDictionary.read(folder).entries
    assert [entries[pair].reason for pair in WHITELIST] == ["requested", "requested"]
    assert requested_trainings(folder) == ()
