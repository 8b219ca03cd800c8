"""Whether rows change when later candles come: computed with the future cut off, and compared bit for bit.

A column is compared at every row up to the cut, in every column, whether or not a signal fired there. Both
computations begin at the same candle, so that an indicator's memory is the same in both.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from daemon.core.errors import StrategyError
from daemon.features.altered import altered_after, with_oddities
from daemon.features.findings import Fault, Finding, worst_first
from daemon.features.moments import telling_rows
from daemon.features.rounding import last_digits, ranges

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from daemon.core.candles import CandleFrame
    from daemon.core.timeframe import Timeframe
    from daemon.features.compute import BlockRows

    Call = Callable[[CandleFrame], BlockRows]

ODD_CANDLES = 600
"""Candles of the history that odd places are put into."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """How thoroughly is looked.

    Attributes:
        candles: newest candles of a series that are looked at.
        moments: cuts of the history, at most.
        fewest: cuts that are made even if the time is over.
        altered: cuts behind which other candles follow instead of none.
        oddities: whether candles with gaps and without volume are tried as well.
        seed: of the random moments.
    """

    candles: int = 1500
    moments: int = 60
    fewest: int = 60
    altered: int = 3
    oddities: bool = True
    seed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is examined.

    Attributes:
        call: computes all rows of a history from its first candle on.
        again: the same by another instance of the strategy, which has seen other candles before; None: not tried.
        place: the candles, for people.
        hook_of: who makes a column.
        name_of: a column's full name.
        longer: timeframes that may be merged in.
        words: texts that stand in the rows as numbers.
    """

    call: Call
    again: Call | None
    place: str
    hook_of: Callable[[str], str]
    name_of: Callable[[str], str] = str
    longer: Sequence[Timeframe] = ()
    words: Mapping[float, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What came out.

    Attributes:
        findings: the worst first.
        columns: how many columns were compared.
        moments: how many times the history was cut, or went on otherwise.
        last_digits: columns that differ in their last digits alone; their computation runs over all rows at once
            (a Fourier transform, a product of matrices), and what it tells of the future is below any use.
        raised: what the hooks raised on a history that is too short, or odd, by how often.
        full: the rows of the whole history.
    """

    findings: tuple[Finding, ...]
    columns: int
    moments: int
    last_digits: tuple[str, ...]
    raised: Mapping[str, int]
    full: BlockRows


def examined(
    subject: Subject, frame: CandleFrame, depth: Depth, enough: Callable[[], bool] = lambda: False
) -> Examined:
    """Look for columns whose rows change with later candles, or from one computation to the next.

    Args:
        subject: what is examined.
        frame: its candles; the newest ``depth.candles`` are used.
        depth: how thoroughly.
        enough: asked before each cut; true ends the search, once the fewest are made. What it raises ends it at once.

    Raises:
        StrategyError: a hook raised on the whole history.
    """
    frame = frame[-depth.candles :]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of histories of three candles there is much to warn
        search = _Search(subject, frame)
        search.repeat()
        rows = telling_rows(frame, subject.longer, most=depth.moments, seed=depth.seed)
        for i, row in enumerate(rows):
            if enough() and i >= depth.fewest:
                break
            search.cut(row)
            if i < depth.altered:
                search.alter(row, depth.seed + i)
        if depth.oddities and len(frame) >= ODD_CANDLES:
            odd, places = with_oddities(frame[-ODD_CANDLES:])
            search.elsewhere(odd, places)
    return search.result()


class _Search:
    """Rows of one history, and what was found of them so far."""

    def __init__(self, subject: Subject, frame: CandleFrame) -> None:
        self._subject = subject
        self._frame = frame
        self._full = subject.call(frame)
        self._compared = self._full
        words = np.array(list(subject.words), np.float64)
        self._scale = ranges(np.where(np.isin(self._full.values, words), np.nan, self._full.values))
        self._found: dict[str, Finding] = {}
        self._digits: set[str] = set()
        self._raised: dict[str, int] = {}
        self._moments = 0

    def repeat(self) -> None:
        """Compute the same rows again, and by an instance that has seen other candles first."""
        last = len(self._frame) - 1
        self._compare(self._subject.call(self._frame), last, Fault.UNSTEADY)
        again = self._subject.again
        if again is None:
            return
        self._computed(again, self._frame[: max(2, len(self._frame) // 2)])
        other = self._computed(again, self._frame)
        if other is not None:
            self._compare(other, last, Fault.UNSTEADY)

    def cut(self, row: int) -> None:
        """Compare with the rows of a history that ends at ``row``."""
        short = self._computed(self._subject.call, self._frame[: row + 1])
        if short is not None:
            self._moments += 1
            self._compare(short, row, Fault.LOOKS_AHEAD)

    def alter(self, row: int, seed: int) -> None:
        """Compare with the rows of a history that goes on otherwise behind ``row``."""
        other = self._computed(self._subject.call, altered_after(self._frame, row, seed))
        if other is not None:
            self._moments += 1
            self._compare(other, row, Fault.LOOKS_AHEAD, followed=True)

    def elsewhere(self, frame: CandleFrame, rows: Sequence[int]) -> None:
        """Cut another history at these rows."""
        full = self._computed(self._subject.call, frame)
        if full is None or full.names != self._full.names:
            return
        mine, self._frame, self._compared = self._frame, frame, full
        for row in rows:
            self.cut(row)
        self._frame, self._compared = mine, self._full

    def result(self) -> Examined:
        found = worst_first(tuple(self._found.values()))
        digits = self._digits - self._found.keys()
        return Examined(
            findings=found,
            columns=len(self._full.names),
            moments=self._moments,
            last_digits=tuple(sorted(self._subject.name_of(name) for name in digits)),
            raised=self._raised,
            full=self._full,
        )

    def _computed(self, call: Call, frame: CandleFrame) -> BlockRows | None:
        """Rows, or None where the hooks raise: what cannot be computed tells nothing."""
        try:
            return call(frame)
        except StrategyError as exc:
            self._raised[str(exc)] = self._raised.get(str(exc), 0) + 1
            return None

    def _compare(self, other: BlockRows, row: int, fault: Fault, *, followed: bool = False) -> None:
        """Note the columns in which the rows up to ``row`` are not those of the whole history."""
        one = self._compared
        common = [name for name in one.names if name in other.names]
        for name in sorted(set(one.names) ^ set(other.names)):
            self._note(name, row, (math.nan, math.nan, math.inf), known=row, fault=fault, followed=followed)
        if other.names == one.names:
            a, b = one.values[: row + 1], other.values[: row + 1]
        else:
            a, b = _of(one, common, row), _of(other, common, row)
        with np.errstate(invalid="ignore"):
            differ = (a != b) & ~(np.isnan(a) & np.isnan(b))
        for column in np.flatnonzero(differ.any(axis=0)):
            name = common[column]
            rows = np.flatnonzero(differ[:, column])
            mine, theirs = a[rows, column].astype(np.float64), b[rows, column].astype(np.float64)
            told = ~last_digits(mine, theirs, self._range(name))
            if not told.any():
                self._digits.add(name)
                continue
            newest = int(np.flatnonzero(told)[-1])
            values = (float(mine[newest]), float(theirs[newest]), self._share(name, mine, theirs, newest))
            self._note(name, int(rows[newest]), values, known=row, fault=fault, followed=followed)

    def _range(self, name: str) -> float:
        return float(self._scale[self._full.names.index(name)]) if name in self._full.names else 0.0

    def _share(self, name: str, mine: NDArray[np.float64], theirs: NDArray[np.float64], at: int) -> float:
        scale = self._range(name)
        words = self._subject.words
        if words and (float(mine[at]) in words or float(theirs[at]) in words):
            return math.inf
        gap = abs(float(mine[at]) - float(theirs[at]))
        return gap / scale if math.isfinite(gap) and scale > 0 else math.inf

    def _note(
        self,
        name: str,
        row: int,
        values: tuple[float, float, float],
        *,
        known: int,
        fault: Fault,
        followed: bool,
    ) -> None:
        """Keep the most telling case of each column."""
        before = self._found.get(name)
        if before is not None and before.fault is not fault:
            return  # of a column that is never twice the same it cannot be told whether it looks ahead
        times = 1 if before is None else before.times + 1
        words = self._subject.words
        case = Finding(
            fault=fault,
            place=self._subject.place,
            hook=self._subject.hook_of(name),
            column=self._subject.name_of(name),
            candle_ms=int(self._frame.open_ms[row]),
            known_ms=int(self._frame.open_ms[known]),
            with_later=words.get(values[0], values[0]),
            without=words.get(values[1], values[1]),
            share=values[2],
            followed=followed,
            times=times,
        )
        if before is not None and not _tells_more(case, before):
            case = replace(before, times=times)
        self._found[name] = case


def _of(rows: BlockRows, names: Sequence[str], row: int) -> NDArray[np.floating[Any]]:
    places = [rows.names.index(name) for name in names]
    return rows.values[: row + 1, places]


def _tells_more(case: Finding, before: Finding) -> bool:
    """Whether a case shows better what a column does: by a number, by no candles that never were, by a large one."""
    one, two = (
        (math.isfinite(each.share), not each.followed, each.share if math.isfinite(each.share) else 0.0)
        for each in (case, before)
    )
    return one > two
