"""The ledger: what was intended, sent and filled, on the disk before anything is done about it."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING, Any, Self

from daemon.core.errors import Refused
from daemon.trading import book
from daemon.trading import ledger_rows as rows
from daemon.trading.book import IllegalTransition
from daemon.trading.ledger_connection import check, opened, translated
from daemon.trading.ledger_reads import LedgerReader
from daemon.trading.ledger_tables import Tables
from daemon.trading.ledger_taking import Taken, Taking, why_open
from daemon.trading.orders import OrderState
from daemon.trading.positions import added, effects, position_of
from daemon.trading.schema import migrate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from contextlib import AbstractContextManager
    from decimal import Decimal
    from pathlib import Path

    from daemon.strategy.locks import PairLock
    from daemon.trading.orders import Fill, Intent, OrderReport
    from daemon.trading.records import OrderRecord, StopState, TradeRecord

__all__ = ["Ledger", "LedgerReader", "Taken"]


class Ledger(LedgerReader):
    """The one writer of a ledger's file.

    Every method that writes is one transaction: when it returns, it is on the disk; when it raises, nothing has
    changed. Each raises `LedgerFault` (a `Retryable`) when the disk is full, read-only or fails (no order may be sent then), and
    `Corrupt` when the file is damaged.
    """

    def __init__(self, tables: Tables) -> None:
        super().__init__(tables)
        self._known_totals: Mapping[str, Decimal] | None = None
        self._known_undone = tables.undone

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open or create a ledger, after a look through the whole file.

        Damage is told, not mended: see `ledger_files.open_ledger`, by which the daemon opens it.

        Raises:
            Corrupt: the file is damaged; nothing was changed.
            ConfigError: it cannot be made, is another program's, or a newer candled's.
            Retryable: the disk is full or read-only.
        """
        connection = opened(path)
        try:
            with translated(path):
                check(connection, path)
                migrate(connection, path)
        except BaseException:
            connection.close()
            raise
        return cls(Tables(connection, path))

    # an order's life

    def begin_trade(
        self, intent: Intent, *, strategy: str, timeframe: str, stake_currency: str, enter_tag: str
    ) -> TradeRecord:
        """Begin a trade with its first intent; both are there afterwards, or neither.

        Args:
            intent: with ``trade_id`` 0, for which the ledger puts the trade's number.
            strategy: name of the strategy's class.
            timeframe: base timeframe.
            stake_currency: quote currency.
            enter_tag: the strategy's, empty if none.

        Raises:
            Refused: there is an order of that id; it is never sent a second time.
            ValueError: the intent belongs to a trade already.
        """
        if intent.trade_id:
            raise ValueError(f"order {intent.client_id} belongs to trade {intent.trade_id} already")
        columns = {
            "pair": str(intent.pair),
            "opened_ms": intent.created_ms,
            "strategy": strategy,
            "timeframe": timeframe,
            "stake_currency": stake_currency,
            "enter_tag": enter_tag,
        }
        with self.together():
            number = self._tables.insert("trades", columns)
            self.intend(replace(intent, trade_id=number))
            return self.trade(number)

    def intend(self, intent: Intent) -> OrderRecord:
        """Commit an order of a trade that exists, before any request leaves.

        Raises:
            Refused: there is an order of that id, or of that pair, candle, leg and attempt; or the trade is closed.
            KeyError: there is no such trade.
        """
        with self.together():
            trade = self.trade(intent.trade_id)
            if not trade.is_open:
                raise Refused(
                    f"trade {trade.trade_id} is closed: order {intent.client_id} cannot belong to it"
                )
            self._check_strange(intent)
            twins = self._tables.rows(
                "SELECT client_id FROM orders WHERE client_id = ?"
                " OR (pair, candle_ms, leg, attempt) = (?, ?, ?, ?)",
                (intent.client_id, str(intent.pair), intent.candle_ms, intent.leg.value, intent.attempt),
            )
            if twins:
                raise Refused(
                    f"order {intent.client_id} is in the ledger already, as {twins[0]['client_id']}"
                )
            self._tables.insert("orders", rows.order_row(intent))
            return self._known(intent.client_id)

    def sending(self, client_id: str, at_ms: int) -> OrderRecord:
        """The request is about to leave: from here on only the exchange knows.

        Raises:
            IllegalTransition: it was sent before, or dropped.
        """
        return self._step(client_id, OrderState.UNKNOWN, at_ms, sent_ms=at_ms)

    def cancelling(self, client_id: str, at_ms: int) -> OrderRecord:
        """The request to cancel is about to leave; asking once more changes nothing.

        Raises:
            IllegalTransition: the order has ended, or was never sent.
        """
        order = self._known(client_id)
        if order.state is OrderState.CANCELLING:
            return order
        return self._step(client_id, OrderState.CANCELLING, at_ms)

    def drop(self, client_id: str, at_ms: int, why: str) -> OrderRecord:
        """No request leaves for this order.

        Raises:
            IllegalTransition: one has left, or may have.
        """
        return self._step(client_id, OrderState.DROPPED, at_ms, why)

    def absent(self, client_id: str, at_ms: int) -> OrderRecord:
        """The exchange, asked long enough after the request, does not know the order.

        Raises:
            IllegalTransition: the exchange has told of it before, by a report or a fill; or it has ended.
        """
        with self.together():
            order = self._known(client_id)
            if order.exchange_id or order.fills or order.reported:
                raise IllegalTransition(
                    f"order {client_id} cannot be absent: the exchange has told of it before "
                    f"(as {order.exchange_id or 'filled'})"
                )
            return self._step(client_id, OrderState.ABSENT, at_ms, "the exchange does not know it")

    def take(self, reports: Iterable[OrderReport], fills: Iterable[Fill], at_ms: int) -> Taken:
        """Take what the exchange says, in one transaction: again, late, or in another order, it ends in the same ledger.

        Reports and fills that are not of our orders are kept apart, and joined to an order once its exchange id is
        known. What cannot be true beside what is known changes nothing, is kept in `contradictions` and comes back
        in `Taken.contradictions`: the gate for entries is closed until `settle_contradictions`. A trade that was
        closed is open again where a fill or a living order of it turns up.

        Args:
            reports: in any order.
            fills: in any order; those inside reports are taken too.
            at_ms: now, ms UTC.
        """
        totals, self._known_totals = self._known_totals, None
        with self.together():
            taking = Taking(self, self._tables, at_ms)
            taken = taking.take(reports, fills)
        # The sums go on from where they were, unless something in them was told anew.
        if totals is not None and not taking.restated:
            self._known_totals = reduce(added, map(effects, taken.fills), totals)
        return taken

    def value_fee(self, fill: Fill, rate: Decimal | None) -> TradeRecord:
        """Keep what the currency of a fill's fee cost when it was paid; None: nobody knows it. Returns the trade."""
        key = {"pair": str(fill.pair), "fill_id": fill.fill_id}
        with self.together():
            self._tables.update("fills", {"fee_rate": rows.text_or_none(rate) or ""}, **key)
            query = (
                "SELECT trade_id FROM orders JOIN fills ON order_id = orders.client_id"
                " WHERE fills.pair = ? AND fill_id = ?"
            )
            return self.trade(self._tables.value(query, tuple(key.values())))

    # trades

    def note(
        self,
        trade_id: int,
        *,
        stop: StopState | None = None,
        highest: Decimal | None = None,
        lowest: Decimal | None = None,
        exit_reason: str | None = None,
        exit_detail: str | None = None,
        custom: Mapping[str, Any] | None = None,
    ) -> TradeRecord:
        """Write down what is given about a trade; None leaves a value as it is. ``custom`` replaces the whole mapping.

        What is as it was costs no write.

        Raises:
            KeyError: there is no such trade.
            TypeError: ``custom`` holds what JSON cannot.
        """
        columns = rows.note_row(
            stop=stop,
            highest=highest,
            lowest=lowest,
            exit_reason=exit_reason,
            exit_detail=exit_detail,
            custom=custom,
        )
        known = self._tables.rows("SELECT * FROM trades WHERE trade_id = ?", (trade_id,))
        if not known:
            raise KeyError(trade_id)
        columns = {name: value for name, value in columns.items() if known[0][name] != value}
        if columns:
            self._tables.update("trades", columns, trade_id=trade_id)
        return self.trade(trade_id)

    def close_trade(self, trade_id: int, at_ms: int, *, dust: Decimal) -> TradeRecord:
        """End a trade; what is left of its position is written off as dust.

        Args:
            trade_id: which.
            at_ms: now, ms UTC.
            dust: the most that may be left, base currency: less than can be sold.

        Raises:
            Refused: an order of it has not ended or lacks fills, or more than dust is left.
            KeyError: there is no such trade.
        """
        with self.together():
            trade = self.trade(trade_id)
            if not trade.is_open:
                return trade
            obstacle = why_open(trade, dust)
            if obstacle:
                raise Refused(f"trade {trade_id} cannot be closed: {obstacle}")
            left = rows.text(position_of(trade).amount)
            self._tables.update("trades", {"closed_ms": at_ms, "dust": left}, trade_id=trade_id)
            return self.trade(trade_id)

    # the account, locks, facts, contradictions

    def deposit(self, currency: str, amount: Decimal, at_ms: int, why: str) -> None:
        """Put something into the account, or (below zero) take it out."""
        columns = {"currency": currency, "amount": rows.text(amount), "at_ms": at_ms, "why": why}
        self._known_totals = None
        self._tables.insert("deposits", columns)

    def lock(self, lock: PairLock) -> None:
        """Allow no entry for a pair (``*``: for all) for a time; the same lock again changes nothing."""
        columns = {
            "pair": lock.pair,
            "side": lock.side,
            "until_ms": rows.moment_ms(lock.lock_end_time),
            "reason": lock.reason,
        }
        with self.together():
            same = "SELECT 1 FROM locks WHERE active AND (pair, side, until_ms) = (?, ?, ?) AND reason IS ?"
            if not self._tables.rows(same, tuple(columns.values())):
                self._tables.insert("locks", {**columns, "from_ms": rows.moment_ms(lock.lock_time)})

    def lift(self, locks: Iterable[PairLock]) -> None:
        """Lift these locks."""
        query = "UPDATE locks SET active = 0 WHERE (pair, side, until_ms) = (?, ?, ?) AND reason IS ?"
        with self.together():
            for lock in locks:
                until_ms = rows.moment_ms(lock.lock_end_time)
                self._tables.change(query, (lock.pair, lock.side, until_ms, lock.reason))

    def put(self, name: str, value: Any) -> None:
        """Keep a fact: a JSON value under a name (risk state, counters, pauses).

        Raises:
            TypeError: JSON cannot hold it.
        """
        stored = json.dumps(value, sort_keys=True)
        self._tables.change("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, stored))

    def settle_contradictions(self, at_ms: int) -> tuple[str, ...]:
        """Somebody has looked: the contradictions so far bar nothing any more. Returns them."""
        with self.together():
            found = self.contradictions()
            self._tables.change("UPDATE contradictions SET settled_ms = ? WHERE settled_ms IS NULL", (at_ms,))
            return found

    def together(self) -> AbstractContextManager[None]:
        """Make one transaction of the writes within: all are on the disk at its end, or (if it raises) none is.

        An inner one that raises undoes its own writes only. Never wait for an exchange within.
        """
        return self._tables.together()

    def _check_strange(self, intent: Intent) -> None:
        """Refuse an id that the exchange knows and we don't: a ledger that was put back may have forgotten its order."""
        for table in ("fills", "foreign_reports"):
            if self._tables.rows(f"SELECT 1 FROM {table} WHERE client_id = ? LIMIT 1", (intent.client_id,)):
                raise Refused(
                    f"the exchange knows an order {intent.client_id} already that is not in the ledger"
                )

    def _known(self, client_id: str) -> OrderRecord:
        order = self.order(client_id)
        if order is None:
            raise KeyError(client_id)
        return order

    def _step(
        self, client_id: str, state: OrderState, at_ms: int, detail: str = "", **columns: Any
    ) -> OrderRecord:
        with self.together():
            order = self._known(client_id)
            new = book.moved(order, state, at_ms, detail)
            self._tables.update("orders", rows.standing_row(order, new) | columns, client_id=client_id)
            return self._known(client_id)

    def _totals(self) -> Mapping[str, Decimal]:
        if self._known_totals is None or self._known_undone != self._tables.undone:
            self._known_totals, self._known_undone = super()._totals(), self._tables.undone
        return self._known_totals
