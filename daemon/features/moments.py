"""At which candles a look ahead shows: the structured ones first, then random ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from daemon.core.timeframe import Timeframe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.core.candles import CandleFrame

_EARLY = (5, 21, 1, 2, 3, 8, 13, 34, 55, 89, 144, 233, 377, 610)
"""Rows at which a value that was filled in from behind (``bfill``) is not there yet, for windows of all lengths."""
_CALENDAR = (Timeframe("1h"), Timeframe("1d"), Timeframe("1w"))


def telling_rows(frame: CandleFrame, longer: Sequence[Timeframe], *, most: int, seed: int) -> list[int]:
    """Rows behind which a history is cut to see whether anything before the cut changes.

    Args:
        frame: the history, oldest first.
        longer: timeframes that a hook may merge in; an hour, a day and a week always count among them.
        most: how many rows, at most.
        seed: of the random ones.

    Returns:
        Row numbers, each once, none of them the last row; the most telling ones first. In this order: the middle
        of everything, price extremes (a pivot is confirmed later only), the beginning, the last but one, starts and
        ends of longer candles, both sides of gaps, the largest and smallest volume, random rows.
    """
    n = len(frame)
    if n < 3:
        return []
    early = list(_EARLY)
    wanted = [
        _midst(frame, longer),
        *_extremes(frame, (3,)),
        early[0],
        n - 2,
        early[1],
        *_edges(frame, longer),
        *early[2:],
        *_gaps(frame),
        *_extremes(frame, (1, 2, 4)),
        n - 3,
        n - 4,
    ]
    rng = np.random.default_rng(seed)
    wanted += rng.permutation(np.arange(1, n - 1))[:most].tolist()
    return [row for row in dict.fromkeys(wanted) if 0 < row < n - 1][:most]


def _midst(frame: CandleFrame, longer: Sequence[Timeframe]) -> int:
    """A row in the second half at whose close no longer candle closes."""
    n = len(frame)
    step = int(np.diff(frame.open_ms).min())
    closes = frame.open_ms[n * 3 // 5 : n - 1] + step
    clear = np.ones(len(closes), bool)
    for timeframe in {*longer, *_CALENDAR}:
        if timeframe.ms > step:
            clear &= timeframe.floor(closes) != closes
    return n * 3 // 5 + int(np.argmax(clear))


def _extremes(frame: CandleFrame, columns: Sequence[int]) -> list[int]:
    """Rows with the highest and the lowest value of the columns, away from both ends."""
    first, stop = len(frame) // 20, max(len(frame) // 20 + 1, len(frame) - len(frame) // 20)
    inner = frame.values[first:stop]
    rows = [(inner[:, column].argmax(), inner[:, column].argmin()) for column in columns]
    return [first + int(row) for pair in rows for row in pair]


def _edges(frame: CandleFrame, longer: Sequence[Timeframe]) -> list[int]:
    """The last row of a longer candle and the first row of the next one, in the second half."""
    n = len(frame)
    found: list[int] = []
    for timeframe in sorted({*longer, *_CALENDAR}, key=lambda timeframe: timeframe.ms):
        opened = timeframe.floor(frame.open_ms)
        turns = np.flatnonzero(np.diff(opened)) + 1
        turns = turns[(turns > n // 2) & (np.diff(opened, prepend=opened[:1])[turns] > 0)]
        if len(turns) and len(turns) < n // 2:
            turn = int(turns[len(turns) // 2])
            found += [turn, turn - 1]
    return found


def _gaps(frame: CandleFrame) -> list[int]:
    """The rows before and behind up to three gaps, the newest ones."""
    steps = np.diff(frame.open_ms)
    before = np.flatnonzero(steps > steps.min())[-3:]
    return [int(row) + more for row in before for more in (0, 1)]
