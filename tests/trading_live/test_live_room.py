"""The trading room on a real exchange's client."""

import json
import threading

from live_desk import BTC
from trading_exchange import KEYS

from daemon.config import load_settings
from daemon.core.clock import SystemClock
from daemon.market.ccxt_market import CcxtMarket
from daemon.runtime.account_ledger import opened_ledger
from daemon.runtime.trading_room import desk_of
from daemon.strategy.loader import load_strategy
from daemon.trading import live
from daemon.trading.messages import Inbox


def settings_for(exchange, folder, **changes):
    document = {
        "timeframe": "5m",
        "stake_currency": "USDT",
        "stake_amount": 50,
        "dry_run": False,
        "strategy": "CandledExampleStrategy",
        "user_data_dir": str(folder),
        "exchange": {
            "name": "binance",
            **KEYS,
            "ccxt_config": exchange.ccxt_config,
            "pair_whitelist": [str(BTC)],
        },
        "freqai": {
            "identifier": "room",
            "train_period_days": 2,
            "live_retrain_hours": 1,
            "feature_parameters": {
                "include_timeframes": ["5m"],
                "include_corr_pairlist": [],
                "indicator_periods_candles": [10],
                "label_period_candles": 6,
            },
        },
        **changes,
    }
    file = folder / "config.json"
    file.write_text(json.dumps(document), "utf-8")
    return load_settings([file], env={})


def test_one_connection_listens_to_the_account_and_gives_books(exchange, tmp_path, monkeypatch):
    settings, streams = settings_for(exchange, tmp_path), []

    class Counted(live.LiveStream):
        def __init__(self, market):
            streams.append(self)
            super().__init__(market)

    monkeypatch.setattr(live, "LiveStream", Counted)
    market = CcxtMarket(
        exchange_id="binance",
        ccxt_config=exchange.ccxt_config,
        ccxt_async_config={"timeout_on_exit": 0, "timeout": 700},
        clock=SystemClock(),
        credentials=KEYS,
        stream=True,
    )
    ledger = opened_ledger(settings, SystemClock().now_ms())
    strategy = load_strategy(settings.strategy, paths=[], config=settings.raw)
    desk = desk_of(
        settings,
        ledger=ledger,
        strategy=strategy,
        market=market,
        frame_of=None,
        clock=SystemClock(),
        inbox=Inbox(threading.Event()),
        stop=threading.Event(),
        beat=lambda: None,
    )
    assert len(desk._entries._ground.order_book(BTC).bids) == 20
    assert len(streams) == 1
    desk.close()
    market.close()
