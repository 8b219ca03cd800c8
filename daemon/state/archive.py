"""One file that holds an identifier folder: made while the daemon runs, put back when it does not.

An archive is an ordinary tar file. Its last member, ``candled-backup.json``, names every other one with its
SHA-256, so an archive that was cut off or damaged is never put back.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import itertools
import json
import os
import re
import shutil
import tarfile
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from daemon.core.errors import ConfigError, Corrupt, Refused
from daemon.state import atomic, documents
from daemon.state.artifacts import ArtifactStore
from daemon.state.journal import copy_path, generation_of, journal_paths, read_journal
from daemon.state.pair_dictionary import PairDictionary
from daemon.state.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from daemon.state.folder import StateFolder

FORMAT_VERSION = 1
_MANIFEST = "candled-backup.json"
_MEMBER = re.compile(r"[\w][\w.\-]*(/[\w][\w.\-]*)?")
_ATTEMPTS = 5
_CHUNK = 1 << 20
_NOTHING: Mapping[str, Any] = MappingProxyType({})


def write_backup(
    folder: StateFolder, target: Path, now_ms: int, *, beside: Mapping[str, Path] = _NOTHING
) -> dict[str, Any]:
    """Write one consistent archive of a folder, whether a daemon runs on it or not.

    Published files never change, they are only replaced, so each is copied as it was at one moment; the
    order of copying (models after the dictionary that names them, journals after the snapshot that they
    follow) makes the whole consistent. Where the daemon deletes a file that is still wanted, all is begun
    anew. Damaged files are left out: `recover <daemon.state.recovery>` fills the gap or names it.

    Args:
        folder: which.
        target: the archive; ``.gz`` or ``.xz`` at its end compresses it.
        now_ms: time of the backup, ms UTC.
        beside: further files that do not change any more, by the names that they get in the archive.

    Returns:
        The manifest: ``created_ms``, ``identifier``, ``files`` (name -> sha256, bytes).

    Raises:
        ConfigError: there is no folder, or the archive cannot be written; the message names path and remedy.
    """
    if not folder.path.is_dir():
        raise ConfigError(f"{folder.path} does not exist: nothing to back up")
    for attempt in range(_ATTEMPTS):
        manifest: dict[str, Any] = {
            "format_version": FORMAT_VERSION,
            "identifier": folder.path.name,
            "created_ms": now_ms,
            "files": {},
        }
        members = itertools.chain(_members(folder), beside.items())
        try:
            atomic.write_atomic(
                target, functools.partial(_write, target=target, members=members, manifest=manifest)
            )
        except FileNotFoundError as exc:
            if attempt == _ATTEMPTS - 1 or not target.parent.is_dir():
                raise ConfigError(f"cannot write {target}: {exc}") from exc
        except OSError as exc:
            raise ConfigError(f"cannot write {target}: {exc.strerror or exc}") from exc
        else:
            break
    return manifest


def _write(
    stream: BinaryIO, target: Path, members: Iterable[tuple[str, Path]], manifest: dict[str, Any]
) -> None:
    kind = {".gz": "w|gz", ".xz": "w|xz"}.get(target.suffix, "w|")
    with tarfile.open(fileobj=stream, mode=cast("Any", kind), format=tarfile.PAX_FORMAT) as archive:
        for name, path in members:
            with os.fdopen(documents.open_regular(path), "rb") as source:
                _add(archive, name, source, manifest)
        sealed = io.BytesIO(documents.encoded(manifest | {"checksum": documents.digest(manifest)}))
        entry = tarfile.TarInfo(_MANIFEST)
        entry.size = len(sealed.getvalue())
        archive.addfile(entry, sealed)


def _add(archive: tarfile.TarFile, name: str, source: BinaryIO, manifest: dict[str, Any]) -> None:
    entry = tarfile.TarInfo(name)
    # What a journal grows by while it is read belongs to the next backup.
    entry.size = os.fstat(source.fileno()).st_size
    entry.mode, entry.mtime = 0o644, int(manifest["created_ms"]) // 1000
    hashed = _Hashed(source)
    archive.addfile(entry, cast("BinaryIO", hashed))
    manifest["files"][name] = {"sha256": hashed.sha256.hexdigest(), "bytes": entry.size}


class _Hashed:
    """A stream that hashes what is read from it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.sha256 = hashlib.sha256()

    def read(self, n: int) -> bytes:
        data = self._stream.read(n)
        self.sha256.update(data)
        return data


def _members(folder: StateFolder) -> Iterator[tuple[str, Path]]:
    """Name and path of what belongs into an archive, in the order in which it has to be read."""
    for path in (folder.pair_dictionary, folder.pair_dictionary_backup):
        if path.is_file():
            yield path.name, path
    for name in _models(folder):
        for path in sorted((folder.path / name).iterdir()):
            yield f"{name}/{path.name}", path
    yield from _history(folder)
    for path in (*sorted(folder.path.glob("config_*.json")), folder.metric_tracker):
        if path.is_file():
            yield path.name, path


