"""The journal: predictions since the newest snapshot, appended record by record, in two copies.

``historic_predictions.journal-000007`` holds the records that came after snapshot 7 was begun, and
``.journal-000007.copy`` the same. The first is fsynced at every tick: that is what acknowledges a
prediction. The second is written without waiting for the disk; it is there for the day on which the first
is damaged or deleted, which a checksum can only state but not mend.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import struct
import zlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Self

from daemon.core.errors import Corrupt
from daemon.state import atomic
from daemon.state.documents import NewerFormat, read_regular
from daemon.state.records import Fault, Record, scan

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from daemon.state.folder import StateFolder

logger = logging.getLogger(__name__)

FORMAT_VERSION = 1
_MAGIC = b"CANDLEDJ"
_OPENING = struct.Struct("<8sIII")
_NAME = re.compile(r"historic_predictions\.journal-(\d{6,})(\.copy)?")
_COPY = ".copy"
_LARGEST = 4 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalHead:
    """What a journal says of itself.

    Attributes:
        generation: number of the snapshot whose rows come before its first record.
        lineage: what all files of one history share and no other history has.
        first_sequence: number of its first record: journals before it end just below.
        adopted: fingerprint of FreqAI's file with which this history began; "" without one. Only in the
            journal of generation 0.
    """

    generation: int
    lineage: str
    first_sequence: int = 0
    adopted: str = ""

    def next(self, first_sequence: int) -> JournalHead:
        """Head of the journal that follows, with the number of its first record."""
        return JournalHead(
            generation=self.generation + 1, lineage=self.lineage, first_sequence=first_sequence
        )

    def encoded(self) -> bytes:
        """The first bytes of the file."""
        note = json.dumps(asdict(self)).encode()
        return _OPENING.pack(_MAGIC, FORMAT_VERSION, len(note), zlib.crc32(note)) + note


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalFile:
    """A journal or its copy, as found.

    Attributes:
        path: the file.
        head: what it says of itself; None if that is damaged.
        records: those whose checksums are right.
        faults: the stretches between and behind them.
        size: of the file, bytes.
    """

    path: Path
    head: JournalHead | None
    records: tuple[Record, ...]
    faults: tuple[Fault, ...]
    size: int

    @property
    def is_copy(self) -> bool:
        """Whether it is the second copy."""
        return self.path.name.endswith(_COPY)

    @property
    def torn(self) -> bool:
        """Whether nothing is wrong with it but an unfinished append at its end, as a kill leaves it."""
        return (
            self.head is not None
            and len(self.faults) == 1
            and self.faults[0].end == self.size
            and self.faults[0].what.startswith("incomplete")
        )


def journal_path(folder: StateFolder, generation: int) -> Path:
    """Where the journal of a generation lies; its copy has ``.copy`` behind the name."""
    return folder.path / f"historic_predictions.journal-{generation:06d}"


def copy_path(path: Path) -> Path:
    """Where the copy of a journal lies."""
    return path.with_name(path.name + _COPY)


def generation_of(path: Path) -> int | None:
    """The generation in a journal's name; None if it is not the name of one."""
    match = _NAME.fullmatch(path.name)
    return int(match[1]) if match else None


def journal_paths(folder: StateFolder) -> list[Path]:
    """All journals and copies in the folder, oldest first."""
    found = [(generation_of(path), path) for path in folder.path.iterdir()] if folder.path.is_dir() else []
    return [path for _, path in sorted((number, path) for number, path in found if number is not None)]


def read_journal(path: Path) -> JournalFile:
    """All that can be read of a journal.

    Raises:
        FileNotFoundError: there is no such file.
        NewerFormat: a newer candled wrote it.
        Corrupt: it is no file, or nothing in it can be believed; the message names it.
    """
    data = read_regular(path, _LARGEST)
    head, start = _head(data, path)
    found = list(scan(data, start))
    records = tuple(each for each in found if isinstance(each, Record))
    if head is None and not records:
        raise Corrupt(f"{path} is not a journal, or damaged from its first byte on")
    faults = tuple(each for each in found if isinstance(each, Fault))
    return JournalFile(path=path, head=head, records=records, faults=faults, size=len(data))


def _head(data: bytes, path: Path) -> tuple[JournalHead | None, int]:
    """The head and where it ends; without one, the records are looked for from the beginning."""
    if len(data) < _OPENING.size:
        return None, 0
    magic, version, length, crc = _OPENING.unpack_from(data)
    note = data[_OPENING.size : _OPENING.size + length]
    if magic != _MAGIC or (version <= FORMAT_VERSION and zlib.crc32(note) != crc):
        return None, 0
    if version > FORMAT_VERSION:
        raise NewerFormat(f"{path} has format {version}, this candled reads up to {FORMAT_VERSION}")
    try:
        return JournalHead(**json.loads(note)), _OPENING.size + length
    except (ValueError, TypeError):
        return None, 0


class Journal:
    """The journal that is being written. One thread appends."""

    def __init__(self, path: Path, head: JournalHead, size: int) -> None:
        self.path = path
        self.head = head
        self._file = atomic.AppendFile(path, size)
        self._copy: atomic.AppendFile | None = None
        with contextlib.suppress(OSError):
            self._copy = atomic.AppendFile(copy_path(path), size)
        self._copy_failing = self._copy is None

    @classmethod
    def create(cls, folder: StateFolder, head: JournalHead, records: Iterable[Record] = ()) -> Self:
        """Write a new journal (or one anew, with the records that are left of it) and open it.

        Raises:
            OSError: disk full or the like; what was there is unchanged.
        """
        content = b"".join((head.encoded(), *(record.data for record in records)))
        path = journal_path(folder, head.generation)
        atomic.write_atomic_bytes(path, content)
        try:
            atomic.write_atomic_bytes(copy_path(path), content)
        except OSError as exc:
            _warn_copy(path, exc)
        return cls(path, head, len(content))

    @classmethod
    def resume(cls, folder: StateFolder, head: JournalHead, size: int) -> Self:
        """Go on with a journal and a copy that were read and are whole, ``size`` bytes each.

        Raises:
            OSError: it cannot be opened.
        """
        return cls(journal_path(folder, head.generation), head, size)

    @property
    def size(self) -> int:
        """Bytes in the journal (without its copy)."""
        return self._file.size

    def append(self, data: bytes) -> None:
        """Append records; on return they are on the disk.

        Raises:
            OSError: none of them is in the journal; they may be given again.
        """
        self._file.append(data, sync=True)
        if self._copy is not None:
            try:
                self._copy.append(data, sync=False)
                self._copy_failing = False
            except OSError as exc:
                if not self._copy_failing:
                    _warn_copy(self.path, exc)
                self._copy_failing = True

    def close(self) -> None:
        """Let go of both files."""
        self._file.close()
        if self._copy is not None:
            self._copy.close()


def _warn_copy(path: Path, exc: OSError) -> None:
    # Not fatal: the journal itself is on the disk, only the second copy is missing for now.
    logger.warning("journal_copy_failed", extra={"fields": {"file": copy_path(path).name, "error": str(exc)}})
