"""Steps between a strategy's features and a model: fitted on the training rows, applied to every row."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from daemon.core.errors import Refused
from daemon.learning.steps.components import Components
from daemon.learning.steps.dbscan import Dbscan
from daemon.learning.steps.dissimilarity import Dissimilarity
from daemon.learning.steps.distances import Cloud
from daemon.learning.steps.scaling import Scaling, Varying
from daemon.learning.steps.svm import OneClassSvm

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from daemon.learning.options import PipelineOptions
    from daemon.learning.steps.port import Detector, Points, Transform


@dataclass(frozen=True, slots=True)
class Judged:
    """Rows after the pipeline.

    Attributes:
        features: float32[n, k], C-contiguous, ready for the model.
        outlier: bool[n] by the name of each detector.
        di: float64[n], dissimilarity index; NaN where it is off.
    """

    features: NDArray[np.float32]
    outlier: Mapping[str, NDArray[np.bool_]]
    di: NDArray[np.float64]

    @property
    def inlier(self) -> NDArray[np.bool_]:
        """bool[n], no detector objects."""
        kept = np.ones(len(self.features), np.bool_)
        for outlier in self.outlier.values():
            kept &= ~outlier
        return kept


@dataclass(frozen=True, slots=True)
class FeaturePipeline:
    """What happens to a row before a model sees it.

    Attributes:
        transforms: change the row, one after the other.
        detectors: judge the changed row, each by itself.
    """

    transforms: tuple[Transform, ...]
    detectors: tuple[Detector, ...] = ()

    def judge(self, rows: NDArray[np.float32]) -> Judged:
        """Transform float32[n, features] and ask every detector."""
        changed = self.transform(rows)
        di = np.full(len(rows), np.nan)
        outlier = {}
        for detector in self.detectors:
            verdict = detector.judge(changed)
            outlier[detector.name] = verdict.outlier
            di = di if verdict.di is None else verdict.di
        return Judged(changed, outlier, di)

    def inliers(self, rows: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """`judge`'s features and inliers alone; for many rows that is much cheaper."""
        changed = self.transform(rows)
        kept = np.ones(len(rows), np.bool_)
        for detector in self.detectors:
            kept &= ~detector.outliers(changed)
        return changed, kept

    def transform(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Float32[n, k] of float32[n, features], C-contiguous; nothing is judged."""
        for transform in self.transforms:
            rows = transform.transform(rows)
        return rows

    def names(self, features: Sequence[str]) -> tuple[str, ...]:
        """What the columns are called that come out, given what went in: features, or principal components."""
        names = tuple(features)
        for transform in self.transforms:
            if isinstance(transform, Varying):
                names = tuple(names[i] for i in transform.kept)
            elif isinstance(transform, Components):
                names = tuple(f"component {i + 1}" for i in range(len(transform.axes)))
        return names


@dataclass(frozen=True, slots=True)
class Prepared:
    """What fitting a pipeline leaves of its training rows.

    Attributes:
        pipeline: the fitted steps.
        points: the rows to fit a model on: transformed, without outliers, with noise if that is on.
        removed: training rows removed, by the name of each detector.
        left_out: detectors that are off because of ``outlier_protection_percentage``, with the number of training
            rows that each would have removed.
    """

    pipeline: FeaturePipeline
    points: Points
    removed: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)


def configured_transforms(options: PipelineOptions) -> tuple[type[Transform], ...]:
    """The steps that change features, as FreqAI's parameters ask for them."""
    components = (Components, Scaling) if options.principal_component_analysis else ()
    return (Varying, Scaling, *components)


def prepared(
    points: Points,
    options: PipelineOptions,
    seed: int,
    transforms: tuple[Transform, ...] = (),
    kinds: Sequence[type[Transform]] | None = None,
) -> Prepared:
    """Fit all steps in FreqAI's order: const, scaler, pca, its scaler, svm, di, dbscan, noise.

    Args:
        points: training rows, features untransformed.
        options: which steps.
        seed: for all randomness.
        transforms: fitted before; they take the place of new ones.
        kinds: transforms to fit, in order; None: those that ``options`` ask for.

    Raises:
        Refused: these rows or parameters give no pipeline; the message says why.
    """
    if transforms:
        points = replace(points, features=FeaturePipeline(transforms).transform(points.features))
    else:
        kinds = configured_transforms(options) if kinds is None else kinds
        transforms, points = _transformed(points, kinds)
    detectors, removed, left_out = [], {}, {}
    for find in (_svm, _dissimilarity, _dbscan):
        detector, outlier = find(points, options, seed)
        if detector is None:
            continue
        count = int(outlier.sum())
        if count * 100 > options.outlier_protection_percentage * len(points):
            left_out[detector.name] = count
            continue
        detectors.append(detector)
        removed[detector.name] = count
        points = points.only(~outlier) if count else points
        if not len(points):
            raise Refused(f"the outlier methods removed every training row: {removed}")
    pipeline = FeaturePipeline(transforms, tuple(detectors))
    return Prepared(pipeline, _noisy(points, options.noise_standard_deviation, seed), removed, left_out)


def _transformed(points: Points, kinds: Sequence[type[Transform]]) -> tuple[tuple[Transform, ...], Points]:
    transforms: list[Transform] = []
    rows = points.features
    for kind in kinds:
        step = kind.fit(rows)
        transforms.append(step)
        rows = np.ascontiguousarray(step.transform(rows), np.float32)
    return tuple(transforms), replace(points, features=rows)


_Found = tuple["Detector | None", "NDArray[np.bool_]"]
_NONE = np.empty(0, np.bool_)


def _svm(points: Points, options: PipelineOptions, seed: int) -> _Found:
    if not options.use_svm:
        return None, _NONE
    step = OneClassSvm.fit(points, options.svm_params, seed)
    return step, step.outliers(points.features)


def _dissimilarity(points: Points, options: PipelineOptions, _: int) -> _Found:
    if not options.di_threshold:
        return None, _NONE
    step = Dissimilarity.fit(Cloud(points.features), options.di_threshold)
    # Every training row's index is 0, for it is among the rows that it is compared with: there is nothing to judge.
    return step, np.zeros(len(points), np.bool_)


def _dbscan(points: Points, options: PipelineOptions, _: int) -> _Found:
    return Dbscan.fit(Cloud(points.features)) if options.use_dbscan else (None, _NONE)


def _noisy(points: Points, deviation: float, seed: int) -> Points:
    """Training rows with Gaussian noise; what a model predicts from is never touched."""
    if not deviation:
        return points
    noise = np.random.default_rng(seed).standard_normal(points.features.shape, np.float32)
    return replace(points, features=points.features + noise * np.float32(deviation))


@dataclass(frozen=True, slots=True)
class LabelScaling:
    """The linear scale that takes ``low`` to -1 and ``high`` to 1."""

    low: float
    high: float

    @classmethod
    def fit(cls, labels: NDArray[np.float64]) -> LabelScaling:
        """By minimum and maximum of float64[n], all finite, as FreqAI does.

        Raises:
            Refused: the label is constant.
        """
        low, high = float(labels.min()), float(labels.max())
        if not high > low:
            raise Refused(f"the label is {low} in every training row: nothing can be learnt from it")
        return cls(low, high)

    @classmethod
    def standard(cls, labels: NDArray[np.float64]) -> LabelScaling:
        """By mean and standard deviation of float64[n], all finite.

        Raises:
            Refused: the label is constant.
        """
        if not labels.max() > labels.min():
            return cls.fit(labels)  # which refuses it
        mean, std = float(labels.mean()), float(labels.std())
        return cls(mean - std, mean + std)

    @classmethod
    def none(cls) -> LabelScaling:
        """The label in its own unit."""
        return cls(-1.0, 1.0)

    def transform(self, labels: NDArray[np.float64]) -> NDArray[np.float64]:
        """To the scale."""
        return (labels - self.low) * (2 / (self.high - self.low)) - 1

    def inverse(self, scaled: NDArray[np.float64]) -> NDArray[np.float64]:
        """Back to the label's own unit."""
        return (scaled + 1) * ((self.high - self.low) / 2) + self.low


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A model's whole pre- and post-processing; one unit with the model.

    Attributes:
        features: of all targets.
        labels: scaling of each target; None for one of classes.
    """

    features: FeaturePipeline
    labels: tuple[LabelScaling | None, ...]
