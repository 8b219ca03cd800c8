import base64
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from daemon.core.clock import SystemClock
from daemon.core.errors import ConfigError, Corrupt, Refused
from daemon.core.pair import Pair
from daemon.learning.fit import train
from daemon.learning.job import Target, TrainingJob
from daemon.learning.live import live_model
from daemon.learning.models.registry import counterpart, learns_classes, model_class, model_names

BTC = Pair("BTC/USDT")
RISE, FALL = Target(name="&-rise"), Target(name="&-fall")
WAY, CALM = Target(name="&s-way", classes=("down", "up")), Target(name="&s-calm", classes=("calm", "wild"))
JOB = TrainingJob(
    pair=BTC,
    targets=(RISE, FALL),
    features=tuple(f"%-f{i}" for i in range(6)),
    model="CatboostRegressor",
    parameters={"iterations": 100, "learning_rate": 0.2, "early_stopping_rounds": 5, "rsm": 1.0},
    test_size=0.2,
    horizon=12,
    weight_factor=0.0,
    seed=1,
    threads=1,
    file_stem="cb_btc_1700000000",
)
ROW = np.float32([0, 2, 2, 0, 0, 0])
OLD = json.loads((Path(__file__).parent / "golden" / "one_target.json").read_text())


@pytest.fixture
def features():
    return np.random.default_rng(0).standard_normal((600, 6)).astype(np.float32)


@pytest.fixture
def columns(features):
    """Labels by target: &-rise hangs on one feature, &-fall is nearly noise, the classes on a third."""
    noise = np.random.default_rng(1).standard_normal(600)
    return {
        RISE: 0.01 * features[:, 1] + 0.001 * noise,
        FALL: -5 - 0.2 * features[:, 1] + noise,
        WAY: (features[:, 2] > 0).astype(float),
        CALM: (np.abs(features[:, 3]) > 1).astype(float),
    }


@pytest.fixture
def trained(features, columns, tmp_path):
    """trained(targets, name of the model): result, files by part, live model."""

    def run(targets, model="CatboostRegressor", labels=None):
        job = replace(JOB, targets=targets, model=model)
        given = np.stack([columns[target] for target in targets], axis=1) if labels is None else labels
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        result = train(job, features, given, folder, SystemClock().monotonic_s)
        parts = {name.rsplit("_", 1)[-1].split(".")[0]: (folder / name).read_bytes() for name in result.files}
        return result, parts, live_model(BTC, "a", metadata_of(job, result), parts)

    return run


def metadata_of(job, result):
    return {
        "window_end_ms": 1_700_000_000_000,
        "label_list": [target.name for target in job.targets],
        "classes": {target.name: list(target.classes) for target in job.targets},
        "labels_mean": dict(result.label_mean),
        "labels_std": dict(result.label_std),
        "training_features_list": list(job.features),
        "model_class": job.model,
        "metrics": dict(result.metrics),
    }


def test_each_target_gets_the_model_that_it_would_get_alone(trained):
    _, both, _ = trained((RISE, FALL))
    (_, rise, _), (_, fall, _) = trained((RISE,)), trained((FALL,))
    assert both["model"] == rise["model"]
    assert both["model-1"] == fall["model"]
    assert len(both["model-1"]) < len(both["model"])  # the noise stopped early, the other went on


def test_several_targets_share_one_pipeline_and_have_a_scale_each(trained, columns):
    _, parts, live = trained((RISE, FALL))
    _, alone, _ = trained((RISE,))
    shared, single = json.loads(parts["pipeline"]), json.loads(alone["pipeline"])
    assert shared["steps"] == single["steps"]
    lows = [head.scaling.low for head in live.heads]
    assert lows == [columns[RISE][:468].min(), columns[FALL][:468].min()]


def test_kinds_mix_and_every_column_is_there(trained, columns):
    result, _, live = trained((RISE, WAY, CALM))
    values = live.values(ROW)
    assert list(values) == [
        "&-rise",
        "&-rise_mean",
        "&-rise_std",
        "&s-way",
        "down",
        "up",
        "&s-calm",
        "calm",
        "wild",
    ]
    assert values["&-rise"] == pytest.approx(0.02, abs=0.01)
    assert (values["&s-way"], values["&s-calm"]) == ("up", "calm")
    assert values["&-rise_mean"] == pytest.approx(columns[RISE][:468].mean())
    assert values["calm"] + values["wild"] == pytest.approx(1)
    assert set(result.metrics["&-rise"]) > {"r2", "ic"}
    assert set(result.metrics["&s-calm"]) > {"accuracy", "log_loss"}
    assert live.labels == ("&-rise", "&s-way", "&s-calm")


