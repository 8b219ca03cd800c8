import sys

import numpy as np
import pytest

from daemon.config.models import AVAILABLE
from daemon.core.errors import ConfigError, Refused
from daemon.learning.evaluate import classification_metrics, regression_metrics, spearman
from daemon.learning.models.registry import model_class, model_names
from daemon.learning.pipeline import LabelScaling


def test_label_scaling_goes_there_and_back():
    labels = np.array([-0.02, 0.01, 0.05])
    scaling = LabelScaling.fit(labels)
    assert scaling.transform(labels).tolist() == pytest.approx([-1, -1 + 2 * 3 / 7, 1])
    assert scaling.inverse(scaling.transform(labels)) == pytest.approx(labels)


def test_a_constant_label_teaches_nothing_and_that_is_said():
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
    ],
)
def test_a_missing_library_is_answered_by_the_extra_to_install(monkeypatch, name, library):
    monkeypatch.setitem(sys.modules, library, None)  # Python's way to say that it is not there
    with pytest.raises(ConfigError, match=rf"{name} needs {library}, an extra .*--extra {library}"):
        model_class(name)


def test_a_library_that_does_not_load_is_a_humans_business(monkeypatch):
    def broken(name):
        raise OSError("libgomp.so.1: cannot open shared object file")

    monkeypatch.setattr("importlib.import_module", broken)
    with pytest.raises(ConfigError, match="CatboostRegressor needs, does not load: libgomp"):
        model_class("CatboostRegressor")
