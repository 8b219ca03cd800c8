"""The tables behind the ledger: statements and transactions of one connection."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

from daemon.trading.ledger_connection import translated

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_STATEMENTS = (
    ("BEGIN IMMEDIATE", "COMMIT", ("ROLLBACK",)),
    ("SAVEPOINT step", "RELEASE step", ("ROLLBACK TO step", "RELEASE step")),
)
"""How a transaction, and one within it, begins, ends and is undone."""


class Tables:
    """One connection, which any thread may use: each waits for the others.

    Names of tables and columns come from the code, values always go as parameters.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.path = path
        self._connection = connection
        self._lock = threading.RLock()
        self._depth = 0
        self.undone = 0
        """How often writes were undone: what was computed from them may be wrong since."""

    def close(self) -> None:
        """Let go of the file; calling it twice does nothing."""
        with self._lock, translated(self.path):
            self._connection.close()

    def rows(self, query: str, values: tuple[Any, ...] = ()) -> list[sqlite3.Row]:
        """What a query finds."""
        with self._lock, translated(self.path):
            return self._connection.execute(query, values).fetchall()

    def value(self, query: str, values: tuple[Any, ...] = ()) -> Any:
        """The first value of the first row; None if there is no row."""
        found = self.rows(query, values)
        return found[0][0] if found else None

    def change(self, query: str, values: tuple[Any, ...]) -> int:
        """Change rows, and return how many."""
        with self.together():
            return self._connection.execute(query, values).rowcount

    def insert(self, table: str, columns: Mapping[str, Any]) -> int:
        """Add a row, and return its number."""
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))
        query = f"INSERT INTO {table} ({names}) VALUES ({marks})"
        with self.together():
            return self._connection.execute(query, tuple(columns.values())).lastrowid or 0

    def update(self, table: str, columns: Mapping[str, Any], **key: Any) -> None:
        """Change columns of the row with this key."""
        changes = ", ".join(f"{name} = ?" for name in columns)
        where = " AND ".join(f"{name} = ?" for name in key)
        self.change(f"UPDATE {table} SET {changes} WHERE {where}", (*columns.values(), *key.values()))

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Make one transaction of the writes within: all are on the disk at its end, or (if it raises) none is.

        An inner one that raises undoes its own writes only.
        """
        with self._lock, translated(self.path):
            begin, commit, undo = _STATEMENTS[self._depth > 0]
            self._connection.execute(begin)
            self._depth += 1
            try:
                yield
                self._connection.execute(commit)
            except BaseException:
                self.undone += 1
                # A full disk may have ended the transaction already.
                if self._connection.in_transaction:
                    for statement in undo:
                        self._connection.execute(statement)
                raise
            finally:
                self._depth -= 1

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """All that is read within is of one moment."""
        with self._lock, translated(self.path):
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                self._connection.execute("COMMIT")
