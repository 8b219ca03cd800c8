"""A trained model ready to predict: model, pipeline and schema as one frozen unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from daemon.core.errors import Corrupt
from daemon.core.schema import FeatureSchema
from daemon.learning.models.registry import model_class
from daemon.learning.pipeline_files import read_pipeline

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from daemon.core.pair import Pair
    from daemon.learning.models.port import Model
    from daemon.learning.pipeline import Pipeline


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
        label: name of the target.
        classes: class names by code; empty for regression.
        label_mean: mean of the training labels (regression).
        label_std: their standard deviation.
        schema: features that it takes.
        pipeline: what happens to them before the model sees them.
        model: the fitted model.
        metrics: how it did on its test rows.
    """

    pair: Pair
    name: str
    window_end_ms: int
    label: str
    classes: tuple[str, ...]
    label_mean: float
    label_std: float
    schema: FeatureSchema
    pipeline: Pipeline
    model: Model
    metrics: Mapping[str, float]

    def answer(self, row: NDArray[np.float32]) -> Answer:
        """What the model says of one row of features, and whether that may be trusted.

        Args:
            row: float32[features] in the schema's order, all finite.
        """
        judged = self.pipeline.features.judge(row[None, :])
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
            ``label`` (the predicted value, or the likeliest class); for classes each class's probability under its
            name; for regression ``label_mean`` and ``label_std`` of the training labels.
        """
        return self._values(self.pipeline.features.transform(row[None, :]))

    def _values(self, features: NDArray[np.float32]) -> dict[str, float | str]:
        out = self.model.predict(features)
        if self.pipeline.label is None:
            shares = {name: float(out[0, code]) for code, name in enumerate(self.classes)}
            return {self.label: self.classes[int(out[0].argmax())], **shares}
        return {
            self.label: float(self.pipeline.label.inverse(out)[0]),
            f"{self.label}_mean": self.label_mean,
            f"{self.label}_std": self.label_std,
        }


def live_model(pair: Pair, name: str, metadata: Mapping[str, Any], files: Mapping[str, bytes]) -> LiveModel:
    """Put a model together from the verified contents of its artifact.

    Args:
        pair: whose it is.
        name: of the artifact.
        metadata: as `training_metadata` made it.
        files: contents by file name ending: ``model``, ``pipeline`` and the pipeline's matrices.

    Raises:
        Corrupt: something is missing or does not fit together.
    """
    try:
        return LiveModel(
            pair=pair,
            name=name,
            window_end_ms=int(metadata["window_end_ms"]),
            label=str(metadata["label"]),
            classes=tuple(metadata["classes"]),
            label_mean=float(metadata["labels_mean"].get(metadata["label"], 0.0)),
            label_std=float(metadata["labels_std"].get(metadata["label"], 0.0)),
            schema=FeatureSchema(tuple(metadata["training_features_list"])),
            pipeline=read_pipeline(files),
            model=model_class(metadata["model_class"]).from_bytes(files["model"]),
            metrics=dict(metadata["metrics"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise Corrupt(f"{name}: metadata or pipeline lacks something: {exc!r}") from exc
