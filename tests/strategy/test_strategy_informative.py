"""Columns of other timeframes: never earlier than their candle's close."""

import numpy as np
import pandas as pd
import pytest
from strategy_fakes import Candles, made_candles

from daemon.core.errors import StrategyError
from daemon.strategy.informative import merge_informative_pair


def base(rows=24, start="2024-01-01 00:00"):
    dates = pd.date_range(start, periods=rows, freq="15min", tz="UTC").as_unit("ms")
    return pd.DataFrame({"date": dates, "close": np.arange(float(rows))})


def hours(rows=6, start="2024-01-01 00:00"):
    dates = pd.date_range(start, periods=rows, freq="1h", tz="UTC").as_unit("ms")
    return pd.DataFrame({"date": dates, "close": 100.0 + np.arange(rows), "word": list("abcdef")[:rows]})


def seen(frame, column="close_1h"):
    return [None if pd.isna(value) else value for value in frame[column]]


def test_a_candle_is_seen_from_the_base_candle_on_that_closes_with_it():
    merged = merge_informative_pair(base(), hours(), "15m", "1h")
    assert list(merged.columns) == ["date", "close", "date_1h", "close_1h", "word_1h"]
    assert seen(merged) == [None] * 3 + [100.0] * 4 + [101.0] * 4 + [102.0] * 4 + [103.0] * 4 + [
        104.0
    ] * 4 + [105.0]
    assert merged["word_1h"].iloc[3] == "a"


def test_no_base_row_knows_a_candle_that_is_not_closed_at_its_own_close():
    merged = merge_informative_pair(base(200), hours(6), "15m", "1h")
    known = merged.dropna()
    assert (known["date_1h"] + pd.Timedelta("1h") <= known["date"] + pd.Timedelta("15min")).all()


def test_without_filling_only_the_closing_base_candle_has_the_values():
    merged = merge_informative_pair(base(8), hours(), "15m", "1h", ffill=False)
    assert seen(merged) == [None, None, None, 100.0, None, None, None, 101.0]


def test_a_base_that_begins_later_starts_with_the_candle_closed_before():
    merged = merge_informative_pair(base(4, "2024-01-01 02:00"), hours(), "15m", "1h")
    assert seen(merged) == [101.0, 101.0, 101.0, 102.0]


def test_a_missing_candle_leaves_the_one_before_in_sight():
    merged = merge_informative_pair(base(12), hours().drop(index=1), "15m", "1h")
    assert seen(merged) == [None] * 3 + [100.0] * 8 + [102.0]


def test_missing_values_of_a_candle_stay_missing():
    other = hours()
    other.loc[1, "close"] = np.nan
    assert seen(merge_informative_pair(base(8), other, "15m", "1h"))[3:] == [100.0] * 4 + [None]


def test_the_same_timeframe_is_merged_row_by_row():
    other = base().assign(close=7.0)
    assert set(seen(merge_informative_pair(base(), other, "15m", "15m"), "close_15m")) == {7.0}


def test_columns_take_a_suffix_in_place_of_the_timeframe():
    merged = merge_informative_pair(base(), hours(), "15m", "1h", append_timeframe=False, suffix="btc")
    assert list(merged.columns) == ["date", "close", "date_btc", "close_btc", "word_btc"]


def test_months_become_visible_on_the_first():
    months = pd.DataFrame({"date": pd.to_datetime(["2024-01-01", "2024-02-01"], utc=True), "x": [1.0, 2.0]})
    merged = merge_informative_pair(base(5, "2024-02-29 23:30"), months, "15m", "1M")
    assert seen(merged, "x_1M") == [1.0, 2.0, 2.0, 2.0, 2.0]


def test_another_precision_of_dates_does_not_matter():
    other = hours().assign(date=lambda frame: frame["date"].dt.as_unit("ns"))
    ours = merge_informative_pair(base(), hours(), "15m", "1h")
    assert seen(merge_informative_pair(base(), other, "15m", "1h")) == seen(ours)


def test_nothing_to_merge_gives_empty_columns():
    assert seen(merge_informative_pair(base(2), hours(0), "15m", "1h")) == [None, None]


def test_a_shorter_timeframe_or_two_ways_of_naming_are_refused():
    with pytest.raises(ValueError, match="a faster timeframe would make new rows"):
        merge_informative_pair(hours(), base(), "1h", "15m")
    with pytest.raises(ValueError, match="`append_timeframe` as True and a `suffix`"):
        merge_informative_pair(base(), hours(), "15m", "1h", suffix="x")


