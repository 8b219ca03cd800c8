"""Outliers by the dissimilarity index: how far a row is from the training rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from daemon.core.errors import Refused
from daemon.learning.steps.distances import Cloud, trained_rows
from daemon.learning.steps.port import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Dissimilarity:
    """The dissimilarity index: distance to the nearest training row over the mean distance between training rows.

    After Meyer and Pebesma, *Predicting into unknown space?* (Methods in Ecology and Evolution 12, 2021), as
    FreqAI has it. A training row is its own nearest: its index is 0, so none is removed and none is looked at.

    Attributes:
        threshold: index from which on a row is an outlier.
        trained: the training rows.
        mean_distance: between two different ones.
    """

    name: ClassVar[str] = "di"

    threshold: float
    trained: Cloud
    mean_distance: float

    def __post_init__(self) -> None:
        if not (self.mean_distance > 0 and self.threshold > 0):
            raise ValueError("mean distance and threshold must be positive")

    @classmethod
    def fit(cls, trained: Cloud, threshold: float) -> Self:
        """Learn from the training rows.

        Raises:
            Refused: they are all the same.
        """
        mean = trained.mean()
        if not mean > 0:
            raise Refused("DI_threshold: all training rows are the same, nothing can be dissimilar")
        return cls(threshold, trained, mean)

    def judge(self, rows: NDArray[np.float32]) -> Verdict:
        """See `Detector`."""
        di = self.trained.nearest(rows) / self.mean_distance
        return Verdict(di >= self.threshold, di)

    def outliers(self, rows: NDArray[np.float32]) -> NDArray[np.bool_]:
        """See `Detector`; the index itself is computed of those rows only that may be outliers."""
        nearer, beyond = self.trained.surely(rows, self.threshold * self.mean_distance)
        unsure = ~(nearer | beyond)
        beyond[unsure] = self.judge(rows[unsure]).outlier
        return beyond

    def saved(self) -> tuple[dict[str, Any], dict[str, NDArray[np.float32]]]:
        """See `Step`."""
        layout, numbers = self.trained.packed()
        values = {"threshold": self.threshold, "mean_distance": self.mean_distance, **layout}
        return values, {"trained": numbers}

    @classmethod
    def restored(cls, values: Mapping[str, Any], arrays: Mapping[str, NDArray[np.float32]]) -> Self:
        """See `Step`."""
        return cls(float(values["threshold"]), trained_rows(values, arrays), float(values["mean_distance"]))
