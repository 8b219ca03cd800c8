"""A trained model ready to predict: model, pipeline and schema as one frozen unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from daemon.core.errors import Corrupt
from daemon.core.schema import FeatureSchema
from daemon.learning.models.registry import model_class
from daemon.learning.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from daemon.core.pair import Pair
    from daemon.learning.models.port import Model


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

    def values(self, row: NDArray[np.float32]) -> dict[str, float | str]:
        """Prediction columns for one row of features.

        Args:
            row: float32[features] in the schema's order, all finite.

        Returns:
            ``label`` (the predicted value, or the likeliest class); for classes each class's probability under its
            name; for regression ``label_mean`` and ``label_std`` of the training labels.
        """
        out = self.model.predict(self.pipeline.features.transform(row[None, :]))
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
        files: contents by file name ending: ``model`` and ``pipeline``.

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
            pipeline=Pipeline.from_bytes(files["pipeline"]),
            model=model_class(metadata["model_class"]).from_bytes(files["model"]),
            metrics=dict(metadata["metrics"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise Corrupt(f"{name}: metadata or pipeline lacks something: {exc!r}") from exc
