"""How an order stands after what was said about it: pure, and the same in whatever order it is said.

An exchange's reports come late, twice and out of order. They are joined, not replayed: the state that is furthest in
an order's life stands, of each figure the one that can only have come last (the largest filled amount) or first (the
earliest time). What cannot both be true raises `Contradiction`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from daemon.core.errors import Corrupt
from daemon.trading.orders import EXACT, TRANSITIONS, ZERO, OrderState

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from daemon.trading.orders import Fill, OrderReport
    from daemon.trading.records import OrderRecord

_AGES: Mapping[OrderState, int] = MappingProxyType(
    {
        OrderState.OPEN: 1,
        OrderState.CANCELLING: 2,
        OrderState.FILLED: 3,
        OrderState.CANCELLED: 3,
        OrderState.EXPIRED: 3,
        OrderState.REJECTED: 3,
    }
)
"""How far in its life an order is, in the states that an exchange may report."""

_CONCLUDED = frozenset({OrderState.INTENDED, OrderState.UNKNOWN, OrderState.DROPPED, OrderState.ABSENT})
"""States that only we put: the exchange's word, which is the truth for what happened, replaces each of them."""

_TAKEN_AND_NOT = {OrderState.OPEN, OrderState.REJECTED}


class Contradiction(Corrupt):
    """Two things that were said about an order cannot both be true; a human has to look."""


class IllegalTransition(Contradiction):
    """An order cannot go from the state that it has to the one that was asked for."""


class Overfilled(Contradiction):
    """More was filled than was ordered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known about an order beside its intent and its fills.

    Attributes:
        state: where it stands.
        reported: filled amount by the exchange's reports, base currency.
        changed_ms: when it came into the state, as far as is known, ms UTC.
        detail: why it is in the state.
        exchange_id: empty as long as the exchange has told none.
        revived: the exchange knows it though we had concluded that it could not.
    """

    state: OrderState
    reported: Decimal
    changed_ms: int
    detail: str = ""
    exchange_id: str = ""
    revived: bool = False


def standing(order: OrderRecord) -> Standing:
    """What an order's record says."""
    return Standing(
        state=order.state,
        reported=order.reported,
        changed_ms=order.changed_ms,
        detail=order.detail,
        exchange_id=order.exchange_id,
    )


def moved(order: OrderRecord, state: OrderState, at_ms: int, detail: str = "") -> Standing:
    """The standing after a step of our own: a request leaves, an order is dropped or found absent.

    Raises:
        IllegalTransition: `TRANSITIONS` does not have the step.
    """
    if state not in TRANSITIONS[order.state]:
        raise IllegalTransition(f"order {order.intent.client_id} is {order.state}: it cannot become {state}")
    return replace(standing(order), state=state, changed_ms=at_ms, detail=detail)


def reported(report: OrderReport) -> Standing:
    """What one report says.

    A cancelled or expired order that is filled as a whole was filled: the request to cancel it came too late.

    Raises:
        IllegalTransition: it names a state that only we know.
    """
    if report.state not in _AGES:
        raise IllegalTransition(f"order {name_of(report)}: the exchange cannot report {report.state}")
    state, filled = report.state, report.filled
    if state is OrderState.FILLED:
        filled = max(filled, report.amount)
    elif state is not OrderState.REJECTED and report.amount > 0 and filled >= report.amount:
        state = OrderState.FILLED
    return Standing(
        state=state,
        reported=filled,
        changed_ms=report.at_ms,
        detail=report.detail,
        exchange_id=report.exchange_id,
    )


def filled(known: Standing) -> Standing:
    """The standing of an order of which a fill has turned up: one that had ended for us alone has to be asked for."""
    if known.state in _CONCLUDED and known.state is not OrderState.UNKNOWN:
        return replace(known, state=OrderState.UNKNOWN, detail="", revived=True)
    return known


def name_of(report: OrderReport) -> str:
    """How a report's order is called in a message: our id, else the exchange's."""
    return report.client_id or report.exchange_id


