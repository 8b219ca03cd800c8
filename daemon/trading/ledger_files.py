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
from typing import TYPE_CHECKING, Any, Protocol

from daemon.core.errors import ConfigError, Corrupt, Retryable
from daemon.trading.ledger import Ledger
from daemon.trading.ledger_connection import check, opened, opened_to_read, translated
from daemon.trading.schema import APPLICATION_ID, check_made

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

log = logging.getLogger(__name__)

BACKUP_MS = "ledger_backup_ms"
"""Fact: when the newest backup was made, ms UTC; in a copy: when it was made itself."""
RESTORED = "ledger_restored"
"""Fact: what stood in a damaged ledger's place, until a reconciliation has removed it by ``put(RESTORED, None)``."""
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
        trades: how many the ledger has; 0 for one that is damaged or not there.
    """

    path: Path
    fault: str
    trades: int
    backups: tuple[tuple[Path, int], ...]
    damaged: tuple[Path, ...]

    @property
    def repairable(self) -> bool:
        """Whether something is damaged that a start makes whole."""
        return bool(self.backups if self.fault else self.damaged)

    def document(self) -> dict[str, Any]:
        """All of it as JSON values, without folders."""
        return {
            "file": self.path.name,
            "fault": self.fault,
            "trades": self.trades,
            "backups": [{"file": path.name, "made_ms": made_ms} for path, made_ms in self.backups],
            "damaged_backups": [path.name for path in self.damaged],
        }


def backup_paths(path: Path) -> tuple[Path, Path]:
    """Where a ledger's backups lie."""
    first, second = (path.with_name(f"{path.stem}.backup-{n}{path.suffix}") for n in (1, 2))
    return first, second


def open_ledger(path: Path, now_ms: int, set_aside: SetAside) -> Ledger:
    """Open or create a ledger and make a backup of it; a damaged or missing one is replaced by its newest intact backup.

    What is damaged is kept. A ledger that was replaced has the fact `RESTORED` (``fault``, ``backup_ms``, ``at_ms``):
    what happened after the backup is not in it, so no entry may be made before a reconciliation with the exchange.

    Args:
        path: the ledger; a dry-run account and a live one never share a file.
        now_ms: ms UTC.
        set_aside: how a damaged file is moved.

    Raises:
        ConfigError: it is damaged and there is no intact backup: a human has to look.
        Retryable: the disk is full or read-only.
    """
    health = ledger_health(path)
    if health.fault:
        _recover(health, now_ms, set_aside)
    ledger = Ledger.open(path)
    try:
        make_backup(ledger, now_ms, set_aside)
    except (Retryable, OSError) as exc:  # the ledger is sound; the next backup may be written
        log.warning("ledger_not_backed_up", extra={"fields": {"file": str(path), "error": str(exc)}})
    except BaseException:
        ledger.close()
        raise
    return ledger


def _recover(health: Health, now_ms: int, set_aside: SetAside) -> None:
    """Put the newest intact backup in a damaged ledger's place; a crash in between is begun anew by the next start."""
    path = health.path
    if not health.backups:
        raise ConfigError(
            f"the ledger {path} cannot be used ({health.fault}) and has no intact backup: put back one of your own "
            f"('candled restore'), or move {path.name} and what begins with it away to begin an empty ledger "
            "(open orders and positions at the exchange are then no longer known)"
        )
    backup, backup_ms = health.backups[0]
    restored = {"fault": health.fault, "backup_ms": backup_ms, "at_ms": now_ms}
    kept = _replace(backup, path, restored, set_aside)
    fields = {
        "file": str(path),
        "fault": health.fault,
        "backup": f"{backup.name} of {datetime.fromtimestamp(backup_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC",
        "lost": "what the ledger took after that backup and the exchange cannot tell again",
        "kept": ", ".join(map(str, kept)),
    }
    log.error("ledger_restored", extra={"fields": fields})


def _replace(backup: Path, path: Path, restored: dict[str, Any], set_aside: SetAside) -> list[Path]:
    """Put a backup in a ledger's place, and return where the files that were there lie now."""
    # The file first: while it is missing, the next start finds that a ledger has to be put back.
    files = [path, *(path.with_name(path.name + side) for side in _SIDES)]
    kept = [set_aside(each) for each in files if each.exists()]
    with contextlib.closing(opened_to_read(backup)) as source:
        _copy(source, path, {RESTORED: restored})
    return kept


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
    copy_ledger(ledger.path, target, now_ms)
    ledger.put(BACKUP_MS, now_ms)
    return target


def copy_ledger(path: Path, target: Path, now_ms: int) -> None:
    """Copy a ledger as it is at one moment into one file, whether a daemon writes to it or not.

    Raises:
        ConfigError: there is no ledger, or the file is none.
        Corrupt: it is damaged; ``target`` holds no good copy then.
        Retryable: the disk is full.
    """
    with contextlib.closing(opened_to_read(path)) as source:
        check(source, path)
        with translated(path):
            check_made(source, path)
        _copy(source, target, {BACKUP_MS: now_ms})


def put_back(copy: Path, path: Path, now_ms: int, set_aside: SetAside) -> None:
    """Put a copy in a ledger's place; what was there is set aside. No daemon may run.

    Raises:
        Corrupt: the copy is damaged; nothing was changed.
        Retryable: the disk is full.
    """
    made_ms = _made_ms(copy)
    _replace(copy, path, {"fault": "put back by hand", "backup_ms": made_ms, "at_ms": now_ms}, set_aside)


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
    fault, trades = _judged(path, backups=bool(backups or damaged))
    return Health(path=path, fault=fault, trades=trades, backups=tuple(backups), damaged=tuple(damaged))


def _judged(path: Path, *, backups: bool) -> tuple[str, int]:
    """What is wrong with a ledger, and its trades; one that is missing or empty is new, unless there was one before."""
    if not path.exists():
        return "it is missing" if backups or path.with_name(f"{path.name}-wal").exists() else "", 0
    try:
        with _examined(path) as connection, translated(path):
            tables = connection.execute(
                "SELECT count(*) FROM sqlite_master WHERE name = 'trades'"
            ).fetchone()[0]
            trades = connection.execute("SELECT count(*) FROM trades").fetchone()[0] if tables else 0
    except Corrupt as exc:
        return str(exc).removeprefix(f"{path} "), 0
    return "it is empty" if backups and not tables else "", trades


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


def _copy(source: sqlite3.Connection, target: Path, facts: Mapping[str, Any]) -> None:
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
