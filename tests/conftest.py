"""Fixtures that several rooms' tests share."""

import numpy as np
import pytest
from desk import BASE, DAY_MS, NOW_MS, PAIRS, STRATEGIES, strategy_config
from hypothesis import HealthCheck, settings

from daemon.core.candles import CandleFrame
from daemon.core.clock import FakeClock
from daemon.core.market import CandleKey, CandleRequest
from daemon.core.timeframe import Timeframe
from daemon.features.compute import BlockComputer
from daemon.features.plan import FeaturePlan
from daemon.features.store import FeatureStore
from daemon.market.simulated import SimulatedMarket
from daemon.strategy.hooks import Hooks
from daemon.strategy.loader import load_strategy

# How long an example takes says more of the machine than of the code.
settings.register_profile("patient", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture(scope="module")
def unhurried_stop():
    """A daemon in this process takes no thread for one that hangs because the machine is busy when it stops."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("daemon.runtime.lifecycle.STOP_S", 60.0)
        yield


@pytest.fixture
def unhurried_market(monkeypatch):
    """A machine that stands still for seconds lets no request to a market of ccxt fail that is answered at once."""
    for name in ("_MARKETS_BUDGET_S", "_TIME_BUDGET_S", "_CLOSE_S", "_MARGIN_S"):
        monkeypatch.setattr(f"daemon.market.ccxt_market.{name}", 60.0)


@pytest.fixture(scope="session")
def market():
    return SimulatedMarket(pairs=PAIRS, seed=7, clock=FakeClock(NOW_MS + DAY_MS), base=BASE)


@pytest.fixture(scope="session")
def candles(market):
    """candles(key, until_ms, days): closed candles of the simulated market."""
    cache = {}

    def fetched(key, until_ms=NOW_MS, days=20):
        whole = cache.get(key)
        if whole is None:
            since_ms, parts = NOW_MS - 40 * DAY_MS, []
            while since_ms < NOW_MS + DAY_MS:
                part = market.fetch([CandleRequest(key=key, since_ms=since_ms, limit=1000)], 5.0)[0]
                parts.append(part)
                since_ms = int(part.open_ms[-1]) + key.timeframe.ms
            whole = cache[key] = CandleFrame(
                np.concatenate([part.open_ms for part in parts]),
                np.concatenate([part.values for part in parts]),
            )
        return whole.between(until_ms - days * DAY_MS, key.timeframe.newest_closed(until_ms))

    return fetched


@pytest.fixture(scope="session")
def plan():
    return FeaturePlan(
        base=BASE, timeframes=(BASE, Timeframe("15m")), correlated=(PAIRS[0],), periods=(10,), shifts=1
    )


@pytest.fixture
def hooks():
    """hooks(name): the hooks of a strategy in tests/strategies."""

    def loaded(name="Plain"):
        return Hooks(load_strategy(name, paths=[STRATEGIES], config=strategy_config()))

    return loaded


@pytest.fixture
def store(hooks, plan, candles):
    """store(until_ms, days, strategy): a feature store over the simulated market's candles."""

    def built(until_ms=NOW_MS, days=20, strategy="Plain", warm_up=256):
        computer = BlockComputer(hooks(strategy), plan, warm_up)
        return FeatureStore(plan, computer, lambda key: candles(key, until_ms, days))

    return built


@pytest.fixture
def base_key():
    return CandleKey(PAIRS[2], BASE)
