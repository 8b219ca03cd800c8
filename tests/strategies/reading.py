"""Strategies whose standard and targets hooks read columns that other hooks made, as FreqAI lets them."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class Quiet(IStrategy):
    """Reads nothing but candles."""

    timeframe = "5m"
    stoploss = -0.1

    def feature_engineering_expand_all(self, dataframe, period, metadata, **kwargs):
        dataframe["%-ema-period"] = ta.EMA(dataframe, timeperiod=period)
        dataframe["%-rsi-period"] = ta.RSI(dataframe, timeperiod=period)
        return dataframe

    def feature_engineering_expand_basic(self, dataframe, metadata, **kwargs):
        dataframe["%-raw_price"] = dataframe["close"]
        return dataframe

    def feature_engineering_standard(self, dataframe, metadata, **kwargs):
        dataframe["%-hour_of_day"] = dataframe["date"].dt.hour
        return dataframe

    def set_freqai_targets(self, dataframe, metadata, **kwargs):
        dataframe["&-s_close"] = dataframe["close"].shift(-12) / dataframe["close"] - 1
        return dataframe

    def populate_indicators(self, dataframe, metadata):
        return self.freqai.start(dataframe, metadata, self)

    def populate_entry_trend(self, dataframe, metadata):
        return dataframe


class ReadsExpanded(Quiet):
    """A feature of two timeframes, and one with a memory of a shifted column."""

    def feature_engineering_standard(self, dataframe, metadata, **kwargs):
        pair = metadata["pair"]
        now, later = (dataframe[f"%-ema-period_10_{pair}_{timeframe}"] for timeframe in ("5m", "15m"))
        dataframe["%-distance"] = now / later - 1
        before = dataframe[f"%-rsi-period_10_shift-1_{pair}_5m"]
        dataframe["%-smooth"] = before.ewm(span=9, adjust=False).mean()
        return dataframe


class ReadsWherePresent(Quiet):
    """Asks before it reads: without the columns it makes other values, and no error."""

    def feature_engineering_standard(self, dataframe, metadata, **kwargs):
        names = [name for name in dataframe.columns if name.startswith("%-rsi")]
        dataframe["%-mean_rsi"] = dataframe[names].mean(axis=1) if names else 0.0
        return dataframe


class ReadsForTargets(ReadsExpanded):
    """A target made of a standard feature, and of a correlated pair's feature."""

    def set_freqai_targets(self, dataframe, metadata, **kwargs):
        other = dataframe["%-raw_price_gen_BTC/USDT_5m"]
        ahead = dataframe["close"].shift(-12) / dataframe["close"]
        dataframe["&-beyond"] = ahead - other.shift(-12) / other + 0 * dataframe["%-distance"]
        return dataframe


class WritesOver(Quiet):
    """Changes a column that another hook has made."""

    def feature_engineering_standard(self, dataframe, metadata, **kwargs):
        name = f"%-rsi-period_10_{metadata['pair']}_5m"
        dataframe[name] = dataframe[name] / 100
        return dataframe


class Drops(Quiet):
    """Takes a column away that another hook has made."""

    def feature_engineering_standard(self, dataframe, metadata, **kwargs):
        return dataframe.drop(columns=f"%-rsi-period_10_{metadata['pair']}_5m")


class BrokenStandard(Quiet):
    """Raises with and without columns."""

    def feature_engineering_standard(self, dataframe, metadata, **kwargs):
        dataframe["%-wrong"] = dataframe["no_such_column"]
        return dataframe


class HandsOn(Quiet):
    """Features that populate_* see, features named otherwise than usual, and plain columns."""

    def feature_engineering_expand_all(self, dataframe, period, metadata, **kwargs):
        dataframe["%%-rsi-period"] = ta.RSI(dataframe, timeperiod=period)
        dataframe["bb_%b-period"] = dataframe["close"].rolling(period).std()
        dataframe["helper-period"] = 1.0
        return dataframe

    def feature_engineering_standard(self, dataframe, metadata, **kwargs):
        dataframe["%%-hour"] = dataframe["date"].dt.hour
        dataframe["share_%"] = dataframe["volume"]
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        quiet = dataframe[f"%%-rsi-period_10_{metadata['pair']}_15m"] < 100
        dataframe.loc[quiet & (dataframe["%%-hour"] < 24), "enter_long"] = 1
        return dataframe
