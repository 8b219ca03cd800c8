"""``pair_dictionary.json``: the training queue and the live model of every pair, on the disk."""

from __future__ import annotations

import logging
import threading
from dataclasses import asdict, fields, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

from daemon.core.errors import Corrupt
from daemon.core.pair import Pair
from daemon.state import atomic, documents
from daemon.state.artifacts import ArtifactStore
from daemon.state.queue import NEW, PairEntry, QueueState
from daemon.state.report import Damage, damage, missing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from daemon.state.folder import StateFolder

logger = logging.getLogger(__name__)

FORMAT_VERSION = 1
# Beside the pairs, and never mistaken for one: it has no slash.
_SEAL = "candled"
_FIELDS = {field.name: field for field in fields(PairEntry)}


class PairDictionary:
    """The entries of all pairs, in memory and on the disk.

    One thread updates (the trainer); any thread may read `entries`, a snapshot that never changes. The
    same content lies in the file and in its backup, so damage to either costs nothing. Pairs that left
    the whitelist keep their entry.
    """

    def __init__(self, folder: StateFolder, entries: Mapping[Pair, PairEntry], generation: int) -> None:
        self._folder = folder
        self._entries = MappingProxyType(dict(entries))
        self._generation = generation
        self._lock = threading.Lock()
        self.unsaved = False
        """Whether the last write failed (disk full): the entries are kept in memory and written later."""
        self.damages: tuple[Damage, ...] = ()
        """What was wrong with the files when they were opened."""

    @classmethod
    def open(cls, folder: StateFolder) -> Self:
        """Load the newest good copy; set damaged ones aside; rebuild from the artifacts if none is left.

        A file of FreqAI's is adopted: its pairs and extras are kept, its models (which only unpickling
        could load) are forgotten, so that the pairs are trained anew.
        """
        return cls._load(folder, touch=True)

    @classmethod
    def read(cls, folder: StateFolder) -> Self:
        """As `open`, but nothing on the disk is changed: for looking at a folder that a daemon may hold."""
        return cls._load(folder, touch=False)

    @classmethod
    def _load(cls, folder: StateFolder, *, touch: bool) -> Self:
        found: list[tuple[int, dict[Pair, PairEntry]]] = []
        damages: list[Damage] = []
        absent: list[Path] = []
        paths = (folder.pair_dictionary, folder.pair_dictionary_backup)
        for path in paths:
            try:
                found.append(_read(path))
            except FileNotFoundError:
                absent.append(path)
            except Corrupt as exc:
                damages.append(damage(path, exc, folder, touch=touch))
        if found:
            generation, entries = max(found, key=lambda copy: copy[0])
            # A kill during the very first write leaves one copy; later, both were there.
            damages += [missing(path, touch=touch) for path in absent if generation > 1]
        else:
            generation, entries = 0, _rebuilt(folder)
            if damages or entries:
                damages.append(_forgotten(folder, len(entries)))
        book = cls(folder, entries, generation)
        book.damages = tuple(damages)
        alike = len({copy[0] for copy in found}) == 1 and len(found) == len(paths)
        if touch and entries and not (alike and generation):
            book._write()
        return book

    @property
    def entries(self) -> Mapping[Pair, PairEntry]:
        """All entries; a later update does not change what was handed out."""
        return self._entries

    def entry(self, pair: Pair) -> PairEntry:
        """The entry of a pair, or that of a new one."""
        return self._entries.get(pair, NEW)

    def update(self, pair: Pair, entry: PairEntry) -> None:
        """Replace one entry and write the file. Where the disk is full, see `unsaved`."""
        self.update_all({pair: entry})

    def update_all(self, changed: Mapping[Pair, PairEntry]) -> None:
        """Replace some entries and write the file once."""
        with self._lock:
            self._entries = MappingProxyType({**self._entries, **changed})
            self._write()

    def _write(self) -> None:
        self._generation += 1
        data = documents.encoded(_sealed(self._entries, self._generation))
        try:
            for path in (self._folder.pair_dictionary, self._folder.pair_dictionary_backup):
                atomic.write_atomic_bytes(path, data)
        except OSError as exc:
            # A training must not die of a full disk: what it found out is written with a later update.
            if not self.unsaved:
                fields_ = {"path": str(self._folder.pair_dictionary), "error": str(exc)}
                logger.error("pair_dictionary_unsaved", extra={"fields": fields_})  # noqa: TRY400 - no bug, no trace
            self.unsaved = True
        else:
            if self.unsaved:
                logger.info("pair_dictionary_saved_again", extra={"fields": {"pairs": len(self._entries)}})
            self.unsaved = False


