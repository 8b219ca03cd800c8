import errno
import logging
import threading
from dataclasses import replace

import numpy as np
import pytest
from desk import BASE, DAY_MS, NOW_MS, PAIRS

from daemon.core.clock import FakeClock, SystemClock
from daemon.core.errors import ConfigError, Refused
from daemon.core.market import CandleKey
from daemon.core.pair import Pair
from daemon.features.compute import BlockComputer
from daemon.features.store import FeatureStore
from daemon.learning.fit import train
from daemon.learning.options import PipelineOptions
from daemon.runtime.dataset import TrainingOptions
from daemon.runtime.tally import Tally
from daemon.runtime.trainer import Trainer, TrainerOptions
from daemon.runtime.training_process import TrainingFailed, TrainingProcess, TrainingStopped
from daemon.state import queue
from daemon.state.artifacts import ArtifactStore
from daemon.state.folder import StateFolder
from daemon.state.pair_dictionary import PairDictionary
from daemon.state.queue import QueueState
from daemon.state.requests import request_training, requested_trainings

BTC, ETH, SOL = PAIRS
HOUR_MS = 3_600_000
FULL = OSError(errno.ENOSPC, "No space left on device")


class InProcess:
    """A training process that is none; faults: pair -> what its training raises."""

    def __init__(self):
        self.faults = {}
        self.trained = []

    def run(self, job, features, labels, folder):
        self.trained.append(job.pair)
        if job.pair in self.faults:
            (folder / "half a model").write_bytes(b"half")
            raise self.faults[job.pair]
        return train(job, features.matrix(), labels, folder, SystemClock().monotonic_s)


class Desk:
    """A trainer with all that is around it; `restarted` is another one on the same folder, as after a kill."""

    def __init__(self, path, hooks, plan, candles, clock=None, **options):
        self.parts = (path, hooks, plan, candles)
        self.clock = clock or FakeClock(NOW_MS)
        self.halted = {}  # pair -> close of its last candle
        self.fallen = {}  # pair -> what its live skill says
        self.folder, self.candles = StateFolder(path), candles
        self.book, self.artifacts = PairDictionary.open(self.folder), ArtifactStore(self.folder)
        self.process, self.models, self.tally = InProcess(), {}, Tally(self.clock)
        strategy, steps = options.pop("strategy", "Plain"), options.pop("steps", PipelineOptions())
        training = TrainingOptions(
            train_period_ms=DAY_MS,
            label_period_candles=12,
            buffer_train_data_candles=0,
            model="CatboostRegressor",
            parameters={"iterations": 2},
            test_size=0.2,
            weight_factor=0.0,
            seed=1,
            threads=1,
            pipeline=steps,
        )
        training = replace(training, **options.pop("training", {}))
        chosen = {"retrain_ms": HOUR_MS, "keep_models": 2, "max_disk_bytes": None, "recipe": "one", **options}
        between_ticks = threading.Event()
        between_ticks.set()
        self.trainer = Trainer(
            TrainerOptions(pairs=PAIRS, training=training, **chosen),
            clock=self.clock,
            features=FeatureStore(plan, BlockComputer(hooks(strategy), plan, 64), self.frame),
            hooks=hooks(strategy),
            frame_of=self.frame,
            folder=self.folder,
            book=self.book,
            artifacts=self.artifacts,
            process=self.process,
            models=self.models,
            tally=self.tally,
            between_ticks=between_ticks,
            stop=threading.Event(),
            fallen=lambda pair: self.fallen.get(pair, ""),
        )

    def frame(self, key):
        close_ms = min(self.clock.now_ms(), self.halted.get(key.pair, 2**62))
        return self.candles(key, close_ms)

    def restarted(self, **options):
        again = Desk(*self.parts, clock=self.clock, **options)
        again.trainer.load_models()
        return again

    def steps(self, most=10):
        """Step until there is nothing to do; the pairs that were trained meanwhile."""
        before = len(self.process.trained)
        for _ in range(most):
            if not self.trainer.step():
                break
        return self.process.trained[before:]

    def entry(self, pair):
        """As a restart would read it."""
        return PairDictionary.read(self.folder).entry(pair)

    def staged(self):
        return sorted(self.folder.staging.iterdir()) if self.folder.staging.exists() else []


