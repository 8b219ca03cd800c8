"""Arrays that grow, in new memory each time: whoever holds a view of the old one keeps what he saw."""

from __future__ import annotations

import contextlib
import mmap
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROOM = 512
"""Elements of room beside a long array: more would stand empty, beside every column of every pair, for weeks."""
_PRIVATE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS


def apart(n: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """An undefined array; a long one on pages of its own, which go back to the system with it.

    In the C library's heaps hundreds of them, each replaced now and then by a longer one, would leave holes between
    what else is there, from one to the next: for weeks a process would grow by what nothing uses.
    """
    size = n * dtype.itemsize
    if size >= mmap.PAGESIZE:
        # A process may have only so many mappings; where memory itself is out, numpy says so.
        with contextlib.suppress(OSError):
            return np.frombuffer(mmap.mmap(-1, size, flags=_PRIVATE), dtype)
    return np.empty(n, dtype)


def matched(wanted: NDArray[np.int64], have: NDArray[np.int64]) -> tuple[Any, Any]:
    """Places in ``wanted`` of the candles that are in ``have``, and their places there; slices where it goes."""
    if not len(have):
        return slice(0, 0), slice(0, 0)
    first = int(np.searchsorted(wanted, have[0]))
    if np.array_equal(wanted[first : first + len(have)], have):
        return slice(first, first + len(have)), slice(None)
    places = np.searchsorted(wanted, have)
    rows = wanted[places] == have
    return places[rows], rows


def larger(array: NDArray[Any], used: int, needed: int) -> NDArray[Any]:
    """A copy with room to grow by half, and by no more than `ROOM`: so that appending rarely copies."""
    out = apart(needed + min(needed // 2, ROOM), array.dtype)
    out[:used] = array[:used]
    return out


def behind(older: NDArray[Any], newer: NDArray[Any]) -> NDArray[Any]:
    """Both in one new array, with room to grow."""
    out = apart(len(older) + len(newer) + 64, newer.dtype)
    out[: len(older)] = older
    out[len(older) : len(older) + len(newer)] = newer
    return out


def with_gap(array: NDArray[Any], at: int) -> NDArray[Any]:
    """A copy with an undefined element at ``at``, and room to grow."""
    out = apart(len(array) + 64, array.dtype)
    out[:at] = array[:at]
    out[at + 1 : len(array) + 1] = array[at:]
    return out
