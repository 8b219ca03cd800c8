"""The ledger's files: opening one that may be damaged, and the backups that it makes of itself.

Beside ``NAME.sqlite`` (with ``-wal`` and ``-shm`` while it is open) lie ``NAME.backup-1.sqlite`` and
``NAME.backup-2.sqlite``, written in turn: while one is being written, the other is whole.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from daemon.core.errors import ConfigError, Corrupt, Retryable
from daemon.trading.ledger import Ledger
from daemon.trading.ledger_connection import check, opened, opened_to_read, translated
from daemon.trading.schema import APPLICATION_ID

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

log = logging.getLogger(__name__)

BACKUP_MS = "ledger_backup_ms"
"""Fact: when the newest backup was begun, ms UTC; inside a backup, when it was made itself."""
RESTORED = "ledger_restored"
"""Fact: what stood in a damaged ledger's place, until a reconciliation has removed it by ``put(RESTORED, None)``."""
_NO_FACTS: MappingProxyType[str, Any] = MappingProxyType({})
_SIDES = ("-wal", "-shm", "-journal")


class SetAside(Protocol):
    """Moves a file out of the way and returns where it lies now (``state.atomic.set_aside``)."""

    def __call__(self, path: Path) -> Path:
        """Move it, and return its new place."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What a look at a ledger's files has found.

    Attributes:
        path: the ledger.
        fault: what is wrong with it; empty if nothing is, or if there is none yet.
        backups: intact backups with their times (ms UTC), newest first.
        damaged: backups that are not.
    """

    path: Path
    fault: str
    backups: tuple[tuple[Path, int], ...]
    damaged: tuple[Path, ...]


def ledger_path(folder: Path, name: str, *, dry_run: bool) -> Path:
    """Where a ledger lies; a dry-run account and a live one never share a file."""
    return folder / f"{name}{'.dryrun' if dry_run else ''}.sqlite"


def backup_paths(path: Path) -> tuple[Path, Path]:
    """Where a ledger's backups lie."""
    first, second = (path.with_name(f"{path.stem}.backup-{n}{path.suffix}") for n in (1, 2))
    return first, second


def open_ledger(path: Path, now_ms: int, set_aside: SetAside) -> Ledger:
    """Open or create a ledger and make a backup of it; a damaged or missing one is replaced by its newest intact backup.

    What is damaged is kept. A ledger that was replaced has the fact `RESTORED` (``fault``, ``backup_ms``, ``at_ms``):
    what happened after the backup is not in it, so no entry may be made before a reconciliation with the exchange.

    Args:
        path: see `ledger_path`.
        now_ms: ms UTC.
        set_aside: how a damaged file is moved.

    Raises:
        ConfigError: it is damaged and there is no intact backup: a human has to look.
        Retryable: the disk is full or read-only.
    """
    health = ledger_health(path)
    if health.fault:
        _put_back(health, now_ms, set_aside)
    ledger = Ledger.open(path)
    try:
        make_backup(ledger, now_ms, set_aside)
    except (Retryable, OSError) as exc:  # the ledger is sound; the next backup may be written
        log.warning("ledger_not_backed_up", extra={"fields": {"file": str(path), "error": str(exc)}})
    except BaseException:
        ledger.close()
        raise
    return ledger


def _put_back(health: Health, now_ms: int, set_aside: SetAside) -> None:
    """Put the newest intact backup in a damaged ledger's place; a crash in between is begun anew by the next start."""
    path = health.path
    if not health.backups:
        raise ConfigError(
            f"the ledger {path} cannot be used ({health.fault}) and has no intact backup: put back one of your own "
            f"('candled restore'), or move {path.name} and what begins with it away to begin an empty ledger "
            "(open orders and positions at the exchange are then no longer known)"
        )
    backup, backup_ms = health.backups[0]
    # The file first: while it is missing, the next start comes here again.
    files = [path, *(path.with_name(path.name + side) for side in _SIDES)]
    kept = [set_aside(each) for each in files if each.exists()]
    restored = {"fault": health.fault, "backup_ms": backup_ms, "at_ms": now_ms}
    with contextlib.closing(opened_to_read(backup)) as source:
        _copy(source, path, {RESTORED: restored})
    fields = {
        "file": str(path),
        "fault": health.fault,
        "backup": f"{backup.name} of {datetime.fromtimestamp(backup_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC",
        "lost": "what the ledger took after that backup and the exchange cannot tell again",
        "kept": ", ".join(map(str, kept)),
    }
    log.error("ledger_restored", extra={"fields": fields})


