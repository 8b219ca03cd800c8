"""One training of a user's class in FreqAI's manner, from matrix to files: what the training process runs."""

from __future__ import annotations

import json
import logging
import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from daemon.core.errors import CandledError, Corrupt, Refused, StrategyError
from daemon.core.prediction import name_fault
from daemon.learning.fit import clean_rows, split_options
from daemon.learning.freqai.estimators import estimator_files
from daemon.learning.freqai.judging import judged
from daemon.learning.freqai.kitchen import FreqaiDataKitchen
from daemon.learning.freqai.pipeline_bytes import pipelines_bytes
from daemon.learning.freqai.predictor import Predictor, new_instance, predictor_of
from daemon.learning.importance import PAGE, importance_page
from daemon.learning.job import TrainingResult
from daemon.learning.split import split

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from daemon.learning.fit import Clean
    from daemon.learning.freqai.predictor import Said
    from daemon.learning.job import TrainingJob
    from daemon.learning.models.user import UserClass

log = logging.getLogger(__name__)

_COMPARED = 32
"""Rows on which what was written is compared with what was fitted."""


def trained(
    user: UserClass,
    job: TrainingJob,
    features: NDArray[np.float32],
    labels: NDArray[np.float64],
    folder: Path,
    *,
    monotonic_s: Callable[[], float],
) -> TrainingResult:
    """Fit, judge and save one model; see `daemon.learning.fit.train`.

    Raises:
        Refused: these rows cannot be trained on, or the model cannot be saved.
        StrategyError: the user's code raised; the message names file and line.
    """
    started = monotonic_s()
    clean = clean_rows(job, features, labels)
    frame = _frame(job, clean)
    instance = new_instance(user)
    start, afresh = _start(user, job)
    if start is not None:
        instance.dd.model_dictionary[job.pair] = start.model
        instance.kept = start.pipelines
    with tempfile.TemporaryDirectory(prefix="candled-") as scratch:
        dk = _kitchen(user, job, Path(scratch))
        model = _fitted(user, job, instance, frame, dk)
        fitted_s = monotonic_s()
        instance.model = model
        contents = _contents(user, job, model, dk)
    # Whatever predicts and is judged from here on is what a start would read from the disk.
    parts = {ending.split(".")[0]: data for ending, data in contents.items()}
    loaded = predictor_of(user, job.pair, job.targets, job.features, parts)
    _compare(user, loaded, instance, dk, clean.features[-_COMPARED:])
    rows = split(len(clean.labels), split_options(job))
    metrics, test_rows = judged(job, loaded, clean, rows.train, rows.test)
    files = {f"{job.file_stem}_{ending}": data for ending, data in contents.items()}
    files |= _importances(job, model, dk)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    train_labels = clean.labels[rows.train]
    return TrainingResult(
        files=tuple(files),
        rows=len(dk.data_dictionary["train_features"]),
        test_rows=test_rows,
        dropped=clean.dropped,
        worst_features=clean.worst,
        label_mean=_statistics(job, dk, "labels_mean", train_labels.mean(axis=0)),
        label_std=_statistics(job, dk, "labels_std", train_labels.std(axis=0)),
        metrics=metrics,
        seconds={
            "fit": round(fitted_s - started, 4),
            "judge_and_save": round(monotonic_s() - fitted_s, 4),
        },
        outliers={name: step.removed for name, step in dk.feature_pipeline.detectors.items()},
        test_outliers=len(rows.test) - test_rows,
        extra_returns=_extra_returns(user, dk),
        continued=start is not None,
        afresh=afresh,
    )


def _fitted(
    user: UserClass, job: TrainingJob, instance: Any, frame: pd.DataFrame, dk: FreqaiDataKitchen
) -> Any:
    """What the user's ``train`` makes of the rows: the same of the same, if it draws from the usual generators.

    Raises:
        StrategyError: nothing, or the user's code raised.
    """
    random.seed(job.seed)
    np.random.seed(job.seed % 2**32)  # noqa: NPY002  what the user's code draws from, and scikit-learn
    with user.guarded():
        model = instance.train(frame, job.pair, dk)
    if model is None:
        raise StrategyError(f"{user.file}: {user.name}: fit returned None; it must return the fitted model")
    return model


def _frame(job: TrainingJob, clean: Clean) -> pd.DataFrame:
    """Rows as FreqAI hands them to ``train``: date, features in float64, targets, classes by their names."""
    columns: dict[str, Any] = {}
    if job.open_ms:
        open_ms = np.asarray(job.open_ms, np.int64)[clean.keep]
        columns["date"] = pd.to_datetime(open_ms, unit="ms", utc=True)
    frame = pd.DataFrame(clean.features.astype(np.float64), columns=list(job.features))
    for i, target in enumerate(job.targets):
        codes = clean.labels[:, i]
        columns[target.name] = (
            np.array(target.classes, object)[codes.astype(np.int64)] if target.classes else codes
        )
    return pd.concat([pd.DataFrame(columns), frame], axis=1)


def _kitchen(user: UserClass, job: TrainingJob, scratch: Path) -> FreqaiDataKitchen:
    config = json.loads(json.dumps(dict(user.config)))
    dk = FreqaiDataKitchen(config, live=True, pair=job.pair, rows=split_options(job), threads=job.threads)
    dk.data["extra_returns_per_train"] = dict(job.extra_returns)
    dk.training_features_list = list(job.features)
    dk.label_list = [target.name for target in job.targets]
    dk.data_path = dk.full_path = scratch
    dk.model_filename = job.file_stem
    return dk


