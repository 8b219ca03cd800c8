"""Candles that never were, to see what a hook makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from daemon.core.candles import CandleFrame

if TYPE_CHECKING:
    from numpy.typing import NDArray

QUIET, GAP = 4, 3
"""Candles without trades, and candles that are missing, in each stretch that `with_oddities` makes."""


def altered_after(frame: CandleFrame, row: int, seed: int) -> CandleFrame:
    """The same candles up to a row, and other ones behind it.

    Args:
        frame: candles.
        row: the last one that stays.
        seed: of the prices and volumes behind it.

    Returns:
        As many candles, of the same times. Behind the row prices jump by about a tenth and go another way, so that
        no maximum, mean or scale stays what it was.
    """
    rng = np.random.default_rng(seed)
    values = frame.values.copy()
    later = values[row + 1 :]
    jump = 0.1 * (1 if rng.random() < 0.5 else -1)
    factor = np.exp(jump + rng.normal(0, 0.01, len(later)).cumsum())
    later[:, :4] *= factor[:, None]
    later[:, 4] *= np.exp(rng.normal(0, 1, len(later)))
    return CandleFrame(frame.open_ms.copy(), values)


def with_oddities(frame: CandleFrame) -> tuple[CandleFrame, list[int]]:
    """The same candles with stretches in which nothing was traded, and with gaps.

    What a hook fills in for a missing value shows only where a value is missing, and a good history has few such
    places.

    Returns:
        The candles, fewer than in ``frame``, and the rows within and around the odd places.
    """
    n = len(frame)
    values, keep, odd = frame.values.copy(), np.ones(n, bool), np.zeros(n, bool)
    for share in (3, 5):
        quiet = n * share // 7
        values[quiet : quiet + QUIET, :4] = values[quiet - 1, 3]
        values[quiet : quiet + QUIET, 4] = 0.0
        odd[quiet : quiet + QUIET] = True
        gap = n * share // 7 + n // 10
        keep[gap : gap + GAP] = False
        odd[gap - 1] = odd[gap + GAP] = True
    rows: NDArray[np.intp] = np.flatnonzero(odd[keep])
    return CandleFrame(frame.open_ms[keep], values[keep]), rows.tolist()