def make_backup(ledger: Ledger, now_ms: int, set_aside: SetAside) -> Path:
    """Write a backup in the place of the older one, and prove it.

    Raises:
        Retryable: the disk is full; the other backup is whole.
        Corrupt: the ledger itself is damaged; the other backup is whole.
    """
    health = ledger_health(ledger.path)
    for broken in health.damaged:
        set_aside(broken)
    newest = health.backups[0][0] if health.backups else None
    target = next(each for each in backup_paths(ledger.path) if each != newest)
    ledger.put(BACKUP_MS, now_ms)
    copy_ledger(ledger.path, target)
    return target


def copy_ledger(path: Path, target: Path) -> None:
    """Copy a ledger as it is at one moment into one file, whether a daemon writes to it or not.

    Raises:
        ConfigError: there is no ledger.
        Corrupt: it is damaged; ``target`` holds no good copy then.
        Retryable: the disk is full.
    """
    with contextlib.closing(opened_to_read(path)) as source:
        check(source, path)
        _copy(source, target)


def ledger_health(path: Path) -> Health:
    """Look at a ledger and its backups; nothing is changed."""
    backups, damaged = [], []
    for each in backup_paths(path):
        if not each.exists():
            continue
        try:
            backups.append((each, _made_ms(each)))
        except (Corrupt, ConfigError):
            damaged.append(each)
    backups.sort(key=lambda found: -found[1])
    return Health(
        path=path,
        fault=_fault(path, backups=bool(backups or damaged)),
        backups=tuple(backups),
        damaged=tuple(damaged),
    )


def _fault(path: Path, *, backups: bool) -> str:
    """What is wrong with a ledger; one that is missing or empty is new, unless there was one before."""
    if not path.exists():
        return "it is missing" if backups or path.with_name(f"{path.name}-wal").exists() else ""
    try:
        with _examined(path) as connection:
            tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    except Corrupt as exc:
        return str(exc).removeprefix(f"{path} ")
    return "it is empty" if backups and not tables else ""


def _made_ms(path: Path) -> int:
    """When a backup was made, ms UTC."""
    with _examined(path) as connection, translated(path):
        if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise Corrupt(f"{path} is no ledger")
        found = connection.execute("SELECT value FROM facts WHERE name = ?", (BACKUP_MS,)).fetchone()
    return int(json.loads(found[0])) if found else 0


@contextlib.contextmanager
def _examined(path: Path) -> Iterator[sqlite3.Connection]:
    connection = opened_to_read(path)
    try:
        try:
            check(connection, path)
        except Retryable:
            # What a killed writer left beside it has to be undone first, which a connection that only reads cannot.
            connection.close()
            connection = opened(path, write_ahead=False)
            check(connection, path)
        yield connection
    finally:
        connection.close()


def _copy(source: sqlite3.Connection, target: Path, facts: Mapping[str, Any] = _NO_FACTS) -> None:
    """Copy a whole ledger, as one transaction of the target: a crash leaves that as it was."""
    # A ledger without its facts would not be known as one that was put back: they go into a copy in memory first.
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as whole:
        source.backup(whole)
        for name, value in facts.items():
            whole.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, json.dumps(value)))
        with contextlib.closing(opened(target, write_ahead=False)) as connection, translated(target):
            whole.backup(connection)
            # A backup is one file, without a log beside it.
            connection.execute("PRAGMA journal_mode = DELETE")
            check(connection, target)
