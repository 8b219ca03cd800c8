"""The strategy of benchmarks/skill.py: few features, and what the simulated exchange's structure shows in is among them."""
# ruff: noqa: ARG002 - hooks are called with all of their arguments, needed or not

import numpy as np
from freqtrade.strategy import IStrategy
from pandas import DataFrame

DAY, DAYS = 288, 5


class BusyMarket(IStrategy):
    """Is more traded than the hour of the day and the candle's range explain, averaged with several half-lives?

    The hour's usual level is that of the days before; the exponent of the range is the documented one.
    """

    stoploss = -0.05
    startup_candle_count = DAY * (DAYS + 1)

    def feature_engineering_expand_all(
        self, dataframe: DataFrame, period: int, metadata: dict, **kwargs
    ) -> DataFrame:
        dataframe["%-surplus-period"] = surplus(dataframe).ewm(halflife=period, min_periods=period).mean()
        return dataframe

    def feature_engineering_expand_basic(self, dataframe: DataFrame, metadata: dict, **kwargs) -> DataFrame:
        dataframe["%-surplus"] = surplus(dataframe)
        dataframe["%-candle_range"] = log_range(dataframe)
        return dataframe

    def set_freqai_targets(self, dataframe: DataFrame, metadata: dict, **kwargs) -> DataFrame:
        candles = self.freqai_info["feature_parameters"]["label_period_candles"]
        close = dataframe["close"]
        dataframe["&-s_close"] = close.shift(-candles).rolling(candles).mean() / close - 1
        return dataframe

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        return self.freqai.start(dataframe, metadata, self)

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        return dataframe


def log_range(dataframe):
    return np.log((dataframe["high"] - dataframe["low"]) / dataframe["close"] + 1e-5)


def surplus(dataframe):
    """Log volume above what range and hour explain; the hour's level is the mean of four hours around it on the days before."""
    volume = np.log(dataframe["volume"].where(dataframe["volume"] > 0)) - 0.3 * log_range(dataframe)
    around = volume.rolling(49).mean()
    usual = sum(around.shift(DAY * day - 24) for day in range(1, DAYS + 1)) / DAYS
    return volume - usual
