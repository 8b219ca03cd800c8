"""The desk's side of what strategies see and write: trades, locks, the account."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from daemon.trading.protections import locks_after_close, longest_look_back_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from daemon.trading.desk_ground import Ground
    from daemon.trading.ledger import Ledger
    from daemon.trading.records import TradeRecord
    from daemon.trading.rules import TradeRules
    from daemon.trading.strategy_sources import Changes, StrategySources

log = logging.getLogger(__name__)


class DeskStrategy:
    """Publishes the ledger to strategies, and puts into it what they wrote.

    Args:
        ledger: where trades are.
        ground: the account.
        sources: what strategies read.
    """

    def __init__(self, ledger: Ledger, *, ground: Ground, sources: StrategySources) -> None:
        self._ledger = ledger
        self._ground = ground
        self._sources = sources
        self._pending: list[Changes] = []
        self._closed: list[TradeRecord] = []

    def take(self, rules: TradeRules) -> None:
        """Have everybody go by other rules from now on."""
        self._ground.rules = rules
        self._sources.take(rules)

    def publish(self, now_ms: int) -> Sequence[TradeRecord]:
        """Keep what strategies wrote, then show them what is so now; return the open trades."""
        self.keep()
        open_trades = self._ledger.trades(is_open=True)
        self._sources.publish(
            open_trades=open_trades,
            closed_trades=self._closed,
            account=self._ground.account(),
            locks=self._ledger.all_locks(now_ms),
        )
        self._closed = []
        return open_trades

    def before_close(self, trade: TradeRecord, now_ms: int) -> Callable[[TradeRecord], None]:
        """A trade that has held something is about to be closed: ask the exchange for what the protections go by.

        Returns:
            What is to be told of the closed trade, in the transaction that closes it: it asks nobody.

        Raises:
            Retryable: the exchange does not answer.
        """
        rules, balances = self._ground.rules, self._ground.balances()
        market = self._sources.market(trade.pair)
        recent = self._ledger.trades(is_open=False, since_ms=now_ms - longest_look_back_ms(rules))
        before = [self._sources.shown(each) for each in recent if each.filled]

        def after_close(closed: TradeRecord) -> None:
            locks = locks_after_close(
                closed.pair,
                [*before, self._sources.shown(closed, market)],
                now_ms=now_ms,
                rules=rules,
                starting_balance=float(self._ground.account(balances).starting_balance(rules)),
                earned=float(self._ground.closed.profit),
                locks=self._ledger.locks(now_ms),
            )
            for lock in locks:
                self._ledger.lock(lock)
            self._closed.append(closed)

        return after_close

    def after_valued(self, trade: TradeRecord) -> None:
        """A fee of a trade has got its price: one that is closed has earned something else."""
        self._ground.closed.put([trade])
        if not trade.is_open:
            self._closed.append(trade)

    def keep(self) -> None:
        """Put into the ledger what strategies wrote; what it cannot take now waits for the next look."""
        self._pending.append(self._sources.changes())
        while self._pending:
            changes = self._pending[0]
            if changes.custom or changes.locks or changes.lifted:
                with self._ledger.together():
                    for trade_id, custom in changes.custom.items():
                        self._note(trade_id, custom)
                    for lock in changes.locks:
                        self._ledger.lock(lock)
                    self._ledger.lift(changes.lifted)
            self._pending.pop(0)

    def _note(self, trade_id: int, custom: Mapping[str, Any]) -> None:
        try:
            self._ledger.note(trade_id, custom=custom)
        except KeyError:  # of a trade that the strategy has made up, or kept from another ledger
            fields = {"trade": trade_id, "error": "there is no such trade"}
            log.error("custom_data_lost", extra={"fields": fields})  # noqa: TRY400 - the text tells all
