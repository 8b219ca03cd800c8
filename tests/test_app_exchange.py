"""The whole daemon on ccxt's own binance client, against an exchange on this machine, in fair weather and foul."""

import json
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from daemon import app
from daemon.config import load_settings
from daemon.core.market import CandleKey
from daemon.core.timeframe import Timeframe
from daemon.market.feather import candle_path, read_candles
from daemon.state.folder import StateFolder
from daemon.state.history import PredictionHistory

sys.path.insert(0, str(Path(__file__).parent / "market_ccxt"))
from local_exchange import PAIRS, LocalExchange

pytestmark = pytest.mark.usefixtures("unhurried_stop")
TIMEFRAMES = [Timeframe(text) for text in ("5m", "15m", "1h")]
SPEED = 150.0  # a candle every two seconds
TICKS = 8
STORMY_MS, FAIR_MS = 500, 60_000
"""How long ccxt waits for an answer: where some never come, and where only a busy machine keeps one waiting."""


@pytest.fixture(autouse=True)
def unhurried(monkeypatch):
    """A machine that stands still for seconds lets nothing fail that the exchange answers at once."""
    for name in ("_MARKETS_BUDGET_S", "_TIME_BUDGET_S", "_CLOSE_S"):
        monkeypatch.setattr(f"daemon.market.ccxt_market.{name}", 60.0)


def settings_for(exchange, folder, pairs=PAIRS):
    document = {
        "timeframe": "5m",
        "stake_currency": "USDT",
        "strategy": "CandledExampleStrategy",
        "user_data_dir": str(folder),
        "exchange": {
            "name": "binance",
            "ccxt_config": exchange.ccxt_config,
            "ccxt_async_config": {
                "timeout": STORMY_MS if exchange.storm else FAIR_MS,
                "timeout_on_exit": 0,
            },
            "pair_whitelist": [str(pair) for pair in pairs],
        },
        "freqai": {
            "identifier": "exchange",
            "train_period_days": 2,
            "live_retrain_hours": 1,
            "feature_parameters": {
                "include_timeframes": [str(timeframe) for timeframe in TIMEFRAMES],
                "include_corr_pairlist": ["BTC/USDT"],
                "indicator_periods_candles": [10],
                "label_period_candles": 6,
            },
            "model_training_parameters": {"iterations": 10},
        },
    }
    file = folder / "config.json"
    file.write_text(json.dumps(document))
    return load_settings([file], env={})


def run(exchange, folder, ticks=TICKS):
    settings = settings_for(exchange, folder)
    stop = threading.Event()
    assert app.run(settings, stop, app.Options(ticks=ticks, clock=exchange.clock)) == 0
    return settings


def wrong_candles(exchange, settings):
    """Stored candles that are not the exchange's to the last digit, and those that are missing between them."""
    wrong = []
    for pair in PAIRS:
        for timeframe in TIMEFRAMES:
            key = CandleKey(pair, timeframe)
            stored = read_candles(candle_path(settings.data_folder, key), timeframe)
            truth = exchange.truth(pair, timeframe).between(int(stored.open_ms[0]), int(stored.open_ms[-1]))
            if not (
                np.array_equal(stored.open_ms, truth.open_ms) and np.array_equal(stored.values, truth.values)
            ):
                wrong.append((str(key), len(stored), len(truth)))
    return wrong


def recorded_opens(settings):
    history = PredictionHistory.read(StateFolder(settings.identifier_folder))
    return {pair: history.frame(pair)["date_pred"].astype("int64").tolist() for pair in history.pairs}


def test_every_stored_candle_is_the_exchanges_to_the_last_digit(tmp_path):
    with LocalExchange(speed=SPEED, days=30) as exchange:
        settings = run(exchange, tmp_path)
        assert wrong_candles(exchange, settings) == []
        assert exchange.too_early() == []
        opens = recorded_opens(settings)
    assert set(opens) == set(PAIRS)
    for times in opens.values():
        assert len(times) == TICKS
        assert set(np.diff(times).tolist()) == {300_000}


def test_a_pair_joins_the_running_daemon_if_the_exchange_trades_it(tmp_path, caplog):
    *first, joins = PAIRS
    wanted, stop, reload = [*first, "NONE/USDT"], threading.Event(), threading.Event()

    def show(figures):
        if figures["ticks"] and not (reload.is_set() or "reload_refused" in caplog.messages):
            reload.set()
        elif "reload_refused" in caplog.messages and wanted[-1] != joins:
            wanted[-1] = joins
            reload.set()
        if "candle_ms" in figures["pairs"].get(joins, {}):
            stop.set()

    with LocalExchange(speed=SPEED, days=30) as exchange:
        settings = settings_for(exchange, tmp_path, first)
        options = app.Options(
            ticks=100,  # it ends, whatever happens
            clock=exchange.clock,
            show=show,
            read=lambda: settings_for(exchange, tmp_path, wanted),
            reload=reload,
        )
        assert app.run(settings, stop, options) == 0
        assert wrong_candles(exchange, settings) == []
        assert exchange.too_early() == []
    (refused,) = [each.fields["error"] for each in caplog.records if each.message == "reload_refused"]
    assert refused == "exchange.pair_whitelist: binance does not trade NONE/USDT: take them out"
    opens = recorded_opens(settings)
    assert set(opens) == set(PAIRS)
    assert all(set(np.diff(times).tolist()) <= {300_000} for times in opens.values())


@pytest.mark.slow
def test_a_storm_costs_no_candle_and_stores_none_that_is_wrong(tmp_path):
    with LocalExchange(speed=SPEED, days=30, storm=0.25, seed=5) as exchange:
        settings = run(exchange, tmp_path, ticks=20)
        assert len({seen.fault for seen in exchange.requests}) > 8  # it did storm
        assert exchange.too_early() == []
        exchange.storm = 0.0
        for _ in range(5):  # fair weather: what is missing is fetched, one gap of a series with each candle
            run(exchange, tmp_path, ticks=6)
            if not (wrong := wrong_candles(exchange, settings)):
                break
        assert wrong == []
        opens = recorded_opens(settings)
    for times in opens.values():
        assert len(times) == len(set(times))
        assert times == sorted(times)
