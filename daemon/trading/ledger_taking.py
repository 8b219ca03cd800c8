"""How reports and fills come into the ledger: whose they are, and what they change."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from daemon.trading import book
from daemon.trading import ledger_rows as rows
from daemon.trading.book import Contradiction
from daemon.trading.positions import position_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from decimal import Decimal

    from daemon.core.pair import Pair
    from daemon.trading.book import Standing
    from daemon.trading.ledger_reads import LedgerReader
    from daemon.trading.ledger_tables import Tables
    from daemon.trading.orders import Fill, OrderReport
    from daemon.trading.records import OrderRecord, TradeRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What a batch of reports and fills has changed.

    Attributes:
        changed: client ids of the orders whose state, reported amount or exchange id is another now.
        fills: executions of our orders that were not known before, oldest first.
        foreign_orders: reports about orders that are not known as ours.
        foreign_fills: executions of orders that are not known as ours and were not known before.
        revived: client ids of orders that had ended for us without the exchange, and that it knows after all.
        reopened: numbers of trades that were closed and hold something again, or may come to.
        contradictions: what cannot be true beside what is known, in words, unless it was settled before.
    """

    changed: tuple[str, ...] = ()
    fills: tuple[Fill, ...] = ()
    foreign_orders: tuple[OrderReport, ...] = ()
    foreign_fills: tuple[Fill, ...] = ()
    revived: tuple[str, ...] = ()
    reopened: tuple[int, ...] = ()
    contradictions: tuple[str, ...] = ()


