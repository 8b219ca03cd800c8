"""A storm at an exchange in a process of its own, and the trader killed every few seconds.

The verdict is the exchange's own book against the ledger: every order, every execution, every balance, exactly.
`CANDLED_LONG=1` makes it 2,000 orders.
"""

import json
import os
import random
import subprocess
import sys
import time
import urllib.request
from decimal import Decimal
from pathlib import Path

import pytest

from daemon.core.pair import Pair
from daemon.trading.ledger import LedgerReader
from daemon.trading.orders import OrderState

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[2]
LONG = os.environ.get("CANDLED_LONG") == "1"
ORDERS, EVERY_S, LONGEST_S = (2000, (2.0, 6.0), 3600) if LONG else (40, (2.0, 6.0), 100)
SEED = int(os.environ.get("CANDLED_SEED", "1"))
STATES = {
    "NEW": OrderState.OPEN,
    "PARTIALLY_FILLED": OrderState.OPEN,
    "FILLED": OrderState.FILLED,
    "CANCELED": OrderState.CANCELLED,
    "EXPIRED": OrderState.EXPIRED,
}
NEVER_THERE = (OrderState.DROPPED, OrderState.ABSENT, OrderState.REJECTED)


@pytest.fixture
def start(tmp_path):
    """start(script, *arguments): a process of its own; all are ended in the end."""
    processes = []
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, HERE, HERE.parent / "market_ccxt")))}

    def started(script, *arguments, **more):
        command = [sys.executable, str(HERE / script), *map(str, arguments)]
        process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, text=True, **more)
        processes.append(process)
        return process

    yield started
    for process in processes:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def asked(url, method="GET"):
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=30) as answer:
        return json.load(answer)


def weathered(start, tmp_path, url, settings):
    """Trade through the storm; return how often the trader was killed."""
    kills, rng, deadline_s = 0, random.Random(SEED), time.monotonic() + LONGEST_S
    ledger, log, calm = tmp_path / "ledger.sqlite", tmp_path / "trader.log", False
    while True:
        with log.open("a") as stream:
            arguments = (settings, ledger, ORDERS, SEED + kills)
            trader = start("storm_trader.py", *arguments, stdout=subprocess.PIPE, stderr=stream)
        trader.stdout.readline()  # its first look begins
        try:
            # Once the last order is there, the weather clears up and the trader may finish.
            code = trader.wait(60 if calm else rng.uniform(*EVERY_S))
        except subprocess.TimeoutExpired:
            assert not calm, log.read_text()[-3000:]
            trader.kill()
            trader.wait()
            kills += 1
        else:
            assert code == 0, log.read_text()[-3000:]
            return kills
        assert time.monotonic() < deadline_s, log.read_text()[-3000:]
        if count(ledger) >= ORDERS:
            asked(f"{url}/local/calm", "POST")
            calm = True


def count(path):
    ledger = LedgerReader.open(path)
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


@pytest.mark.slow
@pytest.mark.timeout(LONGEST_S + 60)
def test_ledger_and_exchange_agree_to_the_last_digit_after_a_storm(start, tmp_path):
    arguments = ["--pace", 60, "--seed", SEED, "--storm", 0.15, "--by-hand", 0.3, "--jumpy", "--bnb"]
    exchange = start("trading_exchange.py", *arguments, stdout=subprocess.PIPE)
    told = json.loads(exchange.stdout.readline())
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps(told), "utf-8")
    kills = weathered(start, tmp_path, told["url"], settings)
    book = asked(f"{told['url']}/local/book")
    ledger = LedgerReader.open(tmp_path / "ledger.sqlite")
    try:
        figures = {
            "orders": len(ledger.orders()),
            "at_exchange": len(book["orders"]),
            "fills": len(book["trades"]),
            "kills": kills,
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
    assert len(book["orders"]) > ORDERS / 2
    assert kills >= 2
    assert sum(book["faults"].values()) > ORDERS / 4
