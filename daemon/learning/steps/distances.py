"""Exact Euclidean distances to a cloud of training rows, fast and without a matrix of all pairs.

All distances come from |x - y|^2 = |x|^2 + |y|^2 - 2 x.y, one float32 matrix product per block. That rounds; so
wherever the rounding could change an answer, the few pairs in question are computed anew in float64, difference by
difference. The answers are therefore those of float64, and a row's do not depend on the rows beside it.
"""

from __future__ import annotations

from dataclasses import InitVar, dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_BLOCK = 256
"""Rows at a time: 256 x 8,640 distances are 9 MB."""
_PAIRS = 4096
"""Pairs computed exactly at a time."""
_SAMPLE = 256
"""Points that `Cloud.surely_within` looks at, about."""
_PACES = (1 / 6, 1 / 2)
"""Shares of rows at which columns change, between the layers."""
_ALL = slice(None)


@dataclass(frozen=True, slots=True)
class _Layer:
    """Columns of about the same pace, each stretch of equal rows once.

    The features of a one hour candle stand in twelve rows of five-minute candles: kept and multiplied once, the
    training rows of three timeframes take half the memory and less than half the arithmetic.

    Attributes:
        columns: int64[c].
        rows: float32[u, c], C-contiguous, no two neighbours are equal.
        at: int64[n], for each point its row.
    """

    columns: NDArray[np.int64]
    rows: NDArray[np.float32]
    at: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Cloud:
    """Points that distances are measured to.

    Args:
        points: float32[n, k], C-contiguous, all finite; not kept.

    Attributes:
        squares: float32[n], the points' squared lengths.
    """

    points: InitVar[NDArray[np.float32]]
    squares: NDArray[np.float32] = field(init=False, repr=False)
    _layers: tuple[_Layer, ...] = field(init=False, repr=False)
    _width: int = field(init=False, repr=False)

    def __post_init__(self, points: NDArray[np.float32]) -> None:
        if points.ndim != 2 or not len(points):
            raise ValueError("not a matrix of points")
        object.__setattr__(self, "squares", _squares(points))
        object.__setattr__(self, "_layers", tuple(_layers(points)))
        object.__setattr__(self, "_width", points.shape[1])

    def __len__(self) -> int:
        return len(self.squares)

    def rows(self, which: NDArray[np.intp] | slice = _ALL) -> NDArray[np.float32]:
        """float32[m, k], some of the points, or all."""
        at = self._layers[0].at[which]
        found = np.empty((len(at), self._width), np.float32)
        for layer in self._layers:
            found[:, layer.columns] = layer.rows[layer.at[which]]
        return found

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

    def surely_within(self, rows: NDArray[np.float32], radius: float) -> NDArray[np.bool_]:
        """bool[m], rows of float32[m, k] that are certainly nearer than ``radius`` to a point; False says nothing.

        Few points are looked at: with a radius near the mean distance every usual row is near to one of them.
        """
        few = Cloud(self.rows(slice(0, None, max(1, len(self) // _SAMPLE))))
        found = np.empty(len(rows), np.bool_)
        for part in _blocks(len(rows)):
            rough, slack = few._rough(rows[part])
            found[part] = rough.min(axis=1) + slack < radius * radius * (1 - 1e-6)
        return found

    def mean(self) -> float:
        """Mean distance between two different points; each block meets itself and the later ones only."""
        n = len(self)
        if n < 2:
            return 0.0
        total = 0.0
        for part in _blocks(n):
            block = self.rows(part)
            distances = self._rough(block, part.start)[0]
            np.fill_diagonal(distances, 0)
            np.sqrt(np.maximum(distances, 0, out=distances), out=distances)
            inner, outer = distances[:, : len(block)].sum(axis=1), distances[:, len(block) :].sum(axis=1)
            total += float((inner.astype(np.float64) + 2 * outer.astype(np.float64)).sum())
        return total / (n * (n - 1))

    def own_nearest(self, count: int) -> NDArray[np.float32]:
        """float32[n, count], distances of each point to its nearest ones, itself first; not refined."""
        found = np.empty((len(self), count), np.float32)
        for part in _blocks(len(self)):
            distances = self._rough(self.rows(part))[0]
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
        fastest, *others = self._layers
        rough = _expanded(fastest, block, first)
        for layer in others:
            rough += _expanded(layer, block, first)
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
            difference = block[i[part]].astype(np.float64) - self.rows(j[part])
            found[part] = (difference * difference).sum(axis=1)
        return found


def _layers(points: NDArray[np.float32]) -> Iterator[_Layer]:
    """The points' columns by how often they change from row to row, the fastest first."""
    changed = points[1:] != points[:-1]
    paces = np.searchsorted(_PACES, changed.mean(axis=0) if len(changed) else np.zeros(points.shape[1]))
    for pace in np.unique(paces)[::-1]:
        columns = np.flatnonzero(paces == pace)
        starts = np.concatenate(([True], changed[:, columns].any(axis=1)))
        rows = np.ascontiguousarray(points[np.ix_(starts, columns)])
        yield _Layer(columns, rows, np.cumsum(starts) - 1)


def _expanded(layer: _Layer, block: NDArray[np.float32], first: int) -> NDArray[np.float32]:
    """float32[block, n - first], -2 x.y of a layer's columns for each row of the block and each point from ``first`` on."""
    part, low = np.ascontiguousarray(block[:, layer.columns]), int(layer.at[first])
    starts = np.concatenate(([True], (part[1:] != part[:-1]).any(axis=1)))
    runs: NDArray[np.float32] = part[starts] * np.float32(-2)
    points = layer.rows[low:]
    products: NDArray[np.float32] = runs @ points.T
    if len(points) < len(layer.at) - first:
        products = np.take(products, layer.at[first:] - low, axis=1)
    return products if len(runs) == len(block) else np.take(products, np.cumsum(starts) - 1, axis=0)


def _squares(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    found: NDArray[np.float32] = np.einsum("ij,ij->i", rows, rows, dtype=np.float64).astype(np.float32)
    return found


def _blocks(rows: int) -> Iterator[slice]:
    return (slice(start, min(start + _BLOCK, rows)) for start in range(0, rows, _BLOCK))