class Taking:
    """One batch on its way into the ledger, inside a transaction."""

    def __init__(self, ledger: LedgerReader, tables: Tables, at_ms: int) -> None:
        self._ledger = ledger
        self._tables = tables
        self._at_ms = at_ms
        self.restated = False
        """Whether a fill that was known is known better now: sums over fills have to be made anew."""
        self._trades: dict[int, None] = {}
        self._changed: dict[str, None] = {}
        self._revived: dict[str, None] = {}
        self._fills: list[Fill] = []
        self._foreign_orders: list[OrderReport] = []
        self._foreign_fills: list[Fill] = []
        self._contradictions: dict[str, None] = {}

    def take(self, reports: Iterable[OrderReport], fills: Iterable[Fill]) -> Taken:
        """Take all of it; one that contradicts keeps out none of the others."""
        for report in reports:
            self._attempt(partial(self._report, report))
            for fill in report.fills:
                order, theirs = fill.client_id or report.client_id, fill.exchange_id or report.exchange_id
                self._attempt(partial(self._fill, replace(fill, client_id=order, exchange_id=theirs)))
        for fill in fills:
            self._attempt(partial(self._fill, fill))
        return Taken(
            changed=tuple(self._changed),
            fills=tuple(sorted(self._fills, key=oldest)),
            foreign_orders=tuple(self._foreign_orders),
            foreign_fills=tuple(sorted(self._foreign_fills, key=oldest)),
            revived=tuple(self._revived),
            reopened=tuple(filter(self._reopens, self._trades)),
            contradictions=tuple(self._contradictions),
        )

    def _attempt(self, taking: Callable[[], None]) -> None:
        """Take one thing, or keep what speaks against it; what it notes for `Taken`, it notes as its last act."""
        try:
            with self._tables.together():
                taking()
        except Contradiction as exc:
            what = str(exc)
            query = "INSERT OR IGNORE INTO contradictions (what, at_ms) VALUES (?, ?)"
            self._tables.change(query, (what, self._at_ms))
            if self._tables.value("SELECT settled_ms FROM contradictions WHERE what = ?", (what,)) is None:
                self._contradictions[what] = None

    def _report(self, report: OrderReport) -> None:
        order = self._owner(report.pair, report.client_id, report.exchange_id)
        if order is None:
            book.reported(report)  # refuses what no exchange can say
            self._keep_foreign(report)
            self._foreign_orders.append(report)
            return
        known, new = book.standing(order), book.applied(order, report)
        if replace(new, revived=False) == known:
            return
        self._stand(order, new)

    def _stand(self, order: OrderRecord, new: Standing) -> None:
        name = order.intent.client_id
        self._tables.update("orders", rows.standing_row(order, new), client_id=name)
        self._changed[name] = self._trades[order.intent.trade_id] = None
        if new.revived:
            self._revived[name] = None
        if new.exchange_id != order.exchange_id:
            self._adopt(order.intent.pair, new.exchange_id)

    def _keep_foreign(self, report: OrderReport) -> None:
        """Keep a report of which it may turn out later that it is about an order of ours."""
        columns = rows.foreign_row(report)
        self._tables.change(
            f"INSERT INTO foreign_reports ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
            " ON CONFLICT DO UPDATE SET at_ms = min(at_ms, excluded.at_ms), detail = max(detail, excluded.detail)",
            tuple(columns.values()),
        )

    def _adopt(self, pair: Pair, exchange_id: str) -> None:
        """An exchange's id has become known as that of an order of ours: what was said under it is about that order."""
        key = (str(pair), exchange_id)
        reports = self._tables.rows("SELECT * FROM foreign_reports WHERE pair = ? AND exchange_id = ?", key)
        self._tables.change("DELETE FROM foreign_reports WHERE pair = ? AND exchange_id = ?", key)
        for row in reports:
            self._attempt(partial(self._report, rows.foreign_of(row)))
        query = "SELECT * FROM fills WHERE order_id IS NULL AND pair = ? AND exchange_id = ?"
        for row in self._tables.rows(query, key):
            self._attempt(partial(self._fill, rows.fill_of(row)))

    def _fill(self, fill: Fill) -> None:
        key = {"pair": str(fill.pair), "fill_id": fill.fill_id}
        found = self._tables.rows("SELECT * FROM fills WHERE pair = ? AND fill_id = ?", tuple(key.values()))
        known = rows.fill_of(found[0]) if found else None
        whole = fill if known is None else book.joined_fill(known, fill)
        order = self._owner(whole.pair, whole.client_id, whole.exchange_id)
        owned = found[0]["order_id"] if found else None
        if order is not None and owned is None:
            self._own(order, whole, key if found else None)
        elif known is None:
            self._tables.insert("fills", rows.fill_row(whole, None))
            self._foreign_fills.append(whole)
        elif whole != known:
            self._restate(whole, owned, key)

    def _own(self, order: OrderRecord, fill: Fill, key: dict[str, str] | None) -> None:
        """Book a fill to an order of ours; with ``key`` it lies among the foreign ones."""
        book.check_fill(order, fill)
        known = book.standing(order)
        exchange_id = book.one_of(
            order.exchange_id, fill.exchange_id, "exchange id", f"order {order.intent.client_id}"
        )
        new = replace(book.filled(known), exchange_id=exchange_id)
        columns = rows.fill_row(fill, order.intent.client_id)
        if key is None:
            self._tables.insert("fills", columns)
        else:
            self._tables.update("fills", columns, **key)
        self._fills.append(fill)
        self._trades[order.intent.trade_id] = None
        after = replace(order, fills=(*order.fills, fill))
        if new != known or after.settled != order.settled:
            self._stand(after, new)

    def _restate(self, fill: Fill, owner: str | None, key: dict[str, str]) -> None:
        self._tables.update("fills", rows.fill_row(fill, owner), **key)
        self.restated = True
        if owner is not None:
            self._trades[self._tables.value("SELECT trade_id FROM orders WHERE client_id = ?", (owner,))] = (
                None
            )

    def _owner(self, pair: Pair, client_id: str, exchange_id: str) -> OrderRecord | None:
        """The order of ours that is meant; None if it is not (known as) ours."""
        order = self._ledger.order(client_id) if client_id else None
        return order or self._ledger.order_by_exchange_id(pair, exchange_id)

    def _reopens(self, trade_id: int) -> bool:
        """Open a closed trade again if what was taken says that it is not over."""
        trade = self._ledger.trade(trade_id)
        if trade.is_open or not why_open(trade, trade.dust):
            return False
        self._tables.update("trades", {"closed_ms": None, "dust": "0"}, trade_id=trade_id)
        return True


def oldest(fill: Fill) -> tuple[int, int, str]:
    """Sorts fills: oldest first, in the order of their ids within a millisecond."""
    return fill.at_ms, len(fill.fill_id), fill.fill_id


def why_open(trade: TradeRecord, dust: Decimal) -> str:
    """Why a trade is not over; empty if nothing speaks against closing it."""
    for order in trade.orders:
        if not order.settled:
            missing = (
                f", {order.reported - order.filled} of it not seen as fills" if order.state.final else ""
            )
            return f"order {order.intent.client_id} is {order.state}{missing}"
    left = position_of(trade).amount
    return f"{left} {trade.pair.base} are left, more than {dust}" if left > dust else ""
