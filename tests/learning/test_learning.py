import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.config.models import AVAILABLE
from daemon.core.errors import ConfigError, Corrupt, Refused
from daemon.learning.evaluate import classification_metrics, regression_metrics, spearman
from daemon.learning.models.registry import model_class, model_names
from daemon.learning.pipeline import FeaturePipeline, LabelScaling, Pipeline
from daemon.learning.split import recency_weights, split_by_time


@given(rows=st.integers(1, 5000), size=st.floats(0, 0.99), purge=st.integers(0, 300))
def test_no_training_label_looks_into_the_test(rows, size, purge):
    try:
        train, test = split_by_time(rows, size, purge)
    except Refused:
        assert rows - np.ceil(rows * size) - purge < 1
        return
    assert train.start == 0
    assert test.stop == rows
    assert train.stop + (purge if test.stop > test.start else 0) == test.start
    assert (test.stop - test.start) == int(np.ceil(rows * size))


def test_without_a_test_all_rows_train():
    assert split_by_time(100, 0.0, 20) == (slice(0, 100), slice(100, 100))


def test_weights_are_freqais():
    # FreqAI 2026.9, set_weights_higher_recent(5) with weight_factor 0.9.
    expected = [0.4111123, 0.51341712, 0.64118039, 0.8007374, 1.0]
    assert recency_weights(5, 0.9) == pytest.approx(expected, rel=1e-7)
    assert recency_weights(3, 0.0).tolist() == [1, 1, 1]


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    made = rng.standard_normal((400, 6)).astype(np.float32) * np.float32([1, 1e6, 1e-6, 3, 1, 1])
    made[:, 4] = 7  # constant
    return made


def test_the_training_rows_fill_minus_one_to_one(rows):
    out = FeaturePipeline.fit(rows).transform(rows)
    assert out.shape == (400, 5)
    assert out.min(axis=0) == pytest.approx([-1] * 5, abs=1e-6)
    assert out.max(axis=0) == pytest.approx([1] * 5, abs=1e-6)


def test_one_row_gives_the_bits_that_it_gives_within_a_batch(rows):
    pipeline = FeaturePipeline.fit(rows)
    batch = pipeline.transform(rows)
    for i in (0, 17, 399):
        assert pipeline.transform(rows[i : i + 1])[0].tobytes() == batch[i].tobytes()


def test_a_pipeline_survives_its_file_to_the_last_bit(rows):
    pipeline = Pipeline(FeaturePipeline.fit(rows), LabelScaling(-0.1, 1 / 3))
    again = Pipeline.from_bytes(pipeline.to_bytes())
    assert again.features.transform(rows).tobytes() == pipeline.features.transform(rows).tobytes()
    assert again.label == pipeline.label
    assert again.to_bytes() == pipeline.to_bytes()


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"kept": [0], "low": ["x"], "high": [1], "label": null}', b"\xff"]
)
def test_a_file_that_is_no_pipeline_is_corrupt(data):
    with pytest.raises(Corrupt):
        Pipeline.from_bytes(data)


def test_label_scaling_goes_there_and_back():
    labels = np.array([-0.02, 0.01, 0.05])
    scaling = LabelScaling.fit(labels)
    assert scaling.transform(labels).tolist() == pytest.approx([-1, -1 + 2 * 3 / 7, 1])
    assert scaling.inverse(scaling.transform(labels)) == pytest.approx(labels)


def test_constants_teach_nothing_and_that_is_said():
    with pytest.raises(Refused, match="every feature is constant"):
        FeaturePipeline.fit(np.ones((10, 3), np.float32))
    with pytest.raises(Refused, match=r"the label is 2\.0 in every"):
        LabelScaling.fit(np.full(10, 2.0))


def test_regression_metrics_by_hand():
    metrics = regression_metrics(np.array([1.0, -1.0, 2.0]), np.array([0.5, 1.0, 2.0]), train_mean=0.0)
    assert metrics["mae"] == pytest.approx(2.5 / 3)
    assert metrics["rmse"] == pytest.approx(np.sqrt(4.25 / 3))
    assert metrics["r2"] == pytest.approx(1 - 4.25 / 6)
    assert metrics["hit_rate"] == pytest.approx(2 / 3)
    assert metrics["naive_hit_rate"] == pytest.approx(2 / 3)
    assert metrics["naive_mae"] == pytest.approx(4 / 3)
    assert metrics["ic"] == pytest.approx(0.5)


def test_the_naive_baseline_is_no_better_than_itself():
    truth = np.random.default_rng(0).standard_normal(500)
    assert regression_metrics(truth, np.full(500, 0.1), 0.1)["r2"] == 0
    assert spearman(truth, np.ones(500)) == 0


def test_classification_metrics_by_hand():
    shares = np.array([0.75, 0.25])
    metrics = classification_metrics(np.array([0, 1]), np.array([[0.9, 0.1], [0.6, 0.4]]), shares)
    assert metrics["accuracy"] == 0.5
    assert metrics["log_loss"] == pytest.approx(-(np.log(0.9) + np.log(0.4)) / 2)
    assert metrics["naive_accuracy"] == 0.5
    assert metrics["naive_log_loss"] == pytest.approx(-(np.log(0.75) + np.log(0.25)) / 2)


def test_an_unknown_model_is_answered_by_the_known_ones():
    with pytest.raises(ConfigError, match="CatboostRegressor"):
        model_class("CatboostRegresor")


def test_the_configuration_names_the_models_that_there_are():
    assert set(model_names()) == set(AVAILABLE)


@pytest.mark.parametrize(
    ("name", "library"),
    [
        ("LightGBMClassifier", "lightgbm"),
        ("XGBoostRFRegressor", "xgboost"),
        ("SKLearnRandomForestClassifier", "sklearn"),
    ],
)
def test_a_missing_library_is_answered_by_the_extra_to_install(monkeypatch, name, library):
    monkeypatch.setitem(sys.modules, library, None)  # Python's way to say that it is not there
    with pytest.raises(ConfigError, match=rf'{name} needs {library}: pip install "candled\[{library}\]"'):
        model_class(name)


def test_a_library_that_does_not_load_is_a_humans_business(monkeypatch):
    def broken(name):
        raise OSError("libgomp.so.1: cannot open shared object file")

    monkeypatch.setattr("importlib.import_module", broken)
    with pytest.raises(ConfigError, match="CatboostRegressor needs, does not load: libgomp"):
        model_class("CatboostRegressor")
