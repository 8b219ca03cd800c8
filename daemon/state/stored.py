"""A pair's rows where they lie: in a snapshot, in memory, or partly here and partly there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


TIME = "date_pred"
"""FreqAI's name of the column with the candles' open times."""
DATE = pd.DatetimeTZDtype("ms", "UTC")
"""Its type in frames."""


class Segment(Protocol):
    """One column of one pair in a snapshot."""

    def read(self, first: int, last: int) -> NDArray[Any]:
        """Rows ``first`` to ``last`` (exclusive): int64 times, float64 numbers or integer codes."""
        ...


@dataclass(frozen=True, slots=True)
class StoredColumn:
    """A column as a snapshot holds it; ``texts`` is None for numbers, else code -> text."""

    segment: Segment
    texts: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class StoredPair:
    """A pair as a snapshot holds it: rows, their times (int64, strictly increasing), their columns."""

    rows: int
    times: Segment
    columns: Mapping[str, StoredColumn]


@dataclass(frozen=True, slots=True)
class FrozenColumn:
    """A column at one moment: rows in a snapshot (if it has them there), then rows in memory.

    ``recode`` turns the codes of the snapshot into places in ``texts``, where those are not the same.
    """

    name: str
    stored: Segment | None
    texts: tuple[str, ...] | None
    resident: NDArray[Any]
    recode: NDArray[np.int32] | None = None


@dataclass(frozen=True, slots=True)
class FrozenPair:
    """A pair's rows at one moment: ``split`` of them in the snapshot, behind ``skipped`` others; the rest in memory."""

    split: int
    times: FrozenColumn
    columns: tuple[FrozenColumn, ...]
    skipped: int = 0

    @property
    def rows(self) -> int:
        """How many there are."""
        return self.split + len(self.times.resident)

    def values(self, column: FrozenColumn, first: int, last: int) -> NDArray[Any]:
        """Raw values (times, numbers, codes) of rows ``first`` to ``last`` (exclusive) of a column.

        Raises:
            Corrupt: the snapshot's rows are not what was written.
        """
        kind = column.resident.dtype
        if first >= self.split:
            return column.resident[first - self.split : last - self.split]
        n = min(last, self.split) - first
        if column.stored is None:
            older = np.zeros(n, kind) if column.texts is not None else np.full(n, np.nan, kind)
        else:
            # Beginning with the column's very first row: only then is its checksum compared.
            start = self.skipped + first if first else 0
            read = column.stored.read(start, self.skipped + first + n)
            read = read[len(read) - n :]
            older = (read if column.recode is None else column.recode[read]).astype(kind, copy=False)
        return older if last <= self.split else np.concatenate((older, column.resident[: last - self.split]))

    def frame(self, last: int | None = None) -> pd.DataFrame:
        """The rows (the newest ``last`` of them) in FreqAI's form: values, then the candles' times.

        Raises:
            Corrupt: as `values`.
        """
        first = 0 if last is None else max(0, self.rows - last)
        found: dict[str, Any] = {}
        for column in self.columns:
            values = self.values(column, first, self.rows)
            found[column.name] = (
                values if column.texts is None else np.array(column.texts, dtype=object)[values]
            )
        times = self.values(self.times, first, self.rows).astype("M8[ms]")
        return pd.DataFrame({**found, TIME: pd.array(times, dtype=DATE)})