@pytest.fixture
def desk(tmp_path, hooks, plan, candles):
    def built(**options):
        made = Desk(tmp_path, hooks, plan, candles, **options)
        made.trainer.load_models()
        return made

    return built


@pytest.fixture
def events(caplog):
    caplog.set_level(logging.DEBUG, logger="daemon.runtime.trainer")
    return lambda name: [r.fields for r in caplog.records if r.getMessage() == name]


def damage(desk, name):
    (file,) = (desk.folder.path / name).glob("*_model.cbm")
    file.write_bytes(file.read_bytes()[:-1] + b"?")


def test_pairs_without_a_model_are_trained_in_the_whitelists_order(desk):
    made = desk()
    assert made.steps() == ["BTC/USDT", "ETH/USDT", "SOL/USDT"]
    for pair in PAIRS:
        entry = made.entry(pair)
        assert (entry.state, entry.trained_timestamp) == (QueueState.IDLE, NOW_MS // 1000)
        assert made.models[pair].name == entry.data_path
        assert made.models[pair].window_end_ms == NOW_MS
    assert made.tally.snapshot()["trainings"] == 3
    assert made.staged() == []


def test_what_a_training_leaves_free_is_given_back_whether_it_succeeds_or_not(desk, monkeypatch):
    given_back = []
    monkeypatch.setattr("daemon.runtime.trainer.give_back", lambda: given_back.append(1))
    made = desk()
    made.process.faults["ETH/USDT"] = Refused("no")
    assert made.steps() == ["BTC/USDT", "ETH/USDT", "SOL/USDT"]
    assert len(given_back) == 3


def test_then_the_oldest_model_comes_first(desk):
    made = desk()
    made.trainer.step()
    made.clock.advance(BASE.ms)
    made.steps()
    made.clock.advance(HOUR_MS - BASE.ms)
    assert made.steps() == ["BTC/USDT"]
    made.clock.advance(BASE.ms)
    assert made.steps() == ["ETH/USDT", "SOL/USDT"]


def test_a_model_is_trained_anew_when_it_is_old_enough(desk):
    made = desk()
    made.steps()
    made.clock.advance(HOUR_MS - 1)
    assert made.steps() == []
    made.clock.advance(1)
    assert made.steps() == ["BTC/USDT", "ETH/USDT", "SOL/USDT"]


@pytest.mark.parametrize("retrain_ms", [0, BASE.ms // 2])
def test_continuous_training_waits_for_a_newer_candle(desk, retrain_ms):
    made = desk(retrain_ms=retrain_ms)
    made.steps()
    made.clock.advance(BASE.ms - 1)
    assert made.steps() == []
    made.halted = dict.fromkeys(PAIRS, NOW_MS)
    made.clock.advance(1)  # closed, but not here yet
    assert made.steps() == []
    made.halted = {}
    assert made.steps() == ["BTC/USDT", "ETH/USDT", "SOL/USDT"]


def test_a_halted_pair_whose_model_is_the_oldest_for_ever_starves_nobody(desk):
    made = desk()
    made.halted = {BTC: NOW_MS}
    made.steps()
    for _ in range(3):
        made.clock.advance(HOUR_MS)
        assert made.steps() == ["ETH/USDT", "SOL/USDT"]
    made.halted = {}
    assert made.steps() == ["BTC/USDT"]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Refused("every feature is constant"), "every feature is constant"),
        (TrainingFailed("the training process was ended by signal SIGKILL"), "SIGKILL"),
        (FULL, "No space left on device"),
        (MemoryError("Unable to allocate 4 GiB"), "Unable to allocate 4 GiB"),
    ],
)
def test_a_failure_backs_off_and_blocks_nobody(desk, events, fault, words):
    made = desk()
    made.process.faults = {BTC: fault}
    assert made.steps() == ["BTC/USDT", "ETH/USDT", "SOL/USDT"]
    entry = made.entry(BTC)
    assert (entry.state, entry.attempts) == (QueueState.BACKING_OFF, 1)
    assert words in entry.last_error
    assert events("training_failed") == [{"pair": BTC, "error": str(fault)}]
    assert made.staged() == []  # lest failures on a full disk fill it further
    made.clock.advance(59_999)
    assert made.steps() == []
    made.clock.advance(1)
    assert made.steps() == ["BTC/USDT"]
    made.clock.advance(119_999)
    assert made.steps() == []
    made.process.faults = {}
    made.clock.advance(1)
    assert made.steps() == ["BTC/USDT"]
    entry = made.entry(BTC)
    assert (entry.state, entry.attempts, entry.last_error) == (QueueState.IDLE, 0, "")
    assert made.tally.snapshot()["failed_trainings"] == 2


