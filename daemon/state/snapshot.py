"""``historic_predictions.pkl``: a pickle for everybody else, a table of checksummed columns for us.

The file begins with an ordinary pickle of ``{pair: DataFrame}`` (protocol 5), so pandas and FreqAI's users
read it as they always did; what follows its end, pickle ignores::

    pickle | index (JSON, compressed) | footer: magic, version, place, length and CRC-32 of the index

The index says where in the pickle each column's bytes lie, with their CRC-32. We read those and never
unpickle the file: nothing in it can run, one column costs one read, and a flipped bit is found and named.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
import weakref
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Self

import numpy as np

from daemon.core.errors import Corrupt
from daemon.core.pair import Pair
from daemon.state import atomic
from daemon.state.documents import NewerFormat, open_regular
from daemon.state.pickle_writer import pickle_parts
from daemon.state.stored import StoredColumn, StoredPair

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from daemon.state.folder import StateFolder
    from daemon.state.stored import FrozenPair

FORMAT_VERSION = 1
_FOOTER = struct.Struct("<8sIQQII")
_MAGIC = b"CANDLEDS"
_CHUNK = 1 << 20
"""Bytes of a column that are checked at a time."""
_LARGEST_INDEX = 1 << 30
_DTYPES = {kind: np.dtype(kind) for kind in ("<i8", "<f8", "|i1", "<i2", "<i4")}


class Unsealed(Corrupt):
    """A file without our footer: FreqAI's, or one of ours that was cut off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """What a snapshot says of itself.

    Attributes:
        generation: number of the snapshot; the newest good one is served.
        next_sequence: number of the first journal record that it does not contain.
        lineage: what all files of one history share and no other history has.
    """

    generation: int
    next_sequence: int
    lineage: str


def write_snapshot(stream: BinaryIO, pairs: Mapping[Pair, FrozenPair], seal: Seal) -> None:
    """Write a snapshot, one column in memory at a time.

    Raises:
        Corrupt: the older snapshot, from which rows are copied, is not what was written any more.
    """
    pieces: list[tuple[int, int, int]] = []
    index: dict[Pair, dict[str, Any]] = {
        pair: {"rows": frozen.rows, "columns": []} for pair, frozen in pairs.items() if frozen.rows
    }
    at = 0
    for part in pickle_parts({pair: pairs[pair] for pair in index}):
        data = part.data()
        piece = (at, len(data), zlib.crc32(data))
        stream.write(data)
        at += len(data)
        if part.column is None or part.pair is None:
            pieces.append(piece)
            continue
        entry = index[part.pair]
        dtype = str(np.dtype(part.dtype).str)
        described = {"name": part.column.name, "dtype": dtype, "texts": part.column.texts, "piece": piece}
        if part.is_time:
            entry["times"] = described
            entry["first_ms"], entry["last_ms"] = np.frombuffer(data, "<i8")[[0, -1]].tolist()
        else:
            entry["columns"].append(described)
    document = {
        "generation": seal.generation,
        "next_sequence": seal.next_sequence,
        "lineage": seal.lineage,
        "pairs": index,
        "pieces": pieces,
    }
    packed = zlib.compress(json.dumps(document, separators=(",", ":")).encode(), 1)
    stream.write(packed)
    footer = _FOOTER.pack(_MAGIC, FORMAT_VERSION, at, len(packed), zlib.crc32(packed), 0)[:-4]
    stream.write(footer + struct.pack("<I", zlib.crc32(footer)))


def publish_snapshot(folder: StateFolder) -> None:
    """Make the new snapshot the main one, and the main one the backup.

    At no instant is there less than one good snapshot with all journals since: `recovery` takes whichever
    of the three is the newest.
    """
    with contextlib.suppress(FileNotFoundError):
        atomic.rename(folder.historic_predictions, folder.historic_predictions_backup)
    atomic.rename(folder.historic_predictions_new, folder.historic_predictions)


class _OpenFile:
    """A descriptor that is open as long as anything refers to this, whatever the file is called by then."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path, self.fd = path, fd
        weakref.finalize(self, os.close, fd)


