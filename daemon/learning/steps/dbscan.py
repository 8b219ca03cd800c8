"""Outliers by density: rows that no crowd of training rows is near to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from daemon.learning.steps.distances import Cloud, trained_rows
from daemon.learning.steps.port import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_CROWD = 0.25
"""Share of the training rows that makes a crowd (DBSCAN's min_samples); FreqAI's."""


@dataclass(frozen=True, slots=True)
class Dbscan:
    """DBSCAN (Ester et al., KDD 1996) with FreqAI's automatic radius; noise points are outliers.

    A point is a core if at least ``crowd`` points, itself included, are no farther than ``radius``. It is noise
    if it is no core and no core is that near. Which cluster a point belongs to is never asked, so no clusters
    are made.

    Attributes:
        radius: eps.
        crowd: min_samples.
        trained: the training rows, noise included.
        core: bool[n], training rows that are cores as soon as one more row is near them.
    """

    name: ClassVar[str] = "dbscan"

    radius: float
    crowd: int
    trained: Cloud
    core: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if len(self.core) != len(self.trained) or not self.radius >= 0:
            raise ValueError("not a radius and the cores of the training rows")

    @classmethod
    def fit(cls, trained: Cloud) -> tuple[Self, NDArray[np.bool_]]:
        """Learn from the training rows.

        Returns:
            The step, and bool[n]: the training rows that are noise among themselves.
        """
        rows = trained.rows()
        crowd = max(int(len(rows) * _CROWD), 1)
        radius = _elbow(trained.own_nearest(crowd))
        counts = np.empty(len(rows), np.int64)
        for part, near in trained.within(rows, radius):
            counts[part] = near.sum(axis=1)
        core = counts >= crowd
        noise = ~core
        beside = np.flatnonzero(noise)
        for part, near in trained.within(rows[beside], radius):
            noise[beside[part]] = ~(near & core).any(axis=1)
        return cls(radius, crowd, trained, counts + 1 >= crowd), noise

    def judge(self, rows: NDArray[np.float32]) -> Verdict:
        """See `Detector`; as if each row alone were added to the training rows, as FreqAI does live."""
        noise = np.empty(len(rows), np.bool_)
        for part, near in self.trained.within(rows, self.radius):
            crowded = near.sum(axis=1) + 1 >= self.crowd
            noise[part] = ~(crowded | (near & self.core).any(axis=1))
        return Verdict(noise)

    def outliers(self, rows: NDArray[np.float32]) -> NDArray[np.bool_]:
        """See `Detector`."""
        return self.judge(rows).outlier

    def saved(self) -> tuple[dict[str, Any], dict[str, NDArray[np.float32]]]:
        """See `Step`; of core and other rows the fewer are listed."""
        few = np.flatnonzero(self.core if self.core.mean() < 0.5 else ~self.core)
        listed = "cores" if self.core.mean() < 0.5 else "others"
        layout, numbers = self.trained.packed()
        values = {"radius": self.radius, "crowd": self.crowd, listed: few.tolist(), **layout}
        return values, {"trained": numbers}

    @classmethod
    def restored(cls, values: Mapping[str, Any], arrays: Mapping[str, NDArray[np.float32]]) -> Self:
        """See `Step`."""
        trained = trained_rows(values, arrays)
        core = np.full(len(trained), "others" in values)
        listed = np.array(values["others" if "others" in values else "cores"], np.int64)
        if len(listed) and not 0 <= listed.min() <= listed.max() < len(core):
            raise ValueError("a core that is no training row")
        core[listed] = "cores" in values
        return cls(float(values["radius"]), int(values["crowd"]), trained, core)


def _elbow(nearest: NDArray[np.float32]) -> float:
    """FreqAI's eps: where the curve of sorted distances bends most, a bit back from it towards its chord.

    Args:
        nearest: float32[n, crowd], each row's distances to its nearest ones; sorted in place.
    """
    nearest.sort(axis=0)
    curve = nearest.mean(axis=1, dtype=np.float64)
    low, high = float(curve.min()), float(curve.max())
    if not high > low:
        return high
    bent = (curve - low) / (high - low)
    chord = np.linspace(bent[0], bent[-1], len(bent))
    at = int(np.abs(bent - chord).argmax())
    height = chord[at] + math.cos(math.pi / 4) * (bent[at] - chord[at])
    return float(height * (curve[-1] - curve[0]) + curve[0])
