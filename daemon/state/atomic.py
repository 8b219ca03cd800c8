"""The only place that renames, fsyncs or deletes state files.

Every step goes through the ``os`` functions of this module, one call per step, so that the fault tests
can record them, stop the process between any two, and build what a power cut may leave.
"""

from __future__ import annotations

import contextlib
import errno
import io
import itertools
import os
import shutil
import stat
import weakref
from typing import TYPE_CHECKING, BinaryIO, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_numbers = itertools.count(1)
TEMPORARY = ".tmp"
"""Suffix of files that were not published yet; whatever bears it at start is garbage."""


def write_atomic(path: Path, writer: Callable[[BinaryIO], None]) -> None:
    """Replace ``path`` by what ``writer`` writes: afterwards the old or the new content is there, whole.

    The temporary file lies in the same folder (a rename across file systems is a copy), gets a name of
    its own (two writers never share one), and reaches the disk before the rename does.

    Raises:
        OSError: nothing was changed.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{next(_numbers)}{TEMPORARY}")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        hand_over(temporary)
        with io.BufferedWriter(cast("io.RawIOBase", _Descriptor(fd)), 1 << 18) as stream:
            writer(cast("BinaryIO", stream))
            stream.flush()
            os.fsync(fd)
        os.replace(temporary, path)  # noqa: PTH105 - os.* is what the fault tests record
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)  # noqa: PTH108 - as above
        raise
    sync_folder(path.parent)


def write_atomic_bytes(path: Path, data: bytes) -> None:
    """`write_atomic` for content that is at hand."""
    write_atomic(path, lambda stream: _write_bytes(stream, data))


def _write_bytes(stream: BinaryIO, data: bytes) -> None:
    stream.write(data)


class _Descriptor(io.RawIOBase):
    """A raw stream over a descriptor that writes through `os.write`, where the fault tests listen."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return os.lseek(self._fd, 0, os.SEEK_CUR)

    def write(self, data: bytes) -> int:  # type: ignore[override] # the buffer above hands over bytes only
        return os.write(self._fd, data)

    def close(self) -> None:
        if not self.closed:
            super().close()
            os.close(self._fd)


def sync_folder(folder: Path) -> None:
    """Bring a folder's names to the disk: a rename or a new file survives a power cut only from here on."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def publish_folder(staging: Path, target: Path) -> None:
    """Make a finished folder visible under its name, whole or not at all.

    Args:
        staging: the folder, on the same file system.
        target: a name that does not exist.

    Raises:
        FileExistsError: ``target`` exists; nothing was changed.
    """
    if os.path.lexists(target):
        raise FileExistsError(f"{target} exists already")
    for folder, _, files in os.walk(staging, topdown=False):
        for name in files:
            _sync_file(os.path.join(folder, name))  # noqa: PTH118 - os.walk gives strings
        _sync_file(folder)
    os.rename(staging, target)  # noqa: PTH104 - as above
    sync_folder(target.parent)
    if staging.parent != target.parent:
        sync_folder(staging.parent)


def _sync_file(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def set_aside(path: Path, folder: Path | None = None) -> Path:
    """Move a damaged file or folder out of the way, keeping every byte of it for whoever wants to look.

    Args:
        path: what to move.
        folder: where to; ``set-aside`` beside it by default.

    Returns:
        Where it lies now: the same name, numbered if there is one already.
    """
    folder = folder or path.parent / "set-aside"
    make_folder(folder)
    names = itertools.chain([path.name], (f"{path.name}.{n}" for n in itertools.count(1)))
    target = next(folder / name for name in names if not os.path.lexists(folder / name))
    os.rename(path, target)  # noqa: PTH104 - as above
    sync_folder(folder)
    sync_folder(path.parent)
    return target


def rename(source: Path, target: Path) -> None:
    """Give a file that is on disk already another name, replacing what bears it."""
    os.replace(source, target)  # noqa: PTH105 - as above
    sync_folder(target.parent)


def make_folder(folder: Path) -> None:
    """Create a folder and its parents where they are missing."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder)  # noqa: PTH102 - as above
        hand_over(folder)
    sync_folder(folder.parent)


def hand_over(path: Path) -> None:
    """Give what root has just made to the owner of the folder it lies in.

    A service runs as a user of its own: what root's `candled train` or `candled doctor --repair` left in its state
    folder, it could neither change nor delete. Whatever that user may have put in its place meanwhile, a link to a file
    of root's say, stays whose it is.
    """
    if os.geteuid() != 0 or (above := path.parent.stat()).st_uid == 0:
        return
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as exc:
        if exc.errno == errno.ELOOP:
            return
        raise
    try:
        made = os.fstat(fd)
        if stat.S_ISDIR(made.st_mode) or (stat.S_ISREG(made.st_mode) and made.st_nlink == 1):
            os.fchown(fd, above.st_uid, above.st_gid)
    finally:
        os.close(fd)


def remove(path: Path) -> None:
    """Delete a file that nothing needs any more; a power cut may bring it back."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108 - as above


def remove_folder(path: Path, trash: Path) -> None:
    """Delete a folder so that no half of it is ever seen under its name: it is renamed into ``trash`` first."""
    make_folder(trash)
    doomed = trash / f"{path.name}.{os.getpid()}-{next(_numbers)}{TEMPORARY}"
    os.rename(path, doomed)  # noqa: PTH104 - as above
    shutil.rmtree(doomed, ignore_errors=True)


def temporaries(folder: Path) -> Iterator[Path]:
    """Files in ``folder`` that a killed writer left."""
    return (path for path in folder.glob(f".*{TEMPORARY}") if not path.is_dir())


class AppendFile:
    """A file that grows by whole appends: each is in the file in full, or not at all.

    One writer. After a failed append (disk full) the file is as it was before, and the next may be tried.
    """

    def __init__(self, path: Path, size: int) -> None:
        """Open an existing file and cut what lies behind its first ``size`` bytes (a torn tail)."""
        self.path = path
        self.size = size
        self._fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        # Closed with the object, should nobody close it: a long-lived process must not run out of descriptors.
        self._closing = weakref.finalize(self, os.close, self._fd)
        try:
            if os.fstat(self._fd).st_size != size:
                os.ftruncate(self._fd, size)
        except BaseException:
            self._closing()
            raise

    def append(self, data: bytes, *, sync: bool) -> None:
        """Write ``data`` behind the end; with ``sync``, return only once it is on the disk.

        Raises:
            OSError: nothing was appended. After a failed fsync the kernel may have forgotten that the
                pages are dirty, so the data is cut off too and has to be written again.
        """
        try:
            view, at = memoryview(data), self.size
            while view:
                written = os.pwrite(self._fd, view, at)
                view, at = view[written:], at + written
            if sync:
                os.fsync(self._fd)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self.size)
            raise
        self.size += len(data)

    def sync(self) -> None:
        """Bring appends that were made without ``sync`` to the disk."""
        os.fsync(self._fd)

    def close(self) -> None:
        """Let go of the file; calling it twice does nothing."""
        self._closing()


def write_volatile(path: Path, data: bytes) -> None:
    """Replace a file that is derived and shown to others (``status.json``): whole at every moment, but not synced.

    A power cut may lose it; nothing is ever read back from it.

    Raises:
        OSError: nothing was changed.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{next(_numbers)}{TEMPORARY}")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, path)  # noqa: PTH105 - os.* is what the fault tests record
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)  # noqa: PTH108 - as above
        raise