def test_a_strategy_that_raises_for_one_pair_blocks_nobody(desk):
    made = desk(strategy="RaisesForEth")
    made.steps()
    assert made.process.trained == ["BTC/USDT", "SOL/USDT"]
    assert "not with this pair" in made.entry(ETH).last_error


def test_a_pair_without_candles_blocks_nobody(desk):
    made = desk()
    made.halted = {ETH: NOW_MS - 10 * DAY_MS}
    made.steps()
    assert made.process.trained == ["BTC/USDT", "SOL/USDT"]
    assert made.entry(ETH).last_error == "ETH/USDT: no candles in the training window"


def test_a_correlated_pair_without_candles_stops_no_thread(desk):
    made = desk()
    made.halted = {BTC: NOW_MS - 10 * DAY_MS}
    assert made.steps() == []
    assert made.entry(SOL).last_error == "BTC/USDT 5m has no candles in the training window of SOL/USDT"


def test_a_disk_that_fills_up_while_publishing_is_a_failure_like_any_other(desk, monkeypatch):
    made = desk()

    def full(*_args, **_named):
        raise FULL

    monkeypatch.setattr(made.artifacts, "publish", full)
    made.steps()
    assert made.models == {}
    assert "No space left" in made.entry(SOL).last_error
    assert made.staged() == []
    monkeypatch.undo()
    made.clock.advance(60_000)
    made.steps()
    assert set(made.models) == set(PAIRS)


def test_a_model_that_cannot_be_loaded_never_goes_live(desk, monkeypatch):
    made = desk()
    made.steps()
    before = dict(made.models), made.entry(BTC)

    def unreadable(self, job, features, labels, folder):
        result = InProcess.run(self, job, features, labels, folder)
        (folder / result.files[0]).write_bytes(b"not a model")
        return result

    monkeypatch.setattr(made.process, "run", unreadable.__get__(made.process))
    made.clock.advance(HOUR_MS)
    made.steps()
    entry = made.entry(BTC)
    assert made.models == before[0]
    assert (entry.data_path, entry.state) == (before[1].data_path, QueueState.BACKING_OFF)
    assert "not a CatBoost model" in entry.last_error


def test_old_models_that_cannot_be_deleted_are_no_failure_of_the_training(desk, monkeypatch, events):
    made = desk()

    def read_only(*_args, **_named):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(made.artifacts, "purge", read_only)
    made.trainer.step()
    assert made.entry(BTC).state is QueueState.IDLE
    assert [fields["pair"] for fields in events("models_not_purged")] == [BTC]
    assert made.tally.snapshot()["failed_trainings"] == 0


