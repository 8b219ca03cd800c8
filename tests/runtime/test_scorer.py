"""The scorer on a real record, a real strategy and the simulated market's candles."""

import json
import logging
from types import SimpleNamespace

import numpy as np
import pytest
from desk import BASE, DAY_MS, NOW_MS, PAIRS

from daemon.core.clock import FakeClock
from daemon.core.market import CandleKey
from daemon.features.labels import label_columns
from daemon.runtime.housekeeping import Housekeeping
from daemon.runtime.metrics_log import SAVE_S, MetricsLog
from daemon.runtime.scorer import Scorer, ScorerOptions
from daemon.runtime.tally import Tally
from daemon.state.folder import StateFolder
from daemon.state.history import HistoryRow, PredictionHistory
from daemon.state.metric_tracker import KEPT, MetricTracker
from daemon.state.queue import PairEntry

BTC, ETH, SOL = PAIRS
ROWS = 300


class Desk:
    """Predictions of two pairs on record: BTC's are the truth, ETH's its opposite."""

    def __init__(self, path, hooks, candles, **options):
        self.folder = StateFolder(path)
        path.mkdir(exist_ok=True)
        self.hooks, self.candles, self.options = hooks, candles, options
        self.history = PredictionHistory.open(self.folder)
        self.models, self.waited, self.until_ms = {}, 0, NOW_MS
        self.scorer = self.another()

    def another(self):
        usual = {"window": 100, "skill_share": 0.5, "min_predictions": 50, "label_period_ms": 5 * DAY_MS}
        return Scorer(
            ScorerOptions(pairs=PAIRS, base=BASE, horizon=12, **usual | self.options),
            history=self.history,
            hooks=self.hooks,
            frame_of=lambda key: self.candles(key, self.until_ms),
            models=self.models,
            give_way=self.wait,
        )

    def wait(self):
        self.waited += 1

    def record(self, until_ms=NOW_MS + 2 * DAY_MS // 3):
        """Predict, from some candles before NOW_MS on, what the candles until then will show."""
        self.until_ms = until_ms
        for pair, sign in ((BTC, 1), (ETH, -1)):
            frame = self.candles(CandleKey(pair, BASE), until_ms)
            (label,) = label_columns(self.hooks, pair, frame)
            first = len(frame) - ROWS
            rows = [
                HistoryRow(
                    pair=pair,
                    candle_ms=int(frame.open_ms[i]),
                    values={
                        "&-s_close": sign * float(np.nan_to_num(label.numbers[i])),
                        "&-s_close_mean": 0.0,
                        "model": "m1",
                        "late": 0.0,
                    },
                )
                for i in range(first, len(frame))
            ]
            self.history.append(rows)

    def serve(self, pair, ic=0.8, name="m1"):
        self.models[pair] = SimpleNamespace(
            name=name, label_means={"&-s_close": 0.0}, metrics={"&-s_close": {"ic": ic}}
        )

    def judged(self):
        for _ in range(10):
            if not self.scorer.step():
                break


@pytest.fixture
def desk(tmp_path, hooks, candles):
    def built(strategy="Plain", **options):
        made = Desk(tmp_path / "mine", hooks(strategy), candles, **options)
        made.record()
        return made

    return built


def test_predictions_are_judged_by_what_the_strategys_label_came_to(desk):
    made = desk()
    made.judged()
    good, bad = (made.scorer.scores(pair).rolling["&-s_close"] for pair in (BTC, ETH))
    assert (good["n"], bad["n"]) == (100, 100)
    assert good["ic"] == pytest.approx(1)
    assert bad["ic"] == pytest.approx(-1)
    # The label is the mean of the 12 candles ahead: the newest one that is known is 12 candles old.
    assert made.scorer.scores(BTC).known_ms == made.until_ms - 13 * BASE.ms
    assert made.scorer.scores(SOL).rolling == {}


def test_a_restart_finds_the_same_scores_in_the_record(desk):
    made = desk()
    made.judged()
    before = made.scorer.scores(BTC)
    made.history.close()
    made.history = PredictionHistory.open(made.folder)
    made.scorer = made.another()
    made.judged()
    assert made.scorer.scores(BTC) == before


def test_a_pair_is_judged_again_after_some_candles_and_not_before(desk):
    made = desk(window=48)  # two candles are a 24th of it
    made.judged()
    assert not made.scorer.step()
    for candle in range(2):
        row = {"&-s_close": 0.0, "model": "m1", "late": 0.0}
        made.history.append([HistoryRow(pair=BTC, candle_ms=made.until_ms + candle * BASE.ms, values=row)])
        assert made.scorer.step() is (candle == 1)
    assert made.waited > 0


def test_of_models_that_were_replaced_only_those_with_predictions_to_judge_are_remembered(desk):
    made = desk(window=48)
    for name in ("m1", "m2", "m3"):  # m1 has made all that is on record
        made.serve(BTC, name=name)
        made.judged()
        made.record(made.until_ms + 2 * BASE.ms)
    assert made.scorer._means[BTC].keys() == {"m1", "m3"}


def test_a_live_model_whose_skill_fell_is_named(desk):
    made = desk()
    made.serve(BTC, ic=0.8)
    made.serve(ETH, ic=0.8)
    made.serve(SOL)
    assert made.scorer.fallen(ETH) == ""
    made.judged()
    assert made.scorer.fallen(BTC) == ""
    assert made.scorer.fallen(SOL) == ""
    assert made.scorer.fallen(ETH).startswith("&-s_close -1.000 live, 0.800 in training, 2")
    made.serve(ETH, name="m2")  # a new model starts with a clean record
    assert made.scorer.fallen(ETH) == ""


def test_by_default_skill_asks_for_nothing(desk):
    made = desk(skill_share=0.0)
    made.serve(ETH)
    made.judged()
    assert made.scorer.fallen(ETH) == ""


def test_a_strategy_that_raises_is_told_once_and_blocks_nobody(desk, caplog):
    made = desk()
    made.hooks.targets = raises = _raises(made.hooks.targets, BTC)
    made.judged()
    assert made.scorer.scores(ETH).rolling
    for _ in range(2):
        made.scorer._judged_ms.clear()
        made.judged()
    assert raises.calls == 3
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING] == [
        "predictions_not_judged"
    ]


