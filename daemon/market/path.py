"""The way that a price took, in pieces short enough to say which order was met when."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

from daemon.market.resample import unfinished

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from daemon.core.candles import CandleFrame
    from daemon.core.timeframe import Timeframe

PIECES = 20
"""Of a base candle. Both of its extremes lie at the end of a piece (`daemon.market.resample.unfinished`), so that
within a piece the price goes straight from its first to its last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What happened in one stretch of time; prices in quote currency.

    Attributes:
        start_ms: when it began, ms UTC.
        end_ms: when it was over.
        high: highest price.
        low: lowest price.
        last: price at its end.
        volume: what was traded, base currency; None if nobody knows.
    """

    start_ms: int
    end_ms: int
    high: Decimal
    low: Decimal
    last: Decimal
    volume: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a base candle stands at a moment of its life; what is still to come of it cannot be read off.

    Attributes:
        high: highest price so far.
        low: lowest one.
        last: the newest.
        volume: what an average piece of it has traded so far, base currency; of the whole piece in its first.
    """

    high: Decimal
    low: Decimal
    last: Decimal
    volume: Decimal


def pieces(
    final: CandleFrame,
    base: Timeframe,
    after_ms: int,
    until_ms: int,
    *,
    at_or_below: Decimal | None = None,
) -> Iterator[Piece]:
    """The pieces that end after one moment and not after another, oldest first.

    Their bounds depend on the candles alone, never on when somebody asks.

    Args:
        final: whole base candles that cover that time, the one in progress as it will close.
        base: their length.
        after_ms: ms UTC.
        until_ms: ms UTC.
        at_or_below: leave out candles that never come down to this price.
    """
    length = base.ms // PIECES
    for opened_ms, candle in zip(final.open_ms.tolist(), final.values, strict=True):
        if at_or_below is not None and _exact(candle[2]) > at_or_below:
            continue
        first = max(0, (after_ms - opened_ms) // length)
        stop = min(PIECES, (until_ms - opened_ms) // length)
        if stop <= first:
            continue
        moments = [unfinished(candle, i / PIECES) for i in range(first, stop + 1)]
        for i, (before, after) in enumerate(pairwise(moments), start=first):
            start, last = _exact(before[3]), _exact(after[3])
            yield Piece(
                start_ms=opened_ms + i * length,
                end_ms=opened_ms + (i + 1) * length,
                high=max(start, last),
                low=min(start, last),
                last=last,
                volume=_exact(after[4]) - _exact(before[4]),
            )


def standing(final: NDArray[np.float64], fraction: float) -> Standing:
    """The candle after so much of its time.

    Args:
        final: float64[5], the candle as it will close.
        fraction: from 0 to 1.
    """
    now = unfinished(final, fraction)
    shown = unfinished(final, max(fraction, 1 / PIECES))
    share = max(fraction, 1 / PIECES) * PIECES
    return Standing(
        high=_exact(now[1]), low=_exact(now[2]), last=_exact(now[3]), volume=_exact(shown[4] / share)
    )


def _exact(value: np.float64) -> Decimal:
    """The decimal number that was written down as this double."""
    return Decimal(repr(float(value)))
