"""How the desk enters: signals through the gates, entries by command, additions to what is held."""

from __future__ import annotations

import logging
from types import MappingProxyType
from typing import TYPE_CHECKING

from daemon.core.errors import Refused, Retryable, StrategyError
from daemon.trading import pauses
from daemon.trading.entries import EntryMode, EntryWish, plan_entry
from daemon.trading.gates import DeskFacts, PairFacts, desk_gate, pair_gate
from daemon.trading.ledger_files import RESTORED
from daemon.trading.orders import Leg, Side
from daemon.trading.prices import deep_enough
from daemon.trading.signals import SignalKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from decimal import Decimal

    from daemon.core.clock import Clock
    from daemon.core.pair import Pair
    from daemon.trading.broker import Broker
    from daemon.trading.desk_ground import Ground
    from daemon.trading.desk_orders import DeskOrders
    from daemon.trading.desk_risk import DeskRisk
    from daemon.trading.desk_truth import DeskTruth
    from daemon.trading.ledger import Ledger
    from daemon.trading.look import Look
    from daemon.trading.records import TradeRecord
    from daemon.trading.signals import Signal

log = logging.getLogger(__name__)

ALL = "*"
SETTLED = "once you have looked at the exchange, `candled resume --settled` takes it as it is"
CLOCK_S = 60.0
"""Real seconds between two looks at the exchange's clock."""


