"""How good a model is on rows that it has not seen, and how good knowing nothing would be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

FLOOR = 1e-15
"""Probabilities are clipped here, as scikit-learn does, so that one certain mistake is not an infinite loss."""


def regression_metrics(
    truth: NDArray[np.float64], predicted: NDArray[np.float64], train_mean: float | NDArray[np.float64]
) -> dict[str, float]:
    """Judge a regression; the naive baseline predicts the mean of the training labels.

    Args:
        truth: float64[n], labels.
        predicted: float64[n].
        train_mean: mean label of the training rows; float64[n] where the rows are of several trainings.

    Returns:
        ``mae``, ``rmse`` (the label's unit), ``r2`` against the baseline (1: perfect, 0: no better than it, below
        0: worse), ``ic`` (Spearman's rank correlation; 0 where either side is constant), ``hit_rate`` (share of
        rows whose sign is right), ``naive_mae``, ``naive_rmse``, ``naive_hit_rate`` (always the commoner sign).
    """
    error, naive_error = truth - predicted, truth - train_mean
    naive_square = float((naive_error**2).mean())
    return {
        "mae": float(np.abs(error).mean()),
        "rmse": float(np.sqrt((error**2).mean())),
        "r2": 1 - float((error**2).mean()) / naive_square if naive_square > 0 else 0.0,
        "ic": spearman(truth, predicted),
        "hit_rate": float((np.sign(truth) == np.sign(predicted)).mean()),
        "naive_mae": float(np.abs(naive_error).mean()),
        "naive_rmse": float(np.sqrt(naive_square)),
        "naive_hit_rate": float(max((truth > 0).mean(), (truth < 0).mean())),
    }


def classification_metrics(
    truth: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    train_shares: NDArray[np.float64],
    classes: Sequence[str] = (),
) -> dict[str, float]:
    """Judge a classification; the naive baseline predicts the classes' shares in the training rows.

    Args:
        truth: int64[n], class codes.
        probabilities: float64[n, classes].
        train_shares: float64[classes].
        classes: names by code, for the metrics of each class; none without.

    Returns:
        ``accuracy``, ``log_loss`` (nats); ``precision``, ``recall``, ``f1``: means over the classes that occur in
        truth or prediction; ``roc_auc``: mean over the classes that tell some rows from others (left out where none
        does; naive is 0.5); each but ``roc_auc`` also as ``naive_...``, of always the commonest class and, for
        ``log_loss``, of the shares. With names: ``f1[up]`` and the like for each class.
    """
    rows = np.arange(len(truth))
    guess = np.full_like(truth, int(train_shares.argmax()))
    sides = {"": probabilities.argmax(axis=1), "naive_": guess}
    metrics = {
        "accuracy": float((sides[""] == truth).mean()),
        "log_loss": float(-np.log(np.clip(probabilities[rows, truth], FLOOR, 1)).mean()),
        "naive_accuracy": float((guess == truth).mean()),
        "naive_log_loss": float(-np.log(np.clip(train_shares, FLOOR, 1)[truth]).mean()),
    }
    for side, predicted in sides.items():
        each = _by_class(truth, predicted, len(train_shares))
        for name, values in each.items():
            metrics[f"{side}{name}"] = float(np.mean(list(values.values())))
            if not side and classes:
                metrics |= {f"{name}[{classes[code]}]": value for code, value in values.items()}
    areas = {code: roc_auc(truth == code, probabilities[:, code]) for code in range(len(train_shares))}
    known = {code: area for code, area in areas.items() if area is not None}
    if known:
        metrics["roc_auc"] = float(np.mean(list(known.values())))
        metrics |= {f"roc_auc[{classes[code]}]": area for code, area in known.items() if classes}
    return metrics


def _by_class(
    truth: NDArray[np.int64], predicted: NDArray[np.int64], classes: int
) -> Mapping[str, dict[int, float]]:
    """Precision, recall and F1 by code of the classes that occur; 0 where nothing is predicted or there to find."""
    found: dict[str, dict[int, float]] = {"precision": {}, "recall": {}, "f1": {}}
    for code in range(classes):
        hits = int(((truth == code) & (predicted == code)).sum())
        named, there = int((predicted == code).sum()), int((truth == code).sum())
        if not named and not there:
            continue
        found["precision"][code] = hits / named if named else 0.0
        found["recall"][code] = hits / there if there else 0.0
        found["f1"][code] = 2 * hits / (named + there)
    return found


def roc_auc(positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> float | None:
    """Area under the ROC curve: the probability that a positive row's score is above a negative one's.

    By Mann and Whitney's U (Hanley & McNeil, Radiology 143, 1982); a tie counts one half. None where all rows are
    on one side.
    """
    ones = int(positive.sum())
    zeros = len(positive) - ones
    if not ones or not zeros:
        return None
    return float((ranks(scores)[positive].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1 on, ties share their mean: scipy's ``rankdata``, whose import costs two seconds of CPU."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    means: NDArray[np.float64] = (ends - (counts - 1) / 2)[place]
    return means


def spearman(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Spearman's rank correlation; 0 where either side is constant."""
    ranks_a, ranks_b = ranks(a), ranks(b)
    ranks_a -= ranks_a.mean()
    ranks_b -= ranks_b.mean()
    scale = float(np.sqrt((ranks_a**2).sum() * (ranks_b**2).sum()))
    return float((ranks_a * ranks_b).sum()) / scale if scale > 0 else 0.0


def skill(metrics: Mapping[str, float]) -> float:
    """One number by which a model's test and its life are compared; 0: knowing nothing, 1: knowing all.

    For regression the rank correlation, which neither the label's scale nor a few large moves decide; for classes the
    share of the naive log loss that the model saves.
    """
    if "ic" in metrics:
        return metrics["ic"]
    naive = metrics["naive_log_loss"]
    return 1 - metrics["log_loss"] / naive if naive > 0 else 0.0


def beats_naive(metrics: Mapping[str, float]) -> bool:
    """Whether the model was better than knowing nothing, by squared error or by log loss."""
    if "r2" in metrics:
        return metrics["r2"] > 0
    return metrics["log_loss"] < metrics["naive_log_loss"]
