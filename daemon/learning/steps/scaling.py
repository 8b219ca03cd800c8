"""Leaving out columns that never vary, and scaling the others to [-1, 1]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from daemon.core.errors import Refused
from daemon.learning.steps.blocks import blocks
from daemon.learning.steps.port import vector

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_BLOCK = 32
"""Rows at a time: their float64 numbers stay near the processor."""


@dataclass(frozen=True, slots=True)
class Varying:
    """Keeps the columns that vary: scikit-learn's ``VarianceThreshold(0)``.

    Attributes:
        kept: int64[k], their indices.
    """

    name: ClassVar[str] = "const"

    kept: NDArray[np.int64]

    @classmethod
    def fit(cls, rows: NDArray[np.float32]) -> Self:
        """Learn from float32[n, columns].

        Raises:
            Refused: no column varies.
        """
        varies = (rows[1:_BLOCK] != rows[0]).any(axis=0)  # most columns do at once
        rest = np.flatnonzero(~varies)
        varies[rest] = (rows[:, rest] != rows[0, rest]).any(axis=0)
        kept = np.flatnonzero(varies)
        if not len(kept):
            raise Refused(
                "every feature is constant over the training window: nothing can be learnt from them"
            )
        return cls(kept)

    def transform(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Transform`."""
        if len(self.kept) == rows.shape[1]:
            return rows
        return np.take(rows, self.kept, axis=1)

    def saved(self) -> tuple[dict[str, Any], dict[str, NDArray[np.float32]]]:
        """See `Step`."""
        return {"kept": self.kept.tolist()}, {}

    @classmethod
    def restored(cls, values: Mapping[str, Any], _: Mapping[str, NDArray[np.float32]]) -> Self:
        """See `Step`."""
        return cls(vector(values["kept"], np.int64))


@dataclass(frozen=True, slots=True)
class Scaling:
    """Min-max scaling to [-1, 1]: scikit-learn's ``MinMaxScaler(feature_range=(-1, 1))``.

    Attributes:
        low: float32[k], minimum over the training rows.
        high: float32[k], maximum; above ``low``.
    """

    name: ClassVar[str] = "scaler"

    low: NDArray[np.float32]
    high: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.low.shape != self.high.shape or not (self.high > self.low).all():
            raise ValueError("not the bounds of columns that vary")

    @classmethod
    def fit(cls, rows: NDArray[np.float32]) -> Self:
        """Learn from float32[n, k], every column varies."""
        low = high = rows[0]
        for part in blocks(len(rows)):  # both while the numbers are near the processor
            low, high = np.minimum(low, rows[part].min(axis=0)), np.maximum(high, rows[part].max(axis=0))
        return cls(low, high)

    def transform(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Transform`; values beyond the training's range go beyond [-1, 1]."""
        # One row must give the bits that it gives within a batch: element-wise arithmetic only. In float64, and in
        # scikit-learn's order: what is equal there, or 0, is so here, and a tree is grown on no more than that.
        low, high = self.low.astype(np.float64), self.high.astype(np.float64)
        scale = 2.0 / (high - low)
        offset = -1.0 - low * scale
        # One line below the other: one stretch of numbers times another is a third faster than row by row.
        height = min(len(rows), _BLOCK)
        scales, offsets = np.tile(scale, (height, 1)), np.tile(offset, (height, 1))
        out, wide = np.empty(rows.shape, np.float32), np.empty((height, rows.shape[1]))
        for start in range(0, len(rows), _BLOCK):
            part = rows[start : start + _BLOCK]
            block = wide[: len(part)]
            block[...] = part
            block *= scales[: len(part)]
            block += offsets[: len(part)]
            out[start : start + _BLOCK] = block
        return out

    def saved(self) -> tuple[dict[str, Any], dict[str, NDArray[np.float32]]]:
        """See `Step`; a float32 survives JSON exactly as the decimal digits of its float64."""
        return {"low": self.low.astype(float).tolist(), "high": self.high.astype(float).tolist()}, {}

    @classmethod
    def restored(cls, values: Mapping[str, Any], _: Mapping[str, NDArray[np.float32]]) -> Self:
        """See `Step`."""
        return cls(vector(values["low"], np.float32), vector(values["high"], np.float32))
