"""The ledger: what was intended, sent and filled, on the disk before anything is done about it."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING, Any, Self

from daemon.core.errors import Refused
from daemon.trading import ledger_rows as rows
from daemon.trading.book import Contradiction, standing
from daemon.trading.ledger_connection import check, opened, translated
from daemon.trading.ledger_orders import OrderLedger
from daemon.trading.ledger_reads import LedgerReader
from daemon.trading.ledger_tables import Tables
from daemon.trading.ledger_taking import Taken, Taking, why_open
from daemon.trading.orders import ZERO, Fill, OrderReport, OrderState
from daemon.trading.positions import added, effects, position_of
from daemon.trading.schema import migrate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from decimal import Decimal
    from pathlib import Path

    from daemon.strategy.locks import PairLock
    from daemon.trading.orders import Intent
    from daemon.trading.records import OrderRecord, StopState, TradeRecord

__all__ = ["Ledger", "LedgerReader", "Taken"]


class Ledger(OrderLedger):
    """The one writer of a ledger's file: an order's life, what the exchange says of it, trades, the account.

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

    def settle(
        self, trade_id: int, at_ms: int, sale: Intent | None, *, reason: str, detail: str
    ) -> TradeRecord:
        """End a trade by the word of its owner: its orders are over, what it holds is sold, or written off.

        Args:
            trade_id: which.
            at_ms: now, ms UTC.
            sale: of all that it holds, at the time that it was made: in the ledger it is an order that was filled and
                that no request ever left for. None: what is held is written off.
            reason: the trade's ``exit_reason``.
            detail: which rule with which value.

        Raises:
            Refused: the trade is closed, or holds more than the sale is of.
            Contradiction: the sale cannot be booked.
        """
        with self.together():
            for order in self.trade(trade_id).orders:
                if not order.settled:
                    self._conclude(order, at_ms, detail)
            if sale is not None:
                self.intend(sale)
                self._book(sale)
            self.note(trade_id, exit_reason=reason, exit_detail=detail)
            held = max(position_of(self.trade(trade_id)).amount, ZERO)
            return self.close_trade(trade_id, at_ms, dust=held if sale is None else ZERO)

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

    def _conclude(self, order: OrderRecord, at_ms: int, why: str) -> None:
        """End an order that nobody can be asked about any more; what was reported of it and not listed will not be."""
        state = order.state
        if not state.final:
            state = OrderState.DROPPED if state is OrderState.INTENDED else OrderState.CANCELLED
        new = replace(standing(order), state=state, reported=order.filled, changed_ms=at_ms, detail=why)
        self._tables.update("orders", rows.standing_row(order, new), client_id=order.intent.client_id)

    def _book(self, sale: Intent) -> None:
        """Book a sale that is in the ledger as an intent, as a whole and without fees."""
        at_ms = sale.created_ms
        fill = Fill(
            fill_id=f"by-hand-{sale.client_id}",
            client_id=sale.client_id,
            exchange_id="",
            pair=sale.pair,
            side=sale.side,
            amount=sale.amount,
            price=sale.price or ZERO,
            at_ms=at_ms,
        )
        told = OrderReport(
            client_id=sale.client_id,
            exchange_id="",
            pair=sale.pair,
            state=OrderState.FILLED,
            filled=sale.amount,
            amount=sale.amount,
            at_ms=at_ms,
            detail=sale.reason,
            fills=(fill,),
        )
        for what in self.take([told], (), at_ms).contradictions:
            raise Contradiction(what)

    def _totals(self) -> Mapping[str, Decimal]:
        if self._known_totals is None or self._known_undone != self._tables.undone:
            self._known_totals, self._known_undone = super()._totals(), self._tables.undone
        return self._known_totals
