"""A trained model ready to predict: model, pipeline and schema as one frozen unit."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from daemon.core.errors import ConfigError, Corrupt
from daemon.core.schema import FeatureSchema
from daemon.learning.head import Head
from daemon.learning.job import Target
from daemon.learning.models.registry import model_class, model_part, user_class
from daemon.learning.options import PipelineOptions
from daemon.learning.pipeline_files import read_pipeline
from daemon.learning.user_steps import own_transforms

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from daemon.core.pair import Pair
    from daemon.learning.models.user import UserClass
    from daemon.learning.pipeline import FeaturePipeline, LabelScaling


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A model's answer to one row.

    Attributes:
        values: prediction columns.
        di: dissimilarity index; NaN where it is off.
        outlier_of: names of the outlier methods that the row does not pass.
    """

    values: Mapping[str, float | str]
    di: float
    outlier_of: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveModel:
    """What predicts for a pair; swapped as a whole between two candles.

    Attributes:
        pair: whose model it is.
        name: of the artifact, for the record of predictions.
        window_end_ms: close of the newest candle of the training window; the model's age counts from here, and
            candles that closed before it are no test of it.
        heads: what it says of each target.
        schema: features that it takes.
        pipeline: what happens to them before any head sees them.
        metrics: by target, how it did on its test rows.
        extra_returns: columns that its training set beside the predictions, FreqAI's
            ``extra_returns_per_train``; they win over columns of the same name, as in FreqAI.
        doubt: why nothing may be entered on its predictions; empty if nothing speaks against that.
    """

    pair: Pair
    name: str
    window_end_ms: int
    heads: tuple[Head, ...]
    schema: FeatureSchema
    pipeline: FeaturePipeline
    metrics: Mapping[str, Mapping[str, float]]
    extra_returns: Mapping[str, float | str] = field(default_factory=dict)
    doubt: str = ""

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the targets."""
        return tuple(head.target.name for head in self.heads)

    @property
    def label_means(self) -> dict[str, float]:
        """Mean of the training labels of each target of numbers."""
        return {head.target.name: head.label_mean for head in self.heads if not head.target.classes}

    @property
    def numbers(self) -> tuple[str, ...]:
        """Names of the numbers that it predicts, see `Head.numbers`."""
        return tuple(name for head in self.heads for name in head.numbers)

    def predicted(self, rows: NDArray[np.float32]) -> dict[str, NDArray[np.float64]]:
        """Float64[n] of each of `numbers`, for float32[n, features] in the schema's order, outliers or not.

        Raises:
            Refused: a feature is beyond what scaling can hold.
            StrategyError: the user's own model class raised.
        """
        with self._guard():
            features = self.pipeline.transform(rows)
        found: dict[str, NDArray[np.float64]] = {}
        for head in self.heads:
            found |= head.predicted(features)
        return found

    def answer(self, row: NDArray[np.float32]) -> Answer:
        """What the model says of one row of features, and whether that may be trusted.

        Args:
            row: float32[features] in the schema's order, all finite.
        """
        with self._guard():
            judged = self.pipeline.judge(row[None, :])
        return Answer(
            values=self._values(judged.features),
            di=float(judged.di[0]),
            outlier_of=tuple(name for name, outlier in judged.outlier.items() if outlier[0]),
        )

    def values(self, row: NDArray[np.float32]) -> dict[str, float | str]:
        """Prediction columns for one row of features, outlier or not.

        Args:
            row: float32[features] in the schema's order, all finite.

        Returns:
            Those of all heads, see `Head.values`, and the extra returns.
        """
        with self._guard():
            features = self.pipeline.transform(row[None, :])
        return self._values(features)

    def _guard(self) -> contextlib.AbstractContextManager[None]:
        """Around the pipeline: a step may be the user's own."""
        user = self.heads[0].user if self.heads else None
        return contextlib.nullcontext() if user is None else user.guarded()

    def _values(self, features: NDArray[np.float32]) -> dict[str, float | str]:
        values: dict[str, float | str] = {}
        for head in self.heads:
            values |= head.values(features)
        return values | dict(self.extra_returns)


def live_model(pair: Pair, name: str, metadata: Mapping[str, Any], files: Mapping[str, bytes]) -> LiveModel:
    """Put a model together from the verified contents of its artifact.

    Args:
        pair: whose it is.
        name: of the artifact.
        metadata: as `training_metadata` made it, in this version or when a model had one target.
        files: contents by file name ending: ``model`` (``model-1``, ...), ``pipeline`` and the pipeline's matrices.

    Raises:
        Corrupt: something is missing or does not fit together.
        ConfigError: it is of a model class that is not there, or of another version of the user's file.
    """
    try:
        user = _user(name, metadata)
        if user is not None and user.freqai:
            from daemon.learning.freqai.live import freqai_model  # noqa: PLC0415  only such a class needs it

            return freqai_model(user, pair, name, metadata, files, targets=_targets(metadata))
        own = own_transforms(metadata["model_class"], PipelineOptions(**metadata.get("pipeline", {})))
        pipeline, targets = read_pipeline(files, own), _targets(metadata)
        heads = tuple(
            _head(metadata, target, scaling, files[model_part(i)], user)
            for i, (target, scaling) in enumerate(zip(targets, pipeline.labels, strict=True))
        )
        return LiveModel(
            pair=pair,
            name=name,
            window_end_ms=int(metadata["window_end_ms"]),
            heads=heads,
            schema=FeatureSchema(tuple(metadata["training_features_list"])),
            pipeline=pipeline.features,
            metrics=_metrics(metadata),
            extra_returns=dict(metadata.get("extra_returns", {})),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise Corrupt(f"{name}: metadata or pipeline lacks something: {exc!r}") from exc


def _user(name: str, metadata: Mapping[str, Any]) -> UserClass | None:
    """The user's class that a model is of.

    Raises:
        ConfigError: it is not there, or its file has been edited since: another code's model is not to be trusted.
    """
    user, trained_by = user_class(str(metadata["model_class"])), str(metadata.get("model_digest", ""))
    if trained_by == ("" if user is None else user.digest):
        return user
    if user is None:
        raise ConfigError(
            f"{name} is of a user's model class {metadata['model_class']!r}, which is not loaded"
        )
    raise ConfigError(f"{name} was trained by another version of {user.file}")


def _targets(metadata: Mapping[str, Any]) -> tuple[Target, ...]:
    if "label" in metadata:  # written when a model had one target
        return (Target(name=str(metadata["label"]), classes=tuple(metadata["classes"])),)
    classes = metadata["classes"]
    return tuple(Target(name=str(label), classes=tuple(classes[label])) for label in metadata["label_list"])


def _metrics(metadata: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    if "label" in metadata:  # as above
        return {metadata["label"]: dict(metadata["metrics"])} if metadata["metrics"] else {}
    return {label: dict(found) for label, found in metadata["metrics"].items()}


def _head(
    metadata: Mapping[str, Any],
    target: Target,
    scaling: LabelScaling | None,
    data: bytes,
    user: UserClass | None,
) -> Head:
    classifies = bool(target.classes)
    if classifies != (scaling is None):
        raise ValueError(f"target {target.name!r} and its scale do not fit together")
    with contextlib.nullcontext() if user is None else user.guarded():
        model = model_class(metadata["model_class"], classifies=classifies).from_bytes(data)
    return Head(
        target=target,
        label_mean=0.0 if classifies else float(metadata["labels_mean"][target.name]),
        label_std=0.0 if classifies else float(metadata["labels_std"][target.name]),
        scaling=scaling,
        model=model,
        user=user,
    )
