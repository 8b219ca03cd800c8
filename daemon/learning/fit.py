"""One training from matrix to files: what the training process runs."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import ThreadpoolController

from daemon.core.errors import Refused
from daemon.learning.continuation import start_of
from daemon.learning.head import fitted_head, judged
from daemon.learning.importance import importance_pages
from daemon.learning.job import TrainingResult
from daemon.learning.models.port import CannotContinue
from daemon.learning.models.registry import model_part, user_class
from daemon.learning.pipeline import Pipeline, prepared
from daemon.learning.pipeline_files import pipeline_files
from daemon.learning.split import SplitOptions, recency_weights, split
from daemon.learning.steps.port import Points
from daemon.learning.user_steps import own_transforms

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from daemon.learning.continuation import Start
    from daemon.learning.head import Head
    from daemon.learning.job import TrainingJob
    from daemon.learning.pipeline import FeaturePipeline

FEWEST_ROWS = 50
"""Below this a split has nothing to say; every real window has thousands."""


@dataclass(frozen=True, slots=True)
class Clean:
    """Rows without a missing value, and what was left out.

    Attributes:
        features: float32[n, features].
        labels: float64[n, targets].
        dropped: rows that had labels, but lacked a feature.
        worst: features that most of them lacked, with counts.
        keep: bool[all rows], which rows are here.
    """

    features: NDArray[np.float32]
    labels: NDArray[np.float64]
    dropped: int
    worst: dict[str, int]
    keep: NDArray[np.bool_]


def train(
    job: TrainingJob,
    features: NDArray[np.float32],
    labels: NDArray[np.float64],
    folder: Path,
    monotonic_s: Callable[[], float],
    *,
    stop: Callable[[], bool] | None = None,
) -> TrainingResult:
    """Fit, judge and save one model, going on from the one that the job names if that can be.

    Args:
        job: what to train.
        features: float32[n, features], oldest first; rows with NaN are left out.
        labels: float64[n, targets], each target or its class code; a row that lacks any is left out.
        folder: where the files go.
        monotonic_s: a clock for durations.
        stop: asked now and then during the fit; True ends it. Where each training has a process of its own it
            is not needed: that can be ended at any moment.

    Raises:
        Refused: these rows or parameters cannot be trained on; the message says why.
        FitStopped: ``stop`` said so.
    """
    user = user_class(job.model)
    if user is not None and user.freqai:
        from daemon.learning.freqai.training import trained  # noqa: PLC0415  only such a class needs it

        return trained(user, job, features, labels, folder, monotonic_s=monotonic_s)
    if not job.start:
        return _trained(job, features, labels, folder, monotonic_s, start=None, stop=stop)
    try:
        made = _trained(job, features, labels, folder, monotonic_s, start=start_of(job), stop=stop)
    except CannotContinue as exc:
        made = _trained(job, features, labels, folder, monotonic_s, start=None, stop=stop)
        return replace(made, afresh=str(exc))
    return replace(made, continued=True)


def _trained(
    job: TrainingJob,
    features: NDArray[np.float32],
    labels: NDArray[np.float64],
    folder: Path,
    monotonic_s: Callable[[], float],
    *,
    start: Start | None,
    stop: Callable[[], bool] | None,
) -> TrainingResult:
    """One pipeline, and behind it a fitted model per target.

    That is what FreqAI's ``FreqaiMultiOutputRegressor`` and ``-Classifier`` do. Each target has its own early
    stopping and its own scale.
    """
    started = monotonic_s()
    clean = clean_rows(job, features, labels)
    rows = split(len(clean.labels), split_options(job))
    weights = recency_weights(len(clean.labels), job.weight_factor)
    kept = () if start is None else start.transforms
    kinds = own_transforms(job.model, job.pipeline) or None
    # Two threads of BLAS wait for each other by spinning: several times the CPU for a little less time.
    with _threadpools(len(sys.modules)).limit(limits=job.preparation_threads or 1):
        with _guard(job):  # a step may be the user's own
            made = prepared(_points(clean, weights, rows.train), job.pipeline, job.seed, kept, kinds)
        test = _test(made.pipeline, _points(clean, weights, rows.test))
    prepared_s = monotonic_s()

    raw = clean.labels[rows.train]
    heads = [
        fitted_head(
            job, i, made.points, test, raw_labels=raw, start=start.heads[i] if start else None, stop=stop
        )
        for i in range(len(job.targets))
    ]
    fitted_s = monotonic_s()

    metrics = {
        head.target.name: judged(head, test.features, test.labels[:, i], raw[:, i])
        for i, head in enumerate(heads)
        if len(test)
    }
    with _guard(job):
        files = _saved(job, heads, made.pipeline, folder)
    return TrainingResult(
        files=files,
        rows=len(made.points),
        test_rows=len(test),
        dropped=clean.dropped,
        worst_features=clean.worst,
        label_mean=_by_column(heads, [head.label_mean for head in heads]),
        label_std=_by_column(heads, [head.label_std for head in heads]),
        metrics=metrics,
        seconds={
            "prepare": round(prepared_s - started, 4),
            "fit": round(fitted_s - prepared_s, 4),
            "judge_and_save": round(monotonic_s() - fitted_s, 4),
        },
        outliers=dict(made.removed),
        outliers_left_in=dict(made.left_out),
        test_outliers=len(rows.test) - len(test),
        extra_returns=dict(job.extra_returns),
    )


@lru_cache(maxsize=1)
def _threadpools(_: int) -> ThreadpoolController:
    """The libraries that have threads of their own; to look for them takes milliseconds.

    Args:
        _: how many modules are imported: others may have brought more libraries.
    """
    return ThreadpoolController()


def _guard(job: TrainingJob) -> contextlib.AbstractContextManager[None]:
    user = user_class(job.model)
    return contextlib.nullcontext() if user is None else user.guarded()


def clean_rows(job: TrainingJob, features: NDArray[np.float32], labels: NDArray[np.float64]) -> Clean:
    """The rows that have all features and all labels.

    Raises:
        Refused: they are too few.
    """
    # A sum of squares is no number where one of them is none, and only there.
    with np.errstate(over="ignore"):
        lacking = np.isnan(np.vecdot(features, features))
    known = np.isfinite(labels).all(axis=1)
    keep: NDArray[np.bool_] = np.asarray(known & ~lacking)
    # The last rows' labels look beyond the newest candle: no loss. Rows that lack features are.
    dropped = int((known & lacking).sum())
    counts = np.isnan(features[known & lacking]).sum(axis=0)
    worst = {job.features[i]: int(counts[i]) for i in np.argsort(-counts, kind="stable")[:5] if counts[i]}
    if keep.sum() < FEWEST_ROWS:
        raise Refused(
            f"only {int(keep.sum())} of {len(labels)} rows have all features and a label (at least {FEWEST_ROWS} are "
            f"needed); the features that most rows lack: {worst or 'none, labels are missing'}"
        )
    found = np.flatnonzero(keep)
    if user_class(job.model) is None and found[-1] - found[0] == len(found) - 1:
        # No copy is needed: only a step of the user's own might write to it.
        kept = slice(int(found[0]), int(found[-1]) + 1)
        return Clean(features[kept], labels[kept], dropped, worst, keep)
    return Clean(features[keep], labels[keep], dropped, worst, keep)


def split_options(job: TrainingJob) -> SplitOptions:
    """How the job divides its rows."""
    return SplitOptions(
        test_size=job.test_size,
        train_size=job.train_size,
        horizon=job.horizon,
        shuffle=job.shuffle,
        shuffle_after_split=job.shuffle_after_split,
        reverse=job.reverse_train_test_order,
        seed=job.seed,
    )


def _points(clean: Clean, weights: NDArray[np.float64], which: NDArray[np.int64]) -> Points:
    in_order = len(which) and which[-1] - which[0] == len(which) - 1 and bool((np.diff(which) == 1).all())
    part = slice(int(which[0]), int(which[-1]) + 1) if in_order else which  # without a copy
    return Points(clean.features[part], clean.labels[part], weights[part])


def _test(pipeline: FeaturePipeline, points: Points) -> Points:
    """The test rows that the model would predict live, behind the pipeline: no outliers."""
    if not len(points):
        return points
    features, inlier = pipeline.inliers(points.features)
    return replace(points, features=features).only(inlier)


def _by_column(heads: list[Head], values: list[float]) -> dict[str, float]:
    """Statistics under FreqAI's names: a target's own, and 0 for each class."""
    found: dict[str, float] = {}
    for head, value in zip(heads, values, strict=True):
        found |= (
            {head.target.name: value} if head.scaling is not None else dict.fromkeys(head.target.classes, 0.0)
        )
    return found


def _saved(job: TrainingJob, heads: list[Head], pipeline: FeaturePipeline, folder: Path) -> tuple[str, ...]:
    contents = {f"{model_part(i)}.{head.model.suffix}": head.model.to_bytes() for i, head in enumerate(heads)}
    contents |= pipeline_files(Pipeline(pipeline, tuple(head.scaling for head in heads)))
    files = {f"{job.file_stem}_{ending}": data for ending, data in contents.items()}
    files |= importance_pages(job, heads, pipeline.names(job.features))
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return tuple(files)
