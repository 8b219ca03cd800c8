"""Model folders: published by one rename, verified at every load, purged by pair."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from daemon.core.errors import CandledError, Corrupt, Refused
from daemon.core.pair import Pair
from daemon.state import atomic, documents
from daemon.state.documents import open_regular
from daemon.state.libraries import library_versions

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from daemon.state.folder import StateFolder

FORMAT_VERSION = 3
_FOLDER = re.compile(r"sub-train-\w+_\d+(-\d+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A published model whose files are what was written.

    Attributes:
        name: of its folder, relative to the identifier folder.
        pair: whose model it is.
        trained_s: end of its training window, seconds UTC.
        stem: of its file names, ``cb_btc_1732000000``.
        metadata: what the trainer wrote about it.
        path: of its folder.
        files: names of its files -> their paths.
        bytes: size of all its files.
    """

    name: str
    pair: Pair
    trained_s: int
    stem: str
    metadata: Mapping[str, Any]
    path: Path
    files: Mapping[str, Path]
    bytes: int


class ArtifactStore:
    """The model folders of one identifier. One thread publishes and purges; any may open."""

    def __init__(self, folder: StateFolder) -> None:
        self._folder = folder

    def new_staging(self) -> Path:
        """A new empty folder in which a model is put together; nothing in it is ever served."""
        atomic.make_folder(self._folder.staging)
        taken = {path.name for path in self._folder.staging.iterdir()}
        name = next(str(n) for n in range(1, len(taken) + 2) if str(n) not in taken)
        atomic.make_folder(self._folder.staging / name)
        return self._folder.staging / name

    def clear_staging(self) -> None:
        """Delete what interrupted trainings and purges left."""
        if self._folder.staging.is_dir() and not self._folder.staging.is_symlink():
            for leftover in self._folder.staging.iterdir():
                if leftover.is_dir() and not leftover.is_symlink():
                    atomic.remove_folder(leftover, self._folder.staging)
                else:
                    atomic.remove(leftover)

    def publish(self, staging: Path, *, pair: Pair, trained_s: int, metadata: Mapping[str, Any]) -> Artifact:
        """Seal a finished staging folder and make it visible.

        Args:
            staging: from `new_staging`; flat, its file names begin with ``cb_<coin>_<trained_s>``.
            pair: whose model it is.
            trained_s: end of the training window, seconds UTC.
            metadata: JSON-able facts about the training, kept beside the checksums.

        Returns:
            What was published. Its name is ``sub-train-BTC_1732000000``, with a number behind it if another pair of
            the same coin has that name: they never share a folder.

        Raises:
            Corrupt: the metadata that can be read back are not what was written; nothing was published.
            OSError: disk full or the like; nothing was published.
        """
        name = self._free_name(f"{_prefix(pair)}{trained_s}")
        stem = f"cb_{_coin(pair).lower()}_{trained_s}"
        document = dict(metadata) | {
            "format_version": FORMAT_VERSION,
            "name": name,
            "pair": str(pair),
            "trained_timestamp": trained_s,
            "stem": stem,
            "libraries": dict(library_versions()),
            "files": {path.name: _fingerprint(path) for path in sorted(staging.iterdir())},
        }
        sealed = documents.encoded(document | {"checksum": documents.digest(document)})
        atomic.write_atomic_bytes(staging / f"{stem}_metadata.json", sealed)
        described = _described(staging, name)  # the checksums in it are of what the files gave a moment ago
        path = self._folder.path / name
        atomic.publish_folder(staging, path)
        return _artifact(path, name, *described)

    def open(self, name: str) -> Artifact:
        """The artifact in a folder, after every file was compared with its checksum.

        Raises:
            Corrupt: it is damaged, missing, or not inside the identifier folder.
            Refused: it is sound but not for this candled: written by a newer one, or by FreqAI.
        """
        return _verified(self._path(name), name)

    def metadata(self, name: str) -> Mapping[str, Any]:
        """What a model folder says of itself, after a look at that alone: its other files may be damaged.

        Raises:
            Corrupt: it is damaged, missing, or not inside the identifier folder.
            Refused: as `open`.
        """
        return MappingProxyType(_described(self._path(name), name)[0])

    def set_aside(self, name: str) -> Path:
        """Move a damaged artifact out of the way; returns where it lies now."""
        return atomic.set_aside(self._path(name), self._folder.set_aside)

    def newest(self, pair: Pair) -> Artifact | None:
        """The newest intact artifact of a pair; None if there is none."""
        for name in self.names_of(pair):
            try:
                return self.open(name)
            except (Corrupt, Refused):
                continue
        return None

    def pairs(self) -> list[Pair]:
        """Pairs that have an artifact folder, intact or not, in alphabetical order."""
        found = set()
        for name in self.names():
            try:
                found.add(_described(self._path(name), name)[1])
            except CandledError:
                continue
        return sorted(found)

    def names(self) -> list[str]:
        """Names of all model folders, in alphabetical order, whoever wrote them."""
        if not self._folder.path.is_dir():
            return []
        return sorted(path.name for path in self._folder.path.iterdir() if _FOLDER.fullmatch(path.name))

    def names_of(self, pair: Pair) -> list[str]:
        """Names of a pair's model folders, newest first, without a look at their files."""
        return [name for name, _ in self._of(pair)]

    def purge(self, pair: Pair, keep: int, live: str) -> list[str]:
        """Delete a pair's old artifacts.

        Args:
            pair: whose; other pairs of the same coin are not touched.
            keep: how many of the newest stay, the live one included.
            live: name of the artifact in use, which stays whatever its age.

        Returns:
            Names of those that were deleted.
        """
        names = self.names_of(pair)
        kept = {live} & set(names)
        for name in names:
            if len(kept) < max(keep, 1):
                kept.add(name)
        return [self._delete(name) for name in names if name not in kept]

    def free_bytes(self) -> int:
        """Room on the disk for more, in bytes."""
        return self._folder.free_bytes()

    def purge_to(self, limit_bytes: int, live: Collection[str]) -> list[str]:
        """Delete artifacts, oldest first, until all that remain take at most ``limit_bytes``; never a live one."""
        known = [(trained_s, name) for pair in self.pairs() for name, trained_s in self._of(pair)]
        sizes = {name: _bytes_in(self._path(name)) for name in self.names()}
        excess, deleted = sum(sizes.values()) - limit_bytes, []
        for _, name in sorted(known):
            if excess <= 0:
                break
            if name not in live:
                excess -= sizes[name]
                deleted.append(self._delete(name))
        return deleted

    def _of(self, pair: Pair) -> list[tuple[str, int]]:
        """Names and training times of a pair's artifacts, newest first, without a look at their files."""
        found = []
        for name in self.names():
            if not name.startswith(_prefix(pair)):
                continue
            try:
                document, owner = _described(self._path(name), name)
            except CandledError:
                continue
            if owner == pair:
                found.append((name, int(document["trained_timestamp"])))
        return sorted(found, key=lambda each: (each[1], each[0]), reverse=True)

    def _delete(self, name: str) -> str:
        atomic.remove_folder(self._path(name), self._folder.staging)
        return name

    def _free_name(self, wanted: str) -> str:
        names = itertools.chain((wanted,), (f"{wanted}-{n}" for n in itertools.count(2)))
        return next(name for name in names if not os.path.lexists(self._folder.path / name))

    def _path(self, name: str) -> Path:
        if not _FOLDER.fullmatch(name):
            raise Corrupt(f"{name!r} is not the name of a model folder inside {self._folder.path}")
        return self._folder.path / name


