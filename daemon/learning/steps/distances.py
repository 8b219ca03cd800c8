"""Exact Euclidean distances to a cloud of training rows, fast and without a matrix of all pairs.

All distances come from |x - y|^2 = |x|^2 + |y|^2 - 2 x.y, one float32 matrix product per block. That rounds; so
wherever the rounding could change an answer, the few pairs in question are computed anew in float64, difference by
difference. The answers are therefore those of float64, and a row's do not depend on the rows beside it.
"""

from __future__ import annotations

from dataclasses import InitVar, dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from daemon.learning.steps.blocks import blocks, stretches
from daemon.learning.steps.every_pair import mean_distance
from daemon.learning.steps.layers import Layer, layers_of, one_layer, packed, unpacked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray


_Seen = list[tuple["NDArray[np.float32]", "NDArray[np.int64]"]]
"""Rows by layer, the fastest first: its runs times -2, and for each that in the next slower layer."""
_PAIRS = 4096
"""Pairs computed exactly at a time."""
_SAMPLE = 128
"""Points, about, that `Cloud.surely` looks at first."""
_FEW = 64
"""Rows at a time whose near points are looked for together: the fewer, the fewer points, and the slower each product."""
_ALL = slice(None)
_FAR = np.errstate(over="ignore", invalid="ignore")
"""What float32 cannot hold is computed in float64, and no reason for a warning."""


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
    _layers: tuple[Layer, ...] = field(init=False, repr=False)
    _width: int = field(init=False, repr=False)

    def __post_init__(self, points: NDArray[np.float32]) -> None:
        if points.ndim != 2 or not len(points):
            raise ValueError("not a matrix of points")
        self._hold(layers_of(points))

    @_FAR
    def _hold(self, layers: tuple[Layer, ...]) -> None:
        squares = np.zeros(len(layers[0].at))
        for layer in layers:
            squares += layer.squares[layer.at]
        if not np.isfinite(squares).all():  # sums in float64: they are where the numbers are
            raise ValueError("points that are not finite")
        object.__setattr__(self, "squares", squares.astype(np.float32))
        object.__setattr__(self, "_layers", layers)
        object.__setattr__(self, "_width", sum(len(layer.columns) for layer in layers))

    def packed(self) -> tuple[dict[str, Any], NDArray[np.float32]]:
        """The points as they are held, for files; see `daemon.learning.steps.layers.packed`."""
        return packed(self._layers)

    @classmethod
    def unpacked(cls, layout: Mapping[str, Any], numbers: NDArray[np.float32]) -> Self:
        """The inverse of `packed`, without a copy of the numbers; raises as `daemon.learning.steps.layers.unpacked`."""
        self = object.__new__(cls)
        self._hold(unpacked(layout, numbers))
        return self

    def __len__(self) -> int:
        return len(self.squares)

    def rows(self, which: NDArray[np.intp] | slice = _ALL) -> NDArray[np.float32]:
        """float32[m, k], some of the points, or all."""
        ats = [layer.at[which] for layer in self._layers]
        found = np.empty((len(ats[0]), self._width), np.float32)
        order = np.argsort(np.concatenate([layer.columns for layer in self._layers]))
        for part in blocks(len(found)):
            beside = [layer.rows[at[part]] for layer, at in zip(self._layers, ats, strict=True)]
            np.take(np.concatenate(beside, axis=1), order, axis=1, out=found[part], mode="clip")
        return found

    @_FAR
    def nearest(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """float64[m], distance of each of float32[m, k] to the nearest point."""
        found = np.empty(len(rows))
        for part in blocks(len(rows)):
            block = rows[part]
            rough, slack = self._rough(block)
            # The nearest point's rough value exceeds the least one by at most twice the error. What float32 cannot hold
            # is no number, and exceeds nothing.
            i, j = np.nonzero(~(rough > (rough.min(axis=1) + 2 * slack)[:, None]))
            exact = self._exact(block, i, j)
            starts = np.searchsorted(i, np.arange(len(block)))  # every row has at least one candidate
            found[part] = np.sqrt(np.minimum.reduceat(exact, starts))
        return found

    def surely(self, rows: NDArray[np.float32], radius: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Two of bool[m]: rows of float32[m, k] whose nearest point is certainly nearer than ``radius``, or certainly not.

        Few points are looked at first: with a radius near the mean distance every usual row is near to one of them.
        """
        few = object.__new__(Cloud)
        few._hold(one_layer(self.rows(slice(0, None, max(1, len(self) // _SAMPLE)))))
        nearer, beyond = few._decided(rows, radius)[0], np.zeros(len(rows), np.bool_)
        left = np.flatnonzero(~nearer)
        nearer[left], beyond[left] = self._decided(rows[left], radius)
        return nearer, beyond

    @_FAR
    def _decided(
        self, rows: NDArray[np.float32], radius: float
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """What the fast formula alone can say of the points held here."""
        lowest, slack, limit = np.empty(len(rows)), np.empty(len(rows)), radius * radius
        slower = self._slower() if len(self._layers) > 1 else None
        for part in blocks(len(rows)):
            block = rows[part]
            _, slack[part] = self._slack(block)
            if slower is None:
                lowest[part] = self._rough(block)[0].min(axis=1)
            else:
                bound = (limit * (1 + 1e-6) + slack[part]).astype(np.float32)
                lowest[part] = self._closest(block, np.nextafter(bound, np.float32(np.inf)), *slower)
        return lowest + slack < limit * (1 - 1e-6), lowest - slack > limit * (1 + 1e-6)

    def _slower(self) -> tuple[Cloud, NDArray[np.int64]]:
        """The points without the columns of the fastest layer, what repeats then once, and the columns that are left."""
        layers = self._layers[1:]
        first = np.flatnonzero(np.diff(layers[0].at, prepend=-1))
        columns = np.sort(np.concatenate([layer.columns for layer in layers]))
        found = object.__new__(Cloud)
        found._hold(
            tuple(
                Layer(np.searchsorted(columns, each.columns), each.rows, each.at[first], each.slower)
                for each in layers
            )
        )
        return found, columns

    def _closest(
        self,
        block: NDArray[np.float32],
        bound: NDArray[np.float32],
        slower: Cloud,
        columns: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """float32[m], squared distance of each row to the nearest point, or more than its ``bound``, if that is so.

        Points that the slower layers alone put beyond it are looked at no further.
        """
        fastest = self._layers[0]
        rough, own = (
            slower._rough(np.take(block, columns, axis=1))[0],
            np.take(block, fastest.columns, axis=1),
        )
        near, twice = np.logical_not(rough > bound[:, None]), own * np.float32(-2)  # no number: near
        found = np.full(len(block), np.inf, np.float32)
        for few in stretches(len(block), _FEW):
            which = np.flatnonzero(np.take(near[few].any(axis=0), fastest.slower))
            points = fastest.rows[which]
            products = twice[few] @ points.T
            products += np.vecdot(points, points)
            products += np.take(rough[few], fastest.slower[which], axis=1)
            found[few] = products.min(axis=1, initial=np.inf)
        found += np.vecdot(own, own)
        return found

    def mean(self) -> float:
        """Mean distance between two different points; 0 for a single one."""
        return mean_distance(self._layers)

    def own_nearest(self, count: int) -> NDArray[np.float32]:
        """float32[n, count], distances of each point to its nearest ones, itself first; not refined."""
        found = np.empty((len(self), count), np.float32)
        for part in blocks(len(self)):
            distances = self._rough(self.rows(part))[0]
            np.fill_diagonal(distances[:, part.start :], 0)
            nearest = np.maximum(np.partition(distances, count - 1, axis=1)[:, :count], 0)
            nearest.sort(axis=1)
            np.sqrt(nearest, out=found[part])
        return found

    def within(self, rows: NDArray[np.float32], radius: float) -> Iterator[tuple[slice, NDArray[np.bool_]]]:
        """For each block of float32[m, k], in order, its slice and bool[block, n]: no farther than ``radius``."""
        limit = radius * radius
        for part in blocks(len(rows)):
            block = rows[part]
            rough, slack = self._rough(block)
            with np.errstate(over="ignore", invalid="ignore"):
                near = rough <= limit
                sure = np.abs(rough - np.float32(limit)) > (slack + np.float32(1e-6 * limit))[:, None]
            i, j = np.nonzero(~sure)
            near[i, j] = self._exact(block, i, j) <= limit
            yield part, near

    @_FAR
    def _rough(self, block: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Squared distances to the points, and for each row a bound of their error."""
        own, slack = self._slack(block)
        seen, run_of = self._seen(block)
        rough = self._products(seen, slice(0, len(self)))
        if len(rough) < len(block):
            rough = np.take(rough, run_of, axis=0)
        rough += self.squares
        rough += own[:, None]
        return rough, slack

    def _slack(self, block: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Squared lengths of rows, and bounds of the error of their squared distances."""
        own = np.vecdot(block, block)
        # A float32 dot product of k terms is off by at most k * 2^-24 * |x| |y|, in whatever order they are summed
        # (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1). Here that are x.x, y.y, and x.y
        # twice, of which |x| |y| is at most half the sum of squares; 16 terms more for the rest. What is too small for a float32,
        # each term may lose in full.
        terms = block.shape[1] + 16
        slack = np.float32(terms * 2.0**-23) * (own + self.squares.max()) + np.float32(terms * 2.0**-125)
        return own, slack

    def _seen(self, block: NDArray[np.float32]) -> tuple[_Seen, NDArray[np.int64]]:
        """Rows as each layer sees them, what repeats in them once; and for each row its run in the fastest."""
        if len(self._layers) == 1 and (np.diff(self._layers[0].columns) == 1).all():
            return [(block * np.float32(-2), np.zeros(len(block), np.int64))], np.arange(len(block))
        starts = np.zeros(len(block), np.bool_)
        starts[:1] = True
        run_of = np.zeros(len(block), np.int64)
        found: _Seen = []
        for layer in reversed(self._layers):
            part = np.take(block, layer.columns, axis=1)
            starts[1:] |= (part[1:] != part[:-1]).any(axis=1)
            found.append((part[starts] * np.float32(-2), run_of[starts]))
            run_of = np.cumsum(starts) - 1
        return found[::-1], run_of

    def _products(self, seen: _Seen, others: slice) -> NDArray[np.float32]:
        """float32[runs, others], -2 x.y of what `_seen` gives and some points; as for the points, what repeats is multiplied once."""
        found: NDArray[np.float32] = np.zeros((1, 1), np.float32)
        start = 0
        for layer, (runs, slower) in zip(reversed(self._layers), reversed(seen), strict=True):
            rows = _rows_of(layer, others)
            products: NDArray[np.float32] = runs @ layer.rows[rows].T
            if layer is not self._layers[-1]:
                wide = np.take(found, layer.slower[rows] - start, axis=1, mode="clip")
                products += np.take(wide, slower, axis=0, mode="clip")
            found, start = products, rows.start
        if found.shape[1] < others.stop - others.start:  # whole rows are repeated
            found = np.take(found, self._layers[0].at[others] - start, axis=1)
        return found

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


def trained_rows(values: Mapping[str, Any], arrays: Mapping[str, NDArray[np.float32]]) -> Cloud:
    """The training rows that a detector saved, in layers or, as candled wrote them first, as one matrix."""
    if "layers" in values:
        return Cloud.unpacked(values, arrays["trained"])
    return Cloud(arrays["trained"])


def _rows_of(layer: Layer, points: slice) -> slice:
    """The layer's rows of a stretch of points."""
    return slice(int(layer.at[points.start]), int(layer.at[points.stop - 1]) + 1)
