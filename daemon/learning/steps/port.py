"""What the steps of a pipeline hand to each other, and the two ports that they fit into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_BLOCK = 256
"""Rows that are turned at a time: they stay near the processor."""


@dataclass(frozen=True, slots=True)
class Points:
    """Training rows on their way through the steps: the three arrays lose the same rows.

    Attributes:
        features: float32[n, k], C-contiguous, all finite.
        labels: float64[n, targets], each target in its own unit or as class code.
        weights: float64[n].
    """

    features: NDArray[np.float32]
    labels: NDArray[Any]
    weights: NDArray[np.float64]

    def __post_init__(self) -> None:
        if not len(self.features) == len(self.labels) == len(self.weights):
            raise ValueError("features, labels and weights must have the same number of rows")

    def __len__(self) -> int:
        return len(self.labels)

    def only(self, keep: NDArray[np.bool_]) -> Points:
        """The rows where bool[n] ``keep`` is true, in their order."""
        return Points(self.features[keep], self.labels[keep], self.weights[keep])


@dataclass(frozen=True, slots=True)
class Verdict:
    """A detector's opinion of some rows.

    Attributes:
        outlier: bool[n], unlike the training rows.
        di: float64[n], dissimilarity index; None for a detector that has none.
    """

    outlier: NDArray[np.bool_]
    di: NDArray[np.float64] | None = None


class Step(Protocol):
    """A fitted step. It is frozen, and needs numpy alone to work on rows.

    Rule: one row gives the bits that it gives within a batch.
    """

    name: ClassVar[str]
    """FreqAI's name of the step."""

    def saved(self) -> tuple[dict[str, Any], dict[str, NDArray[np.float32]]]:
        """All that `restored` needs: small values for JSON, and large float32 matrices by name."""
        ...

    @classmethod
    def restored(cls, values: Mapping[str, Any], arrays: Mapping[str, NDArray[np.float32]]) -> Self:
        """The inverse of `saved`.

        Raises:
            KeyError: something is missing.
            TypeError: something has another type.
            ValueError: something does not fit together.
        """
        ...


class Transform(Step, Protocol):
    """A step that changes rows."""

    @classmethod
    def fit(cls, rows: NDArray[np.float32]) -> Self:
        """Learn from float32[n, in], the training rows.

        Raises:
            Refused: they give no such step.
        """
        ...

    def transform(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Float32[n, out] of float32[n, in]; both C-contiguous."""
        ...


class Detector(Step, Protocol):
    """A step that judges rows and leaves them as they are."""

    def judge(self, rows: NDArray[np.float32]) -> Verdict:
        """Judge float32[n, k], each row by itself."""
        ...

    def outliers(self, rows: NDArray[np.float32]) -> NDArray[np.bool_]:
        """bool[n], `judge`'s outliers alone: where the index is not asked for, they may cost less."""
        ...


def vector(values: Any, dtype: type[np.generic]) -> NDArray[Any]:
    """A one-dimensional array of JSON numbers, all finite.

    Raises:
        ValueError: they are not.
    """
    found = np.array(values, dtype)
    if found.ndim != 1 or not np.isfinite(found).all():
        raise ValueError("not a list of finite numbers")
    return found


def column_major(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The rows Fortran-ordered, as CatBoost takes them: ``numpy.asfortranarray``, a quarter of its time for many rows."""
    if rows.flags.f_contiguous:
        return rows
    out = np.empty(rows.shape, rows.dtype, order="F")
    for start in range(0, len(rows), _BLOCK):
        out[start : start + _BLOCK] = rows[start : start + _BLOCK]
    return out
