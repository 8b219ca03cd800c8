"""The ledger's tables, and how a file of an older candled gets them.

Amounts, prices and fees are exact decimals in TEXT columns; times are ms UTC; what is unknown is NULL or ''.
A file's version is its ``PRAGMA user_version``: the number of `MIGRATIONS` that it has been through.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from daemon.core.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

APPLICATION_ID = 0x63646C64
"""``cdld``: tells a ledger from any other SQLite file."""

_FIRST = """
CREATE TABLE trades (
    trade_id       INTEGER PRIMARY KEY AUTOINCREMENT,
    pair           TEXT NOT NULL,
    opened_ms      INTEGER NOT NULL,
    strategy       TEXT NOT NULL,
    timeframe      TEXT NOT NULL,
    stake_currency TEXT NOT NULL,
    enter_tag      TEXT NOT NULL,
    stop_price     TEXT,
    stop_initial   TEXT,
    stop_trailing  INTEGER NOT NULL DEFAULT 0,
    stop_rule      TEXT NOT NULL DEFAULT '',
    stop_ratio     REAL NOT NULL DEFAULT 0,
    stop_initial_ratio REAL NOT NULL DEFAULT 0,
    highest        TEXT,
    lowest         TEXT,
    exit_reason    TEXT NOT NULL DEFAULT '',
    exit_detail    TEXT NOT NULL DEFAULT '',
    custom         TEXT NOT NULL DEFAULT '{}',
    dust           TEXT NOT NULL DEFAULT '0',
    closed_ms      INTEGER
) STRICT;
CREATE INDEX trades_open ON trades (trade_id) WHERE closed_ms IS NULL;
CREATE INDEX trades_closed ON trades (closed_ms);

-- One row per intent; the state is one of OrderState. settled follows from state, reported and the fills: an index over them.
CREATE TABLE orders (
    client_id      TEXT PRIMARY KEY,
    trade_id       INTEGER NOT NULL REFERENCES trades (trade_id),
    pair           TEXT NOT NULL,
    leg            TEXT NOT NULL,
    side           TEXT NOT NULL,
    type           TEXT NOT NULL,
    amount         TEXT NOT NULL,
    price          TEXT,
    stop_price     TEXT,
    time_in_force  TEXT NOT NULL,
    candle_ms      INTEGER NOT NULL,
    attempt        INTEGER NOT NULL,
    reason         TEXT NOT NULL,
    created_ms     INTEGER NOT NULL,
    state          TEXT NOT NULL,
    exchange_id    TEXT NOT NULL DEFAULT '',
    reported       TEXT NOT NULL DEFAULT '0',
    sent_ms        INTEGER,
    changed_ms     INTEGER NOT NULL,
    detail         TEXT NOT NULL DEFAULT '',
    settled        INTEGER NOT NULL DEFAULT 0,
    UNIQUE (pair, candle_ms, leg, attempt)
) STRICT;
CREATE INDEX orders_trade ON orders (trade_id);
CREATE INDEX orders_exchange ON orders (exchange_id, pair);
CREATE INDEX orders_unsettled ON orders (trade_id) WHERE NOT settled;

-- Executions under the exchange's ids. order_id is NULL for those of orders that are not ours, or not yet known as ours;
-- client_id is what the exchange said.
CREATE TABLE fills (
    pair           TEXT NOT NULL,
    fill_id        TEXT NOT NULL,
    order_id       TEXT REFERENCES orders (client_id),
    client_id      TEXT NOT NULL,
    exchange_id    TEXT NOT NULL,
    side           TEXT NOT NULL,
    amount         TEXT NOT NULL,
    price          TEXT NOT NULL,
    fee            TEXT NOT NULL,
    fee_currency   TEXT NOT NULL,
    at_ms          INTEGER NOT NULL,
    maker          INTEGER,
    PRIMARY KEY (pair, fill_id)
) STRICT;
CREATE INDEX fills_order ON fills (order_id);
CREATE INDEX fills_exchange ON fills (exchange_id, pair) WHERE order_id IS NULL;
CREATE INDEX fills_client ON fills (client_id);
CREATE INDEX fills_time ON fills (pair, at_ms);

