import pickle

import numpy as np
import pytest

from daemon.core.candles import CandleFrame, CandleSeries
from daemon.core.pair import Pair
from daemon.core.prediction import Abstention, Reason
from daemon.core.schema import FeatureSchema
from daemon.core.timeframe import Timeframe

MINUTE = 60_000


@pytest.mark.parametrize(
    "text", ["BTC/USDT", "1000SATS/USDT", "BTC/USDT:USDT", "BTC/USDT:USDT-261225", "A-B/C.D"]
)
def test_a_pair_is_written_as_ccxt_writes_it(text):
    assert Pair(text) == text


@pytest.mark.parametrize(
    "text", ["", "BTC", "BTCUSDT", "BTC/", "/USDT", "BTC/USDT/X", "../x", "BTC/US DT", "BTC/USDT\n"]
)
def test_what_is_no_pair_cannot_be_constructed(text):
    with pytest.raises(ValueError, match="not a pair"):
        Pair(text)


def test_a_pair_knows_its_parts():
    pair = Pair("BTC/USDT:USDC")
    assert (pair.base, pair.quote, pair.file_stem, pair.coin) == ("BTC", "USDT", "BTC_USDT_USDC", "BTC")


@pytest.mark.parametrize("text", ["", "5", "m", "0m", "5x", "1M", "-5m", "5 m", "5m\n"])
def test_what_is_no_timeframe_cannot_be_constructed(text):
    with pytest.raises(ValueError, match="not a timeframe"):
        Timeframe(text)


def test_candle_boundaries_count_from_the_epoch():
    five = Timeframe("5m")
    assert five.floor(17 * MINUTE) == 15 * MINUTE
    assert five.ceil(17 * MINUTE) == 20 * MINUTE
    assert five.ceil(15 * MINUTE) == five.floor(15 * MINUTE) == 15 * MINUTE
    assert five.newest_closed(15 * MINUTE) == 10 * MINUTE
    assert five.newest_closed(15 * MINUTE - 1) == 5 * MINUTE


def test_weeks_begin_on_monday():
    monday = int(np.datetime64("2026-11-16", "ms").astype(np.int64))
    assert Timeframe("1w").floor(monday + 3 * 86_400_000) == monday
    assert Timeframe("1w").is_boundary(monday)


def test_boundaries_of_many_times_at_once():
    times = np.array([0, 299_999, 300_000], np.int64)
    assert Timeframe("5m").floor(times).tolist() == [0, 0, 300_000]


def test_a_timeframe_survives_a_process_boundary():
    assert pickle.loads(pickle.dumps(Timeframe("15m"))).ms == 15 * MINUTE


def row(open_ms, o=1.0, h=2.0, low=0.5, c=1.5, v=3.0):
    return [open_ms, o, h, low, c, v]


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (row(1, c=float("nan")), "not a number"),
        (row(1, h=float("inf")), "not a number"),
        (row(1, low=0.0, o=1.0), "not above zero"),
        (row(1, h=0.4), "high below low"),
        (row(1, o=2.5), "open outside"),
        (row(1, c=0.4), "close outside"),
        (row(1, v=-1.0), "volume below zero"),
    ],
)
def test_a_frame_refuses_what_no_market_produces(bad, why):
    with pytest.raises(ValueError, match=why):
        CandleFrame.from_rows([row(0), bad])


@pytest.mark.parametrize("times", [(0, 0), (5, 3)])
def test_a_frame_is_ordered_and_without_duplicates(times):
    with pytest.raises(ValueError, match="time does not increase"):
        CandleFrame.from_rows([row(t) for t in times])


def test_a_frame_cannot_be_written_to():
    frame = CandleFrame.from_rows([row(0)])
    with pytest.raises(ValueError, match="read-only"):
        frame.values[0, 0] = 9


def test_the_pandas_frame_has_freqtrades_columns():
    made = CandleFrame.from_rows([row(0), row(300_000)]).to_pandas()
    assert list(made.columns) == ["date", "open", "high", "low", "close", "volume"]
    assert str(made["date"].dtype) == "datetime64[ms, UTC]"
    assert made["date"].iloc[1].timestamp() == 300


def test_what_a_strategy_writes_into_its_frame_stays_there():
    frame = CandleFrame.from_rows([row(0), row(300_000)])
    prices = frame.values.copy()
    made = frame.to_pandas()
    made.loc[0, "close"] = 99.0
    made.loc[0, "date"] = made.loc[1, "date"]
    assert frame.open_ms.tolist() == [0, 300_000]
    assert (frame.values == prices).all()


def test_a_view_of_a_series_does_not_change_when_it_grows():
    series = CandleSeries()
    series.append(CandleFrame.from_rows([row(0)]))
    before = series.frame
    for i in range(1, 5000):
        series.append(CandleFrame.from_rows([row(i)]))
    assert len(before) == 1
    assert len(series.frame) == 5000
    assert series.last_ms == 4999


def test_a_series_takes_only_newer_candles():
    series = CandleSeries()
    series.append(CandleFrame.from_rows([row(5)]))
    with pytest.raises(ValueError, match="not newer"):
        series.append(CandleFrame.from_rows([row(5)]))
    assert len(series) == 1


def test_schemas_differ_by_name_and_by_order():
    schema = FeatureSchema(("a", "b"))
    assert schema == FeatureSchema(("a", "b"))
    assert schema != FeatureSchema(("b", "a"))
    assert schema.digest != FeatureSchema(("b", "a")).digest
    assert schema.difference(FeatureSchema(("b", "a"))) == "same names in another order"
    assert "missing ['a']" in schema.difference(FeatureSchema(("b", "c")))


def test_a_name_cannot_stand_for_two_columns():
    with pytest.raises(ValueError, match="twice"):
        FeatureSchema(("a", "a"))


@pytest.mark.parametrize(
    ("reason", "objections", "code"),
    [
        (Reason.OUTLIER, 1, 0),
        (Reason.OUTLIER, 2, -1),
        (Reason.OUTLIER, 3, -2),
        (Reason.OUTLIER, 0, 0),
        (Reason.EXPIRED, 0, 2),
        (Reason.NAN_FEATURE, 0, 0),
    ],
)
def test_do_predict_of_an_abstention_is_freqais(reason, objections, code):
    made = Abstention(pair=Pair("BTC/USDT"), candle_ms=0, reason=reason, objections=objections)
    assert made.do_predict == code
