"""Metrics against scikit-learn's and scipy's own."""

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr
from sklearn import metrics as theirs

from daemon.learning.evaluate import (
    beats_naive,
    classification_metrics,
    ranks,
    regression_metrics,
    roc_auc,
    skill,
    spearman,
)

NAMES = ("down", "flat", "up")


@pytest.fixture(params=range(4))
def classified(request):
    """(truth, probabilities, shares in the training), three classes; coarse, so that there are ties."""
    random = np.random.default_rng(request.param)
    truth = random.integers(0, 3, 200)
    raw = np.round(random.random((200, 3)) + 0.5 * np.eye(3)[truth], 1) + 0.1
    return truth, raw / raw.sum(axis=1, keepdims=True), np.array([0.5, 0.2, 0.3])


def test_ranks_are_scipys_ties_included():
    values = np.random.default_rng(0).integers(0, 9, 300).astype(float)
    assert ranks(values).tolist() == rankdata(values).tolist()


def test_rank_correlation_is_scipys():
    random = np.random.default_rng(1)
    a = random.integers(0, 30, 400).astype(float)
    b = a + random.normal(0, 10, 400)
    assert spearman(a, b) == pytest.approx(spearmanr(a, b).statistic, abs=1e-12)


def test_regression_is_scikit_learns():
    random = np.random.default_rng(2)
    truth = random.normal(0.1, 1, 300)
    predicted = truth * 0.3 + random.normal(0, 0.2, 300)
    found = regression_metrics(truth, predicted, float(truth.mean()))
    assert found["r2"] == pytest.approx(theirs.r2_score(truth, predicted))
    assert found["mae"] == pytest.approx(theirs.mean_absolute_error(truth, predicted))
    assert found["rmse"] == pytest.approx(theirs.root_mean_squared_error(truth, predicted))


def test_rows_of_several_trainings_have_their_own_baseline():
    truth = np.array([1.0, 1.0, 5.0, 5.0])
    naive = np.array([1.5, 1.5, 4.0, 4.0])
    found = regression_metrics(truth, truth + 0.5, naive)
    assert found["r2"] == pytest.approx(1 - 0.25 / ((0.25 * 2 + 1.0 * 2) / 4))
    assert found["naive_mae"] == pytest.approx(0.75)


def test_classification_is_scikit_learns(classified):
    truth, shares, train_shares = classified
    found = classification_metrics(truth, shares, train_shares, NAMES)
    predicted = shares.argmax(axis=1)
    precision, recall, f1, _ = theirs.precision_recall_fscore_support(truth, predicted)
    for code, name in enumerate(NAMES):
        assert found[f"precision[{name}]"] == pytest.approx(precision[code])
        assert found[f"recall[{name}]"] == pytest.approx(recall[code])
        assert found[f"f1[{name}]"] == pytest.approx(f1[code])
        area = theirs.roc_auc_score(truth == code, shares[:, code])
        assert found[f"roc_auc[{name}]"] == pytest.approx(area)
    assert found["f1"] == pytest.approx(f1.mean())
    assert found["precision"] == pytest.approx(precision.mean())
    assert found["recall"] == pytest.approx(recall.mean())
    assert found["roc_auc"] == pytest.approx(theirs.roc_auc_score(truth, shares, multi_class="ovr"))
    assert found["accuracy"] == pytest.approx(theirs.accuracy_score(truth, predicted))
    assert found["log_loss"] == pytest.approx(theirs.log_loss(truth, shares))


def test_the_naive_side_always_says_the_commonest_class_of_the_training(classified):
    truth, shares, train_shares = classified
    found = classification_metrics(truth, shares, train_shares)
    guess = np.zeros_like(truth)
    assert found["naive_f1"] == pytest.approx(theirs.f1_score(truth, guess, average="macro"))
    assert found["naive_recall"] == pytest.approx(1 / 3)
    assert found["naive_precision"] == pytest.approx((truth == 0).mean() / 3)
    assert found["naive_log_loss"] == pytest.approx(theirs.log_loss(truth, np.tile(train_shares, (200, 1))))
    assert not any("[" in name for name in found)


def test_a_class_that_the_test_rows_lack_has_no_metrics_and_spoils_none():
    shares = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.7, 0.2, 0.1], [0.3, 0.6, 0.1]])
    found = classification_metrics(np.array([0, 1, 0, 1]), shares, np.array([0.4, 0.4, 0.2]), NAMES)
    assert (found["f1"], found["roc_auc"]) == (1.0, 1.0)
    assert "f1[up]" not in found
    assert "roc_auc[up]" not in found


def test_one_class_alone_has_no_area():
    assert roc_auc(np.ones(3, bool), np.array([0.1, 0.2, 0.3])) is None
    found = classification_metrics(np.zeros(3, np.int64), np.tile([0.6, 0.4], (3, 1)), np.array([0.5, 0.5]))
    assert "roc_auc" not in found


def test_skill_is_nothing_for_who_knows_nothing(classified):
    truth, _, train_shares = classified
    naive = classification_metrics(truth, np.tile(train_shares, (200, 1)), train_shares)
    assert skill(naive) == pytest.approx(0)
    assert not beats_naive(naive)
    sure = classification_metrics(truth, np.eye(3)[truth], train_shares)
    assert skill(sure) == pytest.approx(1)
    assert beats_naive(sure)


def test_skill_of_a_regression_is_its_rank_correlation():
    truth = np.array([3.0, 1.0, 2.0])
    assert skill(regression_metrics(truth, truth * 100, 0.0)) == pytest.approx(1)
