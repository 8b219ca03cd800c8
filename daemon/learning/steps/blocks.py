"""Arithmetic on large matrices, a few rows at a time so that they stay near the processor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_BLOCK = 256
"""Rows at a time: 256 x 8,640 distances are 9 MB."""


def lifted(
    rows: NDArray[np.float32], squares: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Two matrices whose product, one transposed, is the squared distance of each row to each; from their squared lengths, too."""
    u, c = rows.shape
    left, right = np.empty((u, c + 2), np.float32), np.empty((u, c + 2), np.float32)
    np.multiply(rows, np.float32(-2), out=left[:, :c])
    left[:, c], left[:, c + 1] = squares, 1
    right[:, :c], right[:, c], right[:, c + 1] = rows, 1, squares
    return left, right


def sums_of_roots(squares: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float64]:
    """float64[m], the weighted sum of the roots of each row of float32[m, n], which take the squares' place."""
    with np.errstate(invalid="ignore"):
        sums = np.sqrt(squares, out=squares) @ weights
    if np.isnan(sums).any():  # rounding has made less than 0 of equal points
        np.copyto(squares, 0, where=np.isnan(squares))
        sums = squares @ weights
    return sums.astype(np.float64)


def wide_squares(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """float64[n], the squared lengths of rows."""
    found = np.empty(len(rows))
    for part in blocks(len(rows)):
        wide = rows[part].astype(np.float64)
        np.vecdot(wide, wide, out=found[part])
    return found


def blocks(rows: int) -> Iterator[slice]:
    """Slices of so many rows at a time that the distances of each to all others are a few megabytes."""
    return stretches(rows, _BLOCK)


def stretches(rows: int, step: int) -> Iterator[slice]:
    """Slices of ``step`` rows, the last one shorter."""
    return (slice(start, min(start + step, rows)) for start in range(0, rows, step))
