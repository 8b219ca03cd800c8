"""Many journal records at once: rows of all pairs, as columns, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from daemon.core.errors import Corrupt
from daemon.core.pair import Pair
from daemon.state.columns import PairColumns
from daemon.state.records import Group, Record, decode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray


def groups_of(records: Iterable[Record]) -> tuple[list[Group], list[Record]]:
    """The groups of all records, in order, and the records that turned out not to be ours."""
    groups, strange = [], []
    for record in records:
        try:
            groups += decode(record)
        except Corrupt:
            strange.append(record)
    return groups, strange


def replay(groups: list[Group], pairs: dict[Pair, PairColumns]) -> None:
    """Append the rows of many groups, in their order; candles that have a row already keep it.

    Whole columns are gathered first and handed out by pair, because a start replays hundreds of
    thousands of rows. Where a column is a number in one group and a text in another, rows are appended
    one by one instead, so that the change happens at its own candle.
    """
    kinds: dict[str, bool] = {}
    for group in groups:
        for name in group.columns:
            if kinds.setdefault(name, name in group.texts) != (name in group.texts):
                _one_by_one(groups, pairs)
                return
    table = _Table(groups, kinds)
    for pair, times, columns in table.by_pair():
        pairs.setdefault(Pair(pair), PairColumns()).extend(times, columns)


def _one_by_one(groups: list[Group], pairs: dict[Pair, PairColumns]) -> None:
    for group in groups:
        for i, pair in enumerate(group.pairs):
            values = row_values(group, i)
            pairs.setdefault(Pair(pair), PairColumns()).append(int(group.candle_ms[i]), values)


def row_values(group: Group, i: int) -> Mapping[str, float | str]:
    """One row of a group: column -> number or text, in the order in which it was given."""
    numbers = dict(zip(group.numbers, group.values[i].tolist(), strict=True))
    texts = {name: group.words[code] for name, code in zip(group.texts, group.codes[i], strict=True)}
    return {name: texts[name] if name in texts else numbers[name] for name in group.columns}


class _Table:
    """The rows of all groups below each other."""

    def __init__(self, groups: list[Group], kinds: Mapping[str, bool]) -> None:
        total = sum(len(group.pairs) for group in groups)
        self._numbers: dict[str, int] = {}
        self._pair = np.empty(total, np.int64)
        self._times = np.empty(total, np.int64)
        self._columns: dict[str, NDArray[Any]] = {
            name: np.zeros(total, np.int64) if text else np.full(total, np.nan)
            for name, text in kinds.items()
        }
        self._present: dict[str, NDArray[np.bool_]] = {name: np.zeros(total, np.bool_) for name in kinds}
        self._words: dict[str, int] = {"": 0}
        at = 0
        for group in groups:
            self._fill(group, slice(at, at + len(group.pairs)))
            at += len(group.pairs)

    def _fill(self, group: Group, rows: slice) -> None:
        self._pair[rows] = [self._numbers.setdefault(pair, len(self._numbers)) for pair in group.pairs]
        self._times[rows] = group.candle_ms
        for j, name in enumerate(group.numbers):
            self._columns[name][rows] = group.values[:, j]
            self._present[name][rows] = True
        if group.texts:
            codes = np.array([self._words.setdefault(word, len(self._words)) for word in group.words])
            for j, name in enumerate(group.texts):
                self._columns[name][rows] = codes[group.codes[:, j]]
                self._present[name][rows] = True

    def by_pair(self) -> Iterable[tuple[str, NDArray[np.int64], dict[str, NDArray[Any]]]]:
        """Pair, candle times and columns (those that it has), in the order of the records."""
        words = np.array(list(self._words), dtype=object)
        order = np.argsort(self._pair, kind="stable")
        ends = np.cumsum(np.bincount(self._pair, minlength=len(self._numbers))).tolist()
        for pair, start, end in zip(self._numbers, [0, *ends], ends, strict=False):
            rows = order[start:end]
            columns = {
                name: words[array[rows]] if array.dtype == np.int64 else array[rows]
                for name, array in self._columns.items()
                if self._present[name][rows].any()
            }
            yield pair, self._times[rows], columns
