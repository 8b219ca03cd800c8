"""Longer candles out of shorter ones, and candles as they look before they close."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from daemon.core.candles import CandleFrame

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from daemon.core.timeframe import Timeframe

# Where in a candle's life its first and its second extreme lie. Any fixed places do; that they are
# apart from the ends makes open, high, low and close four different moments.
_FIRST_EXTREME, _SECOND_EXTREME = 0.3, 0.7


def resampled(frame: CandleFrame, timeframe: Timeframe) -> tuple[CandleFrame, NDArray[np.int64]]:
    """Candles of a longer timeframe, aggregated exactly as exchanges do.

    Args:
        frame: shorter candles, n of them, whose length divides that of ``timeframe``.
        timeframe: the longer candles' length.

    Returns:
        One candle for every interval in which there is a shorter one, m of them, and int64[m]: out of
        how many shorter ones it was made, by which the caller knows complete ones.
    """
    if not len(frame):
        return frame, np.empty(0, np.int64)
    start_ms = frame.open_ms - interval_offset(frame.open_ms, timeframe)
    first = np.flatnonzero(np.concatenate(([True], np.diff(start_ms) > 0)))
    counts = np.diff(np.append(first, len(frame)))
    values = np.empty((len(first), 5), np.float64)
    values[:, 0] = frame.values[first, 0]
    values[:, 1] = np.maximum.reduceat(frame.values[:, 1], first)
    values[:, 2] = np.minimum.reduceat(frame.values[:, 2], first)
    values[:, 3] = frame.values[first + counts - 1, 3]
    values[:, 4] = np.add.reduceat(frame.values[:, 4], first)
    return CandleFrame(start_ms[first], values), counts


def interval_offset(time_ms: NDArray[np.int64], timeframe: Timeframe) -> NDArray[np.int64]:
    """Milliseconds since the last boundary of ``timeframe``, int64[n]; zero where a candle opens."""
    return (time_ms - timeframe.floor(0)) % timeframe.ms


def unfinished(final: NDArray[np.float64], fraction: float) -> NDArray[np.float64]:
    """A candle as it is shown while it is in progress.

    The price goes from the open over the two extremes to the close (a rising candle dips first); what
    is shown is the part of that way that lies in the past, so nothing of the rest can be read off.

    Args:
        final: float64[5], the candle as it will close: open, high, low, close, volume.
        fraction: how much of its time has passed, from 0 (just opened) to 1 (as good as closed).

    Returns:
        float64[5], within the final range, prices and volume with no more decimals than the final ones.
    """
    o, high, low, c, volume = (float(x) for x in final)
    way = [o, low, high, c] if c >= o else [o, high, low, c]
    moments = [0.0, _FIRST_EXTREME, _SECOND_EXTREME, 1.0]
    price = round(float(np.interp(fraction, moments, way)), _decimals((o, high, low, c)))
    price = min(max(price, low), high)
    past = [p for p, moment in zip(way, moments, strict=True) if moment <= fraction]
    traded = min(round(volume * fraction, _decimals((volume,))), volume)
    return np.array([o, max(*past, price, o), min(*past, price, o), price, traded])


def _decimals(values: Iterable[float]) -> int:
    """Most decimals that one of the numbers needs in writing."""
    return max(max(0, -int(Decimal(repr(value)).as_tuple().exponent)) for value in values)