def test_the_two_newest_models_of_each_pair_are_kept(desk):
    made = desk()
    for _ in range(4):
        made.steps()
        made.clock.advance(HOUR_MS)
    names = made.artifacts.names()
    times = [NOW_MS // 1000 + hours * 3600 for hours in (2, 3)]
    assert names == sorted(f"sub-train-{pair.base}_{time}" for pair in PAIRS for time in times)
    assert {model.name for model in made.models.values()} <= set(names)


def test_all_models_are_kept_where_purging_is_off(desk):
    made = desk(keep_models=0)
    for _ in range(3):
        made.steps()
        made.clock.advance(HOUR_MS)
    assert len(made.artifacts.names()) == 9


def test_the_live_model_is_never_purged_however_old_it_is(desk):
    """The clock was a day ahead, and models of that day lie about."""
    made = desk(keep_models=1)
    made.clock.advance(DAY_MS // 2)
    made.steps()
    made.clock.set(NOW_MS)
    for pair in PAIRS:
        made.book.update(pair, queue.queued(made.book.entry(pair), NOW_MS))
    assert len(made.steps()) == 3
    assert made.models[BTC].window_end_ms == NOW_MS
    assert made.models[BTC].name in made.artifacts.names()
    assert set(made.restarted().models) == set(PAIRS)


def test_a_restart_serves_the_same_models_and_trains_nothing(desk):
    made = desk()
    made.steps()
    again = made.restarted()
    assert {pair: model.name for pair, model in again.models.items()} == {
        pair: model.name for pair, model in made.models.items()
    }
    assert again.steps() == []


def test_a_training_that_the_daemon_ended_in_is_taken_up_again(desk):
    made = desk()
    made.steps()
    entry = queue.training(queue.queued(made.book.entry(ETH), NOW_MS), NOW_MS)
    made.book.update(ETH, entry)
    again = made.restarted()
    assert ETH in again.models  # the model before it goes on predicting
    assert again.entry(ETH).state is QueueState.QUEUED
    assert again.entry(ETH).attempts == 0
    assert again.steps() == ["ETH/USDT"]


def test_a_stop_in_the_middle_of_a_training_blames_nobody(desk):
    made = desk()
    made.process.faults = {BTC: TrainingStopped("the daemon is stopping")}
    assert not made.trainer.step()
    entry = made.entry(BTC)
    assert (entry.state, entry.attempts, entry.last_error) == (QueueState.QUEUED, 0, "")
    figures = made.tally.snapshot()
    assert (figures["trainings"], figures["failed_trainings"], figures["training"]) == (0, 0, "")
    again = made.restarted()
    assert again.steps()[0] == "BTC/USDT"


def test_a_damaged_model_makes_way_for_the_one_before_it_and_is_trained_first(desk, events):
    made = desk()
    made.steps()
    first = made.models[SOL].name
    made.clock.advance(HOUR_MS)
    made.steps()
    damage(made, made.models[SOL].name)
    again = made.restarted()
    assert again.models[SOL].name == again.entry(SOL).data_path == first
    assert again.entry(SOL).urgent == "its newest model is damaged or gone"
    assert len(events("state_file_damaged")) == 1
    assert made.models[SOL].name not in again.artifacts.names()  # it lies in set-aside now
    again.clock.advance(HOUR_MS)
    assert again.steps()[0] == "SOL/USDT"
    assert again.entry(SOL).urgent == ""


def test_a_pair_whose_models_are_all_damaged_is_trained_first(desk):
    made = desk()
    made.steps()
    damage(made, made.models[SOL].name)
    again = made.restarted()
    assert set(again.models) == {BTC, ETH}
    entry = again.entry(SOL)
    assert (entry.data_path, entry.trained_timestamp, entry.urgent) == ("", 0, "its model is damaged or gone")
    assert again.steps() == ["SOL/USDT"]
    assert SOL in again.models


def test_a_model_whose_library_is_not_here_is_left_alone_and_trained_anew(desk, monkeypatch):
    made = desk()
    made.steps()

    def unknown(name):
        raise ConfigError(f"freqaimodel: {name!r} is not a model")

    monkeypatch.setattr("daemon.learning.live.model_class", unknown)
    again = made.restarted()
    assert again.models == {}
    assert len(again.artifacts.names()) == 3
    monkeypatch.undo()
    assert again.steps() == ["BTC/USDT", "ETH/USDT", "SOL/USDT"]


def test_a_model_of_another_recipe_predicts_on_and_is_trained_anew_at_once(desk):
    made = desk()
    made.steps()
    again = made.restarted(recipe="two")
    assert set(again.models) == set(PAIRS)
    assert again.steps() == ["BTC/USDT", "ETH/USDT", "SOL/USDT"]
    assert again.steps() == []
    assert made.restarted(recipe="two").steps() == []


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"strategy_digest": "new"}, "was trained with another version of the strategy"),
        (
            {"strategy_digest": "old", "training": {"label_period_candles": 24}},
            "was trained with label_period_candles 12",
        ),
        ({"strategy_digest": "old", "training": {"weight_factor": 0.5}}, ""),
    ],
)
def test_what_a_model_learnt_of_another_strategy_is_in_doubt_until_it_is_trained_anew(
    desk, caplog, options, why
):
    more = options.get("training", {}) | {"continual_learning": True}
    desk(strategy_digest="old").steps()
    again = desk(**options | {"training": more, "recipe": "two"})
    name = again.models[SOL].name
    assert again.models[SOL].doubt == (f"{name} {why}" if why else "")
    again.clock.advance(BASE.ms)
    again.steps()
    assert again.models[SOL].doubt == ""
    before = again.artifacts.open(again.models[SOL].name).metadata["continued_from"]
    assert before == ("" if why else name)
    assert bool(why) == (
        f"is not gone on from: {name} {why}" in str([r.__dict__.get("fields") for r in caplog.records])
    )