def test_each_class_has_statistics_of_zero_as_in_freqai(trained, columns):
    result, _, _ = trained((RISE, WAY))
    assert result.label_std == {"&-rise": columns[RISE][:468].std(), "down": 0, "up": 0}
    assert set(result.label_mean) == {"&-rise", "down", "up"}


def test_a_row_that_lacks_any_label_is_left_out(trained, columns):
    labels = np.stack([columns[RISE], columns[FALL]], axis=1)
    labels[:20, 0] = labels[10:30, 1] = np.nan
    result, _, _ = trained((RISE, FALL), labels=labels)
    assert result.rows + result.test_rows == 600 - 30 - 12
    assert result.dropped == 0


@pytest.mark.parametrize(("target", "value"), [(FALL, "5.0 in every training row"), (WAY, "one class")])
def test_a_target_without_anything_to_learn_is_named(trained, columns, target, value):
    labels = np.stack([columns[RISE], np.full(600, 5.0 if target is FALL else 1.0)], axis=1)
    with pytest.raises(Refused, match=f"{target.name}.*{value}"):
        trained((RISE, target), labels=labels)


def test_an_artifact_that_lacks_the_model_of_a_target_is_corrupt(trained):
    result, parts, _ = trained((RISE, FALL))
    del parts["model-1"]
    with pytest.raises(Corrupt, match=r"lacks something.*model-1"):
        live_model(BTC, "a", metadata_of(JOB, result), parts)


def test_targets_and_scales_that_do_not_fit_are_corrupt(trained):
    result, parts, _ = trained((RISE, FALL))
    pipeline = json.loads(parts["pipeline"])
    one = parts | {"pipeline": json.dumps(pipeline | {"labels": pipeline["labels"][:1]}).encode()}
    with pytest.raises(Corrupt, match="shorter"):
        live_model(BTC, "a", metadata_of(JOB, result), one)
    none = parts | {"pipeline": json.dumps(pipeline | {"labels": [None, [0.0, 1.0]]}).encode()}
    with pytest.raises(Corrupt, match="'&-rise' and its scale do not fit"):
        live_model(BTC, "a", metadata_of(JOB, result), none)


def test_extra_returns_stand_beside_every_prediction(features, columns, tmp_path):
    job = replace(JOB, targets=(RISE,), extra_returns={"threshold": 0.7, "regime": "calm"})
    result = train(job, features, columns[RISE][:, None], tmp_path, SystemClock().monotonic_s)
    parts = {name.rsplit("_", 1)[-1].split(".")[0]: (tmp_path / name).read_bytes() for name in result.files}
    metadata = metadata_of(job, result) | {"extra_returns": dict(result.extra_returns)}
    live = live_model(BTC, "a", metadata, parts)
    for values in (live.values(ROW), live.answer(ROW).values):
        assert (values["threshold"], values["regime"]) == (0.7, "calm")
        assert values["&-rise"] != 0


@pytest.mark.parametrize("old", OLD, ids=["number", "class"])
def test_an_artifact_of_the_time_of_one_target_predicts_as_it_did(old):
    parts = {name: base64.b64decode(data) for name, data in old["files"].items()}
    live = live_model(BTC, "a", old["metadata"], parts)
    assert live.values(np.float32([0, 2, 0])) == old["values"]
    assert live.metrics == {old["metadata"]["label"]: old["metadata"]["metrics"]}


def test_freqais_names_for_several_targets_mean_the_plain_class():
    variants = [name for name in model_names() if name.endswith("MultiTarget")]
    assert len(variants) == 5
    for name in variants:
        plain = name.removesuffix("MultiTarget")
        assert learns_classes(name) == plain.endswith("Classifier")
        try:
            assert model_class(name) is model_class(plain)
        except ConfigError as exc:
            pytest.skip(str(exc))


def test_the_kind_of_the_target_decides_between_regressor_and_classifier():
    assert model_class("CatboostRegressor", classifies=True) is model_class("CatboostClassifier")
    assert counterpart("XGBoostRFClassifier", classifies=False) == "XGBoostRFRegressor"
    assert counterpart("LightGBMRegressorMultiTarget", classifies=True) == "LightGBMClassifier"
    assert counterpart("SKLearnRandomForestClassifier", classifies=False) is None
    with pytest.raises(ConfigError, match="no counterpart that learns numbers"):
        model_class("SKLearnRandomForestClassifier", classifies=False)