def _coin(pair: Pair) -> str:
    return re.sub(r"\W", "_", pair.base, flags=re.ASCII)


def _prefix(pair: Pair) -> str:
    """How the names of all folders of a pair begin; those of others may, too: ETH/USDT's and ETH/BTC's."""
    return f"sub-train-{_coin(pair).upper()}_"


def _described(path: Path, name: str) -> tuple[dict[str, Any], Pair]:
    """The metadata of a model folder, which match their own checksum, and its pair."""
    if path.is_symlink() or not path.is_dir():
        raise Corrupt(f"{path} is not a folder" if os.path.lexists(path) else f"{path} is missing")
    found = sorted(path.glob("cb_*_metadata.json"))
    if len(found) != 1:
        raise Corrupt(f"{path} has {len(found)} metadata files instead of one")
    document = documents.read_object(found[0])
    version = document.get("format_version")
    if version is None and "checksum" not in document:
        raise Refused(f"{path} was written by FreqAI: its model is not loaded, the pair is trained anew")
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise Refused(
            f"{found[0]} has format {version}, this candled reads up to {FORMAT_VERSION}: left as it is"
        )
    bare = {key: value for key, value in document.items() if key != "checksum"}
    if document.get("checksum") != documents.digest(bare):
        raise Corrupt(f"{found[0]} does not match its checksum")
    if document["name"] != name:
        raise Corrupt(f"{found[0]} belongs to {document['name']}, not to {name}")
    return document, Pair(document["pair"])


def _verified(path: Path, name: str) -> Artifact:
    document, pair = _described(path, name)
    for file, expected in document["files"].items():
        if os.path.basename(file) != file or file in {"", ".", ".."}:  # noqa: PTH119 - a name, not a path
            raise Corrupt(f"{path} names a file outside of itself: {file!r}")
        try:
            found = _fingerprint(path / file)
        except OSError as exc:
            raise Corrupt(f"{path / file} cannot be read: {exc.strerror or exc}") from exc
        if found != expected:
            raise Corrupt(
                f"{path / file} does not match its checksum ({found['bytes']} of {expected['bytes']} bytes)"
            )
    return _artifact(path, name, document, pair)


def _artifact(path: Path, name: str, document: dict[str, Any], pair: Pair) -> Artifact:
    return Artifact(
        name=name,
        pair=pair,
        trained_s=int(document["trained_timestamp"]),
        stem=document["stem"],
        metadata=MappingProxyType(document),
        path=path,
        files=MappingProxyType({file: path / file for file in document["files"]}),
        bytes=sum(int(each["bytes"]) for each in document["files"].values()),
    )


def _fingerprint(path: Path) -> dict[str, Any]:
    with os.fdopen(open_regular(path), "rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        return {"sha256": sha256, "bytes": stream.tell()}


def _bytes_in(path: Path) -> int:
    return sum(file.lstat().st_size for file in path.glob("*"))
