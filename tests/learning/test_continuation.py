import json
from dataclasses import replace

import numpy as np
import pytest

from daemon.core.clock import SystemClock
from daemon.core.errors import ConfigError
from daemon.core.pair import Pair
from daemon.learning.continuation import mismatch
from daemon.learning.fit import train
from daemon.learning.job import Target, TrainingJob
from daemon.learning.live import live_model
from daemon.learning.models.registry import model_class
from daemon.learning.options import PipelineOptions

RISE, WAY = Target(name="&-rise"), Target(name="&s-way", classes=("down", "up"))
JOB = TrainingJob(
    pair=Pair("BTC/USDT"),
    targets=(RISE, WAY),
    features=tuple(f"%-f{i}" for i in range(6)),
    model="CatboostRegressor",
    parameters={"iterations": 20, "learning_rate": 0.1, "rsm": 1.0},
    test_size=0.2,
    horizon=12,
    weight_factor=0.0,
    seed=1,
    threads=1,
    file_stem="cb_btc_1700000000",
)


def numbers(seed=0, scale=1.0, targets=JOB.targets):
    """A window: features of another scale each time, as prices and volumes have; labels that hang on one."""
    rng = np.random.default_rng(seed)
    features = (rng.standard_normal((600, 6)) * scale).astype(np.float32)
    signal = features[:, 1] / scale
    columns = {RISE: 0.01 * scale * signal, WAY: (signal + 0.2 * rng.standard_normal(600) > 0).astype(float)}
    return features, np.stack([columns[target] for target in targets], axis=1)


class Folder:
    """Trainings in one folder each."""

    def __init__(self, path):
        self.path = path

    def train(self, job, window):
        folder = self.path / str(len(list(self.path.iterdir())))
        folder.mkdir()
        result = train(job, *window, folder, SystemClock().monotonic_s)
        files = {name.rsplit("_", 1)[-1].partition(".")[0]: folder / name for name in result.files}
        return result, files

    def live(self, job, result, files):
        metadata = metadata_of(job) | {
            "window_end_ms": 1,
            "labels_mean": dict(result.label_mean),
            "labels_std": dict(result.label_std),
            "metrics": {},
        }
        return live_model(JOB.pair, "a", metadata, {part: path.read_bytes() for part, path in files.items()})


def metadata_of(job):
    return {
        "model_class": job.model,
        "label_list": [target.name for target in job.targets],
        "classes": {target.name: list(target.classes) for target in job.targets},
        "training_features_list": list(job.features),
        "model_training_parameters": dict(job.parameters),
        "pipeline": {"principal_component_analysis": job.pipeline.principal_component_analysis},
    }


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def going_on(files, job=JOB):
    return replace(
        job, start="sub-train-BTC_1", start_files={part: str(path) for part, path in files.items()}
    )


@pytest.mark.parametrize("model", ["CatboostRegressor", "LightGBMRegressor", "XGBoostRegressor"])
def test_a_training_goes_on_from_the_model_before(folder, model):
    try:
        model_class(model)
    except ConfigError as exc:
        pytest.skip(str(exc))
    parameters = {"n_estimators": 20, "learning_rate": 0.1, "early_stopping_rounds": 0}
    parameters = JOB.parameters if model.startswith("Catboost") else parameters
    job = replace(JOB, model=model, parameters=parameters)
    first, files = folder.train(job, numbers())
    fresh, _ = folder.train(job, numbers(1))
    second, later = folder.train(going_on(files, job), numbers(1))
    assert (first.continued, fresh.continued, second.continued, second.afresh) == (False, False, True, "")
    assert second.metrics["&-rise"]["rmse"] < 0.8 * fresh.metrics["&-rise"]["rmse"]
    assert second.metrics["&s-way"]["log_loss"] < fresh.metrics["&s-way"]["log_loss"]
    for part in ("model", "model-1"):
        assert later[part].stat().st_size > files[part].stat().st_size


