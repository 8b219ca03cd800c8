"""The first-order recursive filter, for averages that forget and for noise that remembers."""

from __future__ import annotations

from itertools import accumulate, islice
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def recursion(
    values: NDArray[np.float64], *, gain: float, decay: float, before: float
) -> NDArray[np.float64]:
    """Float64[n]: each is ``gain`` times the value plus ``decay`` times the one before it.

    It is scipy's ``lfilter([gain], [1, -decay], values, zi=[decay * before])``, bit for bit, without an import of
    ``scipy.signal``, which takes more than a second of CPU at every start.

    Args:
        values: float64[n].
        gain: share of a value.
        decay: share of the result before it.
        before: what stands before the first result.
    """
    steps = (values * gain).tolist()
    found = accumulate(steps, lambda last, step: decay * last + step, initial=float(before))
    return np.fromiter(islice(found, 1, None), np.float64, len(steps))
