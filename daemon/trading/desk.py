"""The desk: the one thread that owns the ledger and acts on it."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from daemon.core.errors import CandledError, Refused, Retryable, StrategyError
from daemon.trading import pauses
from daemon.trading.book import Contradiction
from daemon.trading.desk_entries import entering
from daemon.trading.desk_view import Showing
from daemon.trading.look import Look
from daemon.trading.messages import Command, DeskView, Tick
from daemon.trading.positions import position_of
from daemon.trading.risk import worth_of

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping, Sequence

    from daemon.config.own import RiskSettings
    from daemon.core.clock import Clock
    from daemon.core.pair import Pair
    from daemon.core.timeframe import Timeframe
    from daemon.trading.broker import Broker, Quote
    from daemon.trading.desk_commands import DeskCommands
    from daemon.trading.desk_entries import DeskEntries
    from daemon.trading.desk_exits import DeskExits
    from daemon.trading.desk_orders import DeskOrders
    from daemon.trading.desk_risk import DeskRisk
    from daemon.trading.desk_strategy import DeskStrategy
    from daemon.trading.desk_truth import DeskTruth
    from daemon.trading.ledger import Ledger
    from daemon.trading.messages import Inbox
    from daemon.trading.records import TradeRecord
    from daemon.trading.rules import TradeRules

log = logging.getLogger(__name__)

SHOWN_S = 0.5
"""Longest time between two views, real seconds."""
LEAST_LOOK_S = 0.1
"""Shortest time between two looks, real seconds, however fast the market's clock runs."""
LOOKS_PER_CANDLE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskOptions:
    """What the desk needs from the settings.

    Attributes:
        pairs: the whitelist.
        base: timeframe of the candles that are traded on.
        stake_currency: quote currency of the account.
        expired_after_ms: age of a candle, from its close, at which nothing is entered on it any more.
        throttle_s: longest time between two looks, market seconds.
        cancel_on_exit: whether entries and exits that are open are cancelled when the daemon stops.
        start: ``running``, ``paused`` or ``stopped``: how a start finds it.
    """

    pairs: tuple[Pair, ...]
    base: Timeframe
    stake_currency: str
    expired_after_ms: int
    throttle_s: float
    cancel_on_exit: bool = False
    start: str = "running"

    def idle_s(self, speed: float) -> float:
        """Real seconds between two looks."""
        market_s = min(self.throttle_s, self.base.ms / 1000 / LOOKS_PER_CANDLE)
        return max(LEAST_LOOK_S, market_s / speed)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskTerms:
    """What of the desk's settings may change while it runs.

    Attributes:
        pairs: the whitelist: what may be entered. Trades that are open are looked after, whatever their pair.
        rules: freqtrade's keys as they hold for the strategy.
        limits: of risk.
        may_enter: whether ``force_entry_enable`` allows entries by command.
    """

    pairs: tuple[Pair, ...]
    rules: TradeRules
    limits: RiskSettings
    may_enter: bool


