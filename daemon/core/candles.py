"""Closed candles of one pair and timeframe, as columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

COLUMNS = ("open", "high", "low", "close", "volume")
_PRICES_AND_VOLUME = pd.Index(COLUMNS, dtype=object)


@dataclass(frozen=True, slots=True)
class CandleFrame:
    """Candles of one pair and timeframe, oldest first, each at most once.

    Attributes:
        open_ms: int64[n], open times, milliseconds UTC, strictly increasing.
        values: float64[n, 5], C-ordered: open, high, low, close (quote currency), volume (base currency).

    The arrays are read-only. Slices are views. A frame may have gaps (candles that the exchange does
    not have); it never holds NaN.

    Raises:
        ValueError: wrong shapes, times not increasing, or values that no market produces
            (NaN, infinite, not positive, high below low, open or close outside low..high).
    """

    open_ms: NDArray[np.int64]
    values: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Refuse what cannot be candles."""
        fault = candle_fault(self.open_ms, self.values)
        if fault is not None:
            raise ValueError(f"not candles: row {fault[0]}: {fault[1]}")
        self.open_ms.flags.writeable = False
        self.values.flags.writeable = False

    @classmethod
    def empty(cls) -> CandleFrame:
        """A frame without candles."""
        return cls(np.empty(0, np.int64), np.empty((0, 5), np.float64))

    @classmethod
    def trusted(cls, open_ms: NDArray[np.int64], values: NDArray[np.float64]) -> CandleFrame:
        """A frame over arrays that were checked before (a slice, a view of a series): no second check."""
        self = object.__new__(cls)
        object.__setattr__(self, "open_ms", open_ms)
        object.__setattr__(self, "values", values)
        return self

    @classmethod
    def from_rows(cls, rows: Iterable[Iterable[float]]) -> CandleFrame:
        """A frame of ``[open_ms, open, high, low, close, volume]`` rows."""
        table = np.asarray([list(row) for row in rows], dtype=np.float64).reshape(-1, 6)
        return cls(table[:, 0].astype(np.int64), np.ascontiguousarray(table[:, 1:]))

    def __len__(self) -> int:
        return len(self.open_ms)

    def __getitem__(self, rows: slice) -> CandleFrame:
        return CandleFrame.trusted(self.open_ms[rows], self.values[rows])

    def between(self, first_ms: int, last_ms: int) -> CandleFrame:
        """Candles that open at or after ``first_ms`` and at or before ``last_ms``."""
        low, high = np.searchsorted(self.open_ms, [first_ms, last_ms + 1])
        return self[int(low) : int(high)]

    @property
    def close(self) -> NDArray[np.float64]:
        """Closing prices, float64[n]."""
        return self.values[:, 3]

    def to_pandas(self) -> pd.DataFrame:
        """A new frame with freqtrade's columns: date (datetime64[ms, UTC], open time) and OHLCV.

        The column index holds Python strings (dtype object), as in pandas before 3: strategies add dozens of
        columns one by one, and each insertion into an Arrow-backed index costs more than many an indicator.
        """
        # One copy in the layout that pandas keeps, each column on end: half the time of a frame made from a dict.
        frame = pd.DataFrame(np.array(self.values, order="F"), columns=_PRICES_AND_VOLUME, copy=False)
        frame.insert(0, "date", pd.DatetimeIndex(self.open_ms.view("datetime64[ms]"), tz="UTC"))
        return frame


def candle_fault(open_ms: NDArray[np.int64], values: NDArray[np.float64]) -> tuple[int, str] | None:
    """First row that cannot be a candle, and why; None if all are sound."""
    if open_ms.dtype != np.int64 or values.dtype != np.float64 or values.shape != (len(open_ms), 5):
        return 0, f"wrong shape or type: {open_ms.dtype}{open_ms.shape}, {values.dtype}{values.shape}"
    if not len(open_ms):
        return None
    o, h, low, c, volume = values.T
    with np.errstate(invalid="ignore"):
        checks = (
            ("a value is not a number", ~np.isfinite(values).all(axis=1)),
            ("a price is not above zero", (values[:, :4] <= 0).any(axis=1)),
            ("high below low", h < low),
            ("open outside low..high", (o > h) | (o < low)),
            ("close outside low..high", (c > h) | (c < low)),
            ("volume below zero", volume < 0),
            ("time does not increase", np.concatenate(([False], np.diff(open_ms) <= 0))),
        )
    found = [(int(np.argmax(bad)), why) for why, bad in checks if bad.any()]
    return min(found, key=lambda fault: fault[0], default=None)


class CandleSeries:
    """Candles that grow at the end by amortised appending.

    One thread writes; any thread may take a `frame`. A frame taken before an append does not change by
    it, because rows are only ever added behind those that it shows.
    """

    def __init__(self) -> None:
        self._open_ms = np.empty(1024, np.int64)
        self._values = np.empty((1024, 5), np.float64)
        self._frame = CandleFrame.empty()

    def __len__(self) -> int:
        return len(self._frame)

    @property
    def frame(self) -> CandleFrame:
        """All candles so far, without copying."""
        return self._frame

    @property
    def last_ms(self) -> int | None:
        """Open time of the newest candle; None while there is none."""
        return int(self._frame.open_ms[-1]) if len(self._frame) else None

    def append(self, more: CandleFrame) -> None:
        """Add candles behind the newest.

        Raises:
            ValueError: the first of them is not newer than the newest here.
        """
        if not len(more):
            return
        n, m = len(self), len(self) + len(more)
        if n and more.open_ms[0] <= self._frame.open_ms[-1]:
            raise ValueError(f"candle {more.open_ms[0]} is not newer than {self._frame.open_ms[-1]}")
        if m > len(self._open_ms):
            self._open_ms = _grown(self._open_ms, n, m)
            self._values = _grown(self._values, n, m)
        self._open_ms[n:m] = more.open_ms
        self._values[n:m] = more.values
        self._show(m)

    def replace(self, frame: CandleFrame) -> None:
        """Take another history in place of this one (older candles came in, or a revision)."""
        self._open_ms = _grown(frame.open_ms, len(frame), len(frame))
        self._values = _grown(frame.values, len(frame), len(frame))
        self._show(len(frame))

    def _show(self, n: int) -> None:
        open_ms, values = self._open_ms[:n], self._values[:n]
        open_ms.flags.writeable = False
        values.flags.writeable = False
        self._frame = CandleFrame.trusted(open_ms, values)


def _grown(array: NDArray, used: int, needed: int) -> NDArray:  # type: ignore[type-arg]
    """A larger copy: by half, so that appending costs amortised O(1)."""
    out = np.empty((max(1024, needed + needed // 2), *array.shape[1:]), array.dtype)
    out[:used] = array[:used]
    return out
