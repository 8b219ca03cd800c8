"""Brings ledger and exchange together: asks what is to be asked, takes the answers, tells what does not add up."""

from __future__ import annotations

import logging
from collections import Counter
from types import MappingProxyType
from typing import TYPE_CHECKING

from daemon.trading import reconcile
from daemon.trading.ledger_files import RESTORED
from daemon.trading.orders import OrderState
from daemon.trading.positions import position_of
from daemon.trading.reconcile import Difference, Findings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from decimal import Decimal

    from daemon.core.pair import Pair
    from daemon.trading.broker import Broker
    from daemon.trading.ledger import Ledger
    from daemon.trading.orders import Fill, OrderReport
    from daemon.trading.records import OrderRecord

log = logging.getLogger(__name__)

LOOKED = "fills_looked_ms"
"""Fact: by pair, up to when its executions were asked for. A pair in which nothing happens for months costs no more."""
_NEVER_SENT = "the daemon ended before it was sent"


class Reconciliation:
    """Compares as often as it is told to. One thread uses it: the ledger's.

    What it keeps is how often it has asked and since when balances differ; after a restart it waits a little longer
    before it believes in an absence or a difference, no more.

    Args:
        ledger: what is ours.
        broker: what happened.
        grace_ms: see `reconcile.GRACE_MS`.
        confirm_ms: see `reconcile.CONFIRM_MS`.
        take: puts reports and fills into the ledger; None: the ledger itself does, and nothing is logged.
    """

    def __init__(
        self,
        ledger: Ledger,
        broker: Broker,
        *,
        grace_ms: int = reconcile.GRACE_MS,
        confirm_ms: int = reconcile.CONFIRM_MS,
        take: Callable[[Iterable[OrderReport], Iterable[Fill]], object] | None = None,
    ) -> None:
        self._ledger = ledger
        self._told = take
        self._broker = broker
        self._grace_ms = grace_ms
        self._confirm_ms = confirm_ms
        self._asks: Counter[str] = Counter()
        self._differences: Mapping[str, Difference] = MappingProxyType({})

    def compare(self, pairs: Sequence[Pair], now_ms: int) -> Findings:
        """One whole comparison; the ledger has taken everything afterwards that the exchange told.

        Args:
            pairs: those that may be traded; others are looked at as long as an order of theirs is not settled. One that
                the exchange has no more is left as it is (`Findings.unlisted`).
            now_ms: our time, by which orders were sent, ms UTC. The exchange's would be set under a request's feet.

        Raises:
            Retryable: the exchange does not answer, or the disk is full. What was taken until then is kept.
            ConfigError: the exchange does not let us in.
        """
        orders = self._sent(now_ms)
        held = (trade.pair for trade in self._ledger.trades(is_open=True))
        unlisted = self._broker.unlisted(reconcile.pairs_of(orders, (*pairs, *held)))
        looked_at = tuple(pair for pair in reconcile.pairs_of(orders, pairs) if pair not in unlisted)
        listed = self._broker.open_orders(looked_at)
        self._take(listed, (), now_ms)
        asked = reconcile.to_ask((order for order in orders if order.intent.pair not in unlisted), listed)
        absent, missing = self._ask(asked, now_ms)
        self.take_fills(looked_at, now_ms)
        orders = tuple(o for o in self._ledger.orders(unsettled=True) if o.intent.pair not in unlisted)
        found = self._compared(looked_at, now_ms)
        restored = self._ledger.get(RESTORED)
        adjusted = {} if restored or _under_way(orders) else self._adjust(found, now_ms)
        left = {currency: each for currency, each in found.items() if currency not in adjusted}
        self._differences = MappingProxyType(left)
        ours = {r.client_id for r in listed if r.client_id and self._ledger.order(r.client_id) is not None}
        lost = reconcile.lost_coins(unlisted, looked_at)
        of_lost = reconcile.differing({coin: each for coin, each in left.items() if coin in lost})
        barring = {coin: each for coin, each in left.items() if coin not in lost}
        notes = (*reconcile.notes(listed, ours), *of_lost)
        reasons = (*reconcile.reasons(orders, missing, barring), *self._ledger.contradictions())
        if restored:
            unasked = (
                f"{pair} cannot be asked for: the exchange does not list it" for pair in sorted(unlisted)
            )
            reasons = self._restored(reasons, (*notes, *unasked))
        return Findings(
            at_ms=now_ms,
            unlisted=unlisted,
            reasons=reasons,
            doubts=reconcile.doubts(order for order in orders if order.intent.client_id not in missing),
            differences=self._differences,
            adjusted=MappingProxyType(adjusted),
            absent=absent,
            notes=notes,
        )

    def ask(self, order: OrderRecord, now_ms: int) -> OrderRecord:
        """Ask for one order that the exchange has or may have; the order as the ledger has it then.

        Raises:
            Retryable: the exchange does not answer.
        """
        self._ask([order], now_ms)
        return self._ledger.order(order.intent.client_id) or order

    def take_fills(self, pairs: Sequence[Pair], now_ms: int) -> None:
        """Take the executions that the ledger may lack.

        Raises:
            Retryable: the exchange does not answer.
        """
        orders = self._ledger.orders(unsettled=True)
        looked: dict[str, int] = self._ledger.get(LOOKED, {})
        for pair in pairs:
            mine = [order for order in orders if order.intent.pair == pair]
            known_ms = max(self._ledger.last_fill_ms(pair) or 0, looked.get(pair, 0)) or None
            since_ms = reconcile.fills_since(mine, known_ms)
            if since_ms is not None:
                self._take((), self._broker.fills(pair, since_ms), now_ms)
                looked[pair] = now_ms
        self._ledger.put(LOOKED, looked)

    def _take(self, reports: Iterable[OrderReport], fills: Iterable[Fill], now_ms: int) -> None:
        if self._told is None:
            self._ledger.take(reports, fills, now_ms)
        else:
            self._told(reports, fills)

    def _restored(self, reasons: tuple[str, ...], notes: tuple[str, ...]) -> tuple[str, ...]:
        """What bars entries after a backup has taken a damaged ledger's place: anything at all that it may lack."""
        doubts = (*reasons, *notes)
        if not doubts:
            self._ledger.put(RESTORED, None)
            log.info("ledger_is_whole_again")
        return tuple(f"the ledger is a backup, and {doubt}" for doubt in doubts)

    def _sent(self, now_ms: int) -> tuple[OrderRecord, ...]:
        """Orders that are not settled; those that no request left for are dropped: their moment has passed."""
        for order in self._ledger.orders(unsettled=True):
            if order.state is OrderState.INTENDED:
                self._ledger.drop(order.intent.client_id, now_ms, _NEVER_SENT)
        return self._ledger.orders(unsettled=True)

    def _ask(self, orders: Sequence[OrderRecord], now_ms: int) -> tuple[tuple[str, ...], set[str]]:
        """Ask for orders one by one; return which are absent and which the exchange has forgotten."""
        absent: list[str] = []
        missing: set[str] = set()
        told: list[OrderReport] = []
        for order in orders:
            name = order.intent.client_id
            report = self._broker.order(order.intent.pair, name, order.exchange_id)
            if report is not None:
                self._asks.pop(name, None)
                told.append(report)
                continue
            self._asks[name] += 1
            # Some answers are of a moment ago, some requests arrive late: a first no is none.
            if order.state is not OrderState.UNKNOWN and self._asks[name] >= reconcile.ASKS:
                missing.add(name)
            elif reconcile.is_absent(order, now_ms, self._asks[name], self._grace_ms):
                self._ledger.absent(name, now_ms)
                absent.append(name)
        self._take(told, (), now_ms)
        return tuple(absent), missing

    def _compared(self, pairs: Sequence[Pair], now_ms: int) -> dict[str, Difference]:
        known = self._ledger.wallet()
        positions: dict[str, Decimal] = {}
        for trade in self._ledger.trades(is_open=True):
            held = position_of(trade).amount
            positions[trade.pair.base] = positions.get(trade.pair.base, held * 0) + held
        currencies = {*known, *positions, *(coin for pair in pairs for coin in (pair.base, pair.quote))}
        balances = self._broker.balances()
        return reconcile.differences(
            balances, known, positions, self._differences, currencies=currencies, at_ms=now_ms
        )

    def _adjust(self, found: Mapping[str, Difference], now_ms: int) -> dict[str, Decimal]:
        """Put differences to the ledger's account: at the first look all of it, later what has stood."""
        first = not self._ledger.deposits()
        confirm_ms = 0 if first else self._confirm_ms
        adjusted = reconcile.adjustments(found, now_ms, confirm_ms)
        why = "found at the first look" if first else "found by reconciliation"
        with self._ledger.together():  # half a first look would be none for the next start
            for currency, amount in adjusted.items():
                self._ledger.deposit(currency, amount, now_ms, why)
        if adjusted and not first:
            amounts = {currency: str(amount) for currency, amount in adjusted.items()}
            log.warning("balances_adjusted", extra={"fields": {"by": amounts}})
        return adjusted


def _under_way(orders: Sequence[OrderRecord]) -> bool:
    """Whether a difference of balances is most likely an order's own."""
    return any(order.state is OrderState.UNKNOWN or order.reported > order.filled for order in orders)
