"""The sound rows of an answer: what an exchange serves is checked before it becomes a candle."""

from __future__ import annotations

import logging
from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from daemon.core.candles import CandleFrame, candle_fault
from daemon.core.errors import Retryable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from daemon.core.clock import Clock
    from daemon.core.market import CandleKey, CandleRequest
    from daemon.core.timeframe import Timeframe
    from daemon.market.exchange_time import ExchangeTime

# Beyond this, milliseconds are not whole numbers of float64, and no date.
_LAST_MS = 2**53
# Rows that open later than the exchange's clock says, which is known only so well.
_TOLERANCE_MS = 5000

log = logging.getLogger(__name__)


class Sifted(NamedTuple):
    """What is left of an answer.

    Attributes:
        frame: the sound candles that were asked for, oldest first.
        rejected: number of unsound rows.
        why: what was wrong with the first of them; None if all were sound.
    """

    frame: CandleFrame
    rejected: int
    why: str | None


def sifted(rows: Sequence[Sequence[object] | None], request: CandleRequest, latest_ms: int | None) -> Sifted:
    """Keep the sound rows of an answer and count the others.

    Unsound is a row that is not six numbers; that does not open on a boundary of the timeframe, or in
    the future; that no market produces (see `candle_fault`); that is out of order, unless the whole page
    is served newest first. Rows that repeat one exactly are it. Rows of the same time with
    different values are all unsound: which one is true nobody can tell, so the candle is left out and
    will be asked for again.

    Rows before ``since_ms`` and rows beyond ``limit`` are sound but were not asked for; some exchanges
    serve them by custom. They are left out and not counted.

    Args:
        rows: ``[open_ms, open, high, low, close, volume]`` each, in the order in which they were served.
        request: what was asked for.
        latest_ms: no candle opens later; None if the exchange's time is not known.
    """
    sieve = _Sieve()
    numbers = [_numbers(row) for row in rows]
    sieve.count("not six numbers", numbers.count(None))
    table = np.array([row for row in numbers if row is not None], np.float64).reshape(-1, 6)
    table = _oldest_first(table)
    timeframe = request.key.timeframe
    table = sieve.passed(table, _is_date(table[:, 0]), "no point in time")
    table = sieve.passed(table, _are_boundaries(table[:, 0], timeframe), "off the boundary")
    if latest_ms is not None:
        table = sieve.passed(table, table[:, 0] <= latest_ms, "in the future")
    table = _first_of_equal(table)
    table = sieve.passed(table, ~_disputed(table[:, 0]), "several with different values")
    table = sieve.passed(table, _in_order(table[:, 0]), "out of order")
    while (
        fault := candle_fault(table[:, 0].astype(np.int64), np.ascontiguousarray(table[:, 1:]))
    ) is not None:
        table = np.delete(table, fault[0], axis=0)
        sieve.count(fault[1], 1)
    table = table[table[:, 0] >= request.since_ms][: request.limit]
    frame = CandleFrame(table[:, 0].astype(np.int64), np.ascontiguousarray(table[:, 1:]))
    return Sifted(frame, sieve.rejected, sieve.why)


class RowCheck:
    """Makes candles of what one market serves, and tells when unsound rows of a series begin and when they end.

    Args:
        market: its name.
        time: the exchange's clock; no candle opens later.
        clock: how fast that runs.
    """

    def __init__(self, market: str, time: ExchangeTime, clock: Clock) -> None:
        self._market = market
        self._time = time
        self._tolerance_ms = int(_TOLERANCE_MS * clock.speed)
        self._unsound: set[CandleKey] = set()
        self.rejected = 0
        """Unsound rows that were served so far."""

    def candles(self, rows: Sequence[Sequence[object] | None], request: CandleRequest) -> CandleFrame:
        """The sound candles of an answer; see `sifted`.

        Raises:
            Retryable: there is not one among its rows.
        """
        key, latest_ms = request.key, None
        if self._time.known:
            latest_ms = self._time.now_ms() + min(self._tolerance_ms, key.timeframe.ms)
        frame, rejected, why = sifted(rows, request, latest_ms)
        self.rejected += rejected
        fields = {"market": self._market, "key": str(key), "rejected": rejected, "of": len(rows), "why": why}
        if rejected and key not in self._unsound:
            self._unsound.add(key)
            log.warning("candles_rejected", extra={"fields": fields})
        elif not rejected and rows and key in self._unsound:
            self._unsound.remove(key)
            log.info("candles_sound_again", extra={"fields": fields})
        if rejected and not len(frame):
            raise Retryable(f"{key} on {self._market}: no sound candle among {len(rows)}: {why}")
        return frame


class _Sieve:
    def __init__(self) -> None:
        self.rejected = 0
        self.why: str | None = None

    def count(self, why: str, rows: int) -> None:
        self.rejected += rows
        if rows and self.why is None:
            self.why = why

    def passed(self, table: NDArray[np.float64], sound: NDArray[np.bool_], why: str) -> NDArray[np.float64]:
        self.count(why, int(len(table) - np.count_nonzero(sound)))
        return table[sound]


def _numbers(row: Sequence[object] | None) -> list[float] | None:
    """The row as floats; None if it is not six numbers."""
    if not isinstance(row, list) or len(row) != 6:
        return None
    if any(isinstance(cell, bool) or not isinstance(cell, (int, float)) for cell in row):
        return None
    try:
        return [float(cell) for cell in row]
    except OverflowError:  # an int that no float holds
        return None


def _oldest_first(table: NDArray[np.float64]) -> NDArray[np.float64]:
    steps = np.diff(table[:, 0])
    return table[::-1] if len(steps) and (steps <= 0).all() and (steps < 0).any() else table


def _is_date(open_ms: NDArray[np.float64]) -> NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):
        sound: NDArray[np.bool_] = (open_ms > 0) & (open_ms < _LAST_MS) & (open_ms % 1 == 0)
    return sound  # NaN and infinity compare false


def _are_boundaries(open_ms: NDArray[np.float64], timeframe: Timeframe) -> NDArray[np.bool_]:
    whole_ms = open_ms.astype(np.int64)
    return np.equal(timeframe.floor(whole_ms), whole_ms)


def _first_of_equal(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Without rows that repeat an earlier one in every value."""
    _, first = np.unique(table, axis=0, return_index=True)
    return table[np.sort(first)]


def _disputed(open_ms: NDArray[np.float64]) -> NDArray[np.bool_]:
    _, where, counts = np.unique(open_ms, return_inverse=True, return_counts=True)
    return counts[where] > 1


def _in_order(open_ms: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which rows stay when as few as possible are left out so that time increases.

    The longest increasing subsequence (Fredman 1975): one row in the wrong place costs one row, and not
    all those that it stands before.
    """
    times = open_ms.tolist()
    tails: list[float] = []  # the earliest time at which a run of each length can end...
    ends: list[int] = []  # ...and the row that is
    before: list[int] = []  # for each row, the one before it in its run
    for row, time in enumerate(times):
        length = bisect_left(tails, time)
        before.append(ends[length - 1] if length else -1)
        tails[length : length + 1] = [time]
        ends[length : length + 1] = [row]
    stays = np.zeros(len(times), np.bool_)
    row = ends[-1] if ends else -1
    while row >= 0:
        stays[row] = True
        row = before[row]
    return stays
