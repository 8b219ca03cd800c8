"""A live broker over the local exchange; nothing of it can leave this machine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from live_desk import BTC
from loopback import BREACHES, guard
from trading_exchange import KEYS, TradingExchange

from daemon.core.clock import SystemClock
from daemon.market.ccxt_market import CcxtMarket
from daemon.trading.live import LiveBroker

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def loopback_only():
    """Any request that would leave this machine fails, and fails the test, whoever swallowed the error."""
    BREACHES.clear()
    guard()
    yield
    guard(on=False)
    assert not BREACHES


@pytest.fixture
def exchange():
    with TradingExchange(days=1, clock=SystemClock()) as exchange:
        yield exchange


@pytest.fixture
def unhurried(unhurried_market, monkeypatch):
    """No request to the market, nor a change of an order, fails because the machine stands still."""
    monkeypatch.setattr("daemon.trading.live_calls.CHANGE_S", 60.0)


@pytest.fixture
def connect(unhurried):
    """connect(exchange, clock=..., keys=..., memory=..., **ccxt_config): a live broker; all are closed at the end."""
    markets = []

    def connected(exchange, clock=None, keys=KEYS, memory=None, stream=False, **config):
        market = CcxtMarket(
            exchange_id="binance",
            ccxt_config=exchange.ccxt_config,
            ccxt_async_config={"timeout_on_exit": 0, "timeout": 60_000, **config},
            clock=clock or SystemClock(),
            credentials=keys,
            memory=memory,
            stream=stream,
        )
        markets.append(market)
        return LiveBroker(market)

    yield connected
    for market in markets:
        market.close()


@pytest.fixture
def broker(exchange, connect):
    """Knows the exchange's markets and time."""
    broker = connect(exchange)
    broker.rules(BTC)
    broker.balances()
    return broker


@pytest.fixture
def start():
    """start(script, *arguments): a process of its own; all are ended in the end."""
    processes = []
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, HERE, HERE.parent / "market_ccxt")))}

    def started(script, *arguments, **more):
        command = [sys.executable, str(HERE / script), *map(str, arguments)]
        process = subprocess.Popen(command, env=env, text=True, **{"stdin": subprocess.DEVNULL, **more})
        processes.append(process)
        return process

    yield started
    for process in processes:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()
