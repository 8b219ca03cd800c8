"""Stretches of time without candles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Span(NamedTuple):
    """Candles from the one that opens at ``first_ms`` to the one that opens at ``last_ms``."""

    first_ms: int
    last_ms: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Candles that the exchange did not serve.

    Attributes:
        span: which ones.
        ask_ms: market time from which they are asked for once more.
        pause_ms: how long it was waited last; it doubles, so that an old gap costs ever fewer requests.
    """

    span: Span
    ask_ms: int
    pause_ms: int


def missing(open_ms: NDArray[np.int64], span: Span, step: int) -> list[Span]:
    """The parts of a span in which there is no candle, oldest first."""
    if span.first_ms > span.last_ms:
        return []
    inside = open_ms[(open_ms >= span.first_ms) & (open_ms <= span.last_ms)]
    edges = np.concatenate(([span.first_ms - step], inside, [span.last_ms + step]))
    holes = np.flatnonzero(np.diff(edges) > step)
    return [Span(int(edges[i]) + step, int(edges[i + 1]) - step) for i in holes]
