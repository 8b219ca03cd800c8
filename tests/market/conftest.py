import logging

import pytest
from market_desk import BTC, ETH, FIVE, HOUR, START_MS, Desk
from scripted_market import ScriptedMarket

from daemon.core.clock import FakeClock
from daemon.core.market import CandleKey
from daemon.market.simulated import SimulatedMarket
from daemon.market.store import CandleStore
from daemon.state.atomic import set_aside, write_atomic


@pytest.fixture
def clock():
    return FakeClock(START_MS)


@pytest.fixture
def truth(clock):
    return SimulatedMarket(pairs=[BTC, ETH], seed=7, clock=clock)


@pytest.fixture
def market(truth):
    return ScriptedMarket(truth)


@pytest.fixture
def store(tmp_path):
    return CandleStore(tmp_path / "candles", write_atomic, set_aside)


@pytest.fixture
def keys():
    return [CandleKey(pair, timeframe) for pair in (BTC, ETH) for timeframe in (FIVE, HOUR)]


@pytest.fixture
def desk(market, store, keys, clock):
    return Desk(market, store, keys, clock, START_MS - 86_400_000)


@pytest.fixture
def events(caplog):
    """Names of the events logged so far."""
    caplog.set_level(logging.INFO, logger="daemon.market")
    return lambda: [record.message for record in caplog.records]
