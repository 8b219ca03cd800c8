"""The trading room on a real exchange's client."""

import json
import threading
from types import SimpleNamespace

import pytest
from live_desk import BTC
from trading_exchange import KEYS

from daemon.app_reload import _Told
from daemon.config import load_settings
from daemon.config.reloading import reloaded
from daemon.core.clock import SystemClock
from daemon.core.errors import ConfigError
from daemon.market.ccxt_market import CcxtMarket
from daemon.runtime.account_ledger import opened_ledger
from daemon.runtime.trading_room import desk_of
from daemon.strategy.loader import load_strategy
from daemon.trading import live
from daemon.trading.messages import Inbox


def settings_for(exchange, folder, pairs=(BTC,), **changes):
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
            "pair_whitelist": [str(pair) for pair in pairs],
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


@pytest.fixture
def room(exchange, tmp_path):
    """room(**changes): settings, strategy, market and desk of a live daemon; all is put away at the end."""
    made = []

    def built(**changes):
        settings = settings_for(exchange, tmp_path, **changes)
        market = CcxtMarket(
            exchange_id="binance",
            ccxt_config=exchange.ccxt_config,
            ccxt_async_config={"timeout_on_exit": 0, "timeout": 700},
            clock=SystemClock(),
            credentials=KEYS,
            stream=True,
        )
        strategy = load_strategy(settings.strategy, paths=[], config=settings.raw)
        desk = desk_of(
            settings,
            ledger=opened_ledger(settings, SystemClock().now_ms()),
            strategy=strategy,
            market=market,
            frame_of=None,
            clock=SystemClock(),
            inbox=Inbox(threading.Event()),
            stop=threading.Event(),
            beat=lambda: None,
        )
        made.extend([desk, market])
        return SimpleNamespace(
            settings=settings, strategy=strategy, market=market, desk=desk, notifier=None, keys=()
        )

    yield built
    for each in made:
        each.close()


def test_one_connection_listens_to_the_account_and_gives_books(room, monkeypatch):
    streams = []

    class Counted(live.LiveStream):
        def __init__(self, market):
            streams.append(self)
            super().__init__(market)

    monkeypatch.setattr(live, "LiveStream", Counted)
    assert len(room().desk._entries._ground.order_book(BTC).bids) == 20
    assert len(streams) == 1


def test_a_pair_that_joins_must_have_a_least_order_that_the_stake_covers(room, exchange, tmp_path):
    parts = room()
    told = _Told(parts, engine=None, trainer=None, desk=parts.desk, metrics=None)
    both = [BTC, "ETH/USDT"]
    told.check(reloaded(parts.settings, settings_for(exchange, tmp_path, both)))
    with pytest.raises(ConfigError, match=r"stake_amount 5 is below .*: ETH/USDT 5\.\d+$"):
        told.check(reloaded(parts.settings, settings_for(exchange, tmp_path, both, stake_amount=5)))
    assert told._terms.rules.stake_amount == 50, "nothing has changed"
