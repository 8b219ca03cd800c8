"""Candle files in freqtrade's feather layout, which an existing data folder of freqtrade is full of."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.feather

from daemon.core.candles import COLUMNS, CandleFrame
from daemon.core.errors import Corrupt
from daemon.market.resample import interval_offset

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from daemon.core.market import CandleKey
    from daemon.core.timeframe import Timeframe

log = logging.getLogger(__name__)


def candle_path(folder: Path, key: CandleKey) -> Path:
    """Where freqtrade keeps these candles: ``BTC_USDT-5m.feather``, futures in a folder of their own."""
    if ":" in key.pair:
        return folder / "futures" / f"{key.pair.file_stem}-{key.timeframe}-futures.feather"
    return folder / f"{key.pair.file_stem}-{key.timeframe}.feather"


def read_candles(path: Path, timeframe: Timeframe) -> CandleFrame:
    """The sound candles of a file, sorted, of doubles the last.

    Rows that no market produces, or that do not open at a boundary of ``timeframe``, are left out with
    one log line: a folder that other programs filled is used as far as it is good.

    Raises:
        FileNotFoundError: there is no such file.
        Corrupt: it is not a candle file, or not readable as one.
    """
    with path.open("rb") as stream:
        try:
            table = pa.feather.read_table(stream)
            open_ms = _milliseconds(table.column("date"))
            columns = [table.column(name).cast(pa.float64()).to_numpy() for name in COLUMNS]
        except (pa.ArrowException, KeyError, OSError) as exc:
            raise Corrupt(f"{path} is not a candle file: {exc}") from exc
    values = np.stack(columns, axis=1) if len(open_ms) else np.empty((0, 5), np.float64)
    if (np.diff(open_ms) < 0).any():
        order = np.argsort(open_ms, kind="stable")
        open_ms, values = open_ms[order], values[order]
    good = _sound(open_ms, values) & (interval_offset(open_ms, timeframe) == 0)
    good[:-1] &= np.diff(open_ms) > 0
    if not good.all():
        fields = {
            "file": str(path),
            "left_out": int((~good).sum()),
            "first_ms": int(open_ms[np.argmin(good)]),
        }
        log.warning("candle_file_rows_left_out", extra={"fields": fields})
        open_ms, values = open_ms[good], values[good]
    open_ms.flags.writeable = values.flags.writeable = False
    return CandleFrame.trusted(open_ms, values)  # the rows were checked above, and in the same way


def write_candles(frame: CandleFrame, stream: BinaryIO) -> None:
    """Write a candle file that freqtrade reads."""
    dates = pa.array(frame.open_ms.astype("datetime64[ms]"), pa.timestamp("ms", tz="UTC"))
    columns = [pa.array(np.ascontiguousarray(frame.values[:, i])) for i in range(5)]
    table = pa.table([dates, *columns], names=["date", *COLUMNS])
    pa.feather.write_feather(table, stream, compression="lz4")


def _milliseconds(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Times of a date column of any unit; older files hold plain integers in milliseconds."""
    if column.null_count:
        raise KeyError("a date is missing")
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("ms", tz=column.type.tz), safe=False)
    elif not pa.types.is_integer(column.type):
        raise KeyError(f"the column date holds {column.type}")
    times: NDArray[np.int64] = column.cast(pa.int64()).to_numpy().copy()
    return times


def _sound(open_ms: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which rows are candles, bool[n]; the same checks as `CandleFrame`'s, row by row."""
    o, high, low, c, volume = values.T
    with np.errstate(invalid="ignore"):
        sound: NDArray[np.bool_] = (
            np.isfinite(values).all(axis=1)
            & (open_ms >= 0)
            & (values[:, :4] > 0).all(axis=1)
            & (np.maximum(o, c) <= high)
            & (np.minimum(o, c) >= low)
            & (volume >= 0)
        )
    return sound