def _start(user: UserClass, job: TrainingJob) -> tuple[Predictor | None, str]:
    """The model that the training goes on from; and why there is none although the job names one."""
    if not job.start:
        return None, ""
    try:
        parts = {part: Path(path).read_bytes() for part, path in job.start_files.items()}
        return predictor_of(user, job.pair, job.targets, job.features, parts), ""
    except (OSError, KeyError, ValueError, Corrupt, StrategyError) as exc:
        return None, f"{job.start} cannot be read: {exc}"


def _contents(user: UserClass, job: TrainingJob, model: Any, dk: FreqaiDataKitchen) -> dict[str, bytes]:
    """Files by their endings: the model, its pipelines, and ``dk.data``."""
    data = {name: value for name, value in dk.data.items() if not name.startswith("filter_drop_index")}
    try:
        written = json.dumps(data, default=_plain, allow_nan=False, indent=0)
    except (TypeError, ValueError) as exc:
        raise Refused(f"{job.pair}: dk.data cannot be saved, it must hold JSON values only: {exc}") from exc
    with user.guarded():
        return {
            **estimator_files(model, user.types),
            "pipeline.skops": pipelines_bytes(dk.feature_pipeline, dk.label_pipeline, user.types),
            "data.json": written.encode(),
        }


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__}")


def _compare(
    user: UserClass, loaded: Predictor, instance: Any, dk: FreqaiDataKitchen, rows: NDArray[np.float32]
) -> None:
    """Make sure that the model says the same after reading, and of one row what it says of it within a batch.

    Raises:
        Refused: it does not.
        StrategyError: the user's ``predict`` raised, or did not answer.
    """
    fitted = Predictor(
        user,
        targets=loaded.targets,
        features=loaded.features,
        pair=dk.pair,
        model=instance.model,
        pipelines=(dk.feature_pipeline, dk.label_pipeline),
        data=json.loads(json.dumps(dk.data, default=_plain)),
    )
    before, batch, alone = fitted.said(rows), loaded.said(rows), loaded.said(rows[-1:])
    if not _same(before, batch):
        raise Refused(
            f"{user.file}: {user.name}: its predictions change when the model is saved and read again"
        )
    last = {name: values[-1:] for name, values in batch.columns.items()}
    if not all(_close(values, last[name]) for name, values in alone.columns.items()):
        raise Refused(f"{user.file}: {user.name}: it predicts another value for one row than within a batch")


def _same(one: Said, other: Said) -> bool:
    same = all(_close(values, other.columns[name]) for name, values in one.columns.items())
    return same and np.array_equal(one.accepted, other.accepted)


def _close(one: NDArray[Any], other: NDArray[Any]) -> bool:
    if one.dtype.kind != "f":
        return bool((one == other).all())
    return bool(np.allclose(one, other, rtol=1e-5, atol=1e-9))


def _statistics(
    job: TrainingJob, dk: FreqaiDataKitchen, which: str, ours: NDArray[np.float64]
) -> dict[str, float]:
    """Those that the user's training noted, else of the training rows; 0 for each class."""
    noted = dk.data.get(which, {})
    found: dict[str, float] = {}
    for i, target in enumerate(job.targets):
        if target.classes:
            found |= dict.fromkeys(target.classes, 0.0)
        else:
            found[target.name] = float(noted.get(target.name, ours[i]))
    return found


def _extra_returns(user: UserClass, dk: FreqaiDataKitchen) -> dict[str, float | str]:
    found: dict[str, float | str] = {}
    for name, value in dict(dk.data.get("extra_returns_per_train", {})).items():
        if fault := name_fault(str(name)):
            raise StrategyError(f"{user.file}: {user.name}: extra_returns_per_train: {fault}")
        if isinstance(value, str):
            found[str(name)] = value
        elif isinstance(value, int | float | np.number) and np.isfinite(float(value)):
            found[str(name)] = float(value)
        else:
            raise StrategyError(
                f"{user.file}: {user.name}: extra_returns_per_train[{name!r}] must be a finite number or a text, "
                f"not {value!r}"
            )
    return found


def _importances(job: TrainingJob, model: Any, dk: FreqaiDataKitchen) -> dict[str, bytes]:
    """One page per target where the estimators say what their features are worth."""
    count = job.plot_feature_importances
    if not count:
        return {}
    names = [str(name) for name in dk.data_dictionary["train_features"].columns]
    pages = {}
    models = list(getattr(model, "estimators_", None) or [model])
    if len(models) != len(job.targets):
        models = [model]
    for target, each in zip(job.targets, models, strict=False):
        try:
            found = np.asarray(each.feature_importances_, np.float64)
        except (AttributeError, CandledError, ValueError, TypeError):
            found = np.empty(0)
        if found.shape != (len(names),):
            fields = {"pair": job.pair, "model": job.model, "why": "it has no feature_importances_"}
            log.info("no_importances", extra={"fields": fields})
            continue
        label = "".join(c if c.isalnum() or c in "_.-" else "_" for c in target.name if c not in "&%")
        title = f"Best and worst features by importance {job.pair}, target {target.name}"
        pages[f"{job.file_stem}-{label}{PAGE}"] = importance_page(names, found, count, title)
    return pages
