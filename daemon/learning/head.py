"""One target of a model: the fitted model behind the shared pipeline, and the scale of its label."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from daemon.core.errors import Refused, StrategyError
from daemon.learning.evaluate import classification_metrics, regression_metrics
from daemon.learning.models.port import FitOptions, Remembers, Rows
from daemon.learning.models.registry import model_class, user_class
from daemon.learning.models.user import UserModel
from daemon.learning.pipeline import LabelScaling

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from daemon.learning.continuation import StartHead
    from daemon.learning.job import Target, TrainingJob
    from daemon.learning.models.port import Model
    from daemon.learning.models.user import UserClass
    from daemon.learning.steps.port import Points


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What a model says of one target.

    Attributes:
        target: what it learnt.
        label_mean: mean of the training labels; 0 for classes.
        label_std: their standard deviation; 0 for classes.
        scaling: between the label's own unit and what the model learnt; None for classes.
        model: the fitted model.
        user: the user's class that it is of; None: one of ours.
    """

    target: Target
    label_mean: float
    label_std: float
    scaling: LabelScaling | None
    model: Model
    user: UserClass | None = None

    def out(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """What the model says of float32[n, k]: float64[n], scaled, or float64[n, classes] probabilities.

        Raises:
            Refused: a feature is not a finite number.
            StrategyError: the user's code raised, or gave something else.
        """
        if self.user is None:
            return self.model.predict(features)
        with self.user.guarded():
            out = np.asarray(self.model.predict(features), np.float64)
        wanted = (len(features), len(self.target.classes)) if self.target.classes else (len(features),)
        if out.shape != wanted or not np.isfinite(out).all():
            raise StrategyError(
                f"{self.user.file}: {self.user.name}.predict must return finite numbers of shape {wanted}"
            )
        return out

    def values(self, features: NDArray[np.float32]) -> dict[str, float | str]:
        """Prediction columns of this target.

        Args:
            features: float32[1, k], a row behind the pipeline.

        Returns:
            The target's name -> the predicted value, or the likeliest class; for classes each class's probability
            under its name; for regression ``<target>_mean`` and ``<target>_std`` of the training labels.
        """
        name, out = self.target.name, self.out(features)
        if self.scaling is None:
            shares = {each: float(out[0, code]) for code, each in enumerate(self.target.classes)}
            return {name: self.target.classes[int(out[0].argmax())], **shares}
        return {
            name: float(self.scaling.inverse(out)[0]),
            f"{name}_mean": self.label_mean,
            f"{name}_std": self.label_std,
        }

    @property
    def numbers(self) -> tuple[str, ...]:
        """Names of the numbers that are predicted: the target's own, or each class's probability."""
        return (self.target.name,) if self.scaling is not None else self.target.classes

    def predicted(self, features: NDArray[np.float32]) -> dict[str, NDArray[np.float64]]:
        """Float64[n] of each of `numbers`, for float32[n, k] behind the pipeline."""
        out = self.out(features)
        if self.scaling is not None:
            return {self.target.name: self.scaling.inverse(out)}
        return {name: out[:, code] for code, name in enumerate(self.target.classes)}


def fitted_head(
    job: TrainingJob,
    index: int,
    points: Points,
    test: Points,
    *,
    raw_labels: NDArray[np.float64],
    start: StartHead | None,
    stop: Callable[[], bool] | None,
) -> Head:
    """Fit the model of one target.

    Args:
        job: the whole training.
        index: which of its targets.
        points: training rows behind the pipeline, without outliers.
        test: test rows behind the pipeline, without outliers; they may stop the fit early.
        raw_labels: float64[n, targets] of the training rows, outliers included: FreqAI takes mean and standard
            deviation before the outliers go, and the scale after.
        start: what to go on from; None: from nothing.
        stop: asked now and then during the fit; True ends it.

    Raises:
        Refused: these rows or parameters cannot be trained on.
        CannotContinue: not from ``start``.
        FitStopped: ``stop`` said so.
    """
    target = job.targets[index]
    classifies = bool(target.classes)
    cls = model_class(job.model, classifies=classifies)
    user = user_class(job.model)
    with contextlib.nullcontext() if user is None else user.guarded():
        scaling = None if classifies else _scaling(cls, target, points.labels[:, index])
    if start is not None:
        scaling = start.scaling  # the new one has shown that the label is not constant
    if classifies and len(np.unique(points.labels[:, index])) == 1:
        raise Refused(
            f"label {target.name!r} has one class in every training row: nothing can be learnt from it"
        )
    options = FitOptions(
        parameters=job.parameters,
        seed=job.seed,
        threads=job.threads,
        classes=len(target.classes),
        stop=stop,
        start=None if start is None else start.model,
    )
    rows, tests = _rows(points, index, scaling), _rows(test, index, scaling) if len(test) else None
    with contextlib.nullcontext() if user is None else user.guarded():
        model = cls.fit(rows, tests, options)
        if not isinstance(model, cls):
            raise TypeError(f"{job.model}.fit returned {type(model).__name__}; it must return a {job.model}")
    label = raw_labels[:, index]
    return Head(
        target=target,
        label_mean=0.0 if classifies else float(label.mean()),
        label_std=0.0 if classifies else float(label.std()),
        scaling=scaling,
        model=model,
        user=user,
    )


def judged(
    head: Head,
    features: NDArray[np.float32],
    labels: NDArray[np.float64],
    train_labels: NDArray[np.float64],
) -> dict[str, float]:
    """How good a head is on rows that it has not seen.

    Args:
        head: what is judged.
        features: float32[n, k], at least one row behind the pipeline: the test rows that its model was fitted with.
        labels: float64[n], their labels in the target's own unit or as class codes.
        train_labels: float64[m], those of the training rows, for the naive baseline.
    """
    known = head.model.of_test() if head.user is None and isinstance(head.model, Remembers) else None
    out = head.out(features) if known is None else known
    if head.scaling is not None:
        return regression_metrics(labels, head.scaling.inverse(out), float(train_labels.mean()))
    codes = train_labels.astype(np.int64)
    shares = np.bincount(codes, minlength=len(head.target.classes)) / len(codes)
    return classification_metrics(labels.astype(np.int64), out, shares, head.target.classes)


def _scaling(cls: type[Model], target: Target, labels: NDArray[np.float64]) -> LabelScaling:
    try:
        return cls.label_pipeline(labels) if issubclass(cls, UserModel) else LabelScaling.fit(labels)
    except Refused as exc:
        raise Refused(f"target {target.name!r}: {exc}") from exc


def _rows(points: Points, index: int, scaling: LabelScaling | None) -> Rows:
    labels = points.labels[:, index]
    return Rows(
        points.features,
        labels.astype(np.int64) if scaling is None else scaling.transform(labels),
        points.weights,
    )
