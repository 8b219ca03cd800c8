"""The part of the ledger that an order goes through: intended, sent, cancelled, dropped, absent."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from daemon.core.errors import Refused
from daemon.trading import book
from daemon.trading import ledger_rows as rows
from daemon.trading.book import IllegalTransition
from daemon.trading.ledger_reads import LedgerReader
from daemon.trading.orders import OrderState

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from daemon.trading.orders import Intent
    from daemon.trading.records import OrderRecord, TradeRecord


class OrderLedger(LedgerReader):
    """Each step is on the disk before anything is done about it; one that an order cannot take raises."""

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
