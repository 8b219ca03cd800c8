"""Steps between a strategy's features and a model: fitted on the training rows, applied to every row."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from daemon.core.errors import Corrupt, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class FeaturePipeline:
    """Leave out constant columns, then scale the rest to [-1, 1] by the training rows' minimum and maximum.

    The same two steps, in this order, that FreqAI's pipeline begins with (variance threshold 0, min-max).

    Attributes:
        kept: int64[k], indices of the columns that vary.
        low: float32[k], minimum over the training rows.
        high: float32[k], maximum.
    """

    kept: NDArray[np.int64]
    low: NDArray[np.float32]
    high: NDArray[np.float32]

    @classmethod
    def fit(cls, rows: NDArray[np.float32]) -> FeaturePipeline:
        """Learn from float32[n, features], all finite.

        Raises:
            Refused: no column varies.
        """
        low, high = rows.min(axis=0), rows.max(axis=0)
        kept = np.flatnonzero(high > low)
        if not len(kept):
            raise Refused(
                "every feature is constant over the training window: nothing can be learnt from them"
            )
        return cls(kept, low[kept], high[kept])

    def transform(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Float32[n, k] of float32[n, features]; values beyond the training's range go beyond [-1, 1]."""
        # One row must give the bits that it gives within a batch: element-wise arithmetic only.
        scaled = (rows[:, self.kept] - self.low) * (np.float32(2) / (self.high - self.low)) - np.float32(1)
        return np.asfortranarray(scaled)


@dataclass(frozen=True, slots=True)
class LabelScaling:
    """Scale a regression label to [-1, 1] by the training rows' minimum and maximum, as FreqAI does."""

    low: float
    high: float

    @classmethod
    def fit(cls, labels: NDArray[np.float64]) -> LabelScaling:
        """Learn from float64[n], all finite.

        Raises:
            Refused: the label is constant.
        """
        low, high = float(labels.min()), float(labels.max())
        if not high > low:
            raise Refused(f"the label is {low} in every training row: nothing can be learnt from it")
        return cls(low, high)

    def transform(self, labels: NDArray[np.float64]) -> NDArray[np.float64]:
        """To [-1, 1]."""
        return (labels - self.low) * (2 / (self.high - self.low)) - 1

    def inverse(self, scaled: NDArray[np.float64]) -> NDArray[np.float64]:
        """Back to the label's own unit."""
        return (scaled + 1) * ((self.high - self.low) / 2) + self.low


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A model's whole pre- and post-processing; one unit with the model."""

    features: FeaturePipeline
    label: LabelScaling | None

    def to_bytes(self) -> bytes:
        """As JSON; numbers survive exactly (float32 is exact in JSON's decimal digits of a float64)."""
        values: dict[str, Any] = {
            "kept": self.features.kept.tolist(),
            "low": self.features.low.astype(float).tolist(),
            "high": self.features.high.astype(float).tolist(),
            "label": None if self.label is None else [self.label.low, self.label.high],
        }
        return json.dumps(values, sort_keys=True, indent=0).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Pipeline:
        """The inverse of `to_bytes`.

        Raises:
            Corrupt: the bytes are not a pipeline.
        """
        try:
            values: Mapping[str, Any] = json.loads(data)
            features = FeaturePipeline(
                np.array(values["kept"], np.int64),
                np.array(values["low"], np.float32),
                np.array(values["high"], np.float32),
            )
            label = None if values["label"] is None else LabelScaling(*map(float, values["label"]))
        except (ValueError, KeyError, TypeError) as exc:
            raise Corrupt(f"not a pipeline: {exc}") from exc
        return cls(features, label)
