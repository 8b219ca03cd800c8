"""The mean distance between the points of a cloud, over every pair of them.

What repeats is multiplied once, and nothing is put in its place number by number. Points are laid out as a grid: a
column for each stretch of the slowest layer, and a line, their phase, for each place within it (the first five minutes
of every hour, the second...). The points of any two phases then see the slower layers in the same order, as a whole
matrix that is added to their own products while both are near the processor.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from daemon.learning.steps.blocks import lifted, stretches, sums_of_roots

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from daemon.learning.steps.layers import Layer

_BLOCK = 512
"""Columns of the grid at a time, at most: 512 x 512 distances are 1 MB."""
_LONGEST = 64
"""Phases of a stretch, at most: a longer one is held as several."""
_BESIDE = 16
"""What a pair takes besides its products, counted in columns."""


@dataclass(frozen=True, slots=True)
class _Level:
    """A layer's rows as a grid; those of one slower phase stand one after the other.

    Attributes:
        left: float32[phases, width, c + 2], with ``right`` as `daemon.learning.steps.blocks.lifted` makes them.
        right: of the same shape.
        each: phases within one of the next slower level.
        tile: float32[block * block], room for products.
    """

    left: NDArray[np.float32]
    right: NDArray[np.float32]
    each: int
    tile: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Meeting:
    """Two blocks of the grid's columns, of which all points of one meet all of the other."""

    levels: list[_Level]
    weights: NDArray[np.float32]
    here: slice
    there: slice

    def total(self, depth: int, i: int, j: int, slower: NDArray[np.float32] | None) -> float:
        """Sum of the distances of the points in phase ``i`` here from those in phase ``j`` there, and back.

        Args:
            depth: the phases' level.
            i: phase of that level.
            j: another, or the same.
            slower: float32[here, there], their squared distances in all slower levels.
        """
        level, last = self.levels[depth], depth + 1 == len(self.levels)
        if j < i or (last and i == j and self.there.start < self.here.start):
            return 0.0  # they meet as j and i, or there and here
        left, right = level.left[i, self.here], level.right[j, self.there]
        squares = np.matmul(
            left, right.T, out=level.tile[: len(left) * len(right)].reshape(len(left), len(right))
        )
        if slower is not None:
            squares += slower
        if not last:
            each = range(self.levels[depth + 1].each)
            pairs = ((i * len(each) + p, j * len(each) + q) for p in each for q in each)
            return sum(self.total(depth + 1, *pair, squares) for pair in pairs)
        if same := i == j and self.here == self.there:
            np.fill_diagonal(squares, 0)
        total = self.weights[i, self.here].astype(np.float64) @ sums_of_roots(
            squares, self.weights[j, self.there]
        )
        return float(total) if same else 2 * float(total)


def mean_distance(layers: Sequence[Layer]) -> float:
    """Mean distance between two different points, of float32 products; 0 for fewer than two points.

    Args:
        layers: the points, as `daemon.learning.steps.layers.layers_of` gives them.
    """
    n = len(layers[0].at)
    if n < 2:
        return 0.0
    levels, weights = _grid(layers)
    parts = list(stretches(weights.shape[1], _block(weights.shape[1])))
    total = sum(
        _Meeting(levels, weights, here, there).total(0, 0, 0, None) for here in parts for there in parts
    )
    return total / (n * (n - 1))


def _grid(layers: Sequence[Layer]) -> tuple[list[_Level], NDArray[np.float32]]:
    """The levels, the slowest first; and float32[phases, width], how many points are at each place of the fastest."""
    rows = [np.arange(len(layers[0].rows))]
    grids: list[NDArray[np.int64]] = []
    for fast, slow in pairwise(layers):
        beside = fast.slower[rows[-1]]
        grids.append(_phases(beside, len(fast.columns), len(slow.columns)))
        rows.append(beside[grids[-1][:, 0]])
    at = np.arange(len(rows[-1]))[None, :]
    found = [_level(layers[-1], rows[-1][at], 1)]
    for layer, own, places in zip(layers[-2::-1], rows[-2::-1], grids[::-1], strict=True):
        at = places[at].transpose(0, 2, 1).reshape(-1, at.shape[1])
        found.append(_level(layer, own[at], places.shape[1]))
    # A place without a row of its own has one that stands in an earlier phase, where its points are counted.
    weights, (held, first) = np.zeros(at.size, np.float32), np.unique(at, return_index=True)
    weights[first] = np.bincount(layers[0].at)[held]
    return found, weights.reshape(at.shape)


def _level(layer: Layer, at: NDArray[np.int64], each: int) -> _Level:
    where = at.ravel()
    sides = lifted(layer.rows[where], layer.squares[where])
    left, right = (side.reshape(*at.shape, -1) for side in sides)
    return _Level(left, right, each, np.empty(_block(at.shape[1]) ** 2, np.float32))


def _block(width: int) -> int:
    """Columns at a time, as many as possible in each."""
    return math.ceil(width / math.ceil(width / _BLOCK))


def _phases(beside: NDArray[np.int64], fast: int, slow: int) -> NDArray[np.int64]:
    """int64[stretches, each], rows that have the same one beside them in the slower layer; the first again where there are fewer.

    Args:
        beside: int64[rows], the slower layer's row of each, rising.
        fast: columns of this layer.
        slow: columns of the slower one.
    """
    starts = np.flatnonzero(np.diff(beside, prepend=-1))
    lengths = np.diff(starts, append=len(beside))
    sizes = np.arange(1, min(int(lengths.max()), _LONGEST) + 1)
    counts = np.ceil(lengths[:, None] / sizes).sum(axis=0)
    each = int(sizes[np.argmin(counts**2 * (sizes**2 * (fast + _BESIDE) + slow + _BESIDE))])
    place = (np.arange(len(beside)) - np.repeat(starts, lengths)) % each
    first = place == 0
    found = np.repeat(np.flatnonzero(first)[:, None], each, axis=1)
    found[np.cumsum(first) - 1, place] = np.arange(len(beside))
    return found
