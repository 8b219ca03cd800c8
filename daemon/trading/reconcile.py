"""Whether ledger and exchange tell the same story: pure functions over what each of them says.

The exchange is the truth for what happened, the ledger for what is ours. An order of ours is found by its client id
before its exchange id is known. What does not add up is said in words, and bars entries.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from daemon.trading.orders import ZERO, OrderState

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from decimal import Decimal

    from daemon.core.pair import Pair
    from daemon.trading.broker import Balance
    from daemon.trading.orders import OrderReport
    from daemon.trading.records import OrderRecord

GRACE_MS, ASKS = 60_000, 2
"""An order is absent if the exchange, asked so often and so long after the request, does not know it."""
CONFIRM_MS = 30_000
"""A difference of balances is believed when it has stood so long."""
OVERLAP_MS = 600_000
"""Fills are asked for from so long before the newest known one: exchanges list them late, and clocks differ."""

_OURS = re.compile(r"cd[0-9a-f]{24}")
_NONE: Mapping[str, Decimal] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What the exchange has of a currency beyond what the ledger says; below zero: less.

    Attributes:
        amount: exchange minus ledger.
        since_ms: since when it has been this much.
        lacking: open trades hold more than the exchange has.
    """

    amount: Decimal
    since_ms: int
    lacking: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a comparison came to.

    Attributes:
        at_ms: when, ms UTC.
        unlisted: pairs that something is left of, or that may be traded, and that the exchange has no more. Their orders
            were not asked for, and what does not add up about them bars none of the others.
        reasons: what does not add up, in words; empty: in step.
        doubts: those of the reasons that are over when an order's answer or its executions are known (`doubts`).
        differences: of balances, by currency.
        adjusted: what was put to the ledger's account because a difference has stood long enough.
        absent: client ids of orders that never came to the exchange.
        notes: what is worth a line in the log, but bars nothing.
    """

    at_ms: int
    unlisted: frozenset[Pair] = frozenset()
    reasons: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    differences: Mapping[str, Difference] = field(default_factory=lambda: MappingProxyType({}))
    adjusted: Mapping[str, Decimal] = field(default_factory=lambda: _NONE)
    absent: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def in_step(self) -> bool:
        """Whether entries may go."""
        return not self.reasons


def to_ask(orders: Iterable[OrderRecord], listed: Iterable[OrderReport]) -> tuple[OrderRecord, ...]:
    """Orders of ours that the exchange has or may have, and that its list of open orders does not have.

    Args:
        orders: as the ledger has them.
        listed: the open orders that the exchange listed.
    """
    by_us = {report.client_id for report in listed}
    by_them = {(report.pair, report.exchange_id) for report in listed if report.exchange_id}
    return tuple(
        order
        for order in orders
        if order.state.alive
        and order.intent.client_id not in by_us
        and (order.intent.pair, order.exchange_id) not in by_them
    )


def is_told_of(order: OrderRecord) -> bool:
    """Whether the exchange has ever told of an order: then it is there, whatever it says now."""
    return bool(order.exchange_id or order.fills or order.reported)


def is_absent(order: OrderRecord, now_ms: int, asks: int, grace_ms: int = GRACE_MS) -> bool:
    """Whether an order that the exchange does not know has never come there.

    A request may arrive late and an answer may be of a moment ago, hence the grace; asking once is not enough.

    Args:
        order: as the ledger has it.
        now_ms: ms UTC.
        asks: how often the exchange has said so.
        grace_ms: how long after the request it may still turn up.
    """
    sent_ms = order.intent.created_ms if order.sent_ms is None else order.sent_ms
    waited = asks >= ASKS and now_ms - sent_ms >= grace_ms
    return order.state is OrderState.UNKNOWN and waited and not is_told_of(order)


def fills_since(orders: Iterable[OrderRecord], known_ms: int | None) -> int | None:
    """From when on the executions of a pair are to be asked for; None: there can be none that we lack.

    Args:
        orders: of that pair, those that are not settled.
        known_ms: up to when the pair's executions were asked for, or the newest one is; None: never, and none.
    """
    orders = tuple(orders)
    begun = [
        order.intent.created_ms if order.sent_ms is None else order.sent_ms
        for order in orders
        if order.state.alive or order.reported > order.filled
    ]
    if known_ms is None:
        return min(begun) - OVERLAP_MS if begun else None
    lacking = [order.sent_ms or order.intent.created_ms for order in orders if order.reported > order.filled]
    return min([known_ms, *lacking]) - OVERLAP_MS


def differences(
    held: Mapping[str, Balance],
    known: Mapping[str, Balance],
    positions: Mapping[str, Decimal],
    before: Mapping[str, Difference],
    *,
    currencies: Collection[str],
    at_ms: int,
) -> dict[str, Difference]:
    """How the exchange's account differs from the one that the ledger's fills and deposits make.

    Args:
        held: the exchange's balances.
        known: the ledger's.
        positions: what open trades hold, by base currency.
        before: what this found the last time.
        currencies: which to compare; the account may hold others, which are nobody's business.
        at_ms: now, ms UTC.
    """
    found = {}
    for currency in sorted(currencies):
        there = held[currency].total if currency in held else ZERO
        amount = there - (known[currency].total if currency in known else ZERO)
        if not amount:
            continue
        was = before.get(currency)
        found[currency] = Difference(
            amount=amount,
            since_ms=was.since_ms if was is not None and was.amount == amount else at_ms,
            lacking=there < positions.get(currency, ZERO),
        )
    return found


def adjustments(
    found: Mapping[str, Difference], at_ms: int, confirm_ms: int = CONFIRM_MS
) -> dict[str, Decimal]:
    """Differences that are deposits, withdrawals or trades by hand: they have stood, and every open trade is covered."""
    return {
        currency: difference.amount
        for currency, difference in found.items()
        if not difference.lacking and at_ms - difference.since_ms >= confirm_ms
    }


def reasons(
    orders: Sequence[OrderRecord], missing: Collection[str], found: Mapping[str, Difference]
) -> tuple[str, ...]:
    """What does not add up, in words.

    Args:
        orders: those that are not settled, after everything was taken.
        missing: client ids of orders that the exchange was known to have, and does not know any more.
        found: differences of balances that were not adjusted.
    """
    words = [
        f"{_named(order)}: the exchange does not know it any more: look at its history there"
        for order in orders
        if order.intent.client_id in missing
    ]
    words += doubts(order for order in orders if order.intent.client_id not in missing)
    return (*words, *differing(found))


def lost_coins(unlisted: Iterable[Pair], pairs: Iterable[Pair]) -> frozenset[str]:
    """What only pairs that the exchange has no more are about: what became of it is no question of the others."""
    return frozenset(pair.base for pair in unlisted) - {c for pair in pairs for c in (pair.base, pair.quote)}


def differing(found: Mapping[str, Difference]) -> tuple[str, ...]:
    """Differences of balances in words."""
    words = []
    for currency, difference in found.items():
        more = "more" if difference.amount > 0 else "less"
        text = f"{currency}: the exchange has {abs(difference.amount):f} {more} than the ledger"
        if difference.lacking:
            text += ", and less than open trades hold: sold or withdrawn by hand?"
        words.append(text)
    return tuple(words)


def doubts(orders: Iterable[OrderRecord]) -> tuple[str, ...]:
    """What is not known of orders, in words: whether the exchange has them, or which executions they have met."""
    words = []
    for order in orders:
        if order.state is OrderState.UNKNOWN:
            words.append(f"{_named(order)}: not known yet whether the exchange has it")
        elif order.reported > order.filled:
            words.append(
                f"{_named(order)}: {order.reported} is filled, of which executions tell {order.filled}"
            )
    return tuple(words)


def _named(order: OrderRecord) -> str:
    return f"order {order.intent.client_id} of {order.intent.pair}"


def notes(listed: Iterable[OrderReport], ours: Collection[str]) -> tuple[str, ...]:
    """What is worth saying about open orders that are not in the ledger.

    Args:
        listed: the exchange's open orders.
        ours: client ids of the ledger's orders among them.
    """
    strange = [report for report in listed if report.client_id not in ours]
    named = [report.client_id for report in strange if _OURS.fullmatch(report.client_id)]
    words = []
    if named:
        words.append(
            f"{len(named)} open orders have ids like candled's and are not in this ledger ({', '.join(named[:3])}): "
            "another daemon on the account, or lost with a damaged ledger"
        )
    if len(strange) > len(named):
        words.append(f"{len(strange) - len(named)} open orders on the account are not candled's")
    return tuple(words)


def pairs_of(orders: Iterable[OrderRecord], pairs: Iterable[Pair]) -> tuple[Pair, ...]:
    """The pairs to look at: those that are traded, and those that something is left of."""
    return tuple(dict.fromkeys([*pairs, *(order.intent.pair for order in orders)]))
