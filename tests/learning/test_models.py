"""One suite for every model."""

import numpy as np
import pytest

from daemon.core.errors import Corrupt, Refused
from daemon.learning.models.port import FitOptions, Rows
from daemon.learning.models.registry import model_class, model_names

QUICK = {"iterations": 30}


def some_rows(classifies, n=300, seed=0):
    rng = np.random.default_rng(seed)
    features = np.asfortranarray(rng.standard_normal((n, 8)).astype(np.float32))
    signal = features[:, 2] + 0.3 * rng.standard_normal(n)
    labels = (signal > 0).astype(np.int64) if classifies else signal.astype(np.float64)
    return Rows(features, labels, np.ones(n))


def fitted(cls, rows=None, test=None, classes=2, **parameters):
    options = FitOptions(
        parameters={**QUICK, **parameters}, seed=3, threads=1, classes=classes if cls.classifies else 0
    )
    return cls.fit(some_rows(cls.classifies) if rows is None else rows, test, options)


@pytest.fixture(params=model_names())
def cls(request):
    return model_class(request.param)


def test_it_learns(cls):
    model, rows = fitted(cls), some_rows(cls.classifies, seed=1)
    out = model.predict(rows.features)
    if cls.classifies:
        assert out.shape == (300, 2)
        assert out.sum(axis=1) == pytest.approx(np.ones(300))
        assert (out.argmax(axis=1) == rows.labels).mean() > 0.8
    else:
        assert out.shape == (300,)
        assert np.corrcoef(out, rows.labels)[0, 1] > 0.8


def test_the_same_rows_and_seed_give_the_same_bytes(cls):
    assert fitted(cls).to_bytes() == fitted(cls).to_bytes()


def test_saved_and_loaded_it_predicts_the_same_bits(cls):
    model, rows = fitted(cls), some_rows(cls.classifies)
    again = cls.from_bytes(model.to_bytes())
    assert again.predict(rows.features).tobytes() == model.predict(rows.features).tobytes()


def test_one_row_predicts_as_within_a_batch(cls):
    model, rows = fitted(cls), some_rows(cls.classifies)
    batch = model.predict(rows.features)
    for i in (0, 100, 299):
        assert model.predict(rows.features[i : i + 1]).tobytes() == batch[i : i + 1].tobytes()


def test_predicting_leaves_the_model_untouched(cls):
    model = fitted(cls)
    before = model.to_bytes()
    model.predict(some_rows(cls.classifies, seed=5).features)
    assert model.to_bytes() == before


def test_it_leaves_nothing_in_the_working_folder(cls, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fitted(cls)
    assert list(tmp_path.iterdir()) == []


def test_test_rows_may_stop_it_early(cls):
    # Test rows whose labels contradict the training: every further tree makes it worse.
    rows = some_rows(cls.classifies)
    test = Rows(rows.features, 1 - rows.labels if cls.classifies else -rows.labels, rows.weights)
    stopped = fitted(cls, test=test, iterations=300)
    assert len(stopped.to_bytes()) < len(fitted(cls, iterations=300).to_bytes()) / 2


@pytest.mark.parametrize(
    "parameters", [{"n_estimators": 10}, {"max_depth": 2}, {"random_state": 9}, {"verbose": 0}]
)
def test_parameters_may_go_by_the_librarys_other_names(cls, parameters):
    options = FitOptions(parameters=parameters, seed=3, threads=1, classes=2 if cls.classifies else 0)
    assert cls.fit(some_rows(cls.classifies), None, options).to_bytes()


def test_a_parameter_that_the_library_does_not_know_is_refused_in_its_words(cls):
    with pytest.raises(Refused, match="depht"):
        fitted(cls, depht=3)


@pytest.mark.parametrize(
    "damage", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: b"x" * 100]
)
def test_bytes_that_are_no_model_are_corrupt(cls, damage):
    with pytest.raises(Corrupt):
        cls.from_bytes(damage(fitted(cls).to_bytes()))


def test_a_class_that_the_training_rows_lack_has_its_place():
    cls = model_class("CatboostClassifier")
    rows = some_rows(True)
    out = fitted(cls, rows=Rows(rows.features, rows.labels * 2, rows.weights), classes=3).predict(
        rows.features
    )
    assert out.shape == (300, 3)
    assert out[:, 1].max() < 0.05
