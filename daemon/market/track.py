"""What the feed holds of one pair and timeframe, and what it still wants."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from daemon.core.candles import CandleFrame, CandleSeries
from daemon.core.market import CandleRequest
from daemon.market.gaps import Gap, Span, missing
from daemon.market.resample import interval_offset

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from daemon.core.market import CandleKey

log = logging.getLogger(__name__)

# A missing candle is believed to be missing after so many answers without it, over so many updates.
_ANSWERS, _UPDATES = 3, 2
# Closed candles that are asked for again with the new ones, to see late revisions.
_OVERLAP = 2
# Candles that may be held beyond those that are needed.
_SLACK = 128
_EVER = 2**62


@dataclass(frozen=True, slots=True)
class _Suspicion:
    """How often candles were missing in an answer that should have held them."""

    answers: int
    updates: int
    last_update: int


class Absorbed(NamedTuple):
    """What one answer changed."""

    appended: int
    """Candles that were not there before."""
    revised_ms: list[int]
    """Open times of closed candles whose values changed."""
    inserted_ms: list[int]
    """Open times of candles that came in older than the newest."""
    gaps: int
    """Gaps that were recorded."""
    settled: bool
    """Whether candles or the lack of candles became known: then asking on makes sense."""

    @property
    def changed_ms(self) -> list[int]:
        """Open times at which history is another one than before."""
        return self.revised_ms + self.inserted_ms


class Track:
    """The candles of one key: a series without unexplained holes.

    New candles are appended up to the first hole only. A hole is asked for again; when it is believed,
    it is recorded as a gap and the candles behind it are taken. So nothing is ever computed on a history
    that is later found to be incomplete, unless the exchange itself was wrong three times.

    One thread writes; `frame` may be taken by any.
    """

    def __init__(self, key: CandleKey) -> None:
        self.key = key
        self.gaps: list[Gap] = []
        self.unwritten = 0
        """Changes since the file was written."""
        self._series = CandleSeries()
        self._step = key.timeframe.ms
        self._since_ms = 0
        self._keep = 0
        # Before it, every candle is held, or recorded as missing.
        self._settled_ms = 0
        self._suspected: dict[Span, _Suspicion] = {}

    @property
    def frame(self) -> CandleFrame:
        """All candles held."""
        return self._series.frame

    @property
    def last_ms(self) -> int | None:
        """Open time of the newest candle held."""
        return self._series.last_ms

    @property
    def suspects(self) -> bool:
        """Whether a hole holds newer candles back."""
        return bool(self._suspected)

    def load(self, stored: CandleFrame, since_ms: int, newest_ms: int) -> None:
        """Begin with candles of the file, as far as they lie from ``since_ms`` to ``newest_ms``."""
        self._since_ms = self._settled_ms = self.key.timeframe.ceil(since_ms)
        self._keep = max(1, (newest_ms - self._since_ms) // self._step + 1)
        self._series.replace(stored.between(self._since_ms, newest_ms))
        self.gaps, self._suspected, self.unwritten = [], {}, 0

    def wanted(self, newest_ms: int) -> Span | None:
        """The oldest candles up to ``newest_ms`` that are neither held nor recorded as missing."""
        open_ms, at = self.frame.open_ms, self._settled_ms
        while at <= newest_ms:
            gap = next((g.span for g in self.gaps if g.span.first_ms <= at <= g.span.last_ms), None)
            rows = open_ms[np.searchsorted(open_ms, at) :]
            if gap is not None:
                at = gap.last_ms + self._step
            elif len(rows) and rows[0] == at:
                holes = np.flatnonzero(np.diff(rows) != self._step)
                at = int(rows[holes[0] if len(holes) else -1]) + self._step
            else:
                break
        self._settled_ms = at
        if at > newest_ms:
            return None
        ends = [int(rows[0])] if len(rows) else []
        ends += [g.span.first_ms for g in self.gaps if g.span.first_ms > at]
        return Span(at, min([newest_ms, *(end - self._step for end in ends)]))

    def request(self, span: Span, page_limit: int) -> CandleRequest:
        """The first page of a span, with a little of what is before it and the candle after it."""
        since_ms = max(0, span.first_ms - min(_OVERLAP, page_limit - 1) * self._step)
        count = (span.last_ms - since_ms) // self._step + 2
        return CandleRequest(key=self.key, since_ms=since_ms, limit=min(page_limit, count))

    def absorb(
        self, span: Span, request: CandleRequest, page: CandleFrame, newest_ms: int, update: int
    ) -> Absorbed:
        """Take what an answer to `request` holds.

        Args:
            span: what was wanted, from `wanted` or a gap that is asked for again.
            request: what was asked.
            page: the answer.
            newest_ms: open time of the newest candle that is closed; later ones are in progress.
            update: number of the update; a hole must be seen in two of them.
        """
        closed = self._closed(page, newest_ms)
        last_ms = -1 if self.last_ms is None else self.last_ms
        at_the_end = span.first_ms > last_ms
        gaps: list[Span] = []
        if at_the_end:
            closed = closed.between(0, span.last_ms)
        if not any(g.span == span for g in self.gaps):
            self._suspect(span, self._answered_to(span, request, page, newest_ms), closed, update)
            gaps, cut_ms = self._believed(at_the_end)
            closed = closed.between(0, cut_ms - 1)
        recorded = self._record(gaps, newest_ms)
        known, new = closed.between(0, last_ms), closed.between(last_ms + 1, newest_ms)
        revised, inserted = self._merge(known)
        self._series.append(new)
        self.unwritten += len(new) + len(inserted) + len(revised)
        arrived = len(new) + len(inserted)
        if arrived and self.gaps:
            self._narrow_gaps(np.concatenate([inserted, new.open_ms]))
        return Absorbed(arrived, revised, inserted.tolist(), recorded, bool(arrived or gaps))

    def due_gap(self, now_ms: int) -> Gap | None:
        """The oldest recorded gap that is to be asked for again."""
        return next((gap for gap in self.gaps if gap.ask_ms <= now_ms), None)

    def postpone(self, gap: Gap, now_ms: int) -> None:
        """Ask for a gap later again, after twice the pause, if it is still there."""
        later = Gap(gap.span, now_ms + 2 * gap.pause_ms, 2 * gap.pause_ms)
        self.gaps = [later if g.span == gap.span else g for g in self.gaps]

    def trim(self) -> None:
        """Drop candles that are older than ever needed, some at a time: what is left is copied."""
        if len(self.frame) > self._keep + _SLACK:
            self._series.replace(self.frame[len(self.frame) - self._keep :])
            self._since_ms = int(self.frame.open_ms[0])
            self.gaps = [gap for gap in self.gaps if gap.span.first_ms >= self._since_ms]

    def _closed(self, page: CandleFrame, newest_ms: int) -> CandleFrame:
        """The rows that may be stored: closed, not older than needed, at a boundary."""
        rows = page.between(self._since_ms, newest_ms)
        aligned = interval_offset(rows.open_ms, self.key.timeframe) == 0
        return rows if aligned.all() else CandleFrame(rows.open_ms[aligned], rows.values[aligned])

    def _suspect(self, span: Span, end_ms: int, closed: CandleFrame, update: int) -> None:
        """Count the holes that an answer shows up to ``end_ms``; forget those that it fills."""
        seen: dict[Span, _Suspicion] = {}
        for hole in missing(closed.open_ms, Span(span.first_ms, end_ms), self._step):
            was = self._suspected.get(hole, _Suspicion(0, 0, -1))
            seen[hole] = _Suspicion(was.answers + 1, was.updates + (was.last_update != update), update)
        for hole, suspicion in self._suspected.items():
            # An answer that says nothing of a hole (an empty one, say) does not start the count anew.
            untouched = missing(closed.open_ms, hole, self._step) == [hole]
            apart = all(hole.last_ms < other.first_ms or hole.first_ms > other.last_ms for other in seen)
            if hole.first_ms >= span.first_ms and untouched and apart:
                seen[hole] = suspicion
        self._suspected = seen

    def _believed(self, at_the_end: bool) -> tuple[list[Span], int]:
        """Holes that are gaps from now on, and the time before which candles may be taken.

        Behind the newest candle nothing is taken that lies behind a hole not yet believed.
        """
        doubted = [
            hole for hole, s in self._suspected.items() if s.answers < _ANSWERS or s.updates < _UPDATES
        ]
        cut_ms = min((hole.first_ms for hole in doubted), default=_EVER) if at_the_end else _EVER
        gaps = sorted(hole for hole in self._suspected if hole not in doubted and hole.first_ms < cut_ms)
        for hole in gaps:
            del self._suspected[hole]
        return gaps, cut_ms

    def _answered_to(self, span: Span, request: CandleRequest, page: CandleFrame, newest_ms: int) -> int:
        """How far the answer speaks of the span: what is missing up to there, the exchange does not have."""
        if len(page) and page.open_ms[-1] >= span.first_ms:
            return min(int(page.open_ms[-1]), span.last_ms)
        window_ms = request.since_ms + (request.limit - 1) * self._step
        # Nothing at the end of history: the newest candles are not served yet, which is no hole.
        return span.first_ms - self._step if window_ms >= newest_ms else min(window_ms, span.last_ms)

    def _record(self, gaps: list[Span], newest_ms: int) -> int:
        """Write believed holes down; return how many are gaps."""
        recorded = 0
        for span in gaps:
            fields = {"key": str(self.key), "first_ms": span.first_ms, "last_ms": span.last_ms}
            if span.first_ms <= self._since_ms:
                # Nothing before it: not a gap, the exchange has no older candles.
                self._since_ms = self._settled_ms = span.last_ms + self._step
                log.info("candle_history_begins_later", extra={"fields": fields})
                continue
            now_ms = newest_ms + self._step
            self.gaps = sorted([*self.gaps, Gap(span, now_ms + self._step, self._step)], key=lambda g: g.span)
            log.warning("candle_gap", extra={"fields": fields})
            recorded += 1
        return recorded

    def _merge(self, known: CandleFrame) -> tuple[list[int], NDArray[np.int64]]:
        """Compare with what is held, older than the newest: revised open times, inserted open times."""
        held = self.frame
        at = np.searchsorted(held.open_ms, known.open_ms)
        there = held.open_ms[np.minimum(at, len(held) - 1)] == known.open_ms if len(held) else at < 0
        both = np.flatnonzero(there)
        revised = both[(held.values[at[both]] != known.values[both]).any(axis=1)].tolist()
        inserted = known.open_ms[~there]
        if not revised and not len(inserted):
            return [], inserted
        values = held.values.copy()
        for i in revised:
            fields = {"key": str(self.key), "candle_ms": int(known.open_ms[i])}
            fields |= {"old": held.values[at[i]].tolist(), "new": known.values[i].tolist()}
            log.warning("candle_revised", extra={"fields": fields})
            values[at[i]] = known.values[i]
        times = np.insert(held.open_ms, at[~there], inserted)
        self._series.replace(CandleFrame(times, np.insert(values, at[~there], known.values[~there], axis=0)))
        return [int(known.open_ms[i]) for i in revised], inserted

    def _narrow_gaps(self, arrived: NDArray[np.int64]) -> None:
        """Take candles that came in after all out of the recorded gaps."""
        if arrived[0] > self.gaps[-1].span.last_ms:
            return
        narrowed: list[Gap] = []
        for gap in self.gaps:
            inside = arrived[(arrived >= gap.span.first_ms) & (arrived <= gap.span.last_ms)]
            narrowed += [
                Gap(span, gap.ask_ms, gap.pause_ms) for span in missing(inside, gap.span, self._step)
            ]
            if len(inside):
                fields = {"key": str(self.key), "first_ms": int(inside[0]), "candles": len(inside)}
                log.info("candle_gap_filled", extra={"fields": fields})
        self.gaps = narrowed
