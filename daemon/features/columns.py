"""Rows of feature blocks gathered for base candles: as a matrix, or as columns beside the candles.

FreqAI hands ``feature_engineering_standard`` a frame that already holds the expanded columns of its pair,
and ``set_freqai_targets`` one that holds every feature. Few strategies look at them, and to attach
hundreds of columns to each call is what makes FreqAI slow. So the daemon finds out at its start which of
the two hooks reads them (`daemon.features.reading`), and attaches them for that hook alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from daemon.features.block import BlockView
from daemon.features.gathering import NOWHERE, Gathering, Piece
from daemon.features.plan import FEATURE, HANDED_ON

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from daemon.core.candles import CandleFrame
    from daemon.core.timeframe import Timeframe
    from daemon.features.plan import BlockKey


@cache
def shifted(names: tuple[str, ...]) -> tuple[int, ...] | None:
    """Which columns of a block are shifted: None for all."""
    found = tuple(i for i, name in enumerate(names) if name.startswith(FEATURE))
    return None if len(found) == len(names) else found


_NEVER_MS = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadColumns:
    """Which hooks read columns that other hooks made.

    Attributes:
        standard: feature_engineering_standard reads its pair's expanded columns.
        targets: set_freqai_targets reads features.
    """

    standard: bool = False
    targets: bool = False

    @property
    def any(self) -> bool:
        """Whether either does."""
        return self.standard or self.targets


@dataclass(frozen=True, slots=True)
class Part:
    """A block's share of the features.

    Attributes:
        key: the block.
        view: its rows.
        shifts: how many earlier rows of it go into one row of features.
    """

    key: BlockKey
    view: BlockView
    shifts: int

    def column_names(self) -> list[str]:
        """Names as hooks see them, pair and timeframe included; colons are still in them."""
        return self.key.column_names(self.view.names, self.shifts)

    def settled_ms(self, since_ms: int) -> int:
        """Close of the first candle from ``since_ms`` on whose row, shifts included, has had its warm-up."""
        first = int(np.searchsorted(self.view.open_ms, since_ms - (self.shifts + 2) * self.key.timeframe.ms))
        values = self.view.values[first:]
        if values.shape[1]:
            settled = ~np.isnan(values).all(axis=1)
            first += int(np.argmax(settled)) if settled.any() else len(values)
        first += self.shifts
        return int(self.view.open_ms[first]) + self.key.timeframe.ms if first < len(self.view) else _NEVER_MS


def gathering(parts: Sequence[Part], close_ms: NDArray[np.int64]) -> Gathering:
    """The features of many base candles, from block rows.

    A higher timeframe's row is visible from its own close on. A row that is not there is NaN: an old value
    is never shown in the place of a missing one.

    Args:
        parts: blocks that have rows, in the order of the columns.
        close_ms: int64[n], closes of base candles, increasing.
    """
    pieces: list[Piece] = []
    for part in parts:
        view = part.view
        chosen, shifts = shifted(view.names), range(part.shifts + 1)
        wanted = part.key.timeframe.newest_closed(close_ms)
        at = np.searchsorted(view.open_ms, wanted)
        at[(at == len(view)) | (view.open_ms[np.minimum(at, len(view) - 1)] != wanted)] = NOWHERE
        if chosen is None:
            pieces.append(Piece(view.values, at, shifts))
        else:
            pieces.append(Piece(view.values, at, shifts[:1]))
            if part.shifts:
                pieces.append(Piece(view.values[:, chosen], at, shifts[1:]))
    return Gathering(tuple(pieces))


def widened(parts: Sequence[Part], base: Timeframe, frame: CandleFrame) -> pd.DataFrame:
    """Candles with features beside them, under the names that FreqAI gives them.

    Args:
        parts: blocks that have rows.
        base: timeframe of the candles.
        frame: base candles.

    Returns:
        A new frame: date, OHLCV, then float64 columns such as ``%-rsi-period_10_shift-1_ADA/USDT:USDT_1h``.
    """
    names = [name for part in parts for name in part.column_names()]
    values = np.empty((len(frame), len(names)))
    gathering(parts, frame.open_ms + base.ms).fill(values)
    candles = frame.to_pandas()
    # An index of Python strings, as in `CandleFrame.to_pandas`.
    features = pd.DataFrame(values, index=candles.index, columns=pd.Index(names, dtype=object), copy=False)
    return pd.concat([candles, features], axis=1)


def handed_on(
    part: Part, names: tuple[str, ...], base: Timeframe, open_ms: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """A block's features that stand in the frame of ``populate_*``.

    Args:
        part: the block.
        names: its columns, also where it has no row yet.
        base: timeframe of the base candles.
        open_ms: int64[n], base candles, increasing.

    Returns:
        float64[n] by full name; NaN where a feature has no value.
    """
    chosen = [i for i, name in enumerate(names) if name.startswith(HANDED_ON)]
    some = tuple(names[i] for i in chosen)
    full = [name.replace(":", "") for name in part.key.column_names(some, part.shifts)]
    values = np.full((len(full), len(open_ms)), np.nan)
    if chosen and len(part.view):
        view = BlockView(some, part.view.open_ms, part.view.values[:, chosen])
        gathering([Part(part.key, view, part.shifts)], open_ms + base.ms).fill(values.T)
    return dict(zip(full, values, strict=True))
