"""A model class of your own: copy this file to ``user_data/freqaimodels`` and change it.

Run it with ``"freqaimodel": "CandledRidge"``; prove it with ``candled config model``. See docs/models.md.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from daemon.learning.models import Corrupt, LabelScaling, Refused, Scaling, UserModel, Varying, refuse_missing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from daemon.learning.models import FitOptions, PipelineOptions, Rows, Transform


class CandledRidge(UserModel):
    """Linear regression with a penalty on large weights, the rows weighted."""

    suffix = "json"

    def __init__(self, weights: NDArray[np.float64], offset: float) -> None:
        self.weights = weights
        self.offset = offset

    @classmethod
    def fit(cls, train: Rows, test: Rows | None, options: FitOptions) -> CandledRidge:  # noqa: ARG003  no early stop
        """``options.parameters`` are your ``model_training_parameters``; an unknown one is refused."""
        parameters = dict(options.parameters)
        alpha = float(parameters.pop("alpha", 1.0))
        if parameters or alpha < 0:
            raise Refused(f"CandledRidge takes alpha >= 0 alone, not {dict(options.parameters)}")
        rows = train.features.astype(np.float64)
        share = train.weights / train.weights.sum()
        middle, mean = share @ rows, float(share @ train.labels)
        centred, labels = rows - middle, train.labels - mean
        penalty = (alpha / len(rows) + 1e-9) * np.eye(rows.shape[1])
        products = centred.T @ (centred * share[:, None])
        weights = np.linalg.solve(products + penalty, centred.T @ (labels * share))
        return cls(weights, mean - float(middle @ weights))

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Each row's sum by itself: a matrix product may sum one row in another order than many."""
        refuse_missing(features)
        products = np.ascontiguousarray(features, np.float64) * self.weights
        return np.asarray(products.sum(axis=1) + self.offset)

    def to_bytes(self) -> bytes:
        """Plain numbers; JSON keeps a float64 exactly."""
        return json.dumps({"weights": self.weights.tolist(), "offset": self.offset}).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> CandledRidge:
        """Whatever is not what `to_bytes` wrote is corrupt."""
        try:
            values = json.loads(data)
            return cls(np.array(values["weights"], np.float64), float(values["offset"]))
        except (ValueError, KeyError, TypeError) as exc:
            raise Corrupt(f"not a CandledRidge: {exc!r}") from exc

    @classmethod
    def feature_pipeline(cls, options: PipelineOptions) -> tuple[type[Transform], ...]:  # noqa: ARG003  always these
        """What never varies is left out, the rest scaled to [-1, 1]."""
        return (Varying, Scaling)

    @classmethod
    def label_pipeline(cls, labels: NDArray[np.float64]) -> LabelScaling:
        """The label by mean and standard deviation, instead of minimum and maximum."""
        return LabelScaling.standard(labels)