def test_a_halted_pairs_model_of_another_recipe_is_trained_once(desk):
    made = desk()
    made.halted = {BTC: NOW_MS}
    made.steps()
    again = made.restarted(recipe="two")
    again.halted = {BTC: NOW_MS}
    again.clock.advance(10 * BASE.ms)
    assert again.steps() == ["BTC/USDT", "ETH/USDT", "SOL/USDT"]


def test_an_artifact_tells_what_it_was_made_of(desk):
    made = desk()
    made.trainer.step()
    found = made.artifacts.open(made.models[BTC].name).metadata
    assert (found["label_list"], found["recipe"], found["window_end_ms"]) == (["&-s_close"], "one", NOW_MS)
    assert found["window_start_ms"] == NOW_MS - DAY_MS
    assert (found["purged_candles"], found["seed"]) == (12, 1)
    assert found["training_features_list"] == list(made.models[BTC].schema.names)
    assert {"r2", "naive_mae"} <= set(found["metrics"]["&-s_close"])


def test_a_model_of_several_targets_answers_after_a_restart_as_before(desk):
    made = desk(strategy="Mixed")
    made.trainer.step()
    model = made.models[BTC]
    artifact = made.artifacts.open(model.name)
    assert {name.rsplit("_", 1)[-1] for name in artifact.files} == {
        "model.cbm",
        "model-1.cbm",
        "model-2.cbm",
        "pipeline.json",
    }
    assert artifact.metadata["classes"]["&s-day"] == ["down_day", "up_day"]
    assert set(artifact.metadata["labels_mean"]) == {"&-s_close", "down", "up", "down_day", "up_day"}
    row = np.full(len(model.schema), 0.1, np.float32)
    assert made.restarted().models[BTC].values(row) == model.values(row)


def test_extra_returns_are_kept_with_the_model(desk):
    made = desk(training={"extra_returns": {"threshold": 0.7}})
    made.trainer.step()
    assert made.artifacts.open(made.models[BTC].name).metadata["extra_returns"] == {"threshold": 0.7}
    assert made.restarted().models[BTC].extra_returns == {"threshold": 0.7}


def rounds(desk, made):
    """Train BTC, let two hours pass, train it again: both models' metadata."""
    found = []
    for _ in range(2):
        made.steps()
        found.append(made.artifacts.open(made.models[BTC].name))
        made.clock.advance(2 * HOUR_MS)
    return found


def test_continual_learning_goes_on_from_the_present_model(desk):
    made = desk(training={"continual_learning": True})
    first, second = rounds(desk, made)
    assert first.metadata["continued_from"] == ""
    assert second.metadata["continued_from"] == first.name
    assert second.bytes > first.bytes
    assert made.restarted().models[BTC].name == second.name


def test_without_it_every_training_begins_afresh(desk):
    first, second = rounds(desk, desk())
    assert (first.metadata["continued_from"], second.metadata["continued_from"]) == ("", "")


def test_what_cannot_be_gone_on_from_is_said_and_trained_afresh(desk, caplog):
    made = desk()
    made.steps()
    made.clock.advance(2 * HOUR_MS)
    again = made.restarted(training={"continual_learning": True, "parameters": {"iterations": 3}})
    again.steps()
    assert again.artifacts.open(again.models[BTC].name).metadata["continued_from"] == ""
    (why,) = {
        record.fields["why"].partition(": ")[2]
        for record in caplog.records
        if record.getMessage() == "training_begins_afresh"
    }
    assert why == "it has other model_training_parameters"


