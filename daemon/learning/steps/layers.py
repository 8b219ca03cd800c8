"""Training rows by how often their columns change: what repeats is held once, in memory and in files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from daemon.learning.steps.blocks import stretches, wide_squares
from daemon.learning.steps.port import vector

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

_PACES = (1 / 6, 1 / 2)
"""Shares of rows at which columns change, between the layers."""
_TOGETHER = 1 / 4
"""Share of a pace's columns that must change at a row for it to begin a new stretch of that pace."""

_FEW = 16
"""Neighbours, on average, from which on columns are copied together."""
_LONGEST = 1 << 24
"""More rows than one training has; a longer stretch is damage, or an attempt to fill memory."""


@dataclass(frozen=True, slots=True)
class Layer:
    """Columns of about the same pace, each stretch of equal rows once.

    The features of a one hour candle stand in twelve rows of five-minute candles: kept and multiplied once, the
    training rows of three timeframes take half the memory and less than half the arithmetic.

    Attributes:
        columns: int64[c].
        rows: float32[u, c], C-contiguous.
        at: int64[n], for each point its row.
        slower: int64[u], for each row that of the next slower layer beside it: no layer changes without the faster
            ones. Zeros in the slowest.
        squares: float64[u], the rows' squared lengths.
    """

    columns: NDArray[np.int64]
    rows: NDArray[np.float32]
    at: NDArray[np.int64]
    slower: NDArray[np.int64]
    squares: NDArray[np.float64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "squares", wide_squares(self.rows))


def one_layer(points: NDArray[np.float32]) -> tuple[Layer, ...]:
    """The points as they are; for few of them it is not worth to look what repeats."""
    n, k = points.shape
    return (Layer(np.arange(k), points, np.arange(n), np.zeros(n, np.int64)),)


def layers_of(points: NDArray[np.float32]) -> tuple[Layer, ...]:
    """The points' columns by how often they change from row to row, the fastest first."""
    changed = np.ones(points.shape, np.bool_)
    np.not_equal(points[1:], points[:-1], out=changed[1:])
    # A byte holds the sum of 255 rows, and bytes are added at once.
    counted = (
        changed.view(np.uint8)[part].sum(axis=0, dtype=np.uint8) for part in stretches(len(points), 255)
    )
    share = sum(counted, np.zeros(points.shape[1])) / len(points)
    left, starts = np.arange(points.shape[1]), np.arange(len(points)) == 0
    found: list[Layer] = []
    for pace in _PACES:
        slow = left[share[left] <= pace]
        seen = _columns(changed, slow)
        counts = seen.view(np.uint8).sum(axis=1, dtype=np.uint32)
        together = starts | (counts >= _TOGETHER * len(slow)) if len(slow) else starts
        columns = slow[
            ~(seen & ~together[:, None]).any(axis=0)
        ]  # one that changes between them is held as faster
        if len(columns):
            starts, left = together, np.setdiff1d(left, columns)
            found.append(_layer(points, columns, starts, found))
    if len(left) or not found:
        always = len(left) and share[left].max() == 1
        found.append(_layer(points, left, starts | (always or changed[:, left].any(axis=1)), found))
    return tuple(found[::-1])


def _layer(
    points: NDArray[np.float32], columns: NDArray[np.int64], starts: NDArray[np.bool_], slower: list[Layer]
) -> Layer:
    rows = _columns(points if starts.all() else points[starts], columns)
    beside = slower[-1].at[starts] if slower else np.zeros(len(rows), np.int64)
    return Layer(columns, rows, np.cumsum(starts) - 1, beside)


def _columns(matrix: NDArray[Any], columns: NDArray[np.int64]) -> NDArray[Any]:
    """Some columns, copied together where they are neighbours."""
    ends = np.flatnonzero(np.diff(columns, append=-1) != 1)
    if len(ends) * _FEW >= len(columns):
        return np.take(matrix, columns, axis=1)
    starts = np.concatenate(([0], ends[:-1] + 1))
    parts = [matrix[:, columns[start] : columns[end] + 1] for start, end in zip(starts, ends, strict=True)]
    return np.concatenate(parts, axis=1)


def packed(layers: Sequence[Layer]) -> tuple[dict[str, Any], NDArray[np.float32]]:
    """Layers as small values for JSON, and float32[1, numbers]: the rows of all of them."""
    values = [
        {"columns": layer.columns.tolist(), "stretches": np.bincount(layer.at).tolist()} for layer in layers
    ]
    return {"layers": values}, np.concatenate([layer.rows.ravel() for layer in layers])[None, :]


def unpacked(layout: Mapping[str, Any], numbers: NDArray[np.float32]) -> tuple[Layer, ...]:
    """The inverse of `packed`; the rows are views of ``numbers``.

    Raises:
        KeyError: something is missing.
        TypeError: something has another type.
        ValueError: something does not fit together.
    """
    flat, stop, found = numbers.ravel(), numbers.size, list[Layer]()
    for each in reversed(layout["layers"]):
        columns, stretches = (vector(each[name], np.int64) for name in ("columns", "stretches"))
        start = stop - len(stretches) * len(columns)
        if start < 0 or not len(stretches) or stretches.min() < 1 or stretches.max() > _LONGEST:
            raise ValueError("stretches that are none, or more numbers than there are")
        at = np.repeat(np.arange(len(stretches)), stretches)
        beside = np.zeros(len(stretches), np.int64)
        if found:
            if len(at) != len(found[-1].at):
                raise ValueError("layers of different lengths")
            beside = found[-1].at[np.cumsum(stretches) - stretches]
            if not np.array_equal(beside[at], found[-1].at):
                raise ValueError("a layer that changes without the faster one")
        rows = flat[start:stop].reshape(len(stretches), len(columns))
        found.append(Layer(columns, rows, at, beside))
        stop = start
    columns = np.sort(
        np.concatenate([layer.columns for layer in found])
    )  # ValueError where there is no layer
    if stop or not np.array_equal(columns, np.arange(len(columns))):
        raise ValueError("numbers or columns without a place")
    return tuple(found[::-1])
