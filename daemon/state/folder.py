"""The identifier folder: where things lie in it, and who holds it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from filelock import FileLock, Timeout

from daemon.core.errors import CandledError, ConfigError, FolderInUse, Retryable
from daemon.state import atomic

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

# A probe by `holder` holds the lock for microseconds; a start must not mistake it for another daemon.
_PATIENCE_S = 0.5
_REMEDIES = {
    errno.EACCES: "give this user write permission, or choose another freqai.identifier or user_data_dir",
    errno.EPERM: "give this user write permission, or choose another freqai.identifier or user_data_dir",
    errno.EROFS: "it lies on a read-only file system: choose another user_data_dir",
    errno.ENOSPC: "the disk is full: free some space",
    errno.EDQUOT: "the disk quota is used up: free some space",
    errno.ENOTDIR: "a file stands where a folder is needed: move it away",
    errno.EEXIST: "a file stands where a folder is needed: move it away",
    errno.EISDIR: "a folder stands where a file is needed: move it away",
    errno.ELOOP: "a symbolic link stands where a file is needed: remove it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The process that holds a state folder.

    Attributes:
        pid: its process id; 0 if it could not write it down.
        since_ms: when it took the folder, ms UTC.
    """

    pid: int
    since_ms: int

    def __str__(self) -> str:
        if not self.pid:
            return "an unknown process"
        since = datetime.fromtimestamp(self.since_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return f"process {self.pid} since {since}"


class HeldFolder:
    """The lock on a state folder, until `release` (or the end of the process, however it ends)."""

    def __init__(self, lock: FileLock) -> None:
        self._lock = lock

    def release(self) -> None:
        """Let another process have the folder. Calling it twice does nothing."""
        if self._lock.is_locked:
            self._lock.release(force=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class StateFolder:
    """The folder ``user_data/models/<identifier>`` of one deployment; constructing it touches nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = path / "candled.lock"
        self.pair_dictionary = path / "pair_dictionary.json"
        self.pair_dictionary_backup = path / "pair_dictionary.backup.json"
        self.historic_predictions = path / "historic_predictions.pkl"
        self.historic_predictions_backup = path / "historic_predictions.backup.pkl"
        self.historic_predictions_new = path / "historic_predictions.new.pkl"
        self.staging = path / "staging"
        self.set_aside = path / "set-aside"
        self.predictions = path / "predictions"
        self.requests = path / "requests"
        self.status = path / "status.json"
        self.metric_tracker = path / "metric_tracker.json"
        self.strategy_trial = path / "strategy_trial.json"
        self.control = path / "control.sock"

    def __repr__(self) -> str:
        return f"StateFolder({str(self.path)!r})"

    def acquire(self, now_ms: int) -> HeldFolder:
        """Create the folder if need be, and take it for this process.

        A lock file that a dead process left never blocks: the lock is the kernel's, not the file's
        existence.

        Raises:
            FolderInUse: another process holds it; the message names its pid and since when.
            ConfigError: the folder cannot be made or written; the message names path and remedy.
            Retryable: the disk is full.
        """
        lock = FileLock(
            self.lock,
            timeout=_PATIENCE_S,
            thread_local=False,
            fallback_to_soft=False,
            preserve_lock_file=True,
            on_acquired=lambda fd: _write_holder(fd, now_ms),
        )
        try:
            atomic.make_folder(self.path)
            lock.acquire()
            atomic.hand_over(self.lock)
        except Timeout as exc:
            holder = self.holder() or Holder(pid=0, since_ms=0)
            raise FolderInUse(
                f"{self.path} is in use by {holder}: stop it, or choose another identifier"
            ) from exc
        except OSError as exc:
            raise _unusable(self.path, exc) from exc
        held = HeldFolder(lock)
        try:
            for leftover in atomic.temporaries(self.path):
                atomic.remove(leftover)
        except OSError as exc:
            held.release()
            raise _unusable(self.path, exc) from exc
        return held

    def holder(self) -> Holder | None:
        """Who holds the folder now; None if nobody does. Takes nothing, writes nothing."""
        try:
            fd = os.open(self.lock, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return _read_holder(fd)
        else:
            return None
        finally:
            os.close(fd)  # which also ends the probe's lock

    def save_config(self, name: str, redacted: Mapping[str, Any]) -> None:
        """Keep a copy of the configuration, as FreqAI does.

        Args:
            name: of the user's file, without folder.
            redacted: its content without secrets.

        Raises:
            ConfigError: the copy cannot be written; the message names path and remedy.
            Retryable: the disk is full.
        """
        stem = re.sub(r"[^A-Za-z0-9_.-]", "_", name.removesuffix(".json").removeprefix("config_")) or "config"
        path = self.path / f"config_{stem}.json"
        try:
            if path.is_dir() and not path.is_symlink():
                atomic.set_aside(path, self.set_aside)
            atomic.write_atomic_bytes(path, json.dumps(redacted, indent=4, default=str).encode() + b"\n")
        except OSError as exc:
            raise _unusable(path, exc) from exc

    def free_bytes(self) -> int:
        """Space on the folder's disk that this user may still fill, in bytes."""
        return shutil.disk_usage(self.path).free


def _unusable(path: Path, exc: OSError) -> CandledError:
    """A full disk passes, and a service manager should try again; all else waits for a human."""
    remedy = _REMEDIES.get(exc.errno or 0, "see the error")
    kind = Retryable if exc.errno in (errno.ENOSPC, errno.EDQUOT) else ConfigError
    return kind(f"cannot use {path}: {exc.strerror or exc}: {remedy}")


def _write_holder(fd: int, now_ms: int) -> None:
    note = json.dumps({"pid": os.getpid(), "since_ms": now_ms}).encode() + b"\n"
    os.ftruncate(fd, 0)
    os.pwrite(fd, note, 0)


def _read_holder(fd: int) -> Holder:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        note = json.loads(os.pread(fd, 4096, 0))
        return Holder(pid=int(note["pid"]), since_ms=int(note["since_ms"]))
    return Holder(pid=0, since_ms=0)
