import json

import pytest

from daemon.config import load_settings
from daemon.core.clock import FastClock, SystemClock
from daemon.core.timeframe import Timeframe
from daemon.runtime.world import candle_folder, market_clock, warn_of_the_future

HOUR_MS = 3_600_000


@pytest.fixture
def settings(tmp_path):
    def made(**simulated):
        document = {
            "timeframe": "5m",
            "stake_currency": "USDT",
            "strategy": "CandledExampleStrategy",
            "exchange": {"name": simulated.pop("exchange", "simulated"), "pair_whitelist": ["BTC/USDT"]},
            "freqai": {
                "identifier": "x",
                "train_period_days": 2,
                "feature_parameters": {"include_timeframes": ["5m"], "indicator_periods_candles": [10]},
            },
            "candled": {"simulated": simulated},
        }
        file = tmp_path / "config.json"
        file.write_text(json.dumps(document))
        return load_settings([file], env={})

    return made


def test_a_real_exchange_has_real_time(settings):
    assert isinstance(market_clock(settings(exchange="binance"), 0), SystemClock)


def test_the_simulated_exchange_at_speed_1_is_in_real_time(settings):
    assert isinstance(market_clock(settings(speed=1), 0), SystemClock)


def test_simulated_time_begins_where_the_configuration_says(settings):
    clock = market_clock(settings(speed=60, start="2026-02-01"), 0)
    assert isinstance(clock, FastClock)
    assert 0 <= clock.now_ms() - 1_769_904_000_000 < HOUR_MS


def test_simulated_time_goes_on_where_the_record_ends(settings):
    recorded = 1_769_904_000_000 + 50 * HOUR_MS
    clock = market_clock(settings(speed=60, start="2026-02-01"), recorded)
    assert 0 <= clock.now_ms() - recorded < HOUR_MS


def test_each_simulated_market_has_a_candle_folder_of_its_own(settings):
    folders = {candle_folder(settings(seed=seed)) for seed in (1, 2)}
    assert len(folders) == 2
    real = candle_folder(settings(exchange="binance"))
    assert real.name == "binance"


@pytest.mark.parametrize(("ahead_ms", "told"), [(-HOUR_MS, 0), (300_000, 0), (3 * HOUR_MS, 1)])
def test_a_record_that_lies_in_the_future_is_told(caplog, ahead_ms, told):
    warn_of_the_future(ahead_ms, Timeframe("5m"))
    assert [r.getMessage() for r in caplog.records] == ["record_lies_in_the_future"] * told
