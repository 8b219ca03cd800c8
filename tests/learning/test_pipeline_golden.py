"""Against FreqAI 2026.9 (datasieve 0.1.9) itself; benchmarks/pipeline_golden.py wrote what it does."""

from pathlib import Path

import numpy as np
import pytest

from daemon.learning.options import PipelineOptions
from daemon.learning.pipeline import prepared
from daemon.learning.steps.port import Points

with np.load(Path(__file__).parent / "golden" / "pipeline.npz", allow_pickle=False) as _file:
    GOLDEN = {name: _file[name] for name in _file.files}
TRAIN = 250
SVM = {"use_svm": True, "svm_params": {"shuffle": False, "nu": 0.05}}
CASES = {
    "plain": {},
    "pca": {"principal_component_analysis": True},
    "svm": SVM,
    "svm_defaults": {"use_svm": True},
    "di": {"di_threshold": 0.35},
    "dbscan": {"use_dbscan": True},
    "all": {"principal_component_analysis": True, **SVM, "di_threshold": 0.35, "use_dbscan": True},
}


@pytest.fixture(params=CASES)
def case(request):
    return request.param


def made(case):
    rows = np.ascontiguousarray(GOLDEN["rows"][:TRAIN])
    # FreqAI 2026.9 knows outlier_protection_percentage no more: nothing is protected here either.
    options = PipelineOptions(outlier_protection_percentage=100, **CASES[case])
    return prepared(Points(rows, np.arange(TRAIN), GOLDEN["weights"]), options, 1)


def golden(case, name):
    return GOLDEN[f"{case}/{name}"]


def detector(case, name):
    return next(step for step in made(case).pipeline.detectors if step.name == name)


def test_the_same_training_rows_are_left_with_their_weights(case):
    points = made(case).points
    assert points.labels.tolist() == golden(case, "kept").tolist()
    assert points.weights.tolist() == golden(case, "weights").tolist()


def test_do_predict_has_freqais_codes(case):
    judged = made(case).pipeline.judge(GOLDEN["rows"][TRAIN:])
    codes = 1 - sum(judged.outlier.values(), np.zeros(len(judged.di), np.int64))
    assert codes.tolist() == golden(case, "do_predict").tolist()


def test_the_cases_have_outliers_to_find():
    codes = {case: set(golden(case, "do_predict").tolist()) for case in CASES}
    assert codes["all"] == {-2, -1, 0, 1}
    assert all(codes[case] == {0, 1} for case in ("svm", "di", "dbscan"))
    assert all(len(golden(case, "kept")) < TRAIN for case in ("svm", "dbscan", "all"))


@pytest.mark.parametrize("case", ["di", "all"])
def test_di_values_are_freqais(case):
    judged = made(case).pipeline.judge(GOLDEN["rows"][TRAIN:])
    assert judged.di == pytest.approx(golden(case, "di"), rel=1e-4)
    assert detector(case, "di").mean_distance == pytest.approx(float(golden(case, "mean_distance")), rel=1e-5)


def test_scaled_rows_are_freqais():
    found = made("plain")
    assert found.points.features == pytest.approx(golden("plain", "train"), abs=1e-6)
    live = found.pipeline.transform(GOLDEN["rows"][TRAIN:])
    assert live == pytest.approx(golden("plain", "live"), abs=2e-6)


def test_components_are_freqais_up_to_their_sign():
    found = made("pca")
    expected, features = golden("pca", "train"), found.points.features
    assert features.shape == expected.shape
    signs = np.sign((features * expected).sum(axis=0))
    assert features * signs == pytest.approx(expected, abs=1e-4)
    live = found.pipeline.transform(GOLDEN["rows"][TRAIN:])
    assert live * signs == pytest.approx(golden("pca", "live"), abs=4e-4)


@pytest.mark.parametrize("case", ["svm", "svm_defaults"])
def test_the_svm_is_freqais(case):
    step = detector(case, "svm")
    assert [*step.weights, step.offset] == pytest.approx(golden(case, "svm").tolist(), abs=1e-6)


def test_dbscans_radius_is_freqais():
    step = detector("dbscan", "dbscan")
    assert [step.radius, step.crowd] == pytest.approx(golden("dbscan", "dbscan").tolist(), rel=1e-5)