-- Reports about orders that are not ours (or whose exchange id we have not learnt yet), each different one once.
CREATE TABLE foreign_reports (
    pair           TEXT NOT NULL,
    client_id      TEXT NOT NULL,
    exchange_id    TEXT NOT NULL,
    state          TEXT NOT NULL,
    filled         TEXT NOT NULL,
    amount         TEXT NOT NULL,
    side           TEXT,
    price          TEXT,
    at_ms          INTEGER NOT NULL,
    detail         TEXT NOT NULL,
    PRIMARY KEY (pair, exchange_id, client_id, state, filled)
) STRICT;

CREATE INDEX foreign_client ON foreign_reports (client_id);

-- What was said that cannot be true beside what is known; entries stay barred until somebody has looked.
CREATE TABLE contradictions (
    number         INTEGER PRIMARY KEY AUTOINCREMENT,
    what           TEXT NOT NULL UNIQUE,
    at_ms          INTEGER NOT NULL,
    settled_ms     INTEGER
) STRICT;

CREATE TABLE deposits (
    number         INTEGER PRIMARY KEY AUTOINCREMENT,
    currency       TEXT NOT NULL,
    amount         TEXT NOT NULL,
    at_ms          INTEGER NOT NULL,
    why            TEXT NOT NULL
) STRICT;

CREATE TABLE locks (
    number         INTEGER PRIMARY KEY AUTOINCREMENT,
    pair           TEXT NOT NULL,
    side           TEXT NOT NULL,
    from_ms        INTEGER NOT NULL,
    until_ms       INTEGER NOT NULL,
    reason         TEXT,
    active         INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE INDEX locks_end ON locks (until_ms) WHERE active;

-- Risk state, counters, pauses: named JSON values.
CREATE TABLE facts (
    name           TEXT PRIMARY KEY,
    value          TEXT NOT NULL
) STRICT;
"""

_FEES = """
-- Price of a third currency in which a fee was paid, at the time of the fill; NULL: not asked for yet, '': nobody knows it.
ALTER TABLE fills ADD COLUMN fee_rate TEXT;
CREATE INDEX fills_unvalued ON fills (at_ms) WHERE fee_rate IS NULL AND order_id IS NOT NULL AND fee <> '0'
    AND instr('/' || pair || '/', '/' || fee_currency || '/') = 0;
"""

MIGRATIONS = (_FIRST, _FEES)
"""Scripts, oldest first; one that has been published is never changed, a further one is added."""


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring a file to the newest version, in one transaction.

    Raises:
        ConfigError: a newer candled wrote it, or it is another program's.
    """
    version = _version(connection, path)
    if version == len(MIGRATIONS):
        return
    steps = "".join(MIGRATIONS[version:])
    try:
        connection.executescript(
            f"BEGIN IMMEDIATE;{steps}PRAGMA application_id = {APPLICATION_ID};"
            f"PRAGMA user_version = {len(MIGRATIONS)};COMMIT;"
        )
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def check_made(connection: sqlite3.Connection, path: Path) -> None:
    """See to it that a file is a ledger, of this candled or an older one.

    Raises:
        ConfigError: it has no tables, is of a newer candled, or another program's.
    """
    if _version(connection, path) == 0:
        raise ConfigError(
            f"{path} has no tables: there has been no trading yet under this name, or there was and 'candled doctor' "
            "tells of a backup"
        )


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """The file's version; 0 while it is empty.

    Raises:
        ConfigError: a newer candled wrote it, or it is another program's.
    """
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    owner = connection.execute("PRAGMA application_id").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if (owner or tables) and owner != APPLICATION_ID:
        raise ConfigError(
            f"{path} is an SQLite file of another program: move it away, or choose another name"
        )
    if version > len(MIGRATIONS):
        raise ConfigError(
            f"{path} has version {version}, this candled knows up to {len(MIGRATIONS)}: install the newer candled"
        )
    return version
