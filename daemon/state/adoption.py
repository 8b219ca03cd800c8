"""A history that FreqAI wrote: its rows are kept, under its own column names."""

from __future__ import annotations

import logging
import os
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from daemon.core.errors import Corrupt
from daemon.core.pair import Pair
from daemon.state.columns import PairColumns
from daemon.state.documents import open_regular
from daemon.state.report import Loss
from daemon.state.safe_pickle import read_frames

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """FreqAI's history.

    Attributes:
        fingerprint: size and CRC-32 of its file.
        pairs: its rows.
        losses: rows that could not be kept.
    """

    fingerprint: str
    pairs: Mapping[Pair, PairColumns]
    losses: tuple[Loss, ...]


def fingerprint(path: Path) -> str:
    """Size and CRC-32 of a file.

    Raises:
        Corrupt: it cannot be read; the message names it.
    """
    try:
        with os.fdopen(open_regular(path), "rb") as stream:
            crc = 0
            while chunk := stream.read(1 << 20):
                crc = zlib.crc32(chunk, crc)
            return f"{stream.tell()}-{crc:08x}"
    except OSError as exc:
        raise Corrupt(f"{path} cannot be read: {exc.strerror or exc}") from exc


def adopt(path: Path) -> Adopted:
    """Read FreqAI's ``historic_predictions.pkl``; nothing in it is run.

    Of several rows for one candle the last is kept, for FreqAI fills downtime with zeros first and
    appends the true prediction later. Rows without a time are named as lost.

    Raises:
        Corrupt: it is not such a file; the message names it.
    """
    mark = fingerprint(path)
    try:
        with os.fdopen(open_regular(path), "rb") as stream:
            frames = read_frames(stream)
        pairs, losses = {}, []
        for name, columns in frames.items():
            pair = Pair(name)
            pairs[pair], dropped = _rows(columns)
            if dropped:
                losses.append(
                    Loss(pair=pair, from_ms=0, to_ms=0, what=f"{dropped} rows of FreqAI's have no time")
                )
    except (OSError, ValueError) as exc:
        raise Corrupt(f"{path} cannot be adopted: {exc}") from exc
    except Corrupt as exc:
        raise Corrupt(f"{path} {exc}") from exc
    fields = {"file": path.name, "pairs": len(pairs), "rows": sum(map(len, pairs.values()))}
    logger.info("history_adopted", extra={"fields": fields})
    return Adopted(fingerprint=mark, pairs=pairs, losses=tuple(losses))


def _rows(columns: Mapping[str, NDArray[Any]]) -> tuple[PairColumns, int]:
    """The rows of a pair, and how many had no time."""
    found = PairColumns()
    if not columns:
        return found, 0
    if "date_pred" not in columns:
        raise ValueError("a pair has no column date_pred")
    times = _milliseconds(columns["date_pred"])
    dated = np.flatnonzero(times > 0)
    # Of equal times the last: unique() keeps the first of the reversed rows.
    unique, last = np.unique(times[dated][::-1], return_index=True)
    rows = dated[::-1][last]
    values = {
        name: _plain(array[rows]) for name, array in columns.items() if name not in {"date_pred", "date"}
    }
    if len(rows):
        found.extend(unique, values)
    return found, len(times) - len(dated)


def _milliseconds(array: NDArray[Any]) -> NDArray[np.int64]:
    """Times as int64 ms; 0 where there is none."""
    if array.dtype.kind == "O":
        stamps = [each if isinstance(each, np.datetime64) else np.datetime64("NaT", "ms") for each in array]
        array = np.array(stamps, dtype="M8[ms]") if stamps else np.empty(0, "M8[ms]")
    if array.dtype.kind != "M":
        raise ValueError("date_pred does not hold times")
    return np.where(np.isnat(array), 0, array.astype("M8[ms]").astype(np.int64))


def _plain(array: NDArray[Any]) -> NDArray[Any]:
    """A column as float64, or as texts if any of its values is one (FreqAI's fillers become "")."""
    if array.dtype.kind == "M":
        return _milliseconds(array).astype(np.float64)
    if array.dtype.kind == "U":
        return array.astype(object)
    if array.dtype.kind != "O":
        return array.astype(np.float64)
    if any(isinstance(each, str) for each in array):
        texts = [each if isinstance(each, str) else "" if not _number(each) else str(each) for each in array]
        return np.array(texts, dtype=object)
    return np.array([_number(each, absent=np.nan) for each in array], dtype=np.float64)


def _number(value: Any, absent: float = 0.0) -> float:
    return float(value) if isinstance(value, int | float) and value == value else absent  # noqa: PLR0124 - NaN
