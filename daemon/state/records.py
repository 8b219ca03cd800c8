"""Journal records: the predictions of one tick, checksummed, each readable without any other.

Layout (little endian)::

    header   magic "cdR1", sequence number u64, first and last candle i64 (ms UTC), rows u32,
             payload length u32, CRC-32 of the payload, CRC-32 of the header so far
    payload  zlib( length of head u32, head (JSON), arrays of every group )
    group    rows that have the same columns: candle_ms int64[n], numbers float64[n, k], codes int32[n, t]

The head names pairs, columns and texts. A record repeats these names, which compression makes cheap, so
that a damaged record never takes a neighbour with it.
"""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from daemon.core.errors import Corrupt

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from daemon.core.pair import Pair

_MAGIC = b"cdR1"
_HEADER = struct.Struct("<4sQqqIIII")
_LENGTH = struct.Struct("<I")
# More than a tick of 10,000 pairs; a longer one is not a record but damage (or an attempt to fill memory).
_LONGEST = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRow:
    """What is remembered of one pair and one closed candle.

    Attributes:
        pair: the pair.
        candle_ms: open time of the candle, ms UTC.
        values: column -> number or text.
    """

    pair: Pair
    candle_ms: int
    values: Mapping[str, float | str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """What became of rows that were given to the history.

    Attributes:
        rows: how many were taken.
        refused: rows whose candle has a row already; the first one stays.
        saved: whether all that was taken, now and before, is on the disk.
    """

    rows: int
    refused: tuple[HistoryRow, ...]
    saved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A record as it lies in a journal, its checksums verified.

    Attributes:
        sequence: number of the tick, one higher than that of the record before.
        first_ms: open time of its oldest candle, ms UTC.
        last_ms: open time of its newest candle, ms UTC.
        rows: how many predictions it holds.
        data: header and payload.
    """

    sequence: int
    first_ms: int
    last_ms: int
    rows: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rows of one record that have the same columns.

    Attributes:
        numbers: names of the columns that hold numbers.
        texts: names of the columns that hold text.
        columns: all names, in their order.
        pairs: pair of each row.
        candle_ms: int64[n], ms UTC.
        values: float64[n, len(numbers)].
        codes: int32[n, len(texts)], places in ``words``.
        words: the texts.
    """

    numbers: tuple[str, ...]
    texts: tuple[str, ...]
    columns: tuple[str, ...]
    pairs: tuple[str, ...]
    candle_ms: NDArray[np.int64]
    values: NDArray[np.float64]
    codes: NDArray[np.int32]
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Bytes of a journal that are no record.

    Attributes:
        start: where they begin.
        end: where the next record, or the end of the file, is.
        what: in words.
        traces: how many records seem to have begun there.
    """

    start: int
    end: int
    what: str
    traces: int


def encode(rows: Sequence[HistoryRow], sequence: int) -> Record:
    """The record of a tick's rows (at least one)."""
    groups: dict[tuple[tuple[str, ...], tuple[bool, ...]], list[HistoryRow]] = {}
    for row in rows:
        shape = tuple(row.values), tuple(isinstance(value, str) for value in row.values.values())
        groups.setdefault(shape, []).append(row)
    heads, arrays = [], []
    for (columns, textual), members in groups.items():
        numbers = [name for name, text in zip(columns, textual, strict=True) if not text]
        texts = [name for name, text in zip(columns, textual, strict=True) if text]
        words: dict[str, int] = {}
        codes = [[words.setdefault(str(row.values[name]), len(words)) for name in texts] for row in members]
        heads.append(
            {
                "columns": columns,
                "texts": texts,
                "pairs": [row.pair for row in members],
                "words": list(words),
            }
        )
        arrays += [
            np.array([row.candle_ms for row in members], "<i8").tobytes(),
            np.array([[row.values[name] for name in numbers] for row in members], "<f8").tobytes(),
            np.array(codes, "<i4").tobytes(),
        ]
    head = json.dumps(heads, separators=(",", ":")).encode()
    payload = zlib.compress(b"".join((_LENGTH.pack(len(head)), head, *arrays)), 1)
    times = [row.candle_ms for row in rows]
    opening = _HEADER.pack(
        _MAGIC, sequence, min(times), max(times), len(rows), len(payload), zlib.crc32(payload), 0
    )[:-4]
    data = opening + _LENGTH.pack(zlib.crc32(opening)) + payload
    return Record(sequence=sequence, first_ms=min(times), last_ms=max(times), rows=len(rows), data=data)


def scan(data: bytes, start: int) -> Iterator[Record | Fault]:
    """All records in ``data[start:]``, and the stretches between them that are none."""
    at = start
    while at < len(data):
        record = _record_at(data, at)
        if isinstance(record, Record):
            at += len(record.data)
            yield record
            continue
        following = _next_record(data, at + 1)
        yield Fault(start=at, end=following, what=record, traces=data.count(_MAGIC, at, following))
        at = following


def _record_at(data: bytes, at: int) -> Record | str:
    """The record that begins at ``at``; else what is wrong there."""
    if len(data) - at < _HEADER.size:
        return "incomplete header"
    magic, sequence, first_ms, last_ms, rows, length, payload_crc, header_crc = _HEADER.unpack_from(data, at)
    if magic != _MAGIC or zlib.crc32(data[at : at + _HEADER.size - 4]) != header_crc or length > _LONGEST:
        return "damaged header"
    end = at + _HEADER.size + length
    if end > len(data):
        return "incomplete record"
    if zlib.crc32(data[at + _HEADER.size : end]) != payload_crc:
        return "damaged record"
    return Record(sequence=sequence, first_ms=first_ms, last_ms=last_ms, rows=rows, data=data[at:end])


def _next_record(data: bytes, at: int) -> int:
    while (at := data.find(_MAGIC, at)) >= 0:
        if isinstance(_record_at(data, at), Record):
            return at
        at += 1
    return len(data)


def decode(record: Record) -> list[Group]:
    """The rows of a record, by groups.

    Raises:
        Corrupt: the checksums match, but this is not what `encode` writes.
    """
    try:
        stream = zlib.decompressobj()
        payload = stream.decompress(record.data[_HEADER.size :], _LONGEST)
        (length,) = _LENGTH.unpack_from(payload)
        at = _LENGTH.size + length
        groups = []
        for head in json.loads(payload[_LENGTH.size : at]):
            group, at = _group(head, payload, at)
            groups.append(group)
    except (ValueError, KeyError, TypeError, struct.error, zlib.error, RecursionError) as exc:
        raise Corrupt(f"record {record.sequence} cannot be decoded: {exc}") from exc
    return groups


def _group(head: Mapping[str, list[str]], payload: bytes, at: int) -> tuple[Group, int]:
    columns, texts, pairs = tuple(head["columns"]), tuple(head["texts"]), tuple(head["pairs"])
    numbers = tuple(name for name in columns if name not in set(texts))
    n, k, t = len(pairs), len(numbers), len(texts)
    candle_ms = np.frombuffer(payload, "<i8", n, at)
    values = np.frombuffer(payload, "<f8", n * k, at + 8 * n).reshape(n, k)
    codes = np.frombuffer(payload, "<i4", n * t, at + 8 * n * (1 + k)).reshape(n, t)
    words = tuple(head["words"])
    if codes.size and not 0 <= codes.min() <= codes.max() < len(words):
        raise ValueError("a text is missing")
    group = Group(
        numbers=numbers,
        texts=texts,
        columns=columns,
        pairs=pairs,
        candle_ms=candle_ms,
        values=values,
        codes=codes,
        words=words,
    )
    return group, at + n * (8 + 8 * k + 4 * t)
