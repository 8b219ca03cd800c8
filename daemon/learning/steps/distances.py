"""Exact Euclidean distances to a cloud of training rows, fast and without a matrix of all pairs.

All distances come from |x - y|^2 = |x|^2 + |y|^2 - 2 x.y, one float32 matrix product per block. That rounds; so
wherever the rounding could change an answer, the few pairs in question are computed anew in float64, difference by
difference. The answers are therefore those of float64, and a row's do not depend on the rows beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_BLOCK = 256
"""Rows at a time: 256 x 8,640 distances are 9 MB."""
_PAIRS = 4096
"""Pairs computed exactly at a time."""


@dataclass(frozen=True, slots=True)
class Cloud:
    """Points that distances are measured to.

    Attributes:
        points: float32[n, k], C-contiguous, all finite.
        squares: float32[n], their squared lengths.
    """

    points: NDArray[np.float32]
    squares: NDArray[np.float32] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.points.ndim != 2 or not len(self.points):
            raise ValueError("not a matrix of points")
        object.__setattr__(self, "squares", _squares(self.points))

    def nearest(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """float64[m], distance of each of float32[m, k] to the nearest point."""
        found = np.empty(len(rows))
        for part in _blocks(len(rows)):
            block = rows[part]
            rough, slack = self._rough(block)
            # The nearest point's rough value exceeds the least one by at most twice the error.
            i, j = np.nonzero(rough <= (rough.min(axis=1) + 2 * slack)[:, None])
            exact = self._exact(block, i, j)
            starts = np.searchsorted(i, np.arange(len(block)))  # every row has at least one candidate
            found[part] = np.sqrt(np.minimum.reduceat(exact, starts))
        return found

    def mean(self) -> float:
        """Mean distance between two different points; each block meets itself and the later ones only."""
        n = len(self.points)
        if n < 2:
            return 0.0
        total = 0.0
        for part in _blocks(n):
            block = self.points[part]
            distances = self._rough(block, part.start)[0]
            np.fill_diagonal(distances, 0)
            np.sqrt(np.maximum(distances, 0, out=distances), out=distances)
            inner = float(distances[:, : len(block)].sum(dtype=np.float64))
            total += inner + 2 * float(distances[:, len(block) :].sum(dtype=np.float64))
        return total / (n * (n - 1))

    def own_nearest(self, count: int) -> NDArray[np.float32]:
        """float32[n, count], distances of each point to its nearest ones, itself first; not refined."""
        found = np.empty((len(self.points), count), np.float32)
        for part in _blocks(len(self.points)):
            distances = self._rough(self.points[part])[0]
            np.fill_diagonal(distances[:, part.start :], 0)
            nearest = np.maximum(np.partition(distances, count - 1, axis=1)[:, :count], 0)
            nearest.sort(axis=1)
            np.sqrt(nearest, out=found[part])
        return found

    def within(self, rows: NDArray[np.float32], radius: float) -> Iterator[tuple[slice, NDArray[np.bool_]]]:
        """For each block of float32[m, k], in order, its slice and bool[block, n]: no farther than ``radius``."""
        limit = radius * radius
        for part in _blocks(len(rows)):
            block = rows[part]
            rough, slack = self._rough(block)
            near = rough <= limit
            i, j = np.nonzero(
                np.abs(rough - np.float32(limit)) <= (slack + np.float32(1e-6 * limit))[:, None]
            )
            near[i, j] = self._exact(block, i, j) <= limit
            yield part, near

    def _rough(
        self, block: NDArray[np.float32], first: int = 0
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Squared distances to the points from ``first`` on, and for each row a bound of their error."""
        own, squares = _squares(block), self.squares[first:]
        # One live row: BLAS would share a matrix-vector product among threads, which wait for each other (8 ms
        # instead of 0.4 while a training keeps the processors busy). Single dot products stay in this thread.
        points = self.points[first:]
        rough = block @ points.T if len(block) > 1 else np.vecdot(points, block[0])[None]
        rough *= np.float32(-2)
        rough += squares
        rough += own[:, None]
        # A float32 dot product of k terms is off by at most k * 2^-24 * |x| |y| (Higham, Accuracy and Stability
        # of Numerical Algorithms, section 3.1), and |x| |y| by half the sum of squares; doubled for the rest.
        slack = np.float32((block.shape[1] + 8) * 2.0**-23) * (own + squares.max())
        return rough, slack

    def _exact(
        self, block: NDArray[np.float32], i: NDArray[np.intp], j: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """float64[pairs], squared distances of rows ``i`` of the block to points ``j``."""
        found = np.empty(len(i))
        for start in range(0, len(i), _PAIRS):
            part = slice(start, start + _PAIRS)
            difference = block[i[part]].astype(np.float64) - self.points[j[part]]
            found[part] = (difference * difference).sum(axis=1)
        return found


def _squares(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    found: NDArray[np.float32] = np.einsum("ij,ij->i", rows, rows, dtype=np.float64).astype(np.float32)
    return found


def _blocks(rows: int) -> Iterator[slice]:
    return (slice(start, min(start + _BLOCK, rows)) for start in range(0, rows, _BLOCK))
