"""How many candles before a row its features need: measured on the strategy, not guessed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from daemon.core.candles import CandleFrame
from daemon.features.rounding import ranges

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from daemon.features.compute import BlockComputer, BlockRows
    from daemon.features.plan import BlockKey

TAILS = (32, 64, 128, 256, 512, 1024, 2048)
TOLERANCE = 1e-5
"""Share of a column's range by which a row may differ from the one computed on the full history."""


@dataclass(frozen=True, slots=True)
class WarmUp:
    """The shortest sufficient tail.

    Attributes:
        candles: candles before a row, one of `TAILS`.
        unsettled: columns that differ even with the longest tail that could be tried.
    """

    candles: int
    unsettled: tuple[str, ...]


def measured_warm_up(
    computer: BlockComputer,
    key: BlockKey,
    frame: CandleFrame,
    *,
    places: int = 3,
    least: int = TAILS[0],
    shown: Callable[[CandleFrame], pd.DataFrame] = CandleFrame.to_pandas,
) -> WarmUp:
    """Compare rows computed on ever longer tails with the same rows computed on the full history.

    Args:
        computer: calls the hooks.
        key: the block to measure.
        frame: history, a few thousand candles.
        places: how many rows, spread over the last third of the history, must agree.
        least: shorter tails are not tried: another block needs that many anyway.
        shown: what the hook is given for candles, as in `BlockComputer.call`.

    Returns:
        The shortest of `TAILS`, from ``least`` on, from which all compared rows agree within `TOLERANCE` of the column's range.
        A short history tries only the tails that leave it something to compare with.
    """
    longest = longest_tail(len(frame))
    tails = [tail for tail in TAILS if least <= tail <= longest] or [longest]
    full = computer.call(key, frame, shown)
    scale = ranges(full.values)
    rows = np.linspace(len(frame) * 2 // 3, len(frame) - 1, places).astype(int)
    unsettled: set[str] = set()
    for tail in tails:
        unsettled = set()
        for row in rows:
            first = max(0, int(row) + 1 - tail)
            short = computer.call(key, frame[first : int(row) + 1], shown)
            if short.names != full.names:
                unsettled = set(full.names) ^ set(short.names)
                break
            a, b = full.values[row], short.values[-1]
            with np.errstate(invalid="ignore"):
                agree = (np.abs(a - b) <= TOLERANCE * scale) | (np.isnan(a) & np.isnan(b))
            unsettled.update(name for name, ok in zip(full.names, agree, strict=True) if not ok)
            if unsettled and tail < tails[-1]:
                break  # this tail is too short, whatever the other rows say
        if not unsettled:
            return WarmUp(tail, ())
    return WarmUp(tails[-1], tuple(sorted(unsettled)))


def longest_tail(candles: int) -> int:
    """The longest of `TAILS` that can be tried on a history of so many candles; 0 without candles."""
    return max((tail for tail in TAILS if tail <= candles // 2), default=TAILS[0]) if candles else 0


def unsettled_newest(
    call: Callable[[CandleFrame], BlockRows], frame: CandleFrame, rows: int
) -> tuple[str, ...]:
    """Columns whose newest row differs between all of these candles and the newest ``rows`` of them.

    Args:
        call: computes the rows of candles, from the first one on.
        frame: a history.
        rows: how much of it is shown live.
    """
    if len(frame) <= rows:
        return ()
    whole, live = call(frame), call(frame[-rows:])
    if whole.names != live.names:
        return tuple(sorted(set(whole.names) ^ set(live.names)))
    a, b = whole.values[-1], live.values[-1]
    with np.errstate(invalid="ignore"):
        same = (np.abs(a - b) <= TOLERANCE * ranges(whole.values)) | (np.isnan(a) & np.isnan(b))
    return tuple(name for name, ok in zip(whole.names, same, strict=True) if not ok)