def _models(folder: StateFolder) -> list[str]:
    """Intact models: the live ones, and the one before each, in case."""
    store = ArtifactStore(folder)
    live = [entry.data_path for entry in PairDictionary.read(folder).entries.values() if entry.data_path]
    found = []
    for name in dict.fromkeys([*live, *store.names()]):
        try:
            store.open(name)
        except (Corrupt, Refused):
            continue
        found.append(name)
    return found


def _history(folder: StateFolder) -> Iterator[tuple[str, Path]]:
    """The snapshot (or its backup, if it is damaged) and the journals since, each once."""
    oldest = -1
    for path in (folder.historic_predictions, folder.historic_predictions_backup):
        try:
            snapshot = Snapshot.open(path)
            if any(snapshot.damaged()):
                continue
        except FileNotFoundError:
            continue
        except Corrupt:
            if oldest < 0 and path.is_file():
                yield path.name, path  # FreqAI's own, perhaps: a start decides
            continue
        if oldest < 0:
            yield path.name, path
            oldest = snapshot.seal.generation
    for path in journal_paths(folder):
        twin = path if path.name.endswith(".copy") else copy_path(path)
        if (generation_of(path) or 0) >= oldest and (twin != path or not _readable(path.with_suffix(""))):
            yield path.name, path


def _readable(path: Path) -> bool:
    try:
        return not read_journal(path).faults
    except (FileNotFoundError, Corrupt):
        return False


def restore_backup(
    archive: Path,
    folder: StateFolder,
    now_ms: int,
    *,
    beside: Mapping[str, Callable[[Path], None]] = _NOTHING,
) -> Path | None:
    """Put an archive's content in a folder's place.

    It is unpacked beside the folder and verified as a whole; only then the folder that was there is moved
    to ``<identifier>.before-restore`` (numbered if there is one) and the new one takes its name.

    Args:
        archive: from `write_backup`.
        folder: where to.
        now_ms: ms UTC, for the lock.
        beside: what takes over files that do not belong into the folder, by their names in the archive; called
            before the folder is replaced, with where the file lies.

    Returns:
        Where the old folder lies now; None if there was none.

    Raises:
        FolderInUse: a daemon runs on the folder.
        Corrupt: the archive is not what was written; nothing was changed.
        Refused: a newer candled wrote it.
        ConfigError: it cannot be read, or the folder cannot be written.
    """
    staging = folder.path.with_name(f"{folder.path.name}.restoring")
    aside = None
    try:
        shutil.rmtree(staging, ignore_errors=True)
        atomic.make_folder(staging)
        _unpack(archive, staging)
        with folder.acquire(now_ms) if folder.path.exists() else contextlib.nullcontext():
            for name, take in beside.items():
                if (staging / name).exists():
                    take(staging / name)
                    atomic.remove(staging / name)
            if folder.path.exists():
                aside = _free(folder.path.with_name(f"{folder.path.name}.before-restore"))
                atomic.rename(folder.path, aside)
        atomic.publish_folder(staging, folder.path)
    except OSError as exc:
        raise ConfigError(f"cannot restore {archive} to {folder.path}: {exc.strerror or exc}") from exc
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return aside


def _free(path: Path) -> Path:
    names = [path, *(path.with_name(f"{path.name}.{n}") for n in range(1, 10_000))]
    return next(each for each in names if not os.path.lexists(each))


def _unpack(archive: Path, staging: Path) -> None:
    """Write every member of an archive below ``staging``, and hold all of them against the manifest."""
    found: dict[str, dict[str, Any]] = {}
    manifest: dict[str, Any] | None = None
    try:
        with tarfile.open(archive, "r:*") as members:
            for member in members:
                source = members.extractfile(member) if member.isreg() else None
                if source is None or not _MEMBER.fullmatch(member.name):
                    raise Corrupt(
                        f"{archive} has a member that is no file of a state folder: {member.name!r}"
                    )
                if member.name == _MANIFEST:
                    manifest = json.load(source)
                else:
                    found[member.name] = _extract(cast("BinaryIO", source), staging / member.name)
    except FileNotFoundError as exc:
        raise ConfigError(f"{archive} does not exist") from exc
    except (tarfile.TarError, EOFError, ValueError) as exc:
        raise Corrupt(f"{archive} is damaged: {exc}") from exc
    if not isinstance(manifest, dict):
        raise Corrupt(f"{archive} is cut off, or is no backup of candled's")
    if manifest.get("format_version", 0) > FORMAT_VERSION:
        raise Refused(
            f"{archive} has format {manifest['format_version']}, this candled reads up to {FORMAT_VERSION}"
        )
    bare = {key: value for key, value in manifest.items() if key != "checksum"}
    if manifest.get("checksum") != documents.digest(bare) or manifest.get("files") != found:
        raise Corrupt(f"{archive} is damaged: its files do not match its manifest")


def _extract(source: BinaryIO, target: Path) -> dict[str, Any]:
    atomic.make_folder(target.parent)
    sha256, size = hashlib.sha256(), 0
    with target.open("xb") as out:
        while chunk := source.read(_CHUNK):
            sha256.update(chunk)
            size += out.write(chunk)
    atomic.hand_over(target)
    return {"sha256": sha256.hexdigest(), "bytes": size}
