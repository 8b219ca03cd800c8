"""Connections to a ledger's file, and SQLite's errors by their remedy."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from typing import TYPE_CHECKING
from urllib.parse import quote

from daemon.core.errors import ConfigError, Corrupt, Retryable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_PASSING = {
    sqlite3.SQLITE_FULL: "the disk is full: free some space",
    sqlite3.SQLITE_IOERR: "the disk does not take or give what it should",
    sqlite3.SQLITE_READONLY: "the file or its file system is read-only",
    sqlite3.SQLITE_BUSY: "another process writes to it",
    sqlite3.SQLITE_LOCKED: "another process writes to it",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: look at the permissions of file and folder",
    sqlite3.SQLITE_PERM: "it cannot be opened: look at the permissions of file and folder",
    sqlite3.SQLITE_NOMEM: "the memory is used up",
}
_BUSY_S = 5.0
_CACHE_KB = 512
"""Of the daemon's connection: by default it grows with the account until it has 2 MB, for weeks. The system keeps the
file's pages, too."""


class LedgerFault(Retryable):
    """The disk does not take or give what the ledger wants: no order leaves before it does."""


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours.

    Raises:
        LedgerFault: the disk is full, read-only, slow or gone; what was begun has been undone.
        Corrupt: the file is damaged.
    """
    try:
        yield
    except sqlite3.Error as exc:
        # The lowest byte is the kind, what lies above says where it happened.
        kind = (getattr(exc, "sqlite_errorcode", None) or 0) & 0xFF
        if kind in _DAMAGE or (
            kind == 0 and isinstance(exc, sqlite3.DatabaseError) and "malformed" in str(exc)
        ):
            raise Corrupt(f"{path} is damaged: {exc}") from exc
        if kind in _PASSING:
            raise LedgerFault(f"cannot use {path}: {exc}: {_PASSING[kind]}") from exc
        raise


def opened(path: Path, *, write_ahead: bool = True) -> sqlite3.Connection:
    """A connection that writes: every commit is on the disk when it returns; the owner's file alone.

    Args:
        path: which; it is made if there is none.
        write_ahead: whether it gets a write-ahead log; else it stays as it is.

    Raises:
        ConfigError: the file cannot be made; the message names path and remedy.
    """
    try:
        # SQLite gives the log and its index the permissions of the file.
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.fchmod(fd, 0o600)  # one that was copied here may be open to all
        finally:
            os.close(fd)
    except OSError as exc:
        raise ConfigError(
            f"cannot use the ledger {path}: {exc.strerror or exc}: give this user a folder that it may write to"
        ) from exc
    connection = _connected(path, "rw")
    with translated(path), _closed_on_error(connection):
        if write_ahead:
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
    return connection


def opened_to_read(path: Path) -> sqlite3.Connection:
    """A connection that only reads, beside a daemon or without one.

    Raises:
        ConfigError: there is no such file.
    """
    if not path.is_file():
        raise ConfigError(f"{path} does not exist: there has been no trading yet under this name")
    connection = _connected(path, "ro")
    with translated(path), _closed_on_error(connection):
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def _connected(path: Path, mode: str) -> sqlite3.Connection:
    with translated(path):
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode={mode}",
            uri=True,
            timeout=_BUSY_S,
            isolation_level=None,  # transactions are begun and ended where it is written
            check_same_thread=False,  # the ledger has a lock of its own
        )
    connection.row_factory = sqlite3.Row
    return connection


@contextlib.contextmanager
def _closed_on_error(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.close()
        raise


def check(connection: sqlite3.Connection, path: Path) -> None:
    """Look through the whole file.

    Raises:
        Corrupt: a page, an index or a reference is not what was written.
    """
    with translated(path):
        found = [str(row[0]) for row in connection.execute("PRAGMA quick_check(3)")]
        lost = connection.execute("PRAGMA foreign_key_check").fetchone()
    if found != ["ok"]:
        raise Corrupt(f"{path} is damaged: {'; '.join(found)}")
    if lost is not None:
        raise Corrupt(f"{path} is damaged: a row of {lost[0]} belongs to none of {lost[2]}")
