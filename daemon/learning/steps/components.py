"""Principal components instead of features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from daemon.learning.steps.port import vector

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

VARIANCE = 0.999
"""Share of the training rows' variance that the components keep together; FreqAI's."""


@dataclass(frozen=True, slots=True)
class Components:
    """Principal component analysis: scikit-learn's ``PCA(n_components=0.999)``.

    Attributes:
        mean: float32[k], over the training rows.
        axes: float32[components, k], C-contiguous.
    """

    name: ClassVar[str] = "pca"

    mean: NDArray[np.float32]
    axes: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.axes.ndim != 2 or self.axes.shape[1:] != self.mean.shape:
            raise ValueError("axes and mean are not of the same features")
        if not np.isfinite(self.axes).all():
            raise ValueError("axes that are not finite")

    @classmethod
    def fit(cls, rows: NDArray[np.float32]) -> Self:
        """Learn from float32[n, k]; computed in float64, as FreqAI does."""
        from sklearn.decomposition import PCA  # noqa: PLC0415  only the training process pays for this import

        found = PCA(n_components=VARIANCE).fit(rows.astype(np.float64))
        axes = np.ascontiguousarray(found.components_, dtype=np.float32)
        return cls(found.mean_.astype(np.float32), axes)

    def transform(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Transform`."""
        # A matrix product sums in another order than a matrix-vector product, so a row would depend in its last
        # bits on the rows beside it. Here each number is a dot product of its own, in a batch as well as live.
        centred = rows - self.mean
        out: NDArray[np.float32] = np.vecdot(self.axes, centred[:, None, :])
        return out

    def saved(self) -> tuple[dict[str, Any], dict[str, NDArray[np.float32]]]:
        """See `Step`."""
        return {"mean": self.mean.astype(float).tolist()}, {"pca": self.axes}

    @classmethod
    def restored(cls, values: Mapping[str, Any], arrays: Mapping[str, NDArray[np.float32]]) -> Self:
        """See `Step`."""
        return cls(vector(values["mean"], np.float32), arrays["pca"])
