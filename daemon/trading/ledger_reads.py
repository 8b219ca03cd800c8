"""The ledger, read: by the daemon's threads, and by commands beside it."""

from __future__ import annotations

import contextlib
import json
from decimal import Decimal, InvalidOperation
from functools import reduce
from itertools import groupby
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

from daemon.core.errors import Corrupt
from daemon.trading import ledger_rows as rows
from daemon.trading.broker import Balance
from daemon.trading.ledger_connection import opened_to_read, translated
from daemon.trading.ledger_tables import Tables
from daemon.trading.orders import EXACT, ZERO, OrderState, Side
from daemon.trading.positions import added, effects
from daemon.trading.schema import check_made

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from daemon.core.pair import Pair
    from daemon.strategy.locks import PairLock
    from daemon.trading.orders import Fill, Leg, OrderReport
    from daemon.trading.records import OrderRecord, TradeRecord

_ALIVE = tuple(state.value for state in OrderState if state.alive)
_OLDEST = "at_ms, length(fill_id), fill_id"


class LedgerReader:
    """What the ledger knows, at the moment of the question; it may be asked from any thread.

    Every method raises `Corrupt` where the file is damaged, `Retryable` where the disk does not answer.
    """

    def __init__(self, tables: Tables) -> None:
        self.path = tables.path
        self._tables = tables

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read a ledger beside the daemon that writes it, or without one.

        Raises:
            ConfigError: there is no such file, it has no tables yet, or is not ours to read.
            Corrupt: it is damaged.
        """
        connection = opened_to_read(path)
        try:
            with translated(path):
                check_made(connection, path)
        except BaseException:
            connection.close()
            raise
        return cls(Tables(connection, path))

    def close(self) -> None:
        """Let go of the file; calling it twice does nothing."""
        self._tables.close()

    # trades and orders

    def trade(self, trade_id: int) -> TradeRecord:
        """One trade.

        Raises:
            KeyError: there is none of that number.
        """
        found = self._trades("trade_id = ?", (trade_id,))
        if not found:
            raise KeyError(trade_id)
        return found[0]

    def trades(
        self, *, is_open: bool | None = None, pair: Pair | None = None, since_ms: int | None = None
    ) -> tuple[TradeRecord, ...]:
        """Trades in the order of their numbers.

        Args:
            is_open: only the open ones, only the closed ones.
            pair: only of this pair.
            since_ms: only those that are open or were closed at or after this time, ms UTC.
        """
        wanted: list[tuple[str, tuple[Any, ...]]] = []
        if is_open is not None:
            wanted.append((f"closed_ms IS {'' if is_open else 'NOT '}NULL", ()))
        if pair is not None:
            wanted.append(("pair = ?", (str(pair),)))
        if since_ms is not None:
            wanted.append(("(closed_ms IS NULL OR closed_ms >= ?)", (since_ms,)))
        where = " AND ".join(condition for condition, _ in wanted) or "1"
        return self._trades(where, tuple(value for _, values in wanted for value in values))

    def order(self, client_id: str) -> OrderRecord | None:
        """One order; None if it is not ours."""
        found = self._orders("client_id = ?", (client_id,))
        return found[0] if found else None

    def order_by_exchange_id(self, pair: Pair, exchange_id: str) -> OrderRecord | None:
        """The order of ours that the exchange calls so; None if none is known."""
        found = self._orders("exchange_id = ? AND pair = ?", (exchange_id, str(pair))) if exchange_id else []
        return found[0] if found else None

    def orders(
        self, *, alive: bool | None = None, unsettled: bool | None = None, trade_id: int | None = None
    ) -> tuple[OrderRecord, ...]:
        """Orders, oldest first.

        Args:
            alive: only those that the exchange has or may have (those that it has not).
            unsettled: only those that have not ended, or of which the exchange reported more filled than there are
                fills here (those for which neither holds).
            trade_id: only those of a trade.
        """
        wanted = []
        if alive is not None:
            marks = ", ".join("?" * len(_ALIVE))
            # An order that is alive is unsettled: the index is over these.
            wanted.append(f"(NOT settled AND state IN ({marks}))" if alive else f"state NOT IN ({marks})")
        if unsettled is not None:
            wanted.append("NOT settled" if unsettled else "settled")
        if trade_id is not None:
            wanted.append(f"trade_id = {trade_id:d}")
        return tuple(self._orders(" AND ".join(wanted) or "1", _ALIVE if alive is not None else ()))

    def sent_ms(self, since_ms: int) -> tuple[int, ...]:
        """When orders left after a time, ms UTC, oldest first."""
        query = "SELECT sent_ms FROM orders WHERE sent_ms > ? ORDER BY sent_ms"
        return tuple(row["sent_ms"] for row in self._tables.rows(query, (since_ms,)))

    def next_attempt(self, pair: Pair, candle_ms: int, leg: Leg) -> int:
        """The number of the next order of that pair, candle and leg."""
        query = "SELECT max(attempt) FROM orders WHERE pair = ? AND candle_ms = ? AND leg = ?"
        newest = self._tables.value(query, (str(pair), candle_ms, leg.value))
        return 0 if newest is None else newest + 1

    def last_fill_ms(self, pair: Pair) -> int | None:
        """Time of the newest execution that is known in a pair, ours or not, ms UTC."""
        found: int | None = self._tables.value("SELECT max(at_ms) FROM fills WHERE pair = ?", (str(pair),))
        return found

    def fills(self, pair: Pair | None = None, since_ms: int = 0) -> tuple[Fill, ...]:
        """Executions of our orders, oldest first."""
        where, values = ("AND pair = ?", (str(pair),)) if pair else ("", ())
        query = f"SELECT * FROM fills WHERE order_id IS NOT NULL AND at_ms >= ? {where} ORDER BY {_OLDEST}"
        return tuple(rows.fill_of(row) for row in self._tables.rows(query, (since_ms, *values)))

    def foreign_fills(self, since_ms: int = 0) -> tuple[Fill, ...]:
        """Executions of orders that are not ours, or whose order we do not know yet, oldest first."""
        query = f"SELECT * FROM fills WHERE order_id IS NULL AND at_ms >= ? ORDER BY {_OLDEST}"
        return tuple(rows.fill_of(row) for row in self._tables.rows(query, (since_ms,)))

    def foreign_orders(self, since_ms: int = 0) -> tuple[OrderReport, ...]:
        """What was reported about orders that are not ours, oldest first."""
        query = "SELECT * FROM foreign_reports WHERE at_ms >= ? ORDER BY at_ms, rowid"
        return tuple(rows.foreign_of(row) for row in self._tables.rows(query, (since_ms,)))

    def unvalued(self) -> tuple[Fill, ...]:
        """Executions of our orders whose fee was paid in a third currency, and whose price nobody was asked for yet."""
        found = self._tables.rows(
            "SELECT * FROM fills WHERE fee_rate IS NULL AND order_id IS NOT NULL AND fee <> '0'"
            f" AND instr('/' || pair || '/', '/' || fee_currency || '/') = 0 ORDER BY {_OLDEST}"
        )
        return tuple(rows.fill_of(row) for row in found)

    # the account

    def wallet(self) -> Mapping[str, Balance]:
        """The account that deposits and our fills make, with what open orders bind: the dry-run account.

        A buy binds its price times what is not filled, a sell what is not filled; a market order to buy binds nothing,
        because its price is not known before it is filled. Currencies that come to nothing are left out.
        """
        with self._tables.snapshot():
            totals = self._totals()
            bound: dict[str, Decimal] = {}
            for order in self._orders("NOT settled", ()):
                bound = added(bound, _bound(order))
        return MappingProxyType(
            {
                currency: Balance(
                    free=EXACT.subtract(totals.get(currency, ZERO), bound.get(currency, ZERO)),
                    used=bound.get(currency, ZERO),
                )
                for currency in sorted({*totals, *bound})
                if totals.get(currency) or bound.get(currency)
            }
        )

    def deposits(self) -> tuple[tuple[str, Decimal, int, str], ...]:
        """What was put into the account or taken out: currency, amount, ms UTC, why; oldest first."""
        found = self._tables.rows("SELECT * FROM deposits ORDER BY number")
        return tuple((row["currency"], Decimal(row["amount"]), row["at_ms"], row["why"]) for row in found)

    # locks, facts, contradictions

    def locks(self, now_ms: int) -> tuple[PairLock, ...]:
        """Locks in force."""
        query = "SELECT * FROM locks WHERE active AND until_ms > ? ORDER BY number"
        return tuple(rows.lock_of(row) for row in self._tables.rows(query, (now_ms,)))

    def all_locks(self, since_ms: int = 0) -> tuple[PairLock, ...]:
        """Every lock that ended at or after a time, or has not ended, lifted ones included."""
        found = self._tables.rows("SELECT * FROM locks WHERE until_ms >= ? ORDER BY number", (since_ms,))
        return tuple(rows.lock_of(row) for row in found)

    def get(self, name: str, default: Any = None) -> Any:
        """A fact that `Ledger.put` has kept: a JSON value."""
        found = self._tables.value("SELECT value FROM facts WHERE name = ?", (name,))
        return default if found is None else json.loads(found)

    def contradictions(self) -> tuple[str, ...]:
        """What was said by the exchange and cannot be true beside what is known; the gate is closed while there is any."""
        query = "SELECT what FROM contradictions WHERE settled_ms IS NULL ORDER BY number"
        return tuple(row["what"] for row in self._tables.rows(query))

    def _orders(self, where: str, values: tuple[Any, ...]) -> list[OrderRecord]:
        with self._tables.snapshot():
            found = self._tables.rows(f"SELECT * FROM orders WHERE {where} ORDER BY rowid", values)
            chosen = f"SELECT client_id FROM orders WHERE {where}"
            fills = self._tables.rows(
                f"SELECT * FROM fills WHERE order_id IN ({chosen}) ORDER BY order_id, {_OLDEST}", values
            )
        with self._readable():
            mine = {
                owner: [rows.fill_of(row) for row in group]
                for owner, group in groupby(fills, key=lambda row: row["order_id"])
            }
            return [rows.order_of(row, mine.get(row["client_id"], ())) for row in found]

    def _trades(self, where: str, values: tuple[Any, ...]) -> tuple[TradeRecord, ...]:
        with self._tables.snapshot():
            found = self._tables.rows(f"SELECT * FROM trades WHERE {where} ORDER BY trade_id", values)
            orders = self._orders(f"trade_id IN (SELECT trade_id FROM trades WHERE {where})", values)
        mine: dict[int, list[OrderRecord]] = {}
        for order in orders:
            mine.setdefault(order.intent.trade_id, []).append(order)
        with self._readable():
            return tuple(rows.trade_of(row, mine.get(row["trade_id"], ())) for row in found)

    def _totals(self) -> Mapping[str, Decimal]:
        """Each currency's total: deposits and the effects of our fills."""
        changes = [{currency: amount} for currency, amount, _, _ in self.deposits()]
        return reduce(added, [*changes, *map(effects, self.fills())], {})

    @contextlib.contextmanager
    def _readable(self) -> Iterator[None]:
        """A cell that holds what nobody wrote is damage, whatever SQLite's own check says."""
        try:
            yield
        except (ValueError, InvalidOperation) as exc:
            raise Corrupt(f"{self.path} is damaged: a row cannot be read: {exc}") from exc


def _bound(order: OrderRecord) -> dict[str, Decimal]:
    """What an order that has not settled binds: all of it while it may fill, then what was reported and is not here."""
    intent = order.intent
    ends_at = order.reported if order.state.final else intent.amount
    left = max(EXACT.subtract(ends_at, order.filled), ZERO)
    if intent.side is Side.SELL:
        return {intent.pair.base: left}
    return {intent.pair.quote: EXACT.multiply(left, intent.price or intent.stop_price or ZERO)}
