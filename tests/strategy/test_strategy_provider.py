"""What strategies find under self.dp, self.wallets and self.freqai."""

import logging
from datetime import UTC, datetime

import pytest
from strategy_fakes import Candles, Predictions, made_candles

from daemon.core.clock import FakeClock
from daemon.core.errors import StrategyError
from daemon.strategy.compat.enums import RunMode
from daemon.strategy.provider import DataProvider, FreqaiDoor, Wallets, feature_hook

CONFIG = {"timeframe": "5m", "stake_currency": "USDT", "dry_run": True, "runmode": "dry_run"}


@pytest.fixture
def source():
    return Candles({("ETH/USDT", "5m"): made_candles(5), ("ETH/USDT", "1h"): made_candles(3, 60)})


def test_candles_come_by_pair_and_timeframe_the_base_one_by_default(source):
    dp = DataProvider(CONFIG, source)
    assert len(dp.get_pair_dataframe("ETH/USDT")) == 5
    assert len(dp.get_pair_dataframe(pair="ETH/USDT", timeframe="1h", candle_type="spot")) == 3
    assert len(dp.historic_ohlcv("ETH/USDT", "1h")) == 3
    assert len(dp.ohlcv("ETH/USDT", copy=False)) == 5
    assert dp.get_pair_dataframe("XRP/USDT", "1h").empty


def test_what_a_strategy_writes_into_its_candles_reaches_nobody_else(source):
    dp = DataProvider(CONFIG, source)
    frame = dp.get_pair_dataframe("ETH/USDT")
    frame["rsi"] = 1
    frame.loc[0, "close"] = -1.0
    analyzed, _ = dp.get_analyzed_dataframe("ETH/USDT", "5m")
    analyzed.loc[1, "close"] = -1.0
    assert source.frames["ETH/USDT", "5m"].equals(made_candles(5))


def test_a_pair_that_was_not_analyzed_has_an_empty_frame_of_1970(source):
    frame, moment = DataProvider(CONFIG, source).get_analyzed_dataframe("XRP/USDT", "5m")
    assert frame.empty
    assert moment == datetime(1970, 1, 1, tzinfo=UTC)


def test_the_whitelist_is_a_copy(source):
    dp = DataProvider(CONFIG, source)
    dp.current_whitelist().clear()
    assert dp.current_whitelist() == ["ETH/USDT"]
    assert dp.available_pairs == [("ETH/USDT", "5m")]


@pytest.mark.parametrize(("mode", "expected"), [("live", RunMode.LIVE), (RunMode.BACKTEST, RunMode.BACKTEST)])
def test_the_run_mode_is_an_enumeration(mode, expected):
    assert DataProvider({**CONFIG, "runmode": mode}).runmode is expected


@pytest.mark.parametrize(
    ("method", "more"), [("orderbook", (1,)), ("ticker", ()), ("funding_rate", ()), ("market", ())]
)
def test_what_is_not_served_is_said_by_name(source, method, more):
    with pytest.raises(StrategyError, match=rf"self\.dp\.{method} is not served"):
        getattr(DataProvider(CONFIG, source), method)("ETH/USDT", *more)


def test_the_present_market_is_closed_to_feature_hooks(source, monkeypatch):
    monkeypatch.setattr(feature_hook, "name", "feature_engineering_standard")
    with pytest.raises(StrategyError, match=r"self\.dp\.ticker is not open to feature_engineering_standard"):
        DataProvider(CONFIG, source).ticker("ETH/USDT")


def test_other_candles_than_those_traded_on_are_refused(source):
    with pytest.raises(StrategyError, match="'mark' candles are not served"):
        DataProvider(CONFIG, source).get_pair_dataframe("ETH/USDT", "1h", "mark")


def test_before_it_is_connected_the_provider_says_so(sound):
    with pytest.raises(
        StrategyError, match=r"strategy\.py:14: self\.dp\.get_pair_dataframe: there are no candles"
    ):
        sound(
            'def __init__(self, config):\n    super().__init__(config)\n    self.dp.get_pair_dataframe("A/B")\n'
        )


def test_a_message_is_logged_once_per_candle(source, caplog):
    caplog.set_level(logging.INFO)
    clock = FakeClock(1_700_000_100_000)
    dp = DataProvider(CONFIG, source, clock)
    dp.send_msg("hello")
    clock.advance(60_000)
    dp.send_msg("hello")
    dp.send_msg("other")
    assert [record.fields["message"] for record in caplog.records] == ["hello", "other"]
    dp.send_msg("hello", always_send=True)
    clock.advance(300_000)
    dp.send_msg("hello")
    assert len(caplog.records) == 4


@pytest.mark.parametrize(
    ("settings", "total", "stake"),
    [
        ({}, 1000.0, 990.0),
        ({"dry_run_wallet": 500, "tradable_balance_ratio": 0.5}, 500.0, 250.0),
        ({"dry_run_wallet": {"USDT": 200, "BTC": 1}}, 200.0, 198.0),
        ({"available_capital": 50}, 1000.0, 50.0),
    ],
)
def test_a_dry_run_account_holds_what_is_configured(settings, total, stake):
    wallets = Wallets({**CONFIG, **settings})
    assert wallets.get_total("USDT") == wallets.get_free("USDT") == total
    assert wallets.get_used("USDT") == 0
    assert wallets.get_total_stake_amount() == pytest.approx(stake)
    assert wallets.get_available_stake_amount() == pytest.approx(stake)
    assert wallets.get_total("XRP") == 0


def test_a_live_account_is_not_made_up():
    with pytest.raises(StrategyError, match="the account is not known"):
        Wallets({**CONFIG, "dry_run": False}).get_total_stake_amount()


def test_freqai_start_hands_pair_and_frame_to_the_predictions():
    frame = FreqaiDoor(Predictions(do_predict=1)).start(made_candles(3), {"pair": "ETH/USDT"}, None)
    assert frame["do_predict"].tolist() == [1, 1, 1]


def test_freqai_start_without_predictions_says_so():
    with pytest.raises(StrategyError, match="there are no predictions yet"):
        FreqaiDoor().start(made_candles(3), {"pair": "ETH/USDT"}, None)


def test_parts_of_freqai_that_are_not_there_are_named():
    with pytest.raises(AttributeError, match=r"candled's self\.freqai has no 'dd'"):
        _ = FreqaiDoor().dd
    with pytest.raises(AttributeError, match="candled's data provider has no 'refresh'"):
        _ = DataProvider(CONFIG).refresh
