"""Which rows of which tables stand beside each other in a matrix of features: small, until it is laid out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

NOWHERE = -(1 << 40)
"""In the place of a row that is not there, and of those before it."""
_ROWS = 512
"""Rows that are laid out at a time: a megabyte stays near the processor."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Neighbouring columns of the matrix, all of one table.

    Attributes:
        values: floating[m, columns], the table.
        at: int64[n], for each row of the matrix that of the table; below 0 where it has none.
        back: how many rows before that one are meant, ascending: a stretch of columns for each.
    """

    values: NDArray[np.floating[Any]]
    at: NDArray[np.int64]
    back: range

    @property
    def width(self) -> int:
        """Columns of the matrix."""
        return int(self.values.shape[1]) * len(self.back)

    def trimmed(self) -> Piece:
        """The same columns as float32, of those rows of the table alone that are wanted."""
        known = self.at[self.at >= 0]
        first = max(0, int(known.min()) - self.back[-1]) if len(known) else 0
        last = int(known.max()) + 1 if len(known) else 1
        return Piece(
            self.values[first:last].astype(np.float32, order="C", copy=False), self.at - first, self.back
        )

    def lay(self, at: NDArray[np.int64], out: NDArray[np.floating[Any]]) -> None:
        """Fill [m, width] with the rows at int64[m]; what is not there is NaN, never an older row."""
        if at[0] >= self.back[-1] and (np.diff(at) == 1).all():
            for i, back in enumerate(self.back):
                columns = slice(i * self.values.shape[1], (i + 1) * self.values.shape[1])
                out[:, columns] = self.values[at[0] - back : at[-1] - back + 1]
            return
        rows = at[:, None] - np.array(self.back)
        found = np.take(self.values, rows, axis=0, mode="clip")
        found[rows < 0] = np.nan
        out[...] = found.reshape(out.shape)


@dataclass(frozen=True, slots=True)
class Gathering:
    """A matrix of features that is not laid out yet.

    A training's takes a quarter of its memory: shifted features are rows that are there already, and twelve candles of five
    minutes see the same row of an hour.

    Attributes:
        pieces: from left to right, at least one; as many rows in each.
    """

    pieces: tuple[Piece, ...]

    @classmethod
    def of(cls, matrix: NDArray[np.floating[Any]]) -> Gathering:
        """A matrix that is laid out already."""
        return cls((Piece(matrix, np.arange(len(matrix)), range(1)),))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the matrix."""
        return len(self.pieces[0].at), sum(piece.width for piece in self.pieces)

    def trimmed(self) -> Gathering:
        """The same matrix in float32, from no more than is needed for it."""
        return Gathering(tuple(piece.trimmed() for piece in self.pieces))

    def matrix(self, give_way: Callable[[], None] = lambda: None) -> NDArray[np.float32]:
        """Float32[n, columns], C-contiguous."""
        out = np.empty(self.shape, np.float32)
        self.fill(out, give_way)
        return out

    def fill(self, out: NDArray[np.floating[Any]], give_way: Callable[[], None] = lambda: None) -> None:
        """Lay the matrix out; ``give_way`` is called before each stretch of rows."""
        for start in range(0, len(out), _ROWS):
            give_way()
            part, column = slice(start, start + _ROWS), 0
            for piece in self.pieces:
                piece.lay(piece.at[part], out[part, column : column + piece.width])
                column += piece.width
