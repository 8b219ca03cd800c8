"""Orders that wait: when they are cancelled, and at which price they are tried again. Pure but for the callbacks."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from daemon.core.errors import StrategyError
from daemon.trading.exits import ExitDecision, ExitKind
from daemon.trading.orders import ZERO, Leg, OrderState, Side
from daemon.trading.stakes import least_stake

if TYPE_CHECKING:
    from daemon.strategy.order import Order
    from daemon.strategy.persistence import Trade
    from daemon.trading.callbacks import Callbacks
    from daemon.trading.records import OrderRecord, TradeRecord
    from daemon.trading.rules import TradeRules
    from daemon.trading.terms import Terms


class Waiting(enum.StrEnum):
    """What becomes of an order that waits for its fill."""

    KEEP = "keep"
    TIMED_OUT = "timed out"
    """Its time is over: cancel it."""
    CANCEL = "cancelled by the strategy"
    """`adjust_order_price` gave no price: cancel it."""
    REPLACE = "replaced"
    """`adjust_order_price` gave another price: cancel it, then send what is left of it anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCheck:
    """What a look at a waiting order found.

    Attributes:
        verdict: what becomes of it.
        price: new price, where it is replaced; quote currency.
        detail: why, for the order's record.
        fault: what a callback did wrong; empty if nothing.
    """

    verdict: Waiting
    price: Decimal | None = None
    detail: str = ""
    fault: str = ""


def check_waiting(
    record: OrderRecord,
    trade: Trade,
    *,
    rate: Decimal,
    now_ms: int,
    newest_close_ms: int,
    terms: Terms,
) -> OrderCheck:
    """Look at an entry or exit order that is open.

    Args:
        record: the ledger's.
        trade: whose it is, as strategies see it.
        rate: by ``entry_pricing`` or ``exit_pricing``, as the order's side wants it.
        now_ms: market time, ms UTC.
        newest_close_ms: close of the newest candle that was analysed: an order is adjusted once per candle.
        terms: ``unfilledtimeout``, ``check_entry_timeout``, ``check_exit_timeout``, ``adjust_order_price``.
    """
    rules, callbacks = terms.rules, terms.callbacks
    order = trade.select_order_by_order_id(record.exchange_id or record.intent.client_id)
    if order is None or not record.state.alive or record.intent.leg is Leg.STOP:
        return OrderCheck(verdict=Waiting.KEEP)
    entry = record.intent.leg is Leg.ENTRY
    placed_ms = record.sent_ms or record.intent.created_ms
    wait_ms = rules.unfilled.wait_ms(entry=entry)
    stuck = leaves_dust(record, trade, terms)
    if wait_ms is not None and now_ms - placed_ms >= wait_ms:
        return _ended(stuck, f"not filled within {wait_ms / 60_000:g} min")
    try:
        if callbacks.timed_out(trade, order, now_ms=now_ms, entry=entry):
            return _ended(stuck, f"check_{'entry' if entry else 'exit'}_timeout said so")
    except StrategyError as exc:
        return OrderCheck(verdict=Waiting.KEEP, fault=str(exc))
    if newest_close_ms <= placed_ms or stuck or record.intent.price is None:
        return OrderCheck(verdict=Waiting.KEEP)
    return _adjusted(trade, order, rate, now_ms, callbacks, entry=entry)


def timed_out_exits(record: TradeRecord) -> int:
    """How many exit orders in a row ended without a fill: timed out or cancelled, newest first."""
    count = 0
    for order in reversed(record.orders):
        if order.intent.leg is not Leg.EXIT or order.state is OrderState.DROPPED:
            continue
        if order.state is not OrderState.CANCELLED or order.detail.startswith(Waiting.REPLACE):
            break
        count += 1
    return count


def emergency_due(record: TradeRecord, rules: TradeRules) -> ExitDecision | None:
    """The exit at the market that ``unfilledtimeout.exit_timeout_count`` asks for; None as long as it does not."""
    most, count = rules.unfilled.exit_timeout_count, timed_out_exits(record)
    if not most or count < most:
        return None
    kind = ExitKind.EMERGENCY_EXIT
    return ExitDecision(
        kind=kind,
        reason=kind.value,
        detail=f"emergency_exit: {count} exit orders timed out (exit_timeout_count {most})",
    )


def leaves_dust(record: OrderRecord, trade: Trade, terms: Terms) -> bool:
    """Whether a cancelled order would leave a position that is too small to be sold: it must go on waiting."""
    if not record.filled or not trade.open_rate:
        return False
    open_rate = Decimal(str(trade.open_rate))
    least = least_stake(terms.market, open_rate, terms.rules.stoploss, terms.rules)
    held = Decimal(str(trade.amount))
    if record.intent.side is Side.SELL and held <= ZERO:
        return False
    return held * open_rate < least


def _ended(stuck: bool, detail: str) -> OrderCheck:
    if stuck:
        return OrderCheck(verdict=Waiting.KEEP, detail="what is held would be too little to be sold")
    return OrderCheck(verdict=Waiting.TIMED_OUT, detail=f"{Waiting.TIMED_OUT}: {detail}")


def _adjusted(
    trade: Trade, order: Order, rate: Decimal, now_ms: int, callbacks: Callbacks, *, entry: bool
) -> OrderCheck:
    names = ("adjust_order_price", "adjust_entry_price" if entry else "adjust_exit_price")
    if not any(callbacks.has(name) for name in names):
        return OrderCheck(verdict=Waiting.KEEP)
    placed = order.safe_placement_price
    try:
        price = callbacks.adjust_order_price(
            trade,
            order,
            now_ms=now_ms,
            proposed_rate=float(rate),
            current_order_rate=placed,
            entry_tag=trade.enter_tag,
            side=trade.trade_direction,
            is_entry=entry,
        )
    except StrategyError as exc:
        return OrderCheck(verdict=Waiting.KEEP, fault=str(exc))
    if price is None:
        return OrderCheck(
            verdict=Waiting.CANCEL, detail=f"{Waiting.CANCEL}: adjust_order_price gave no price"
        )
    if price == placed:
        return OrderCheck(verdict=Waiting.KEEP)
    return OrderCheck(
        verdict=Waiting.REPLACE,
        price=Decimal(str(price)),
        detail=f"{Waiting.REPLACE}: adjust_order_price moved it from {placed:g} to {price:g}",
    )