class Desk:
    """Looks at the market, at open trades and at what it was told, and acts; see docs/trading.md.

    Whatever fails leaves a state from which the next look goes on: an exchange that does not answer, a disk that is
    full, a strategy that raises. A damaged ledger ends the daemon: the next start puts its backup in its place.

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
        inbox: ticks and commands.
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
        inbox: Inbox,
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
        self._inbox = inbox
        self._stop = stop
        self._given: DeskTerms | None = None
        self._tick: Tick | None = None
        self._begun = False
        self._unanswered: list[Command] = []
        self._trouble: dict[str, str] = {}
        self._showing = Showing(ledger, options.stake_currency)
        self._shown_s = -SHOWN_S
        self.view = DeskView()

    def take(self, terms: DeskTerms) -> None:
        """Go by other terms from the next look on; called from any thread."""
        self._given = terms
        self._inbox.wake.set()

    def step(self) -> bool:
        """One look."""
        self._turn()
        for message in self._inbox.take():
            if isinstance(message, Tick):
                self._tick = self._listed(message)
            else:
                self._unanswered.append(message)
        try:
            self._look()
        except (
            Retryable
        ) as exc:  # the ledger cannot be written: nothing has left, and the next look tries again
            self._fault("ledger", str(exc))
            self._entries.ledger_fault = str(exc)
            self._answer_all(exc)
        else:
            self._fault("ledger", "")
            self._entries.ledger_fault = ""
        self._show()
        return False

    def _turn(self) -> None:
        """Go by what was given since the last look."""
        terms, self._given = self._given, None
        if terms is None:
            return
        self._options = replace(self._options, pairs=terms.pairs)
        self._strategy.take(terms.rules)
        self._risk.take(terms.limits)
        self._truth.take(terms.pairs)
        self._commands.take(terms.pairs, may_enter=terms.may_enter)
        self._tick = None if self._tick is None else self._listed(self._tick)

    def _listed(self, tick: Tick) -> Tick:
        """The tick without entries of pairs that have left the whitelist; those are predicted while a trade is open."""
        pairs = self._options.pairs
        kept = tuple(signal for signal in tick.signals if signal.pair in pairs or not signal.kind.enters)
        return replace(tick, signals=kept)

    def close(self) -> None:
        """Put the desk away when its thread has ended."""
        if self._options.cancel_on_exit:
            try:
                for order in self._ledger.orders(alive=True):
                    self._exits.cancel_at_the_end(order)
            except Retryable as exc:
                log.warning("orders_not_cancelled", extra={"fields": {"error": str(exc)}})
        self._answer_all(Retryable("the daemon stops"))
        self._broker.close()
        self._ledger.close()

    def _look(self) -> None:
        if not self._begun:
            self._begin()
        self._orders.pull()
        self._truth.look()
        look = self._looked(self._ledger.trades(is_open=True))
        self._obey(look)
        for trade in self._ledger.trades(is_open=True):
            self._keep(trade, look)
        self._entries.look(look)
        trades = self._ledger.trades(is_open=True)
        self._strategy.publish(trades, look.now_ms)
        self._weigh(trades, look)
        if not trades and self._ledger.get(pauses.EXIT_ALL):
            self._ledger.put(pauses.EXIT_ALL, value=False)
            log.info("all_sold")
            self._stop.set()

    def _begin(self) -> None:
        """What is done before the first look."""
        now_ms = self._clock.now_ms()
        self._orders.recover()
        if self._options.start != "running" and not pauses.paused(self._ledger):
            pauses.pause(self._ledger, f"initial_state is {self._options.start}", now_ms)
        self._strategy.publish(self._ledger.trades(is_open=True), now_ms)
        self._begun = True

    def _weigh(self, trades: Sequence[TradeRecord], look: Look) -> None:
        """Let the limits of risk see what the account is worth, if all that is held has a price."""
        held = [(position_of(trade).amount, look.quotes.get(trade.pair)) for trade in trades]
        priced = [(amount, quote.bid) for amount, quote in held if quote is not None]
        if len(priced) == len(held):
            worth = worth_of(self._options.stake_currency, self._truth.balances(), priced)
            self._risk.look(worth, look.now_ms)

    def _looked(self, trades: Sequence[TradeRecord]) -> Look:
        """The moment, with prices of all pairs that matter."""
        now_ms, base = self._clock.now_ms(), self._options.base
        tick = self._tick
        if tick is not None and now_ms - tick.close_ms >= self._options.expired_after_ms:
            tick = None
        wanted = dict.fromkeys(trade.pair for trade in trades)
        if tick is not None:
            wanted.update(entering(tick.signals))
        for command in self._unanswered:
            wanted.update(dict.fromkeys(self._commands.pairs(command)))
        return Look(
            now_ms=now_ms,
            candle_ms=base.newest_closed(now_ms),
            tick=tick,
            quotes=self._quotes(tuple(wanted)),
        )

    def _quotes(self, pairs: Sequence[Pair]) -> Mapping[Pair, Quote]:
        if not pairs:
            return {}
        try:
            found = self._broker.quotes(pairs)
        except Retryable as exc:
            self._fault("prices", str(exc))
            return {}
        self._fault("prices", "")
        return found

    def _keep(self, trade: TradeRecord, look: Look) -> None:
        """Look after one trade; what goes wrong with it is told, and touches no other."""
        about = f"trade {trade.trade_id} {trade.pair}"
        try:
            self._exits.look(trade, look)
        except (StrategyError, Refused, Contradiction) as exc:
            self._fault(about, str(exc))
        else:
            self._fault(about, "")

    def _obey(self, look: Look) -> None:
        """Do what was asked for, in order."""
        while self._unanswered:
            command = self._unanswered[0]
            answer: Mapping[str, Any] | CandledError
            try:
                answer = self._commands.obey(command, look)
            except Retryable:
                raise
            except CandledError as exc:
                answer = exc
            self._unanswered.pop(0)
            command.answer.put(answer)

    def _answer_all(self, error: CandledError) -> None:
        while self._unanswered:
            self._unanswered.pop(0).answer.put(error)

    def _fault(self, what: str, error: str) -> None:
        """Log the first failure of a streak, and its end."""
        before = self._trouble.get(what, "")
        if error and not before:
            log.error("desk_failed", extra={"fields": {"about": what, "error": error}})
        elif before and not error:
            log.info("desk_recovered", extra={"fields": {"about": what}})
        if error:
            self._trouble[what] = error
        else:
            self._trouble.pop(what, None)

    def _show(self) -> None:
        """Publish the view, now and then."""
        now_s = self._clock.monotonic_s()
        if now_s - self._shown_s < SHOWN_S:
            return
        self._shown_s = now_s
        trouble = "; ".join(
            filter(
                None, [self._orders.trouble, *(f"{what}: {error}" for what, error in self._trouble.items())]
            )
        )
        try:
            trades = self._ledger.trades(is_open=True)
            self.view = self._showing.view(
                self._clock.now_ms(),
                trades,
                self._quotes(tuple(dict.fromkeys(trade.pair for trade in trades))),
                balances=self._truth.balances(),
                gates=self._entries.gates,
                trouble=trouble,
            )
        except Retryable as exc:
            self._fault("ledger", str(exc))
