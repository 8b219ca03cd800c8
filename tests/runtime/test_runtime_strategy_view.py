from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from desk import BASE, NOW_MS, PAIRS

from daemon.core.errors import StrategyError
from daemon.core.market import CandleKey
from daemon.core.timeframe import Timeframe
from daemon.features.compute import BlockComputer
from daemon.features.labels import label_columns
from daemon.features.store import FeatureStore
from daemon.runtime.strategy_view import CANDLES, StrategyView
from daemon.state.folder import StateFolder
from daemon.state.history import HistoryRow, PredictionHistory

BTC, ETH, SOL = PAIRS
QUARTER = Timeframe("15m")


class Desk:
    def __init__(self, path, candles, hooks):
        self.history = PredictionHistory.open(StateFolder(path))
        self.candles, self.hooks = candles, hooks
        self.fetched = {CandleKey(pair, timeframe) for pair in PAIRS for timeframe in (BASE, QUARTER)}
        self.view = StrategyView(frame_of=self.frame_of, history=self.history, pairs=PAIRS, base=BASE)

    def frame_of(self, key):
        if key not in self.fetched:
            raise KeyError(key)
        return self.candles(key)

    def expects(self, strategy="Plain"):
        frame = self.candles(CandleKey(SOL, BASE), NOW_MS, 3)
        self.view.expect(label_columns(self.hooks(strategy), SOL, frame))

    def records(self, candles_ago, **values):
        row = HistoryRow(pair=SOL, candle_ms=NOW_MS - candles_ago * BASE.ms, values=values)
        assert self.history.append([row]).saved

    def attached(self, rows=6):
        return self.view.attach("SOL/USDT", self.view.frame(SOL).tail(rows).reset_index(drop=True))


@pytest.fixture
def desk(tmp_path, candles, hooks):
    return Desk(tmp_path, candles, hooks)


def test_the_columns_are_there_before_any_model_is(desk):
    desk.expects()
    found = desk.attached()
    added = ["&-s_close", "&-s_close_mean", "&-s_close_std", "do_predict", "DI_values"]
    assert found.columns.tolist() == ["date", "open", "high", "low", "close", "volume", *added]
    assert (found[added] == 0.0).all(axis=None)
    assert (found[added].dtypes == np.float64).all()


def test_names_of_columns_stay_python_strings(desk):
    desk.expects()
    # Each column that a strategy adds to an index of Arrow's costs more than many an indicator.
    assert desk.view.frame(SOL).columns.dtype == object
    assert desk.attached().columns.dtype == object


def test_a_class_target_is_an_empty_text_before_any_model_is(desk):
    desk.expects("Classes")
    found = desk.attached()
    assert (found["&s-up_or_down"] == "").all()
    assert (found[["down", "up", "down_mean", "up_std", "do_predict"]] == 0.0).all(axis=None)


def test_extra_returns_are_columns_before_the_first_model_and_keep_their_values_after(desk):
    frame = desk.candles(CandleKey(SOL, BASE), NOW_MS, 3)
    desk.view.expect(label_columns(desk.hooks("Plain"), SOL, frame), {"threshold": 0.7, "regime": "calm"})
    found = desk.attached()
    assert (found["threshold"] == 0.0).all()
    assert (found["regime"] == "").all()
    desk.records(2, **{"&-s_close": 0.5, "threshold": 0.7, "regime": "calm"})
    desk.records(1, do_predict=0.0)
    found = desk.attached(3)
    assert found["threshold"].tolist() == [0.0, 0.7, 0.0]
    assert found["regime"].tolist() == ["", "calm", ""]


def test_predictions_stand_at_their_own_candles_and_zero_elsewhere(desk):
    desk.expects()
    desk.records(5, **{"&-s_close": 0.5, "do_predict": 1.0})
    desk.records(3, **{"&-s_close": 0.3, "do_predict": 1.0})
    desk.records(1, **{"&-s_close": 0.1, "do_predict": 1.0})
    found = desk.attached(6)
    assert found["&-s_close"].tolist() == [0.0, 0.5, 0.0, 0.3, 0.0, 0.1]
    assert found["do_predict"].tolist() == [0.0, 1.0, 0.0, 1.0, 0.0, 1.0]


def test_predictions_stand_at_their_own_candles_where_the_frame_has_gaps(desk):
    desk.expects()
    for ago in range(6, 0, -1):
        desk.records(ago, **{"&-s_close": float(ago), "do_predict": 1.0})
    frame = desk.view.frame(SOL).tail(6)
    for holed in (frame.iloc[[0, 2, 3, 5]], frame.iloc[[0, 2, 3, 5]].reset_index(drop=True)):
        found = desk.view.attach("SOL/USDT", holed)
        assert found["&-s_close"].tolist() == [6.0, 4.0, 3.0, 1.0]
        assert found.index.equals(holed.index)
        assert found["close"].tolist() == holed["close"].tolist()