class Snapshot:
    """A snapshot file, opened: its index in memory, its columns on the disk.

    The file stays open as long as anything refers to a column, and no longer: columns know the file, not the snapshot,
    which would make a ring that only the collector of garbage opens.
    """

    def __init__(self, file: _OpenFile, document: Mapping[str, Any], end: int) -> None:
        self.path = file.path
        self.seal = Seal(
            generation=int(document["generation"]),
            next_sequence=int(document["next_sequence"]),
            lineage=str(document["lineage"]),
        )
        self._pieces = [(int(at), int(n), int(crc)) for at, n, crc in document["pieces"]]
        self._spans = {
            pair: (int(each["first_ms"]), int(each["last_ms"])) for pair, each in document["pairs"].items()
        }
        self._pairs = {
            Pair(pair): StoredPair(
                int(each["rows"]),
                _segment(file, each["times"], each["rows"], end),
                {
                    column["name"]: StoredColumn(
                        _segment(file, column, each["rows"], end),
                        None if column["texts"] is None else tuple(column["texts"]),
                    )
                    for column in each["columns"]
                },
            )
            for pair, each in document["pairs"].items()
        }
        self._file = file

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read the index of a snapshot.

        Raises:
            FileNotFoundError: there is no such file.
            Unsealed: it has no footer of ours.
            NewerFormat: a newer candled wrote it.
            Corrupt: footer or index are damaged, or it cannot be read; the message names the file.
        """
        try:
            fd = open_regular(path)
        except FileNotFoundError:
            raise
        except OSError as exc:
            raise Corrupt(f"{path} cannot be read: {exc.strerror or exc}") from exc
        file = _OpenFile(path, fd)
        try:
            document, end = _document(fd, path)
            return cls(file, document, end)
        except (ValueError, KeyError, TypeError, OSError, zlib.error, RecursionError) as exc:
            raise Corrupt(f"{path} has a damaged index: {exc}") from exc

    @property
    def pairs(self) -> Mapping[Pair, StoredPair]:
        """Its pairs."""
        return self._pairs

    def span(self, pair: Pair) -> tuple[int, int]:
        """First and last candle of a pair, ms UTC."""
        return self._spans[pair]

    def damaged(self) -> tuple[frozenset[Pair], bool]:
        """Read the whole file and compare every checksum.

        Returns:
            The pairs of which at least one column is damaged, and whether bytes between the columns are
            (they matter to pandas only).
        """
        hurt = {
            pair
            for pair, stored in self._pairs.items()
            if not all(
                isinstance(each, ColumnSegment) and each.intact()
                for each in (stored.times, *(column.segment for column in stored.columns.values()))
            )
        }
        return frozenset(hurt), any(_crc(self._file.fd, at, n) != crc for at, n, crc in self._pieces)


class ColumnSegment:
    """One column's bytes in a snapshot. Reading from its first row on verifies the checksum."""

    def __init__(
        self, file: _OpenFile, place: tuple[int, int, int], dtype: np.dtype[Any], codes: int
    ) -> None:
        self._file, self._place, self._dtype, self._codes = file, place, dtype, codes

    def intact(self) -> bool:
        """Whether the bytes are what was written."""
        at, n, crc = self._place
        return _crc(self._file.fd, at, n) == crc

    def read(self, first: int, last: int) -> NDArray[Any]:
        """See `Segment`.

        Raises:
            Corrupt: the bytes are not what was written.
        """
        at, n, crc = self._place
        size = self._dtype.itemsize
        whole = first == 0
        length = n if whole else (last - first) * size
        try:
            data = os.pread(self._file.fd, length, at + first * size)
        except OSError as exc:
            raise Corrupt(f"{self._file.path} cannot be read: {exc.strerror or exc}") from exc
        if len(data) != length or (whole and zlib.crc32(data) != crc):
            raise Corrupt(f"{self._file.path} has damaged rows")
        values = np.frombuffer(data, self._dtype)[: last - first]
        if self._codes and len(values) and not 0 <= values.min() <= values.max() < self._codes:
            raise Corrupt(f"{self._file.path} names a text that it does not have")
        return values


def _document(fd: int, path: Path) -> tuple[dict[str, Any], int]:
    size = os.fstat(fd).st_size
    footer = os.pread(fd, _FOOTER.size, max(0, size - _FOOTER.size))
    if len(footer) < _FOOTER.size or footer[:8] != _MAGIC:
        raise Unsealed(f"{path} is cut off, or was not written by candled")
    _, version, at, length, index_crc, footer_crc = _FOOTER.unpack(footer)
    if zlib.crc32(footer[:-4]) != footer_crc:
        raise Corrupt(f"{path} has a damaged footer")
    if version > FORMAT_VERSION:
        raise NewerFormat(f"{path} has format {version}, this candled reads up to {FORMAT_VERSION}")
    if at + length + _FOOTER.size != size or length > _LARGEST_INDEX:
        raise Corrupt(f"{path} is not as long as it was")
    packed = os.pread(fd, length, at)
    if zlib.crc32(packed) != index_crc:
        raise Corrupt(f"{path} has a damaged index")
    document = json.loads(zlib.decompressobj().decompress(packed, _LARGEST_INDEX))
    if not isinstance(document, dict):
        raise Corrupt(f"{path} has a damaged index")
    return document, at


def _segment(file: _OpenFile, described: Mapping[str, Any], rows: int, end: int) -> ColumnSegment:
    at, n, crc = described["piece"]
    dtype = _DTYPES[described["dtype"]]
    if n != rows * dtype.itemsize or not 0 <= at <= end - n:
        raise ValueError(f"column {described['name']!r} lies outside of the file")
    return ColumnSegment(file, (at, n, crc), dtype, len(described["texts"] or ()))


def _crc(fd: int, at: int, length: int) -> int:
    crc, end = 0, at + length
    buffer = memoryview(bytearray(min(_CHUNK, length)))
    while at < end:
        view = buffer[: min(_CHUNK, end - at)]
        try:
            n = os.preadv(fd, [view], at)
        except OSError:
            return -1
        if not n:
            return -1
        crc, at = zlib.crc32(view[:n], crc), at + n
    return crc
