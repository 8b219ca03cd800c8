"""What a user's model is worth on rows that it has not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from daemon.learning.evaluate import classification_metrics, regression_metrics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from daemon.learning.fit import Clean
    from daemon.learning.freqai.predictor import Predictor
    from daemon.learning.job import Target, TrainingJob


def judged(
    job: TrainingJob,
    loaded: Predictor,
    clean: Clean,
    train: NDArray[np.int64],
    test: NDArray[np.int64],
) -> tuple[dict[str, dict[str, float]], int]:
    """Metrics by target on the test rows that the model does not object to, and how many these are."""
    if not len(test):
        return {}, 0
    said = loaded.said(clean.features[test])
    kept = said.accepted >= 1
    if not kept.any():
        return {}, 0
    found = {}
    for i, target in enumerate(job.targets):
        columns = {name: values[kept] for name, values in said.columns.items()}
        found[target.name] = _metrics(target, columns, clean.labels[test, i][kept], clean.labels[train, i])
    return found, int(kept.sum())


def _metrics(
    target: Target,
    columns: Mapping[str, NDArray[Any]],
    labels: NDArray[np.float64],
    known: NDArray[np.float64],
) -> dict[str, float]:
    if not target.classes:
        return regression_metrics(labels, columns[target.name], float(known.mean()))
    codes = known.astype(np.int64)
    shares = np.bincount(codes, minlength=len(target.classes)) / len(codes)
    out = np.column_stack([columns[name] for name in target.classes])
    return classification_metrics(labels.astype(np.int64), out, shares, target.classes)