def test_no_prediction_is_freqais_zero_at_the_door_and_nan_on_record(desk):
    desk.expects()
    desk.records(2, **{"&-s_close": 0.2, "&-s_close_mean": 0.1, "do_predict": 1.0, "DI_values": float("nan")})
    desk.records(1, do_predict=2.0, DI_values=float("nan"))
    found = desk.attached(2)
    assert found["&-s_close"].tolist() == [0.2, 0.0]
    assert found["do_predict"].tolist() == [1.0, 2.0]
    assert found["DI_values"].tolist() == [0.0, 0.0]
    assert np.isnan(desk.history.frame(SOL)["&-s_close"].iloc[-1])


def test_a_class_without_a_prediction_is_an_empty_text_at_the_door(desk):
    desk.expects("Classes")
    desk.records(2, **{"&s-up_or_down": "up", "up": 0.7, "down": 0.3, "do_predict": 1.0})
    desk.records(1, do_predict=0.0)
    found = desk.attached(2)
    assert found["&s-up_or_down"].tolist() == ["up", ""]
    assert found["up"].tolist() == [0.7, 0.0]


def test_what_is_only_for_the_record_stays_there(desk):
    desk.expects()
    own = {
        "model": "m1",
        "abstention": "",
        "late": 0.0,
        "high_price": 3.0,
        "low_price": 1.0,
        "close_price": 2.0,
    }
    desk.records(1, **own, **{"&-s_close": 0.1, "extra_return": 7.0})
    found = desk.attached(1)
    assert not set(own) & set(found.columns)
    assert found["extra_return"].tolist() == [7.0]


def test_targets_in_the_strategys_frame_make_way_for_predictions(desk):
    desk.expects()
    desk.records(1, **{"&-s_close": 0.1, "do_predict": 1.0})
    frame = desk.view.frame(SOL).tail(2).assign(**{"&-s_close": 9.0, "&-other": 9.0, "mine": 4.0})
    found = desk.view.attach("SOL/USDT", frame)
    assert found["&-s_close"].tolist() == [0.0, 0.1]
    assert "&-other" not in found
    assert found["mine"].tolist() == [4.0, 4.0]
    assert found.columns.is_unique


def test_a_frame_of_another_resolution_gets_the_predictions_of_its_dates(desk):
    desk.expects()
    desk.records(1, **{"&-s_close": 0.1, "do_predict": 1.0})
    frame = desk.view.frame(SOL).tail(2)
    found = desk.view.attach("SOL/USDT", frame.assign(date=frame["date"].dt.as_unit("ns")))
    assert found["&-s_close"].tolist() == [0.0, 0.1]


def test_the_frame_is_new_each_time_and_as_long_as_freqtrades(desk):
    first = desk.view.frame(SOL)
    first["close"] = 0.0
    again = desk.view.frame(SOL)
    assert len(again) == CANDLES == 999
    assert (again["close"] > 0).all()
    assert again["date"].iloc[-1] == pd.Timestamp(NOW_MS - BASE.ms, unit="ms", tz="UTC")


def test_dp_serves_every_series_that_is_fetched(desk):
    found = desk.view.candles("BTC/USDT", "15m")
    assert found["date"].iloc[-1] == pd.Timestamp(NOW_MS - QUARTER.ms, unit="ms", tz="UTC")
    assert desk.view.whitelist() == ["BTC/USDT", "ETH/USDT", "SOL/USDT"]


@pytest.mark.parametrize(
    ("pair", "timeframe"), [("DOGE/USDT", "5m"), ("BTC/USDT", "1h"), ("no pair", "5m"), ("BTC/USDT", "5 min")]
)
def test_a_series_that_is_not_fetched_is_an_error_with_its_remedy(desk, pair, timeframe):
    with pytest.raises(StrategyError, match=f"candles of {pair} {timeframe}, which are not fetched: add"):
        desk.view.candles(pair, timeframe)


def test_the_analysed_frame_is_the_last_one_with_its_close(desk):
    empty, never = desk.view.analyzed("SOL/USDT", "5m")
    assert (len(empty), never) == (0, datetime(1970, 1, 1, tzinfo=UTC))
    assert "close" in empty.columns
    analysed = desk.view.frame(SOL).assign(enter_long=1)
    desk.view.keep(SOL, analysed)
    found, closed = desk.view.analyzed("SOL/USDT", "5m")
    assert found is analysed
    assert closed == datetime.fromtimestamp(NOW_MS / 1000, UTC)
    assert len(desk.view.analyzed("SOL/USDT", "15m")[0]) == 0
    assert len(desk.view.analyzed("ETH/USDT", "5m")[0]) == 0


def test_features_that_are_handed_on_stand_beside_the_predictions(desk, hooks, plan, candles):
    store = FeatureStore(plan, BlockComputer(hooks("HandsOn"), plan, 64), candles)
    for key in plan.blocks(SOL):
        store.advance(key, NOW_MS)
    desk.expects()
    desk.view.show(store.handed_on)
    found = desk.attached(6)
    assert found["%%-hour"].tolist() == [23.0] * 6
    assert found["&-s_close"].tolist() == [0.0] * 6
    assert {"%%-rsi-period_10_SOL/USDT_15m", "%%-rsi-period_10_shift-1_BTC/USDT_5m"} <= set(found.columns)
    assert "%-raw_price_gen_SOL/USDT_5m" not in found.columns