def _raises(targets, pair):
    from daemon.core.errors import StrategyError  # noqa: PLC0415

    def called(frame, metadata):
        if metadata["pair"] == pair:
            called.calls += 1
            raise StrategyError("not with this pair")
        return targets(frame, metadata)

    called.calls = 0
    return called


@pytest.fixture
def logged(desk):
    """logged(): a desk with a metrics log, its clock and its tally."""

    def built():
        made = desk()
        made.clock = FakeClock(NOW_MS)
        made.tally, made.entries = Tally(made.clock), {}
        made.serve(BTC)
        made.log = MetricsLog(
            MetricTracker.open(made.folder),
            clock=made.clock,
            pairs=PAIRS,
            tally=made.tally,
            entries=lambda: made.entries,
            models=made.models,
            scores=made.scorer.scores,
        )
        return made

    return built


def tracked(made):
    return json.loads(made.folder.metric_tracker.read_text())


def test_metrics_are_written_in_freqais_form(logged):
    made = logged()
    made.judged()
    made.tally.tick(close_ms=NOW_MS, outcomes=[], signals=[], late=False, skipped=0, seconds=0.3, missing=[])
    made.entries[BTC] = PairEntry(data_path="m1", train_seconds=4.5)
    for _ in range(2):  # what was noted once is not noted again
        made.log.step()
    assert not made.folder.metric_tracker.exists()
    made.clock.advance(int(SAVE_S * 1000))
    made.log.step()
    found = tracked(made)
    assert found[BTC]["train_time"] == {"timestamp": [NOW_MS // 1000], "value": [4.5]}
    assert found[SOL]["inference_time"] == {"timestamp": [NOW_MS // 1000], "value": [0.1]}
    assert {"cpu_load1min", "cpu_load5min", "cpu_load15min"} <= found[BTC].keys()
    assert found[BTC]["test_ic:&-s_close"]["value"] == [0.8]
    assert found[BTC]["live_ic:&-s_close"]["value"] == [pytest.approx(1)]
    assert found[BTC]["live_ic:&-s_close"]["timestamp"] == [made.scorer.scores(BTC).known_ms // 1000]


def test_housekeeping_judges_pair_by_pair_and_then_notes(logged):
    made = logged()
    housekeeping = Housekeeping(made.history, made.scorer, made.log)
    assert [housekeeping.step() for _ in range(3)] == [True, True, False]  # SOL has no record
    made.log.close()
    assert "live_ic:&-s_close" in tracked(made)[ETH]
    without = Housekeeping(made.history, made.scorer, None)
    assert not without.step()


def test_a_tracker_goes_on_where_it_was_and_does_not_grow_for_ever(tmp_path):
    folder = StateFolder(tmp_path)
    for start in (0, KEPT):
        tracker = MetricTracker.open(folder)
        for i in range(KEPT):
            tracker.note("A/USDT", "train_time", float(i), start + i)
        tracker.note("A/USDT", "nothing", float("nan"), 1)
        tracker.save()
    found = json.loads(folder.metric_tracker.read_text())["A/USDT"]
    assert list(found) == ["train_time"]
    assert found["train_time"]["timestamp"] == list(range(KEPT, 2 * KEPT))


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"A/USDT": 1}',
        '{"A/USDT": {"x": {"timestamp": ["y"], "value": [1]}}}',
        '{"A/USDT": {"x": {"timestamp": [1], "value": ["y"]}}}',
        '{"A/USDT": {"x": {"timestamp": [1e999], "value": [1]}}}',
    ],
)
def test_a_damaged_tracker_is_set_aside(tmp_path, text):
    folder = StateFolder(tmp_path)
    folder.metric_tracker.write_text(text)
    assert MetricTracker.open(folder)._series == {}
    assert [path.read_text() for path in folder.set_aside.iterdir()] == [text]


def test_a_full_disk_is_no_reason_to_stop(tmp_path):
    tracker = MetricTracker.open(StateFolder(tmp_path / "missing"))
    tracker.note("A/USDT", "train_time", 1.0, 1)
    tracker.save()
    (tmp_path / "missing").mkdir()
    tracker.save()
    assert (tmp_path / "missing" / "metric_tracker.json").exists()
