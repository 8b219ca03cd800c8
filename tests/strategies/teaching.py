"""Strategies for tests, written as users write them."""

import numpy as np
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class Plain(IStrategy):
    """A few features of every kind, one regression target."""

    timeframe = "5m"
    can_short = False
    stoploss = -0.1
    minimal_roi = {"0": 1}

    def feature_engineering_expand_all(self, dataframe, period, metadata, **kwargs):
        dataframe["%-rsi-period"] = ta.RSI(dataframe, timeperiod=period)
        dataframe["%-ema-period"] = ta.EMA(dataframe, timeperiod=period) / dataframe["close"]
        volume = dataframe["volume"].rolling(period).mean()
        dataframe["%-relative_volume-period"] = dataframe["volume"] / volume
        return dataframe

    def feature_engineering_expand_basic(self, dataframe, metadata, **kwargs):
        dataframe["%-pct-change"] = dataframe["close"].pct_change()
        dataframe["not_a_feature"] = 1.0
        return dataframe

    def feature_engineering_standard(self, dataframe, metadata, **kwargs):
        dataframe["%-hour_of_day"] = dataframe["date"].dt.hour
        return dataframe

    def set_freqai_targets(self, dataframe, metadata, **kwargs):
        horizon = self.freqai_info["feature_parameters"]["label_period_candles"]
        ahead = dataframe["close"].shift(-horizon).rolling(horizon).mean()
        dataframe["&-s_close"] = ahead / dataframe["close"] - 1
        return dataframe

    def populate_indicators(self, dataframe, metadata):
        return self.freqai.start(dataframe, metadata, self)

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[(dataframe["do_predict"] == 1) & (dataframe["&-s_close"] > 0), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[(dataframe["do_predict"] == 1) & (dataframe["&-s_close"] < 0), "exit_long"] = 1
        return dataframe


class Classes(Plain):
    """The same features, a target of two classes."""

    def set_freqai_targets(self, dataframe, metadata, **kwargs):
        self.freqai.class_names = ["down", "up"]
        later = dataframe["close"].shift(-12)
        dataframe["&s-up_or_down"] = np.where(later > dataframe["close"], "up", "down")
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[(dataframe["do_predict"] == 1) & (dataframe["&s-up_or_down"] == "up"), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe


class Unsettled(Plain):
    """A feature that depends on the first candle of whatever it is given."""

    def feature_engineering_expand_basic(self, dataframe, metadata, **kwargs):
        dataframe["%-volume_so_far"] = dataframe["volume"].cumsum()
        return dataframe


class Dividing(Plain):
    """A feature that is infinite, and one that is no number."""

    def feature_engineering_expand_basic(self, dataframe, metadata, **kwargs):
        dataframe["%-infinite"] = dataframe["close"] / 0
        return dataframe


class Wordy(Plain):
    """A feature that is a text."""

    def feature_engineering_expand_basic(self, dataframe, metadata, **kwargs):
        dataframe["%-word"] = "up"
        return dataframe


class Fickle(Plain):
    """Other columns for other candles."""

    def feature_engineering_expand_basic(self, dataframe, metadata, **kwargs):
        dataframe[f"%-month_{dataframe['date'].iloc[-1].day}"] = 1.0
        return dataframe


class RaisesForEth(Plain):
    """A bug that shows with one pair alone."""

    def feature_engineering_expand_basic(self, dataframe, metadata, **kwargs):
        if metadata["pair"] == "ETH/USDT":
            raise ZeroDivisionError("not with this pair")
        return super().feature_engineering_expand_basic(dataframe, metadata, **kwargs)


class TwoTargets(Plain):
    """Two numbers, one of them known sooner."""

    def set_freqai_targets(self, dataframe, metadata, **kwargs):
        dataframe["&-a"] = dataframe["close"].shift(-1)
        dataframe["&-b"] = dataframe["close"].shift(-2)
        return dataframe


class Mixed(Plain):
    """Numbers and classes side by side."""

    def set_freqai_targets(self, dataframe, metadata, **kwargs):
        dataframe = super().set_freqai_targets(dataframe, metadata, **kwargs)
        close = dataframe["close"]
        dataframe["&s-hour"] = np.where(close.shift(-12) > close, "up", "down")
        dataframe["&s-day"] = np.where(close.shift(-48) > close, "up_day", "down_day")
        return dataframe


class SameClasses(Mixed):
    """Two targets with classes of one name."""

    def set_freqai_targets(self, dataframe, metadata, **kwargs):
        dataframe = super().set_freqai_targets(dataframe, metadata, **kwargs)
        dataframe["&s-day"] = dataframe["&s-day"].str.removesuffix("_day")
        return dataframe


class ClassesLikeCandles(Classes):
    """A class that is called as a column of the candles is."""

    def set_freqai_targets(self, dataframe, metadata, **kwargs):
        later = dataframe["close"].shift(-12)
        dataframe["&s-up_or_down"] = np.where(later > dataframe["close"], "high", "lower")
        return dataframe


class NumbersAsObjects(Plain):
    """Numbers in a column that began with None."""

    def set_freqai_targets(self, dataframe, metadata, **kwargs):
        dataframe["&-s_close"] = None
        later = dataframe["close"].shift(-12) / dataframe["close"] - 1
        dataframe.loc[later.notna(), "&-s_close"] = later
        dataframe["&-s_close"] = dataframe["&-s_close"].astype(object)
        return dataframe


class Compared(Plain):
    """A target of ones and zeros, zero where the future is not there yet."""

    def set_freqai_targets(self, dataframe, metadata, **kwargs):
        dataframe["&-up"] = (dataframe["close"].shift(-12) > dataframe["close"]).astype(int)
        return dataframe


class NoTarget(Plain):
    """Forgot the ampersand."""

    def set_freqai_targets(self, dataframe, metadata, **kwargs):
        dataframe["s_close"] = dataframe["close"].shift(-1)
        return dataframe
