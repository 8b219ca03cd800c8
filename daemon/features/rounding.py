"""How far apart two columns are: as a share of a range, or in their last digits alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROUNDING = 1e-12
"""Share of a column's range below which a difference is what thousands of 64-bit operations leave behind."""


def ranges(values: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Largest minus smallest finite value of each column; 0 where there is none."""
    with np.errstate(invalid="ignore"):
        filled = np.where(np.isfinite(values), values, np.nan).astype(np.float64)
    filled[:, np.isnan(filled).all(axis=0)] = 0.0
    return np.asarray(np.nanmax(filled, axis=0) - np.nanmin(filled, axis=0))


def last_digits(a: NDArray[np.float64], b: NDArray[np.float64], scale: float) -> NDArray[np.bool_]:
    """Where two numbers are the same but for rounding.

    That is two steps of a 32-bit number, the width that a model sees, or `ROUNDING` of the column's range: where terms
    cancel, what is left of them is of any size next to zero.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        step = np.spacing(np.maximum(np.abs(a), np.abs(b)).astype(np.float32)).astype(np.float64)
        return np.abs(a - b) <= np.maximum(2 * step, ROUNDING * scale)