def applied(order: OrderRecord, report: OrderReport) -> Standing:
    """The standing of an order of ours after a report: repeated and reordered reports end in the same one.

    Raises:
        Contradiction: the report is about another order, or names a second end or a second id of it.
        Overfilled: more is filled than was ordered.
    """
    intent = order.intent
    for what, ours, theirs in (
        ("pair", intent.pair, report.pair),
        ("side", intent.side, report.side or intent.side),
    ):
        if ours != theirs:
            raise Contradiction(f"order {intent.client_id}: {what} {ours} is reported as {theirs}")
    told = reported(report)
    if told.state is OrderState.REJECTED and (order.fills or told.reported):
        raise Contradiction(
            f"order {intent.client_id} is reported as rejected, but {order.filled} of it is filled"
        )
    if told.reported > intent.amount:
        raise Overfilled(
            f"order {intent.client_id}: {told.reported} is reported as filled, {intent.amount} was ordered"
        )
    return joined(standing(order), told, intent.client_id)


def joined(known: Standing, told: Standing, name: str) -> Standing:
    """Two standings of one order made one; which is which does not matter where both are the exchange's.

    Raises:
        Contradiction: they name different ends or ids.
    """
    exchange_id = one_of(known.exchange_id, told.exchange_id, "exchange id", f"order {name}")
    amount = max(known.reported, told.reported)
    if known.state in _CONCLUDED:
        revived = known.state is not OrderState.UNKNOWN
        return replace(told, reported=amount, exchange_id=exchange_id, revived=revived)
    if known.state is told.state:
        return replace(
            known,
            reported=amount,
            exchange_id=exchange_id,
            changed_ms=min(known.changed_ms, told.changed_ms),
            detail=min(known.detail, told.detail, key=lambda text: (not text, text)),
        )
    # An order that was open was taken: to read on as if it had been rejected would forget it.
    if _AGES[known.state] == _AGES[told.state] or {known.state, told.state} == _TAKEN_AND_NOT:
        raise IllegalTransition(f"order {name} is {known.state}: it cannot become {told.state}")
    further = max(known, told, key=lambda each: _AGES[each.state])
    return replace(further, reported=amount, exchange_id=exchange_id)


def one_of(ours: str, theirs: str, what: str, name: str) -> str:
    """The value of two that is known; both may be, if they agree.

    Raises:
        Contradiction: they differ.
    """
    if ours and theirs and ours != theirs:
        raise Contradiction(f"{name}: {what} {ours} is reported as {theirs}")
    return ours or theirs


def joined_fill(known: Fill, told: Fill) -> Fill:
    """One execution that was told twice; an answer may know less about it (no fee, no maker) than another.

    Raises:
        Contradiction: the same id with another amount, price, side, order or fee.
    """
    name = f"{known.pair} fill {known.fill_id}"
    for what, ours, theirs in (
        ("amount", known.amount, told.amount),
        ("price", known.price, told.price),
        ("side", known.side, told.side),
    ):
        if ours != theirs:
            raise Contradiction(f"{name}: {what} {ours} is reported as {theirs}")
    if known.fee_currency and told.fee_currency and known.fee != told.fee:
        raise Contradiction(f"{name}: fee {known.fee} is reported as {told.fee}")
    return replace(
        known,
        client_id=one_of(known.client_id, told.client_id, "order", name),
        exchange_id=one_of(known.exchange_id, told.exchange_id, "exchange's order", name),
        fee_currency=one_of(known.fee_currency, told.fee_currency, "fee currency", name),
        fee=known.fee if known.fee_currency else told.fee,
        maker=told.maker if known.maker is None else known.maker,
        at_ms=min(known.at_ms, told.at_ms),
    )


def check_fill(order: OrderRecord, fill: Fill) -> None:
    """Refuse a fill that cannot be one of an order's, ``order`` being as it is without it.

    Raises:
        Contradiction: another pair or side, or the order was rejected.
        Overfilled: the order would be filled above its amount.
    """
    intent = order.intent
    for what, ours, theirs in (("pair", intent.pair, fill.pair), ("side", intent.side, fill.side)):
        if ours != theirs:
            raise Contradiction(
                f"order {intent.client_id}: {what} {ours}, but fill {fill.fill_id} says {theirs}"
            )
    if not (fill.amount > ZERO and fill.price > ZERO):
        raise Contradiction(
            f"order {intent.client_id}: fill {fill.fill_id} of {fill.amount} at {fill.price} is none"
        )
    if order.state is OrderState.REJECTED:
        raise Contradiction(f"order {intent.client_id} was rejected, but fill {fill.fill_id} is of it")
    if EXACT.add(order.filled, fill.amount) > intent.amount:
        raise Overfilled(
            f"order {intent.client_id}: fill {fill.fill_id} of {fill.amount} is more than what is left of "
            f"the {intent.amount} that were ordered"
        )