HOURLY = """
    calls = 0
    @informative("1h")
    @informative("1h", "BTC/{stake}")
    def hourly(self, dataframe, metadata):
        type(self).calls += 1
        dataframe["word"] = f"{metadata['pair']} {metadata['timeframe']}"
        return dataframe[["date", "close", "word"]]
    """


def hourly_candles():
    return Candles(
        {
            ("ETH/USDT", "1h"): made_candles(10, 60),
            ("BTC/USDT", "1h"): made_candles(10, 60, seed=2, price=1000),
        }
    )


def test_decorated_methods_are_merged_before_the_indicators(sound, bound):
    body = f"""{HOURLY}
    def populate_indicators(self, dataframe, metadata):
        return dataframe.assign(ratio=dataframe["btc_usdt_close_1h"] / dataframe["close_1h"])
    """
    source = hourly_candles()
    frame = bound(sound(body), source).populate(made_candles(100), {"pair": "ETH/USDT"})
    expected = source.frames["BTC/USDT", "1h"]["close"] / source.frames["ETH/USDT", "1h"]["close"]
    assert frame["ratio"].iloc[:11].isna().all()
    assert frame["ratio"].iloc[11] == expected.iloc[0]
    assert frame["ratio"].iloc[99] == expected.iloc[7]
    assert frame[["word_1h", "btc_usdt_word_1h"]].iloc[50].tolist() == ["ETH/USDT 1h", "BTC/USDT 1h"]


def test_a_decorated_method_runs_once_per_candle_of_its_own(sound, bound):
    strategy, source = sound(HOURLY), hourly_candles()
    hooks = bound(strategy, source)
    first = hooks.populate(made_candles(100), {"pair": "ETH/USDT"})
    assert hooks.populate(made_candles(100), {"pair": "ETH/USDT"}).equals(first)
    assert type(strategy.instance).calls == 2
    source.frames["BTC/USDT", "1h"] = made_candles(11, 60, seed=2, price=1000)
    hooks.populate(made_candles(100), {"pair": "ETH/USDT"})
    assert type(strategy.instance).calls == 3


def test_a_decorated_method_may_ask_to_run_every_time(sound, bound):
    strategy = sound(HOURLY.replace('"BTC/{stake}")', '"BTC/{stake}", cache=False)'))
    hooks = bound(strategy, hourly_candles())
    for _ in range(3):
        hooks.populate(made_candles(100), {"pair": "ETH/USDT"})
    assert type(strategy.instance).calls == 4


def test_column_names_follow_a_pattern_or_a_function(sound, bound):
    body = """
        @informative("1h", "BTC/{stake}", "{column}_{BASE}_{quote}_{asset}_{timeframe}")
        def one(self, dataframe, metadata):
            return dataframe
        @informative("1h", fmt=lambda column, **words: f"{column}!")
        def two(self, dataframe, metadata):
            return dataframe
        """
    columns = bound(sound(body), hourly_candles()).populate(made_candles(30), {"pair": "ETH/USDT"}).columns
    assert {"close_BTC_usdt_BTC/USDT_1h", "close!"} <= set(columns)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('@informative("4h")', "@informative ETH/USDT.*"),
        ('@informative("1h")\n@informative("1h")', r"the column 'date_1h' is made twice"),
        ('@informative("1h", "XRP/USDT")', r"there are no candles of XRP/USDT 1h"),
    ],
)
def test_what_cannot_be_merged_is_told(sound, bound, body, said):
    strategy = sound(f"{body}\ndef other(self, dataframe, metadata):\n    return dataframe\n")
    with pytest.raises(StrategyError, match=said):
        bound(strategy, hourly_candles()).populate(made_candles(30), {"pair": "ETH/USDT"})


def test_an_error_in_a_decorated_method_has_its_place(sound, bound):
    body = '@informative("1h")\ndef other(self, dataframe, metadata):\n    return dataframe["absent"]\n'
    with pytest.raises(StrategyError, match=r"strategy\.py:14: KeyError: 'absent' \[@informative ETH/USDT\]"):
        bound(sound(body), hourly_candles()).populate(made_candles(30), {"pair": "ETH/USDT"})


def test_a_timeframe_shorter_than_the_strategys_is_refused(sound, bound):
    body = '@informative("1m")\ndef other(self, dataframe, metadata):\n    return dataframe\n'
    with pytest.raises(StrategyError, match=r"@informative\('1m'\): shorter than the timeframe 5m"):
        bound(sound(body))


def test_candles_other_than_those_traded_on_are_refused(sound):
    body = '@informative("1h", candle_type="funding_rate")\ndef x(self, dataframe, metadata):\n    return dataframe\n'
    with pytest.raises(StrategyError, match="'funding_rate' candles are not served"):
        sound(body)