def test_a_damaged_present_model_is_not_gone_on_from(desk, caplog):
    made = desk(training={"continual_learning": True})
    made.steps()
    artifact = made.artifacts.open(made.models[BTC].name)
    next(path for name, path in artifact.files.items() if "model" in name).write_bytes(b"rubbish")
    made.clock.advance(2 * HOUR_MS)
    made.steps()
    assert made.artifacts.open(made.models[BTC].name).metadata["continued_from"] == ""
    assert any("does not match its checksum" in str(getattr(r, "fields", "")) for r in caplog.records)


EVERY_STEP = PipelineOptions(
    principal_component_analysis=True,
    use_svm=True,
    di_threshold=0.05,
    use_dbscan=True,
    outlier_protection_percentage=100,
)


def test_a_model_with_every_step_answers_after_a_restart_as_before(desk):
    made = desk(steps=EVERY_STEP)
    made.trainer.step()
    artifact = made.artifacts.open(made.models[BTC].name)
    endings = {name.rsplit("_", 1)[-1] for name in artifact.files}
    assert endings == {"model.cbm", "pipeline.json", "pca.npy", "trained.npy"}
    assert artifact.metadata["pipeline"]["di_threshold"] == 0.05
    assert set(artifact.metadata["outliers"]) == {"svm", "di", "dbscan"}
    row = made.trainer._features.matrix(BTC, made.frame(CandleKey(BTC, BASE)).open_ms[-1:]).values[0] * 9
    answer = made.models[BTC].answer(row)
    assert "di" in answer.outlier_of
    assert made.restarted(steps=EVERY_STEP).models[BTC].answer(row) == answer


@pytest.mark.parametrize("part", ["pca.npy", "trained.npy", "pipeline.json"])
def test_a_model_whose_pipeline_is_damaged_is_trained_anew(desk, part):
    made = desk(steps=EVERY_STEP)
    made.trainer.step()
    (file,) = (made.folder.path / made.models[BTC].name).glob(f"*_{part}")
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    again = made.restarted(steps=EVERY_STEP)
    assert BTC not in again.models
    assert again.steps(1) == ["BTC/USDT"]


def test_an_outlier_method_that_was_left_out_is_warned_about(desk, caplog):
    made = desk(
        steps=PipelineOptions(use_svm=True, svm_params={"nu": 0.5}, outlier_protection_percentage=0.1)
    )
    made.trainer.step()
    (warning,) = [r.fields for r in caplog.records if r.getMessage() == "outlier_method_left_out"]
    assert warning["pair"] == BTC
    assert warning["would_remove"]["svm"] > 0
    found = made.artifacts.open(made.models[BTC].name).metadata
    assert (found["outliers"], found["outliers_left_in"]) == ({}, warning["would_remove"])


def test_a_model_with_a_plot_beside_it_is_served_after_a_restart(desk):
    made = desk()
    training = replace(made.trainer._options.training, plot_feature_importances=3)
    made.trainer._options = replace(made.trainer._options, training=training)
    made.trainer.step()
    (page,) = [name for name in made.artifacts.open(made.models[BTC].name).files if name.endswith(".html")]
    assert page == f"cb_btc_{NOW_MS // 1000}--s_close.html"
    assert BTC in made.restarted().models
    damaged = made.folder.path / made.models[BTC].name / page
    damaged.write_bytes(damaged.read_bytes() + b"?")
    assert BTC not in made.restarted().models


def test_a_real_training_process_gives_the_same_model(desk):
    made = desk()
    made.trainer.step()
    row = made.trainer._features.matrix(BTC, made.frame(CandleKey(BTC, BASE)).open_ms[-1:]).values[0]
    expected = made.models[BTC].values(row)
    made.book.update(BTC, queue.queued(made.book.entry(BTC), NOW_MS))
    made.trainer._process = process = TrainingProcess(
        threads=1, nice=0, stop=threading.Event(), clock=SystemClock()
    )
    try:
        assert made.trainer.step()  # ETH and SOL were never trained: they come first
        assert made.trainer.step()
        assert made.trainer.step()
    finally:
        process.close()
    assert made.models[BTC].name.endswith("-2")
    assert made.models[BTC].values(row) == expected


