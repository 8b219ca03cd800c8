"""The whole daemon in this process, on the simulated exchange and a fast clock."""

import json
import re
import sys
import threading

import pytest
import typer
from desk import BASE, NOW_MS, PAIRS, STRATEGIES
from typer.testing import CliRunner

from daemon import app
from daemon.cli.status import status
from daemon.cli.view import LiveView
from daemon.config import load_settings
from daemon.core.clock import FastClock
from daemon.core.errors import ConfigError, FolderInUse, StrategyError
from daemon.core.market import CandleKey
from daemon.core.timeframe import Timeframe
from daemon.market.simulated import SimulatedMarket
from daemon.market.store import CandleStore
from daemon.runtime.account_ledger import opened_ledger
from daemon.runtime.status_file import read_status
from daemon.runtime.world import candle_folder
from daemon.state import atomic
from daemon.state.artifacts import ArtifactStore
from daemon.state.folder import StateFolder
from daemon.state.history import HistoryRow, PredictionHistory

pytestmark = pytest.mark.usefixtures("unhurried_stop")
WHITELIST = PAIRS[:2]
SPEED = 500.0  # a candle every 0.6 s


@pytest.fixture
def settings(tmp_path):
    def made(freqai=None, **changes):
        document = {
            "timeframe": "5m",
            "stake_currency": "USDT",
            "strategy": "Plain",
            "strategy_path": str(STRATEGIES),
            "user_data_dir": str(tmp_path / "user_data"),
            "exchange": {"name": "simulated", "pair_whitelist": [str(pair) for pair in WHITELIST]},
            "freqai": {
                "identifier": "one",
                "train_period_days": 1,
                "live_retrain_hours": 12,
                "feature_parameters": {
                    "include_timeframes": ["5m", "15m"],
                    "include_corr_pairlist": ["BTC/USDT"],
                    "indicator_periods_candles": [10],
                    "include_shifted_candles": 1,
                    "label_period_candles": 12,
                },
                "model_training_parameters": {"iterations": 5},
                **(freqai or {}),
            },
            **changes,
        }
        path = tmp_path / "config.json"
        path.write_text(json.dumps(document), "utf-8")
        return load_settings([path], env={})

    return made


class Run:
    """One run of the daemon that ends by itself when `enough` says so of its figures."""

    def __init__(self, settings, now_ms, *, ticks=None, enough=lambda figures: False):
        self.stop, self.shown = threading.Event(), []
        self.enough = enough
        clock = FastClock(now_ms, SPEED)
        options = app.Options(
            ticks=ticks,
            show=self.show,
            clock=clock,
            market=SimulatedMarket(pairs=PAIRS, seed=7, clock=clock, base=BASE),
        )
        self.status = app.run(settings, self.stop, options)

    def show(self, figures):
        self.shown.append(figures)
        if self.enough(figures):
            self.stop.set()


def record(settings):
    history = PredictionHistory.read(StateFolder(settings.identifier_folder))
    return {pair: history.frame(pair) for pair in WHITELIST}


def all_pairs_predicted(figures):
    return all("values" in pair for pair in figures["pairs"].values())


def times(frame):
    return frame["date_pred"].astype("int64").tolist()


def test_it_trains_predicts_stops_and_goes_on_where_it_was(settings, caplog):
    caplog.set_level("INFO")
    chosen = settings()
    first = Run(chosen, NOW_MS, enough=all_pairs_predicted)
    assert first.status == 0
    folder = StateFolder(chosen.identifier_folder)
    assert not folder.metric_tracker.exists()  # write_metrics_to_disk is off
    figures = read_status(folder.status)
    assert (figures["state"], figures["trainings"], figures["failed_trainings"]) == ("stopped", 2, 0)
    assert {shown["state"] for shown in first.shown} == {"running", "stopping", "stopped"}
    before = record(chosen)
    assert before.keys() == set(WHITELIST)
    assert all(frame["do_predict"].max() == 1 for frame in before.values())
    assert folder.holder() is None

    last_ms = max(times(before[WHITELIST[0]])) + BASE.ms
    again = Run(chosen, last_ms + 2 * BASE.ms, ticks=4)  # it was off for two candles
    assert again.status == 0
    assert [r.message for r in caplog.records if r.message.startswith("warm_up_")] == [
        "warm_up_measured",
        "warm_up_known",
    ]
    after = record(chosen)
    figures = read_status(folder.status)
    assert (figures["trainings"], figures["ticks"], figures["skipped"]) == (0, 4, 0)
    assert figures["abstentions"] == 0  # the models were there from the first tick on
    for pair in WHITELIST:
        found = times(after[pair])
        assert found == list(
            range(found[0], found[-1] + 1, BASE.ms)
        )  # every candle once, the missed ones too
        assert len(found) == len(before[pair]) + 4
        assert after[pair]["late"].iloc[len(before[pair])] == 1.0


