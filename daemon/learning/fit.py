"""One training from matrix to files: what the training process runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from daemon.core.errors import Refused
from daemon.learning.evaluate import classification_metrics, regression_metrics
from daemon.learning.job import TrainingResult
from daemon.learning.models.port import FitOptions, Rows
from daemon.learning.models.registry import model_class
from daemon.learning.pipeline import FeaturePipeline, LabelScaling, Pipeline
from daemon.learning.split import recency_weights, split_by_time

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from daemon.learning.job import TrainingJob
    from daemon.learning.models.port import Model

FEWEST_ROWS = 50
"""Below this a split has nothing to say; every real window has thousands."""


@dataclass(frozen=True, slots=True)
class _Clean:
    """Rows without a missing value, and what was left out."""

    features: NDArray[np.float32]
    labels: NDArray[np.float64]
    dropped: int
    worst: dict[str, int]


def train(
    job: TrainingJob,
    features: NDArray[np.float32],
    labels: NDArray[np.float64],
    folder: Path,
    monotonic_s: Callable[[], float],
    *,
    stop: Callable[[], bool] | None = None,
) -> TrainingResult:
    """Fit, judge and save one model.

    Args:
        job: what to train.
        features: float32[n, features], oldest first; rows with NaN are left out.
        labels: float64[n], the target or its class code; rows with NaN are left out.
        folder: where the files go.
        monotonic_s: a clock for durations.
        stop: asked now and then during the fit; True ends it. Where each training has a process of its own it
            is not needed: that can be ended at any moment.

    Raises:
        Refused: these rows or parameters cannot be trained on; the message says why.
        FitStopped: ``stop`` said so.
    """
    started = monotonic_s()
    clean = _clean(job, features, labels)
    train_rows, test_rows = split_by_time(len(clean.labels), job.test_size, job.horizon)
    weights = recency_weights(len(clean.labels), job.weight_factor)
    pipeline = _fitted_pipeline(job, clean, train_rows)
    prepared_s = monotonic_s()

    rows = _rows(pipeline, clean, weights, train_rows)
    test = _rows(pipeline, clean, weights, test_rows) if test_rows.start < test_rows.stop else None
    options = FitOptions(
        parameters=job.parameters, seed=job.seed, threads=job.threads, classes=len(job.classes), stop=stop
    )
    model = model_class(job.model).fit(rows, test, options)
    fitted_s = monotonic_s()

    metrics = {} if test is None else _judged(job, model, pipeline, clean, (train_rows, test_rows))
    files = _saved(job, model, pipeline, folder)
    regression = not job.classes
    return TrainingResult(
        files=files,
        rows=train_rows.stop,
        test_rows=test_rows.stop - test_rows.start,
        dropped=clean.dropped,
        worst_features=clean.worst,
        label_mean=float(clean.labels[train_rows].mean()) if regression else 0.0,
        label_std=float(clean.labels[train_rows].std()) if regression else 0.0,
        metrics=metrics,
        seconds={
            "prepare": round(prepared_s - started, 4),
            "fit": round(fitted_s - prepared_s, 4),
            "judge_and_save": round(monotonic_s() - fitted_s, 4),
        },
    )


def _clean(job: TrainingJob, features: NDArray[np.float32], labels: NDArray[np.float64]) -> _Clean:
    missing = np.isnan(features)
    lacking = missing.any(axis=1)
    known = np.isfinite(labels)
    keep = known & ~lacking
    # The last rows' labels look beyond the newest candle: no loss. Rows that lack features are.
    dropped = int((known & lacking).sum())
    counts = missing[known].sum(axis=0)
    worst = {job.features[i]: int(counts[i]) for i in np.argsort(-counts, kind="stable")[:5] if counts[i]}
    if keep.sum() < FEWEST_ROWS:
        raise Refused(
            f"only {int(keep.sum())} of {len(labels)} rows have all features and a label (at least {FEWEST_ROWS} are "
            f"needed); the features that most rows lack: {worst or 'none, labels are missing'}"
        )
    return _Clean(features[keep], labels[keep], dropped, worst)


def _fitted_pipeline(job: TrainingJob, clean: _Clean, train_rows: slice) -> Pipeline:
    if job.classes:
        if len(np.unique(clean.labels[train_rows])) == 1:
            raise Refused(
                f"label {job.label!r} has one class in every training row: nothing can be learnt from it"
            )
        return Pipeline(FeaturePipeline.fit(clean.features[train_rows]), None)
    return Pipeline(
        FeaturePipeline.fit(clean.features[train_rows]), LabelScaling.fit(clean.labels[train_rows])
    )


def _rows(pipeline: Pipeline, clean: _Clean, weights: NDArray[np.float64], which: slice) -> Rows:
    labels = clean.labels[which]
    return Rows(
        pipeline.features.transform(clean.features[which]),
        labels.astype(np.int64) if pipeline.label is None else pipeline.label.transform(labels),
        weights[which],
    )


def _judged(
    job: TrainingJob, model: Model, pipeline: Pipeline, clean: _Clean, split: tuple[slice, slice]
) -> dict[str, float]:
    train_rows, test_rows = split
    out = model.predict(pipeline.features.transform(clean.features[test_rows]))
    if pipeline.label is not None:
        train_mean = float(clean.labels[train_rows].mean())
        return regression_metrics(clean.labels[test_rows], pipeline.label.inverse(out), train_mean)
    codes = clean.labels.astype(np.int64)
    shares = np.bincount(codes[train_rows], minlength=len(job.classes)) / train_rows.stop
    return classification_metrics(codes[test_rows], out, shares)


def _saved(job: TrainingJob, model: Model, pipeline: Pipeline, folder: Path) -> tuple[str, ...]:
    contents = {
        f"{job.file_stem}_model.{model.suffix}": model.to_bytes(),
        f"{job.file_stem}_pipeline.json": pipeline.to_bytes(),
    }
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return tuple(contents)
