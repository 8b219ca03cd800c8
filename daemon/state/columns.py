"""The history of one pair in memory: columns that grow by amortised appending, older rows left on the disk."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from daemon.core.errors import Corrupt
from daemon.state import arrays
from daemon.state.column import Column
from daemon.state.stored import FrozenColumn, FrozenPair, StoredPair

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

KEPT_ROWS = 4096
"""Rows of a pair that stay in memory after a snapshot; older ones are read again when asked for."""


class PairColumns:
    """All rows of one pair, by candle time, each candle at most once.

    The newest rows are resident; the first ``_split`` rows are in the snapshot only. Arrays that were
    handed out never change: rows are added behind those they show, and an insertion makes new arrays.
    """

    def __init__(self, stored: StoredPair | None = None, kept: int = KEPT_ROWS) -> None:
        self._older = stored.times if stored else None  # times of the rows that are in the snapshot only
        self._split = stored.rows if stored else 0
        self._used = 0
        self._unreadable = False
        self._times = np.empty(64, np.int64)
        self._columns: dict[str, Column] = {}
        if stored is not None:
            for name, column in stored.columns.items():
                self._columns[name] = Column(text=column.texts is not None, capacity=64, stored=column)
            self._load(max(0, stored.rows - kept))

    def __len__(self) -> int:
        return self._split + self._used

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, in the order in which they came up."""
        return tuple(self._columns)

    @property
    def last_ms(self) -> int | None:
        """Open time of the newest candle; None while there is none."""
        return int(self._times[self._used - 1]) if self._used else None

    def has(self, candle_ms: int) -> bool:
        """Whether a candle has a row; also where that cannot be known, because older rows are unreadable."""
        if not self._used or candle_ms > self._times[self._used - 1]:
            return False
        at = self._place(candle_ms)
        return bool(self._times[at] == candle_ms) or (at == 0 and self._split > 0)

    def append(self, candle_ms: int, values: Mapping[str, float | str]) -> bool:
        """Add one row; False, and nothing done, if the candle has one already: the first stays."""
        if self._used and candle_ms <= self._times[self._used - 1]:
            if self.has(candle_ms):
                return False
            at = self._place(candle_ms)
            self._open_gap(at)
        else:
            at = self._used
            self._reserve(at + 1)
        self._match(values)
        for name, column in self._columns.items():
            column.array[at] = column.coded(values.get(name))
        self._times[at] = candle_ms
        self._used += 1
        return True

    def extend(self, times: NDArray[np.int64], columns: Mapping[str, NDArray[Any]]) -> None:
        """Add many rows at once; a candle that has a row already keeps it.

        Args:
            times: int64[n], in any order.
            columns: name -> float64[n], or object[n] of texts.
        """
        newest = self.last_ms
        if len(times) and (np.diff(times) > 0).all() and (newest is None or times[0] > newest):
            self._extend(times, columns)
            return
        for i, candle_ms in enumerate(times.tolist()):
            self.append(candle_ms, {name: each[i] for name, each in columns.items()})

    def _extend(self, times: NDArray[np.int64], columns: Mapping[str, Any]) -> None:
        n, m = self._used, self._used + len(times)
        self._reserve(m)
        self._match({name: each[0] for name, each in columns.items()})
        for name, column in self._columns.items():
            given = columns.get(name)
            if given is not None and column.text:
                column.array[n:m] = [column.code(word) for word in given]
            else:
                column.array[n:m] = column.coded(None) if given is None else given
        self._times[n:m] = times
        self._used = m

    def window(self, open_ms: NDArray[np.int64], without: Collection[str] = ()) -> dict[str, NDArray[Any]]:
        """Values of some candles.

        Args:
            open_ms: int64[n], strictly increasing, ms UTC.
            without: names of columns that are not wanted.

        Returns:
            Column -> float64[n] or object[n], NaN or "" where there is no row. Read-only views where
            every candle has one, so that the usual case copies nothing but texts.
        """
        n = len(open_ms)
        if n and self._split and (not self._used or open_ms[0] < self._times[0]):
            self._reach(int(open_ms[0]))
        times = self._times[: self._used]
        wanted = {name: column for name, column in self._columns.items() if name not in without}
        low, high = np.searchsorted(times, (open_ms[0], open_ms[-1] + 1)) if n else (0, 0)
        have = times[low:high]
        if len(have) == n and np.array_equal(have, open_ms):
            return {name: column.shown(column.array[low:high]) for name, column in wanted.items()}
        places, rows = arrays.matched(open_ms, have)
        found = {}
        for name, column in wanted.items():
            out = column.blank(n)
            out[places] = column.shown(column.array[low:high][rows])
            found[name] = out
        return found

    def older_than(self, candle_ms: int) -> int:
        """How many rows are of candles that opened before a time, ms UTC.

        Raises:
            Corrupt: the snapshot, in which the oldest rows are, is not what was written.
        """
        resident = int(np.searchsorted(self._times[: self._used], candle_ms))
        if resident or not self._split or self._older is None:
            return self._split + resident
        return int(np.searchsorted(self._older.read(0, self._split), candle_ms))

    def frozen(self, without: int = 0) -> FrozenPair:
        """The rows as they are now, without so many of the oldest; later appends do not change it."""
        place, older = slice(max(0, without - self._split), self._used), slice(without, self._split)
        times = FrozenColumn("date_pred", self._older, None, self._times[place])
        columns = tuple(
            column.frozen(name, place, older if without else None) for name, column in self._columns.items()
        )
        return FrozenPair(max(0, self._split - without), times, columns, without)

    def rebase(self, stored: StoredPair, frozen: FrozenPair, kept: int = KEPT_ROWS) -> None:
        """Stand on a new snapshot, which holds the rows of ``frozen``, and forget older rows from memory.

        Where rows were inserted or columns renamed meanwhile, nothing is done until the next snapshot.
        """
        first = max(0, frozen.skipped - self._split)
        older = first + len(frozen.times.resident)
        known = {name: column.text for name, column in self._columns.items()}
        if not (
            frozen.split == max(0, self._split - frozen.skipped)
            and np.array_equal(self._times[first:older], frozen.times.resident)
            and all(known.get(each.name) is (each.texts is not None) for each in frozen.columns)
        ):
            return
        drop = max(first, older - kept)
        kept_rows = self._used - drop
        self._times = arrays.larger(self._times[drop : self._used], kept_rows, kept_rows)
        for name, column in self._columns.items():
            column.rebase(slice(drop, self._used), stored.columns.get(name))
        self._older, self._split, self._used = stored.times, frozen.rows - (older - drop), self._used - drop

    def _place(self, candle_ms: int) -> int:
        """Where among the resident rows a candle is or would be."""
        if self._split and candle_ms < self._times[0]:
            self._reach(candle_ms)
        return int(np.searchsorted(self._times[: self._used], candle_ms))

    def _reach(self, candle_ms: int) -> None:
        """Make rows resident back to a candle, and one before it, so that its place is known."""
        if self._older is None or self._unreadable:
            return
        try:
            times = self._older.read(0, self._split)
            self._load(max(0, int(np.searchsorted(times, candle_ms)) - 1))
        except Corrupt as exc:
            # Intact at the start, damaged since: newer rows are served, and the next start falls back.
            self._unreadable = True
            logger.error("history_unreadable", extra={"fields": {"error": str(exc)}})  # noqa: TRY400 - no bug

    def _load(self, first: int) -> None:
        """Make rows from ``first`` on resident."""
        if self._older is None or first >= self._split:
            return
        split, used = self._split, self._used
        times = self._older.read(first, split)
        older = {
            name: np.full(split - first, column.coded(None))
            if column.stored is None
            else column.stored.read(first, split)
            for name, column in self._columns.items()
        }
        # All is read before anything is changed: an unreadable column leaves the pair as it was.
        self._times = arrays.behind(times, self._times[:used])
        for name, column in self._columns.items():
            column.array = arrays.behind(older[name].astype(column.array.dtype), column.array[:used])
        self._split, self._used = first, used + split - first

    def _match(self, values: Mapping[str, float | str]) -> None:
        """See to it that each value has a column of its kind.

        A label that was a number and becomes a text (or the other way round) is another column in truth:
        what was there keeps its values under ``<name>.number`` or ``<name>.text``.
        """
        for name, value in values.items():
            text, column = isinstance(value, str), self._columns.get(name)
            if column is None:
                self._columns[name] = Column(text=text, capacity=len(self._times))
            elif column.text != text:
                self._swap(name, text=text)

    def _swap(self, name: str, *, text: bool) -> None:
        retired, revived = (f"{name}.number", f"{name}.text") if text else (f"{name}.text", f"{name}.number")
        column = self._columns.pop(revived, None) or Column(text=text, capacity=len(self._times))
        self._columns[retired] = self._columns[name]
        self._columns[name] = column

    def _reserve(self, needed: int) -> None:
        if needed > len(self._times):
            self._times = arrays.larger(self._times, self._used, needed)
            for column in self._columns.values():
                column.array = arrays.larger(column.array, self._used, needed)

    def _open_gap(self, at: int) -> None:
        """Make room for one row among the others, in new arrays: the old ones may be in use."""
        used = self._used
        self._times = arrays.with_gap(self._times[:used], at)
        for column in self._columns.values():
            column.array = arrays.with_gap(column.array[:used], at)