def test_targets_of_both_kinds_with_live_statistics_and_extra_returns(
    settings, tmp_path, monkeypatch, capsys
):
    chosen = settings(
        strategy="Mixed",
        freqai={"fit_live_predictions_candles": 20, "extra_returns_per_train": {"threshold": 0.7}},
    )
    shown = Run(chosen, NOW_MS, enough=all_pairs_predicted).shown
    frame = record(chosen)[WHITELIST[0]]
    last = frame[frame["do_predict"] == 1].iloc[-1]
    assert last["&s-hour"] in {"up", "down"}
    assert last["up"] + last["down"] == pytest.approx(1)
    assert 0 < last["up_day_mean"] < 1
    assert 0 < last["&-s_close_std"] < 0.1
    assert last["threshold"] == 0.7
    trained = ArtifactStore(StateFolder(chosen.identifier_folder)).newest(WHITELIST[0]).metadata
    assert last["&-s_close_std"] != trained["labels_std"]["&-s_close"]

    monkeypatch.setenv("COLUMNS", "200")
    command = typer.Typer()
    command.command()(status)
    printed = CliRunner().invoke(command, ["-c", str(tmp_path / "config.json")]).stdout
    for label in ("&-s_close", "&s-hour", "&s-day"):
        assert label in printed
    monkeypatch.setenv("FORCE_COLOR", "1")  # a live view draws on a terminal only
    capsys.readouterr()
    with LiveView(chosen) as screen:
        screen.show(shown[-1])
    values = shown[-1]["pairs"][WHITELIST[0]]["values"]
    drawn = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", capsys.readouterr().err)
    line = next(each for each in drawn.splitlines() if each.strip().startswith(WHITELIST[0]))
    assert f"{values['&-s_close']:+.4%} {values['&s-hour']} {values['&s-day']}" in line


def test_a_stop_before_the_first_candle_is_an_end_like_any_other(settings):
    stop = threading.Event()
    stop.set()
    clock = FastClock(NOW_MS, SPEED)
    market = SimulatedMarket(pairs=PAIRS, seed=7, clock=clock, base=BASE)
    assert app.run(settings(), stop, app.Options(clock=clock, market=market)) == 0
    assert StateFolder(settings().identifier_folder).holder() is None


def test_a_second_daemon_on_the_same_identifier_is_refused(settings):
    folder = StateFolder(settings().identifier_folder)
    with folder.acquire(NOW_MS), pytest.raises(FolderInUse, match="is in use by process"):
        app.run(settings(), threading.Event())


def test_a_missing_library_ends_the_start_before_anything_is_written(settings, monkeypatch):
    monkeypatch.setitem(sys.modules, "xgboost", None)
    chosen = settings(freqaimodel="XGBoostRegressor")
    with pytest.raises(ConfigError, match="--extra xgboost"):
        Run(chosen, NOW_MS)
    assert not chosen.identifier_folder.exists()


@pytest.mark.parametrize(
    ("strategy", "words"), [("NoTarget", "made no target"), ("DoubledTarget", "two columns of one name")]
)
def test_a_strategy_that_cannot_work_ends_the_start_and_frees_the_folder(settings, strategy, words):
    chosen = settings(strategy=strategy)
    with pytest.raises(StrategyError, match=words):
        Run(chosen, NOW_MS)
    assert StateFolder(chosen.identifier_folder).holder() is None


def test_a_ledger_of_another_market_is_refused_before_anything_is_fetched(settings):
    opened_ledger(settings(), NOW_MS).close()
    other = settings(candled={"simulated": {"seed": 8}})
    asked = []

    class Asked(SimulatedMarket):
        def fetch(self, requests, budget_s):
            asked.extend(requests)
            return super().fetch(requests, budget_s)

    clock = FastClock(NOW_MS, SPEED)
    market = Asked(pairs=PAIRS, seed=8, clock=clock, base=BASE)
    with pytest.raises(ConfigError, match=r"holds the trades of simulated \(seed 1\)"):
        app.run(other, threading.Event(), app.Options(ticks=1, clock=clock, market=market))
    assert asked == []
    opened_ledger(settings(), NOW_MS).close()  # it is let go of, and still its owner's


def test_what_is_older_than_the_user_keeps_is_dropped_at_a_stop(settings, candles):
    chosen = settings(candled={"keep_predictions_days": 1, "keep_candles_days": 20})
    folder, pair, day = StateFolder(chosen.identifier_folder), WHITELIST[0], 288
    folder.path.mkdir(parents=True)
    history = PredictionHistory.open(folder)
    first_ms = NOW_MS - 6 * day * 300_000
    for n in range(6 * day - 1):
        history.append([HistoryRow(pair=pair, candle_ms=first_ms + n * 300_000, values={"&-s_close": 0.5})])
    history.close()
    key = CandleKey(pair, Timeframe("5m"))
    store = CandleStore(candle_folder(chosen), atomic.write_atomic, atomic.set_aside)
    store.write(key, candles(key, until_ms=NOW_MS, days=40))

    assert Run(chosen, NOW_MS, ticks=4).status == 0  # so that there are candles to be written

    least = 4 * 288 + 12  # live skill looks back so far, farther than a day
    frame = record(chosen)[pair]
    assert len(frame) == least
    assert times(frame)[-1] > NOW_MS - 3 * 300_000
    candle_ms = store.read(key).open_ms
    assert candle_ms[-1] > NOW_MS - 3 * 300_000
    assert candle_ms[-1] - candle_ms[0] == 20 * day * 300_000
