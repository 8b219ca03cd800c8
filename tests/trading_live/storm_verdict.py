"""The verdict on a storm: the exchange's own book against the ledger, every order, execution and balance, exactly."""

import json
import urllib.request
from decimal import Decimal

from daemon.core.errors import ConfigError, Retryable
from daemon.core.pair import Pair
from daemon.trading.ledger import LedgerReader
from daemon.trading.orders import OrderState

STATES = {
    "NEW": OrderState.OPEN,
    "PARTIALLY_FILLED": OrderState.OPEN,
    "FILLED": OrderState.FILLED,
    "CANCELED": OrderState.CANCELLED,
    "EXPIRED": OrderState.EXPIRED,
}
NEVER_THERE = (OrderState.DROPPED, OrderState.ABSENT, OrderState.REJECTED)


def asked(url, method="GET"):
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=120) as answer:
        return json.load(answer)


def count(path):
    """How many orders a ledger has; none while it is being made."""
    try:
        ledger = LedgerReader.open(path)
    except (ConfigError, Retryable):
        return 0
    try:
        return len(ledger.orders())
    finally:
        ledger.close()


def assert_same_orders(book, ledger):
    ours = {order.intent.client_id: order for order in ledger.orders()}
    there = [order["client_id"] for order in book["orders"]]
    assert len(there) == len(set(there)), "an order was sent twice"
    assert set(there) <= set(ours), "an order is not in the ledger"
    sent = {name for name, order in ours.items() if order.state not in NEVER_THERE}
    assert sent == set(there), "an order is in the ledger only, or not as it is there"
    for told in book["orders"]:
        order = ours[told["client_id"]]
        assert order.state is STATES[told["status"]], (told, order)
        assert order.exchange_id == str(told["number"]), (told, order)
        assert order.intent.amount == Decimal(told["qty"]), (told, order)
        assert order.filled == order.reported == Decimal(told["executed"]), (told, order)
        assert order.value == Decimal(told["value"]), (told, order)


def assert_same_fills(book, ledger):
    names = {order["number"]: order["client_id"] for order in book["orders"]}
    owner = {
        (order.intent.pair, fill.fill_id): order.intent.client_id
        for order in ledger.orders()
        for fill in order.fills
    }
    there = {
        (trade["symbol"], str(trade["number"])): (
            names[trade["order"]],
            trade["side"].lower(),
            *(Decimal(trade[key]) for key in ("qty", "price", "fee")),
            trade["fee_asset"],
        )
        for trade in book["trades"]
    }
    here = {
        (fill.pair.replace("/", ""), fill.fill_id): (
            owner[Pair(fill.pair), fill.fill_id],
            fill.side.value,
            fill.amount,
            fill.price,
            fill.fee,
            fill.fee_currency,
        )
        for fill in ledger.fills()
    }
    assert here == there
    assert ledger.foreign_fills() == ()


def assert_same_balances(book, ledger):
    there = {
        asset: (Decimal(free), Decimal(locked))
        for asset, (free, locked) in book["balances"].items()
        if Decimal(free) + Decimal(locked)
    }
    here = {currency: (held.free, held.used) for currency, held in ledger.wallet().items() if held.total}
    assert here == there
    put = {currency: amount for currency, amount, _, _ in ledger.deposits()}
    assert put == {asset: Decimal(amount) for asset, amount in book["deposit"].items()}
    assert len(ledger.deposits()) == len(put), "a difference was taken for a deposit"


def judged(url, path, **more):
    """Hold a ledger against the exchange's book; return the figures of the storm and the book."""
    book = asked(f"{url}/local/book")
    ledger = LedgerReader.open(path)
    try:
        figures = {
            "orders": len(ledger.orders()),
            "at_exchange": len(book["orders"]),
            "fills": len(book["trades"]),
            **more,
            "requests": book["requests"],
            "faults": book["faults"],
            "told_to_wait": book["told"],
            "too_early": len(book["too_early"]),
        }
        print(json.dumps(figures))  # noqa: T201 - the figures of a long run
        assert_same_orders(book, ledger)
        assert_same_fills(book, ledger)
        assert_same_balances(book, ledger)
        assert ledger.contradictions() == ()
    finally:
        ledger.close()
    assert book["too_early"] == []
    return figures