def _sealed(entries: Mapping[Pair, PairEntry], generation: int) -> dict[str, Any]:
    document: dict[str, Any] = {str(pair): _document(entry) for pair, entry in entries.items()}
    seal = {"format_version": FORMAT_VERSION, "generation": generation}
    return document | {_SEAL: seal | {"sha256": documents.digest(document | {_SEAL: seal})}}


def _document(entry: PairEntry) -> dict[str, Any]:
    plain = replace(entry, extras=dict(entry.extras))
    return asdict(plain)


def _read(path: Path) -> tuple[int, dict[Pair, PairEntry]]:
    document = documents.read_object(path)
    seal = document.get(_SEAL)
    if seal is None:
        return 0, _adopted(path, document)
    if not isinstance(seal, dict):
        raise Corrupt(f"{path}: its seal is damaged")
    version = seal.get("format_version")
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise documents.NewerFormat(f"{path} has format {version}, this candled reads up to {FORMAT_VERSION}")
    bare = {key: value for key, value in seal.items() if key != "sha256"}
    if seal.get("sha256") != documents.digest(document | {_SEAL: bare}):
        raise Corrupt(f"{path} does not match its checksum")
    try:
        entries = {Pair(key): _entry(value) for key, value in document.items() if key != _SEAL}
        return int(seal["generation"]), entries
    except (ValueError, TypeError, KeyError) as exc:
        raise Corrupt(f"{path} has an entry that cannot be one: {exc}") from exc


def _entry(value: dict[str, Any]) -> PairEntry:
    known = {key: each for key, each in value.items() if key in _FIELDS}
    # An older candled wrote no reason.
    return PairEntry(
        **{"reason": ""} | known | {"state": QueueState(known["state"]), "extras": dict(known["extras"])}
    )


def _adopted(path: Path, document: dict[str, Any]) -> dict[Pair, PairEntry]:
    """FreqAI's dictionary. It has no checksum: only a file that is FreqAI's in every part is believed."""
    entries: dict[Pair, PairEntry] = {}
    for key, value in document.items():
        try:
            if not isinstance(value, dict) or not {"model_filename", "trained_timestamp"} <= value.keys():
                raise Corrupt(f"{path}: the entry of {key!r} is neither candled's nor FreqAI's")
            extras = value.get("extras")
            entries[Pair(key)] = PairEntry(extras=extras if isinstance(extras, dict) else {})
        except ValueError as exc:
            raise Corrupt(f"{path}: {exc}") from exc
    if entries:
        logger.info("pair_dictionary_adopted", extra={"fields": {"path": str(path), "pairs": len(entries)}})
    return entries


def _rebuilt(folder: StateFolder) -> dict[Pair, PairEntry]:
    """Entries for the newest intact artifact of every pair that has one."""
    store = ArtifactStore(folder)
    entries = {}
    for pair in store.pairs():
        artifact = store.newest(pair)
        if artifact is not None:
            entries[pair] = PairEntry(
                model_filename=artifact.stem,
                trained_timestamp=artifact.trained_s,
                data_path=artifact.name,
                state=QueueState.IDLE,
                reason=str(artifact.metadata.get("reason", "")),
            )
    return entries


def _forgotten(folder: StateFolder, pairs: int) -> Damage:
    report = Damage(
        file=folder.pair_dictionary.name,
        fault="missing, and its backup too",
        remedy=f"rebuilt from the model folders: {pairs} pairs; attempts and errors of the queue are lost",
        lost=True,
    )
    logger.warning("state_rebuilt", extra={"fields": report.fields()})
    return report