def test_why_a_pair_is_trained_is_logged_and_kept(desk, events):
    made = desk()
    made.steps()
    made.clock.advance(HOUR_MS)
    made.trainer.step()
    assert [fields["reason"] for fields in events("training")] == ["first", "first", "first", "age: 1.0 h"]
    assert [made.entry(pair).reason for pair in PAIRS[:2]] == ["age: 1.0 h", "age: 1.0 h"]  # ETH waits
    assert made.artifacts.open(made.entry(BTC).data_path).metadata["reason"] == "age: 1.0 h"
    again = made.restarted(recipe="two")
    assert again.entry(ETH).reason == "age: 1.0 h"
    again.steps()
    assert again.entry(SOL).reason == "age: 1.0 h"
    assert again.entry(BTC).reason == "recipe changed"


def test_a_model_whose_skill_fell_is_trained_before_its_age_asks_for_it(desk):
    made = desk()
    made.steps()
    made.fallen = {ETH: "&-s_close 0.01 live, 0.20 in training"}
    assert made.steps() == []  # nothing new to learn from
    made.clock.advance(BASE.ms)
    made.trainer.step()
    assert made.process.trained[-1] == "ETH/USDT"
    assert made.entry(ETH).reason == "skill fell: &-s_close 0.01 live, 0.20 in training"


def test_a_training_on_request_comes_at_once(desk):
    made = desk()
    made.steps()
    request_training(made.folder, [SOL], NOW_MS)
    assert made.steps() == ["SOL/USDT"]
    assert made.entry(SOL).reason == "requested"
    assert requested_trainings(made.folder) == ()
    assert made.steps() == []


def test_a_request_of_the_time_without_a_daemon_is_granted_at_the_next_start(desk):
    made = desk()
    made.steps()
    request_training(made.folder, [ETH], NOW_MS)
    assert made.restarted().steps() == ["ETH/USDT"]


def test_a_request_survives_a_kill_between_hearing_and_training(desk):
    made = desk()
    made.steps()
    request_training(made.folder, [ETH], NOW_MS)
    made.trainer._queue_requested(NOW_MS)  # the queue has it now
    assert requested_trainings(made.folder) == ()
    assert made.restarted().steps() == ["ETH/USDT"]


def test_a_request_is_not_forgotten_while_the_queue_cannot_be_written(desk, monkeypatch):
    made = desk()
    made.steps()
    request_training(made.folder, [ETH], NOW_MS)

    def full(path, data):
        raise FULL

    with monkeypatch.context() as patch:
        patch.setattr("daemon.state.pair_dictionary.atomic.write_atomic_bytes", full)
        made.trainer._queue_requested(NOW_MS)
    assert requested_trainings(made.folder) == (ETH,)
    assert made.restarted().steps() == ["ETH/USDT"]


def test_a_request_for_a_pair_that_is_not_traded_is_told_and_dropped(desk, events):
    made = desk()
    request_training(made.folder, [Pair("XRP/USDT")], NOW_MS)
    made.steps()
    assert [fields["pair"] for fields in events("training_request_dropped")] == ["XRP/USDT"]
    assert requested_trainings(made.folder) == ()


def test_other_options_hold_from_the_next_training_on(desk):
    made = desk()
    made.trainer.step()
    told = replace(made.trainer._options, pairs=(SOL, BTC), retrain_ms=10 * HOUR_MS)
    made.trainer.take(told)
    assert made.steps() == ["SOL/USDT"]
    made.clock.advance(2 * HOUR_MS)
    assert made.steps() == []
    made.trainer.take(replace(told, retrain_ms=HOUR_MS))
    assert set(made.steps()) == {"SOL/USDT", "BTC/USDT"}


def test_a_pair_that_joins_is_served_by_the_model_that_it_has_from_earlier(desk):
    made = desk()
    made.steps()
    again = Desk(*made.parts, clock=made.clock)
    whole = again.trainer._options
    again.trainer._options = replace(whole, pairs=(BTC,))
    again.trainer.load_models()
    assert set(again.models) == {BTC}
    again.trainer.take(whole)
    assert again.steps() == []
    assert {pair: model.name for pair, model in again.models.items()} == {
        pair: model.name for pair, model in made.models.items()
    }
