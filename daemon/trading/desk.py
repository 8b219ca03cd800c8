"""The desk: the one thread that owns the ledger and acts on it."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from daemon.core.errors import Refused, Retryable, StrategyError
from daemon.trading import pauses
from daemon.trading.book import Contradiction
from daemon.trading.desk_entries import entering
from daemon.trading.desk_leaving import FORCED
from daemon.trading.desk_prices import DeskPrices
from daemon.trading.ledger_connection import LedgerFault
from daemon.trading.look import Look
from daemon.trading.messages import DeskView, Tick
from daemon.trading.troubles import Troubles

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from daemon.core.clock import Clock
    from daemon.trading.broker import Broker
    from daemon.trading.desk_commands import DeskCommands
    from daemon.trading.desk_entries import DeskEntries
    from daemon.trading.desk_exits import DeskExits
    from daemon.trading.desk_fees import DeskFees
    from daemon.trading.desk_options import DeskOptions, DeskTerms
    from daemon.trading.desk_orders import DeskOrders
    from daemon.trading.desk_risk import DeskRisk
    from daemon.trading.desk_strategy import DeskStrategy
    from daemon.trading.desk_truth import DeskTruth
    from daemon.trading.desk_view import Showing
    from daemon.trading.ledger import Ledger
    from daemon.trading.messages import Inbox
    from daemon.trading.records import TradeRecord

log = logging.getLogger(__name__)

SHOWN_S = 0.5
"""Longest time between two views, real seconds."""
PAUSED, STOPPED = "initial_state is paused", "initial_state is stopped"
BACKUP_S = 86_400.0
"""Real seconds between two backups of the ledger; another is made at each start."""


class Desk:
    """Looks at the market, at open trades and at what it was told, and acts; see docs/trading.md.

    Whatever fails (exchange, disk, strategy) leaves a state from which the next look goes on. A damaged ledger ends
    the daemon: the next start puts its backup in its place.

    Args:
        options: see `DeskOptions`.
        clock: market and real time.
        ledger: nobody else writes to it while the desk runs.
        broker: where prices come from.
        orders: sends, cancels and asks.
        exits: looks after open trades.
        entries: opens new ones.
        commands: does what humans ask for.
        truth: holds the ledger against the exchange.
        risk: watches what the account is worth.
        strategy: shows strategies what is so, and keeps what they write.
        fees: values those in a third currency.
        showing: makes what is shown.
        inbox: ticks and commands.
        backup: makes a backup of the ledger.
        stop: set when everything is sold after ``candled stop --exit-all``.
    """

    def __init__(
        self,
        options: DeskOptions,
        *,
        clock: Clock,
        ledger: Ledger,
        broker: Broker,
        orders: DeskOrders,
        exits: DeskExits,
        entries: DeskEntries,
        commands: DeskCommands,
        truth: DeskTruth,
        risk: DeskRisk,
        strategy: DeskStrategy,
        fees: DeskFees,
        showing: Showing,
        inbox: Inbox,
        backup: Callable[[Ledger, int], object],
        stop: threading.Event,
    ) -> None:
        self._options = options
        self._clock = clock
        self._ledger = ledger
        self._broker = broker
        self._orders = orders
        self._exits = exits
        self._entries = entries
        self._commands = commands
        self._truth = truth
        self._risk = risk
        self._strategy = strategy
        self._fees = fees
        self._inbox = inbox
        self._backup = backup
        self._backed_up_s = clock.monotonic_s()
        self._stop = stop
        self._given: DeskTerms | None = None
        self._taken: DeskTerms | None = None
        self._tick: Tick | None = None
        self._begun = False
        self._troubles = Troubles()
        self._prices = DeskPrices(broker, clock=clock, troubles=self._troubles, truth=truth)
        self._showing = showing
        self._shown_s = -SHOWN_S
        self.view = DeskView()

    @property
    def broker(self) -> Broker:
        """Where prices and the account come from; it may be asked from any thread."""
        return self._broker

    def take(self, terms: DeskTerms) -> None:
        """Go by other terms from the next look on; called from any thread."""
        self._given = terms
        self._inbox.wake.set()

    def step(self) -> bool:
        """One look."""
        self._turn()
        for message in self._inbox.take():
            if isinstance(message, Tick):
                self._tick = message.listed(self._options.pairs)
            else:
                self._commands.put(message)
        ledger = exchange = ""
        try:
            self._look()
        except LedgerFault as exc:  # nothing has left, and the next look tries again
            ledger = str(exc)
            self._commands.give_up(exc)
        except Retryable as exc:
            exchange = str(exc)
            self._commands.give_up(exc)
        self._troubles.put("ledger", ledger)
        self._troubles.put("exchange", exchange)
        self._entries.ledger_fault = ledger
        self._show()
        return False

    def _turn(self) -> None:
        """Go by what was given since the last look."""
        terms = self._given
        if terms is self._taken or terms is None:
            return
        self._taken = terms
        self._options = replace(self._options, pairs=terms.pairs)
        self._strategy.take(terms.rules)
        self._risk.take(terms.limits)
        self._truth.take(terms.watched, terms.pairs)
        self._commands.take(terms.pairs, may_enter=terms.may_enter)
        self._tick = None if self._tick is None else self._tick.listed(terms.pairs)

    def close(self) -> None:
        """Put the desk away when its thread has ended."""
        if self._options.cancel_on_exit:
            try:
                for order in self._ledger.orders(alive=True):
                    self._exits.cancel_at_the_end(order)
            except Retryable as exc:
                log.warning("orders_not_cancelled", extra={"fields": {"error": str(exc)}})
        self._commands.give_up(Retryable("the daemon stops"))
        self._broker.close()
        self._ledger.close()

    def _look(self) -> None:
        if not self._begun:
            self._begin()
        self._orders.pull()
        self._truth.look()
        self._troubles.take("pair ", self._truth.unlisted)
        self._fees.look()
        look = self._looked(self._ledger.trades(is_open=True))
        self._commands.obey(look)
        stopped = pauses.paused(self._ledger) == STOPPED
        trades = self._ledger.trades(is_open=True)
        self._troubles.keep("trade ", {_about(trade) for trade in trades})
        for trade in trades:
            if not stopped or trade.exit_reason == FORCED.reason:
                self._keep(trade, look)
        self._strategy.keep()  # a lock that the strategy has just set bars this very tick
        self._entries.look(look)
        still = self._strategy.publish(look.now_ms)
        # What the exchange does not list any more is worth nothing: others go on, and the limits with them.
        self._risk.look([trade for trade in still if trade.pair not in self._truth.unlisted], look)
        self._back_up(look.now_ms)
        if not still and self._ledger.get(pauses.EXIT_ALL):
            self._ledger.put(pauses.EXIT_ALL, value=False)
            log.info("all_sold")
            self._stop.set()

    def _begin(self) -> None:
        """What is done before the first look."""
        now_ms = self._clock.now_ms()
        self._orders.recover()
        if self._options.start == "running":
            if pauses.paused(self._ledger) in (STOPPED, PAUSED):  # of an earlier configuration
                pauses.unpause(self._ledger)
        else:
            pauses.pause(self._ledger, STOPPED if self._options.start == "stopped" else PAUSED, now_ms)
        self._strategy.publish(now_ms)
        self._begun = True

    def _back_up(self, now_ms: int) -> None:
        """Once a day."""
        now_s = self._clock.monotonic_s()
        if now_s - self._backed_up_s < BACKUP_S:
            return
        self._backed_up_s = now_s
        try:
            self._backup(self._ledger, now_ms)
        except OSError as exc:  # the one before it is whole
            raise LedgerFault(f"no backup of the ledger: {exc}") from exc

    def _looked(self, trades: Sequence[TradeRecord]) -> Look:
        """The moment, with prices of all pairs that matter."""
        now_ms, base = self._clock.now_ms(), self._options.base
        tick = self._tick
        # For exits its signals stand until the next tick has come; how old a candle may be entered on, the gate says.
        if tick is not None and now_ms - tick.close_ms >= 2 * base.ms:
            tick = None
        wanted = dict.fromkeys(trade.pair for trade in trades)
        if tick is not None:
            wanted.update(entering(tick.signals))
        wanted.update(dict.fromkeys(self._commands.pairs()))
        return Look(
            now_ms=now_ms,
            candle_ms=base.newest_closed(now_ms),
            tick=tick,
            quotes=self._prices.of(tuple(wanted)),
        )

    def _keep(self, trade: TradeRecord, look: Look) -> None:
        """Look after one trade; what goes wrong with it is told, and touches no other."""
        about = _about(trade)
        try:
            self._exits.look(trade, look)
        except LedgerFault:
            raise
        except (StrategyError, Refused, Contradiction, Retryable) as exc:
            self._troubles.put(about, str(exc))
        else:
            self._troubles.put(about, "")

    def _show(self) -> None:
        """Publish the view, now and then."""
        now_s = self._clock.monotonic_s()
        if now_s - self._shown_s < SHOWN_S:
            return
        self._shown_s = now_s
        trouble = "; ".join(filter(None, [self._orders.trouble, str(self._troubles)]))
        try:
            trades = self._ledger.trades(is_open=True)
            self.view = self._showing.view(
                self._clock.now_ms(),
                trades,
                self._prices.of(tuple(dict.fromkeys(trade.pair for trade in trades))),
                balances=self._truth.balances(),
                gates=self._entries.gates,
                trouble=trouble,
            )
        except LedgerFault as exc:
            self._troubles.put("ledger", str(exc))


def _about(trade: TradeRecord) -> str:
    return f"trade {trade.trade_id} {trade.pair}"
