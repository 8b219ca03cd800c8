"""Longer candles come from the exchange; they must say what the shorter ones say."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from daemon.market.resample import resampled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from daemon.core.candles import CandleFrame
    from daemon.core.market import CandleKey
    from daemon.core.timeframe import Timeframe

log = logging.getLogger(__name__)

_VOLUME_TOLERANCE = 1e-6


class Comparison(NamedTuple):
    """Result of `compared`."""

    next_ms: int
    """Open time from which longer candles were not compared yet."""
    checked: int
    differing: list[int]
    """Open times of the longer candles that differ."""


def compared(
    base: CandleFrame, base_timeframe: Timeframe, longer: CandleFrame, timeframe: Timeframe
) -> Comparison:
    """Compare longer candles with aggregates of the base, where all base candles are there.

    Prices must be equal, volume to a relative 1e-6 (it is a sum of decimal numbers).
    """
    if not len(base) or not len(longer):
        return Comparison(int(longer.open_ms[0]) if len(longer) else 0, 0, [])
    reached_ms = int(base.open_ms[-1]) + base_timeframe.ms
    rows = longer.between(0, reached_ms - timeframe.ms)
    if not len(rows):
        return Comparison(int(longer.open_ms[0]), 0, [])
    end_ms = int(rows.open_ms[-1]) + timeframe.ms
    made, counts = resampled(base.between(int(rows.open_ms[0]), end_ms - 1), timeframe)
    made_ms = made.open_ms[counts == timeframe.ms // base_timeframe.ms]
    common, ours, theirs = np.intersect1d(made_ms, rows.open_ms, assume_unique=True, return_indices=True)
    a, b = made.values[counts == timeframe.ms // base_timeframe.ms][ours], rows.values[theirs]
    same = (a[:, :4] == b[:, :4]).all(axis=1) & np.isclose(a[:, 4], b[:, 4], rtol=_VOLUME_TOLERANCE, atol=0.0)
    return Comparison(end_ms, len(common), [int(t) for t in common[~same]])


class Agreement:
    """Compares every longer candle once, when it and its parts are there; a disagreement stops nothing.

    Args:
        keys: all keys of the feed; the shortest timeframe of a pair is its base.
    """

    def __init__(self, keys: Sequence[CandleKey]) -> None:
        self._bases: dict[CandleKey, CandleKey] = {}
        self._next_ms: dict[CandleKey, int] = {}
        self._disagrees: set[CandleKey] = set()
        self.turn_to(keys)

    def turn_to(self, keys: Sequence[CandleKey]) -> None:
        """Compare these from now on; what was compared of them stays compared."""
        self._bases = {}
        for key in keys:
            base = min((k for k in keys if k.pair == key.pair), key=lambda k: k.timeframe.ms)
            if base != key and key.timeframe.ms % base.timeframe.ms == 0:
                self._bases[key] = base
        self._next_ms = {key: self._next_ms.get(key, 0) for key in self._bases}

    def revisit(self, key: CandleKey, candle_ms: int) -> None:
        """Compare again from a candle on that was revised or came in late."""
        for longer, base in self._bases.items():
            if key in (longer, base):
                self._next_ms[longer] = min(self._next_ms[longer], longer.timeframe.floor(candle_ms))

    def check(self, frame: Callable[[CandleKey], CandleFrame]) -> int:
        """Compare what was not compared yet; return how many candles disagree.

        Args:
            frame: gives the candles held of a key.
        """
        differing = 0
        for key, base in self._bases.items():
            longer = frame(key)
            rows = longer[int(np.searchsorted(longer.open_ms, self._next_ms[key])) :]
            if not len(rows):
                continue
            found = compared(frame(base), base.timeframe, rows, key.timeframe)
            self._next_ms[key] = found.next_ms
            differing += len(found.differing)
            self._report(key, base, found)
        return differing

    def _report(self, key: CandleKey, base: CandleKey, found: Comparison) -> None:
        """Log the first disagreement of a streak, and its end."""
        if found.differing and key not in self._disagrees:
            self._disagrees.add(key)
            fields = {"key": str(key), "base": str(base), "candle_ms": found.differing[0]}
            fields |= {"candles": len(found.differing), "of": found.checked}
            log.warning("candles_disagree", extra={"fields": fields})
        elif found.checked and not found.differing and key in self._disagrees:
            self._disagrees.discard(key)
            log.info("candles_agree_again", extra={"fields": {"key": str(key)}})
