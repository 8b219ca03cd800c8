"""Orders, fills and reports that the trading tests share."""

from decimal import Decimal

from daemon.core.pair import Pair
from daemon.trading.orders import Fill, Intent, Leg, OrderReport, OrderState, OrderType, Side, client_id

BTC, ETH = Pair("BTC/USDT"), Pair("ETH/USDT")
T0 = 1_767_225_600_000  # 2026-01-01 00:00 UTC


def D(text):  # noqa: N802 - as short as the numbers it stands before
    return Decimal(text)


def intent(attempt=0, *, pair=BTC, leg=Leg.ENTRY, amount="1", price="100", trade_id=0, **more):
    side = Side.BUY if leg is Leg.ENTRY else Side.SELL
    fields = {
        "client_id": client_id("a", pair, T0, leg, attempt),
        "trade_id": trade_id,
        "pair": pair,
        "leg": leg,
        "side": side,
        "type": OrderType.LIMIT if price else OrderType.MARKET,
        "amount": D(amount),
        "price": D(price) if price else None,
        "candle_ms": T0,
        "created_ms": T0,
        "attempt": attempt,
    }
    return Intent(**fields | more)


def fill(order, number, amount, price="100", fee="0", currency="USDT", **more):
    fields = {
        "fill_id": str(number),
        "client_id": order.client_id,
        "exchange_id": "",
        "pair": order.pair,
        "side": order.side,
        "amount": D(amount),
        "price": D(price),
        "at_ms": T0 + int(number),
        "fee": D(fee),
        "fee_currency": currency if D(fee) else "",
    }
    return Fill(**fields | more)


def report(order, state=OrderState.OPEN, filled="0", *, exchange_id="x1", at_ms=T0, **more):
    fields = {
        "client_id": order.client_id,
        "exchange_id": exchange_id,
        "pair": order.pair,
        "state": state,
        "filled": D(filled),
        "amount": order.amount,
        "at_ms": at_ms,
        "side": order.side,
    }
    return OrderReport(**fields | more)


def begin(ledger, order):
    return ledger.begin_trade(order, strategy="Plain", timeframe="5m", stake_currency="USDT", enter_tag="dip")


def sent(ledger, order):
    """A trade whose entry has left."""
    trade = begin(ledger, order)
    ledger.sending(order.client_id, T0)
    return trade
