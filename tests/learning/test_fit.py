from dataclasses import replace

import numpy as np
import pytest

from daemon.core.clock import SystemClock
from daemon.core.errors import ConfigError, Corrupt, Refused
from daemon.core.pair import Pair
from daemon.learning.evaluate import beats_naive
from daemon.learning.fit import train
from daemon.learning.job import TrainingJob, TrainingResult
from daemon.learning.live import live_model
from daemon.learning.models.port import FitStopped
from daemon.learning.models.registry import model_class, model_names

JOB = TrainingJob(
    pair="BTC/USDT",
    label="&-s_close",
    classes=(),
    features=tuple(f"%-f{i}" for i in range(6)),
    model="CatboostRegressor",
    parameters={"iterations": 100, "learning_rate": 0.2},
    test_size=0.2,
    horizon=12,
    weight_factor=0.0,
    seed=1,
    threads=1,
    file_stem="cb_btc_1700000000",
)


@pytest.fixture
def numbers():
    rng = np.random.default_rng(0)
    features = rng.standard_normal((600, 6)).astype(np.float32)
    labels = 0.01 * features[:, 1] + 0.002 * rng.standard_normal(600)
    return features, labels


def trained(job, numbers, folder):
    return train(job, *numbers, folder, SystemClock().monotonic_s)


def artifact(job, result, folder):
    metadata = {
        "window_end_ms": 1_700_000_000_000,
        "label": job.label,
        "classes": list(job.classes),
        "labels_mean": {job.label: result.label_mean},
        "labels_std": {job.label: result.label_std},
        "training_features_list": list(job.features),
        "model_class": job.model,
        "metrics": dict(result.metrics),
    }
    contents = {name.rsplit("_", 1)[-1].split(".")[0]: (folder / name).read_bytes() for name in result.files}
    return metadata, contents


def test_a_training_writes_a_model_that_predicts(numbers, tmp_path):
    result = trained(JOB, numbers, tmp_path)
    assert (result.rows, result.test_rows, result.dropped) == (600 - 120 - 12, 120, 0)
    assert result.metrics["r2"] > 0.5
    assert result.metrics["naive_rmse"] > result.metrics["rmse"]
    live = live_model(Pair("BTC/USDT"), "sub-train-BTC_1700000000", *artifact(JOB, result, tmp_path))
    values = live.values(np.float32([0, 2, 0, 0, 0, 0]))
    assert values["&-s_close"] == pytest.approx(0.02, abs=0.01)
    assert values["&-s_close_mean"] == pytest.approx(numbers[1][:468].mean())
    assert values["&-s_close_std"] == pytest.approx(numbers[1][:468].std())


def test_classes_come_back_by_name_with_their_probabilities(numbers, tmp_path):
    features, labels = numbers
    job = replace(JOB, model="CatboostClassifier", classes=("down", "up"), label="&s-way")
    result = trained(job, (features, (labels > 0).astype(float)), tmp_path)
    live = live_model(Pair("BTC/USDT"), "a", *artifact(job, result, tmp_path))
    values = live.values(np.float32([0, 2, 0, 0, 0, 0]))
    assert values["&s-way"] == "up"
    assert values["up"] + values["down"] == pytest.approx(1)
    assert values["up"] > 0.5
    assert result.metrics["accuracy"] > result.metrics["naive_accuracy"]


@pytest.mark.parametrize("name", [name for name in model_names() if not name.startswith("Catboost")])
def test_every_model_goes_the_whole_way_to_a_live_value(numbers, tmp_path, name):
    try:
        model_class(name)
    except ConfigError as exc:
        pytest.skip(str(exc))
    features, labels = numbers
    job = replace(JOB, model=name, parameters={"n_estimators": 60})
    if name.endswith("Classifier"):
        labels = (labels > 0).astype(float)
        job = replace(job, classes=("down", "up"), label="&s-way")
    result = trained(job, (features, labels), tmp_path)
    live = live_model(Pair("BTC/USDT"), "a", *artifact(job, result, tmp_path))
    high, low = (live.values(np.float32([0, x, 0, 0, 0, 0])) for x in (2, -2))
    if job.classes:
        assert (high["&s-way"], low["&s-way"]) == ("up", "down")
        assert high["up"] + high["down"] == pytest.approx(1)
    else:
        assert high["&-s_close"] > 0 > low["&-s_close"]
    assert beats_naive(result.metrics)


def test_a_fit_can_be_stopped_and_leaves_no_file(numbers, tmp_path):
    with pytest.raises(FitStopped):
        train(JOB, *numbers, tmp_path, SystemClock().monotonic_s, stop=lambda: True)
    assert list(tmp_path.iterdir()) == []


def test_rows_that_lack_something_are_left_out_and_counted(numbers, tmp_path):
    features, labels = (array.copy() for array in numbers)
    features[:30, 2] = np.nan
    labels[-12:] = np.nan
    result = trained(JOB, (features, labels), tmp_path)
    assert result.dropped == 30
    assert result.worst_features == {"%-f2": 30}
    assert result.rows + result.test_rows == 600 - 30 - 12 - 12


def test_too_few_rows_are_refused_with_the_feature_that_is_to_blame(numbers, tmp_path):
    features = numbers[0].copy()
    features[:570, 4] = np.nan
    with pytest.raises(Refused, match=r"only 30 of 600 rows .*%-f4"):
        trained(JOB, (features, numbers[1]), tmp_path)


def test_one_class_alone_is_refused(numbers, tmp_path):
    job = replace(JOB, model="CatboostClassifier", classes=("up",))
    with pytest.raises(Refused, match="one class in every training row"):
        trained(job, (numbers[0], np.zeros(600)), tmp_path)


def test_the_same_job_writes_the_same_bytes(numbers, tmp_path):
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
        result = trained(JOB, numbers, folder)
    for name in result.files:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


def test_jobs_and_results_survive_the_way_to_the_process(numbers, tmp_path):
    assert TrainingJob.from_json(JOB.to_json()) == JOB
    result = trained(JOB, numbers, tmp_path)
    assert TrainingResult.from_json(result.to_json()) == result


@pytest.mark.parametrize("part", ["model", "pipeline"])
def test_an_artifact_that_lacks_a_part_is_corrupt(numbers, tmp_path, part):
    metadata, contents = artifact(JOB, trained(JOB, numbers, tmp_path), tmp_path)
    del contents[part]
    with pytest.raises(Corrupt, match="lacks something"):
        live_model(Pair("BTC/USDT"), "sub-train-BTC_1", metadata, contents)