class DeskEntries:
    """Opens trades and adds to them.

    Args:
        ledger: where trades are.
        broker: whose clock counts.
        orders: sends.
        ground: what decisions go by.
        risk: limits that no strategy can move.
        truth: whether ledger and exchange agree.
        clock: real time.
    """

    def __init__(
        self,
        ledger: Ledger,
        broker: Broker,
        orders: DeskOrders,
        *,
        ground: Ground,
        risk: DeskRisk,
        truth: DeskTruth,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._broker = broker
        self._orders = orders
        self._ground = ground
        self._risk = risk
        self._truth = truth
        self._clock = clock
        self._refused: dict[Pair, tuple[int, str]] = {}
        self._told: dict[str, str] = {}
        self._clock_off_ms = 0
        self._clock_s: float | None = None
        self.ledger_fault = ""
        """Why the ledger could not be written at the last look; empty if it could."""
        self.gates: Mapping[str, tuple[str, ...]] = MappingProxyType({})
        """Pair (``*``: all) -> why nothing is entered, at the last look."""

    def look(self, look: Look) -> None:
        """Enter what the newest candle's signals ask for, as far as the gates are open."""
        gates: dict[str, tuple[str, ...]] = {}
        signals = () if look.tick is None else look.tick.signals
        for signal in signals:
            if signal.kind is SignalKind.ENTER_SHORT:
                self._tell_once("short", "short signals are ignored on a spot market")
            if signal.kind is not SignalKind.ENTER_LONG:
                continue
            why = self._signalled(signal, look)
            if why:
                gates[str(signal.pair)] = why
        reasons = self._reasons(look)
        if reasons:
            gates[ALL] = reasons
        self.gates = MappingProxyType(gates)

    def force(
        self, pair: Pair, look: Look, *, price: Decimal | None, stake: Decimal | None, tag: str
    ) -> TradeRecord:
        """Enter by command.

        Raises:
            Refused: a gate is closed, or the order cannot be: with the reason.
        """
        reasons = self._reasons(look)
        reasons += self._pair_reasons(pair, look, None)
        if reasons:
            raise Refused(f"{pair}: {'; '.join(reasons)}")
        wish = EntryWish(
            pair=pair,
            price=price or self._ground.rate(Side.BUY, pair, look),
            now_ms=look.now_ms,
            mode=EntryMode.FORCED,
            tag=tag,
            stake=stake,
            room=self._risk.room(self._ground.account(), pair),
        )
        try:
            return self._begin(wish, look)
        except StrategyError as exc:
            raise Refused(str(exc)) from exc

    def add(self, trade: TradeRecord, stake: Decimal, look: Look, *, tag: str) -> None:
        """Add to a trade, because the strategy wants it.

        Raises:
            Refused: a gate is closed, or the order cannot be.
            StrategyError: a callback raised.
        """
        if self._reasons(look) or self._unpriced(self._ledger.trades(is_open=True)):
            return  # the gate is shown; what it bars is asked for again at the next look
        wish = EntryWish(
            pair=trade.pair,
            price=self._ground.rate(Side.BUY, trade.pair, look),
            now_ms=look.now_ms,
            mode=EntryMode.ADD,
            tag=tag,
            stake=stake,
            trade=self._ground.shown(trade),
            room=self._risk.room(self._ground.account(), trade.pair),
        )
        try:
            plan = plan_entry(wish, self._ground.account(), self._ground.terms(trade.pair))
        except Refused as exc:
            self._tell_once(f"add {trade.trade_id}", str(exc))
            return
        self._orders.add(trade, plan, look.candle_ms)

    def replace(self, trade: TradeRecord, price: Decimal, stake: Decimal, look: Look, *, tag: str) -> None:
        """Send what is left of a cancelled entry anew at another price.

        Raises:
            Refused: the order cannot be.
        """
        if self._reasons(look):
            return
        wish = EntryWish(
            pair=trade.pair,
            price=price,
            now_ms=look.now_ms,
            mode=EntryMode.REPLACE,
            tag=tag,
            stake=stake,
            trade=self._ground.shown(trade),
            room=self._risk.room(self._ground.account(), trade.pair),
        )
        plan = plan_entry(wish, self._ground.account(), self._ground.terms(trade.pair))
        self._orders.add(trade, plan, look.candle_ms)

    def reset_risk(self) -> None:
        """Losses count from now on."""
        self._risk.reset()

    def _signalled(self, signal: Signal, look: Look) -> tuple[str, ...]:
        """Act on an entry signal; why not, if nothing came of it."""
        pair = signal.pair
        reasons = self._pair_reasons(pair, look, signal)
        if reasons or self._reasons(
            look
        ):  # asked for each: an entry before this one may have used up a limit
            return reasons
        refused_ms, why = self._refused.get(pair, (0, ""))
        if refused_ms == signal.candle_ms:
            return (why,)
        pricing = self._ground.rules.entry_pricing
        try:
            if pricing.check_depth_of_market.enabled and not deep_enough(
                pricing.check_depth_of_market, self._ground.depth(pair)
            ):
                return ("market: check_depth_of_market is not met",)
            wish = EntryWish(
                pair=pair,
                price=self._ground.rate(Side.BUY, pair, look),
                now_ms=look.now_ms,
                tag=signal.tag,
                room=self._risk.room(self._ground.account(), pair),
            )
            trade = self._begin(wish, look)
        except (Refused, StrategyError) as exc:
            kind = "strategy" if isinstance(exc, StrategyError) else "entry"
            self._tell_once(f"{kind} {pair}", str(exc))
            if kind == "strategy":  # it would raise at every look of this candle
                self._refused[pair] = signal.candle_ms, f"strategy: {exc}"
            return (f"{kind}: {exc}",)
        self._told.pop(f"entry {pair}", None)
        self._told.pop(f"strategy {pair}", None)
        order = trade.orders[-1]
        if order.state.final and not order.fills:  # refused or expired: not again on this candle
            self._refused[pair] = signal.candle_ms, f"entry: the order ended as {order.state}: {order.detail}"
        return ()

    def _begin(self, wish: EntryWish, look: Look) -> TradeRecord:
        plan = plan_entry(wish, self._ground.account(), self._ground.terms(wish.pair))
        return self._orders.begin(
            plan, look.candle_ms, strategy=self._ground.rules.strategy, timeframe=self._ground.rules.timeframe
        )

    def _reasons(self, look: Look) -> tuple[str, ...]:
        """Why nothing at all may be entered."""
        restored = self._ledger.get(RESTORED)
        facts = DeskFacts(
            state="paused" if pauses.paused(self._ledger) else "running",
            findings=(
                *self._truth.obstacles,
                *((f"the ledger is a backup ({restored['fault']}); {SETTLED}",) if restored else ()),
            ),
            ledger_fault=self.ledger_fault,
            clock_off_ms=self._off_ms(),
            breaches=self._risk.breaches(),
            orders_fault=self._risk.too_many_orders(self._orders.sent_ms, look.now_ms),
        )
        return desk_gate(facts).reasons

    def _pair_reasons(self, pair: Pair, look: Look, signal: Signal | None) -> tuple[str, ...]:
        trades = self._ledger.trades(is_open=True)
        facts = PairFacts(
            pair=pair,
            now_ms=look.now_ms,
            candle_close_ms=None if signal is None or look.tick is None else look.tick.close_ms,
            blocked="" if signal is None else signal.blocked,
            held=any(trade.pair == pair for trade in trades),
            open_trades=len(trades),
            locks=self._ledger.locks(look.now_ms),
        )
        return pair_gate(facts, self._ground.rules).reasons + self._unpriced(trades)

    def _unpriced(self, trades: Iterable[TradeRecord]) -> tuple[str, ...]:
        """Entries at the market that have not been seen filled: what they cost may be all that there is.

        Of a pair that the exchange has no more, what they have cost is missing from the balances by now.
        """
        return tuple(
            f"account: what order {order.intent.client_id} of {trade.pair} costs is not known yet"
            for trade in trades
            if trade.pair not in self._truth.unlisted
            for order in trade.orders
            if order.intent.leg is Leg.ENTRY and not (order.settled or order.intent.price or order.fills)
        )

    def _off_ms(self) -> int:
        """By how much our clock is ahead of the exchange's, as it was a while ago."""
        now_s = self._clock.monotonic_s()
        if self._clock_s is None or now_s - self._clock_s >= CLOCK_S:
            self._clock_s = now_s
            try:
                self._clock_off_ms = self._broker.clock_off_ms()
            except Retryable as exc:
                log.debug("clock_unknown", extra={"fields": {"error": str(exc)}})
        return self._clock_off_ms

    def _tell_once(self, what: str, why: str) -> None:
        """Log the first of a streak."""
        if self._told.get(what) != why:
            self._told[what] = why
            log.warning("not_entered", extra={"fields": {"what": what, "why": why}})


def entering(signals: Sequence[Signal]) -> dict[Pair, None]:
    """Pairs whose entry is asked for and not blocked."""
    return {s.pair: None for s in signals if s.kind is SignalKind.ENTER_LONG and not s.blocked}