def test_the_trees_keep_the_scale_that_they_were_grown_on(folder):
    first, files = folder.train(JOB, numbers())
    second, later = folder.train(going_on(files), numbers(1, scale=3.0))
    kept, begun = (json.loads(each["pipeline"].read_text()) for each in (later, files))
    assert kept == begun
    _, fresh = folder.train(JOB, numbers(1, scale=3.0))
    assert json.loads(fresh["pipeline"].read_text()) != begun
    row = np.float32([0, 3, 0, 0, 0, 0])
    values = folder.live(JOB, second, later).values(row)
    assert values["&-rise"] == pytest.approx(0.03, abs=0.012)  # in the new window's own unit
    assert values["&-rise_std"] > 2 * first.label_std["&-rise"]  # statistics are of the new window


def test_the_outlier_methods_are_those_of_the_new_window(folder):
    job = replace(JOB, pipeline=PipelineOptions(di_threshold=0.9))
    _, files = folder.train(job, numbers())
    result, later = folder.train(going_on(files, job), numbers(1, scale=3.0))
    assert result.continued
    assert later["trained"].read_bytes() != files["trained"].read_bytes()
    far = np.float32([7, 0, 0, 0, 0, 0])
    assert folder.live(job, result, later).answer(far).di < folder.live(job, result, files).answer(far).di


def test_the_same_start_gives_the_same_bytes_and_stays_as_it_was(folder):
    _, files = folder.train(JOB, numbers())
    before = {part: path.read_bytes() for part, path in files.items()}
    made = [folder.train(going_on(files), numbers(1))[1] for _ in range(2)]
    for part, data in before.items():
        assert made[0][part].read_bytes() == made[1][part].read_bytes()
        assert files[part].read_bytes() == data


def test_a_forest_begins_afresh_and_says_so(folder):
    job = replace(JOB, targets=(WAY,), model="SKLearnRandomForestClassifier", parameters={"n_estimators": 5})
    window = numbers(targets=(WAY,))
    _, files = folder.train(job, window)
    result, later = folder.train(going_on(files, job), window)
    assert not result.continued
    assert result.afresh == "SKLearnRandomForestClassifier has no fit that goes on from a model"
    assert later["model"].read_bytes() == files["model"].read_bytes()


def test_other_classes_in_the_rows_begin_afresh(folder):
    try:
        model_class("XGBoostClassifier")
    except ConfigError as exc:
        pytest.skip(str(exc))
    three = Target(name="&s-way", classes=("down", "same", "up"))
    job = replace(JOB, targets=(three,), model="XGBoostClassifier", parameters={"n_estimators": 5})
    features, labels = numbers(targets=(WAY,))
    _, files = folder.train(job, (features, labels * 2))  # nothing is "same" in this window
    labels = labels * 2
    labels[::7] = 1
    result, _ = folder.train(going_on(files, job), (features, labels))
    assert (result.continued, result.rows) == (False, 468)
    assert "other classes than before" in result.afresh


@pytest.mark.parametrize("part", ["model-1", "pipeline"])
def test_files_that_are_gone_or_broken_begin_afresh(folder, part):
    _, files = folder.train(JOB, numbers())
    job = going_on(files)
    files[part].write_bytes(b"rubbish")
    result, _ = folder.train(job, numbers(1))
    assert "sub-train-BTC_1 cannot be read" in result.afresh
    files[part].unlink()
    result, _ = folder.train(job, numbers(1))
    assert "sub-train-BTC_1 cannot be read" in result.afresh


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"model": "CatboostClassifier"}, "another model class"),
        ({"targets": (RISE,)}, "other targets"),
        ({"targets": (RISE, Target(name="&s-way", classes=("a", "b")))}, "other classes"),
        ({"features": ("%-f1", "%-f0")}, "other features"),
        ({"parameters": {"depth": 2}}, "other model_training_parameters"),
        ({"pipeline": PipelineOptions(principal_component_analysis=True)}, "was switched"),
    ],
)
def test_what_differs_is_named(change, why):
    assert mismatch(metadata_of(JOB), JOB) == ""
    assert why in mismatch(metadata_of(JOB), replace(JOB, **change))


def test_other_outlier_methods_are_no_obstacle():
    assert mismatch(metadata_of(JOB), replace(JOB, pipeline=PipelineOptions(use_svm=True))) == ""
