"""Rows of the ledger's tables <-> values: pure."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from daemon.core.pair import Pair
from daemon.strategy.locks import PairLock
from daemon.trading.orders import Fill, Intent, Leg, OrderReport, OrderState, OrderType, Side
from daemon.trading.records import OrderRecord, StopState, TradeRecord

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping

    from daemon.trading.book import Standing


def text(value: Decimal) -> str:
    """An exact decimal as it is stored: no exponent, no zeros at its end, so that one value is one text."""
    shown = format(value, "f")
    if "." in shown:
        shown = shown.rstrip("0").rstrip(".")
    return "0" if shown in ("-0", "") else shown


def text_or_none(value: Decimal | None) -> str | None:
    """`text`, or NULL."""
    return None if value is None else text(value)


def decimal_or_none(stored: str | None) -> Decimal | None:
    """What `text_or_none` stored."""
    return None if stored is None else Decimal(stored)


def order_row(intent: Intent) -> dict[str, Any]:
    """The row of an order that has just been decided."""
    return {
        "client_id": intent.client_id,
        "trade_id": intent.trade_id,
        "pair": str(intent.pair),
        "leg": intent.leg.value,
        "side": intent.side.value,
        "type": intent.type.value,
        "amount": text(intent.amount),
        "price": text_or_none(intent.price),
        "stop_price": text_or_none(intent.stop_price),
        "time_in_force": intent.time_in_force,
        "candle_ms": intent.candle_ms,
        "attempt": intent.attempt,
        "reason": intent.reason,
        "created_ms": intent.created_ms,
        "state": OrderState.INTENDED.value,
        "changed_ms": intent.created_ms,
    }


def standing_row(order: OrderRecord, new: Standing) -> dict[str, Any]:
    """The columns that say how an order stands; ``order`` has the fills that it has."""
    return {
        "state": new.state.value,
        "reported": text(new.reported),
        "changed_ms": new.changed_ms,
        "detail": new.detail,
        "exchange_id": new.exchange_id,
        "settled": int(replace(order, state=new.state, reported=new.reported).settled),
    }


def order_of(row: sqlite3.Row, fills: Iterable[Fill]) -> OrderRecord:
    """An order with its fills."""
    intent = Intent(
        client_id=row["client_id"],
        trade_id=row["trade_id"],
        pair=Pair(row["pair"]),
        leg=Leg(row["leg"]),
        side=Side(row["side"]),
        type=OrderType(row["type"]),
        amount=Decimal(row["amount"]),
        price=decimal_or_none(row["price"]),
        stop_price=decimal_or_none(row["stop_price"]),
        time_in_force=row["time_in_force"],
        candle_ms=row["candle_ms"],
        attempt=row["attempt"],
        reason=row["reason"],
        created_ms=row["created_ms"],
    )
    return OrderRecord(
        intent=intent,
        state=OrderState(row["state"]),
        exchange_id=row["exchange_id"],
        reported=Decimal(row["reported"]),
        sent_ms=row["sent_ms"],
        changed_ms=row["changed_ms"],
        detail=row["detail"],
        fills=tuple(fills),
    )


def fill_row(fill: Fill, order_id: str | None) -> dict[str, Any]:
    """The row of an execution; ``order_id`` is the client id of the order of ours that it belongs to."""
    return {
        "pair": str(fill.pair),
        "fill_id": fill.fill_id,
        "order_id": order_id,
        "client_id": fill.client_id,
        "exchange_id": fill.exchange_id,
        "side": fill.side.value,
        "amount": text(fill.amount),
        "price": text(fill.price),
        "fee": text(fill.fee),
        "fee_currency": fill.fee_currency,
        "at_ms": fill.at_ms,
        "maker": None if fill.maker is None else int(fill.maker),
        "fee_rate": text_or_none(fill.fee_rate),
    }


def fill_of(row: sqlite3.Row) -> Fill:
    """An execution."""
    return Fill(
        fill_id=row["fill_id"],
        client_id=row["client_id"],
        exchange_id=row["exchange_id"],
        pair=Pair(row["pair"]),
        side=Side(row["side"]),
        amount=Decimal(row["amount"]),
        price=Decimal(row["price"]),
        fee=Decimal(row["fee"]),
        fee_currency=row["fee_currency"],
        at_ms=row["at_ms"],
        maker=None if row["maker"] is None else bool(row["maker"]),
        # A file that an older candled wrote may be read before a daemon has brought it up to date.
        fee_rate=decimal_or_none((row["fee_rate"] if "fee_rate" in row.keys() else None) or None),  # noqa: SIM118
    )


def foreign_row(report: OrderReport) -> dict[str, Any]:
    """The row of a report about an order that is not known as ours."""
    return {
        "pair": str(report.pair),
        "client_id": report.client_id,
        "exchange_id": report.exchange_id,
        "state": report.state.value,
        "filled": text(report.filled),
        "amount": text(report.amount),
        "side": report.side and report.side.value,
        "price": text_or_none(report.price),
        "at_ms": report.at_ms,
        "detail": report.detail,
    }


def foreign_of(row: sqlite3.Row) -> OrderReport:
    """A report about an order that is not known as ours."""
    return OrderReport(
        client_id=row["client_id"],
        exchange_id=row["exchange_id"],
        pair=Pair(row["pair"]),
        state=OrderState(row["state"]),
        filled=Decimal(row["filled"]),
        amount=Decimal(row["amount"]),
        at_ms=row["at_ms"],
        side=Side(row["side"]) if row["side"] else None,
        price=decimal_or_none(row["price"]),
        detail=row["detail"],
    )


def trade_of(row: sqlite3.Row, orders: Iterable[OrderRecord]) -> TradeRecord:
    """A trade with its orders."""
    stop = None
    if row["stop_price"] is not None:
        stop = StopState(
            price=Decimal(row["stop_price"]),
            initial=Decimal(row["stop_initial"]),
            trailing=bool(row["stop_trailing"]),
            rule=row["stop_rule"],
            ratio=row["stop_ratio"],
            initial_ratio=row["stop_initial_ratio"],
        )
    return TradeRecord(
        trade_id=row["trade_id"],
        pair=Pair(row["pair"]),
        opened_ms=row["opened_ms"],
        strategy=row["strategy"],
        timeframe=row["timeframe"],
        stake_currency=row["stake_currency"],
        enter_tag=row["enter_tag"],
        orders=tuple(orders),
        stop=stop,
        highest=decimal_or_none(row["highest"]),
        lowest=decimal_or_none(row["lowest"]),
        exit_reason=row["exit_reason"],
        exit_detail=row["exit_detail"],
        custom=MappingProxyType(json.loads(row["custom"])),
        dust=Decimal(row["dust"]),
        closed_ms=row["closed_ms"],
    )


def note_row(
    *,
    stop: StopState | None,
    highest: Decimal | None,
    lowest: Decimal | None,
    exit_reason: str | None,
    exit_detail: str | None,
    custom: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Columns of a trade that are to be changed: those whose value is given."""
    columns: dict[str, Any] = {
        "highest": text_or_none(highest),
        "lowest": text_or_none(lowest),
        "exit_reason": exit_reason,
        "exit_detail": exit_detail,
        "custom": None if custom is None else json.dumps(dict(custom), sort_keys=True),
    }
    if stop is not None:
        columns |= {
            "stop_price": text(stop.price),
            "stop_initial": text(stop.initial),
            "stop_trailing": int(stop.trailing),
            "stop_rule": stop.rule,
            "stop_ratio": stop.ratio,
            "stop_initial_ratio": stop.initial_ratio,
        }
    return {name: value for name, value in columns.items() if value is not None}


def lock_of(row: sqlite3.Row) -> PairLock:
    """A lock, as strategies see it."""
    return PairLock(
        pair=row["pair"],
        lock_time=datetime.fromtimestamp(row["from_ms"] / 1000, UTC),
        lock_end_time=datetime.fromtimestamp(row["until_ms"] / 1000, UTC),
        reason=row["reason"],
        side=row["side"],
        active=bool(row["active"]),
    )


def moment_ms(moment: datetime) -> int:
    """A moment in ms UTC; one without a zone is UTC, as strategies write it."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1000)
