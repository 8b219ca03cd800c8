"""One training from matrix to files: what the training process runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from daemon.core.errors import Refused
from daemon.learning.evaluate import classification_metrics, regression_metrics
from daemon.learning.job import TrainingResult
from daemon.learning.models.port import FitOptions, Rows
from daemon.learning.models.registry import model_class
from daemon.learning.pipeline import LabelScaling, Pipeline, prepared
from daemon.learning.pipeline_files import pipeline_files
from daemon.learning.split import SplitOptions, recency_weights, split
from daemon.learning.steps.port import Points

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
    rows = split(len(clean.labels), _split_options(job))
    weights = recency_weights(len(clean.labels), job.weight_factor)
    made = prepared(_points(clean, weights, rows.train), job.pipeline, job.seed)
    pipeline = Pipeline(made.pipeline, _label_scaling(job, made.points))
    test, judged = _test(pipeline, _points(clean, weights, rows.test))
    prepared_s = monotonic_s()

    options = FitOptions(
        parameters=job.parameters, seed=job.seed, threads=job.threads, classes=len(job.classes), stop=stop
    )
    model = model_class(job.model).fit(_rows(pipeline, made.points), test, options)
    fitted_s = monotonic_s()

    train_labels = clean.labels[rows.train]
    metrics = {} if test is None else _judged(job, model, pipeline, train_labels, judged)
    files = _saved(job, model, pipeline, folder)
    regression = not job.classes
    return TrainingResult(
        files=files,
        rows=len(made.points),
        test_rows=len(judged),
        dropped=clean.dropped,
        worst_features=clean.worst,
        label_mean=float(train_labels.mean()) if regression else 0.0,
        label_std=float(train_labels.std()) if regression else 0.0,
        metrics=metrics,
        seconds={
            "prepare": round(prepared_s - started, 4),
            "fit": round(fitted_s - prepared_s, 4),
            "judge_and_save": round(monotonic_s() - fitted_s, 4),
        },
        outliers=dict(made.removed),
        outliers_left_in=dict(made.left_out),
        test_outliers=len(rows.test) - len(judged),
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


def _split_options(job: TrainingJob) -> SplitOptions:
    return SplitOptions(
        test_size=job.test_size,
        horizon=job.horizon,
        shuffle=job.shuffle,
        shuffle_after_split=job.shuffle_after_split,
        reverse=job.reverse_train_test_order,
        seed=job.seed,
    )


def _points(clean: _Clean, weights: NDArray[np.float64], which: NDArray[np.int64]) -> Points:
    return Points(clean.features[which], clean.labels[which], weights[which])


def _label_scaling(job: TrainingJob, points: Points) -> LabelScaling | None:
    """From the rows that are left after the outliers went, as in FreqAI."""
    if not job.classes:
        return LabelScaling.fit(points.labels)
    if len(np.unique(points.labels)) == 1:
        raise Refused(
            f"label {job.label!r} has one class in every training row: nothing can be learnt from it"
        )
    return None


def _test(pipeline: Pipeline, points: Points) -> tuple[Rows | None, Points]:
    """The test rows that the model would predict live: no outliers; None if there are none."""
    if not len(points):
        return None, points
    judged = pipeline.features.judge(points.features)
    kept = replace(points, features=judged.features).only(judged.inlier)
    return _rows(pipeline, kept) if len(kept) else None, kept


def _rows(pipeline: Pipeline, points: Points) -> Rows:
    labels = points.labels
    return Rows(
        np.asfortranarray(points.features),
        labels.astype(np.int64) if pipeline.label is None else pipeline.label.transform(labels),
        points.weights,
    )


def _judged(
    job: TrainingJob, model: Model, pipeline: Pipeline, train_labels: NDArray[np.float64], test: Points
) -> dict[str, float]:
    out = model.predict(np.asfortranarray(test.features))
    if pipeline.label is not None:
        return regression_metrics(test.labels, pipeline.label.inverse(out), float(train_labels.mean()))
    codes = train_labels.astype(np.int64)
    shares = np.bincount(codes, minlength=len(job.classes)) / len(codes)
    return classification_metrics(test.labels.astype(np.int64), out, shares)


def _saved(job: TrainingJob, model: Model, pipeline: Pipeline, folder: Path) -> tuple[str, ...]:
    contents = {f"model.{model.suffix}": model.to_bytes(), **pipeline_files(pipeline)}
    for ending, data in contents.items():
        (folder / f"{job.file_stem}_{ending}").write_bytes(data)
    return tuple(f"{job.file_stem}_{ending}" for ending in contents)
