"""How good a model is on rows that it has not seen, and how good knowing nothing would be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import rankdata

if TYPE_CHECKING:
    from numpy.typing import NDArray


def regression_metrics(
    truth: NDArray[np.float64], predicted: NDArray[np.float64], train_mean: float
) -> dict[str, float]:
    """Judge a regression; the naive baseline predicts the mean of the training labels.

    Args:
        truth: float64[n], labels.
        predicted: float64[n].
        train_mean: mean label of the training rows.

    Returns:
        ``mae``, ``rmse`` (the label's unit), ``r2`` against the baseline (1: perfect, 0: no better than it, below
        0: worse), ``ic`` (Spearman's rank correlation; 0 where either side is constant), ``hit_rate`` (share of
        rows whose sign is right), ``naive_mae``, ``naive_rmse``, ``naive_hit_rate`` (always the commoner sign).
    """
    error, naive = truth - predicted, truth - train_mean
    naive_square = float((naive**2).mean())
    return {
        "mae": float(np.abs(error).mean()),
        "rmse": float(np.sqrt((error**2).mean())),
        "r2": 1 - float((error**2).mean()) / naive_square if naive_square > 0 else 0.0,
        "ic": spearman(truth, predicted),
        "hit_rate": float((np.sign(truth) == np.sign(predicted)).mean()),
        "naive_mae": float(np.abs(naive).mean()),
        "naive_rmse": float(np.sqrt(naive_square)),
        "naive_hit_rate": float(max((truth > 0).mean(), (truth < 0).mean())),
    }


def classification_metrics(
    truth: NDArray[np.int64], probabilities: NDArray[np.float64], train_shares: NDArray[np.float64]
) -> dict[str, float]:
    """Judge a classification; the naive baseline predicts the classes' shares in the training rows.

    Args:
        truth: int64[n], class codes.
        probabilities: float64[n, classes].
        train_shares: float64[classes].

    Returns:
        ``accuracy``, ``log_loss`` (nats), ``naive_accuracy`` (always the commonest class), ``naive_log_loss``.
    """
    rows = np.arange(len(truth))
    floor = 1e-15  # scikit-learn's clip, so that one certain mistake is not an infinite loss
    shares = np.clip(train_shares, floor, 1)
    return {
        "accuracy": float((probabilities.argmax(axis=1) == truth).mean()),
        "log_loss": float(-np.log(np.clip(probabilities[rows, truth], floor, 1)).mean()),
        "naive_accuracy": float((truth == int(train_shares.argmax())).mean()),
        "naive_log_loss": float(-np.log(shares[truth]).mean()),
    }


def spearman(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Spearman's rank correlation; 0 where either side is constant."""
    ranks_a, ranks_b = (np.asarray(rankdata(x), np.float64) for x in (a, b))
    ranks_a -= ranks_a.mean()
    ranks_b -= ranks_b.mean()
    scale = float(np.sqrt((ranks_a**2).sum() * (ranks_b**2).sum()))
    return float((ranks_a * ranks_b).sum()) / scale if scale > 0 else 0.0


def beats_naive(metrics: dict[str, float]) -> bool:
    """Whether the model was better than knowing nothing, by squared error or by log loss."""
    if "r2" in metrics:
        return metrics["r2"] > 0
    return metrics["log_loss"] < metrics["naive_log_loss"]
