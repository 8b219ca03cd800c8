"""Trading as JSON values: for ``status.json``, and for commands that print JSON. Amounts are texts, exact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from daemon.trading.positions import position_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daemon.trading.broker import Balance
    from daemon.trading.messages import DeskView, OpenTrade
    from daemon.trading.records import OrderRecord, TradeRecord


def trading_figures(view: DeskView) -> dict[str, Any]:
    """How trading stands; profits of open trades as if they were sold now."""
    return {
        "at_ms": view.at_ms,
        "open": [_open(trade) for trade in view.trades],
        "closed": view.closed,
        "closed_profit": _text(view.closed_profit),
        "worth": _text(view.worth),
        "balances": balances_figures(view.balances),
        "orders": view.orders,
        "gates": {pair: list(reasons) for pair, reasons in view.gates.items()},
        "paused": view.paused,
        "trouble": view.trouble,
    }


def standing(view: DeskView) -> tuple[object, ...]:
    """What of it changes only when something has happened, and not with every price."""
    records = tuple(trade.record for trade in view.trades)
    return records, view.closed, view.orders, view.gates, view.paused, view.trouble


def balances_figures(balances: Mapping[str, Balance]) -> dict[str, dict[str, str | None]]:
    """An account by currency."""
    return {
        currency: {"free": _text(each.free), "used": _text(each.used), "total": _text(each.total)}
        for currency, each in balances.items()
    }


def trade_figures(trade: TradeRecord) -> dict[str, Any]:
    """A trade, open or closed; ``profit`` is of what was sold."""
    position = position_of(trade)
    profit = position.realized if trade.is_open else position.received - position.paid
    return {
        "trade": trade.trade_id,
        "pair": str(trade.pair),
        "strategy": trade.strategy,
        "enter_tag": trade.enter_tag,
        "opened_ms": trade.opened_ms,
        "closed_ms": trade.closed_ms,
        "amount": _text(position.amount),
        "bought": _text(position.bought),
        "open_rate": _text(position.open_rate),
        "close_rate": _text(position.close_rate),
        "paid": _text(position.paid),
        "profit": _text(profit),
        "profit_ratio": float(profit / position.paid) if position.paid else 0.0,
        "fees": {currency: _text(fee) for currency, fee in position.fees.items()},
        "stop": None if trade.stop is None else _text(trade.stop.price),
        "stop_rule": None if trade.stop is None else trade.stop.rule,
        "exit_reason": trade.exit_reason,
        "exit_detail": trade.exit_detail,
        "orders": [order_figures(order) for order in trade.orders],
    }


def order_figures(order: OrderRecord) -> dict[str, Any]:
    """An order with its fills."""
    intent = order.intent
    return {
        "order": intent.client_id,
        "exchange_id": order.exchange_id,
        "trade": intent.trade_id,
        "pair": str(intent.pair),
        "leg": intent.leg.value,
        "side": intent.side.value,
        "type": intent.type.value,
        "state": order.state.value,
        "amount": _text(intent.amount),
        "filled": _text(order.filled),
        "price": _text(intent.price),
        "stop_price": _text(intent.stop_price),
        "average": _text(order.average),
        "reason": intent.reason,
        "detail": order.detail,
        "created_ms": intent.created_ms,
        "sent_ms": order.sent_ms,
        "changed_ms": order.changed_ms,
        "fills": [
            {
                "fill": fill.fill_id,
                "at_ms": fill.at_ms,
                "amount": _text(fill.amount),
                "price": _text(fill.price),
                "fee": _text(fill.fee),
                "fee_currency": fill.fee_currency,
                "fee_rate": _text(fill.fee_rate),
            }
            for fill in order.fills
        ],
    }


def _open(trade: OpenTrade) -> dict[str, Any]:
    """An open trade for a table: without its orders."""
    found = trade_figures(trade.record)
    del found["orders"]
    return found | {
        "price": _text(trade.price),
        "open_profit": _text(trade.profit),
        "open_profit_ratio": float(trade.profit_ratio),
        "orders": len(trade.record.alive()),
    }


def _text(value: Any) -> str | None:
    """An exact number in plain digits."""
    return None if value is None else f"{value.normalize():f}" if value else "0"
