"""A strategy that uses every hook, and what FreqAI allows in each; it runs in freqtrade, too."""

import numpy as np
import talib.abstract as ta
from freqtrade.strategy import IStrategy
from technical import qtpylib


class EveryHook(IStrategy):
    """Expanded, basic and standard features, features and a target made of features, features handed on."""

    timeframe = "5m"
    can_short = False
    stoploss = -0.1
    minimal_roi = {"0": 1}
    process_only_new_candles = True
    startup_candle_count = 60

    def feature_engineering_expand_all(self, dataframe, period, metadata, **kwargs):
        dataframe["%-rsi-period"] = ta.RSI(dataframe, timeperiod=period)
        dataframe["%-ema-period"] = ta.EMA(dataframe, timeperiod=period)
        bands = qtpylib.bollinger_bands(qtpylib.typical_price(dataframe), window=period, stds=2)
        dataframe["upper-period"], dataframe["lower-period"] = bands["upper"], bands["lower"]
        dataframe["bb_%b-period"] = (dataframe["close"] - dataframe["lower-period"]) / (
            dataframe["upper-period"] - dataframe["lower-period"]
        )
        dataframe["%%-atr-period"] = ta.ATR(dataframe, timeperiod=period) / dataframe["close"]
        return dataframe

    def feature_engineering_expand_basic(self, dataframe, metadata, **kwargs):
        dataframe["%-raw_price"] = dataframe["close"]
        dataframe["%-change"] = np.log(dataframe["close"]).diff()
        dataframe["%-is_base"] = float(metadata["tf"] == self.timeframe)
        dataframe["%-is_btc"] = float(metadata["pair"].startswith("BTC/"))
        return dataframe

    def feature_engineering_standard(self, dataframe, metadata, **kwargs):
        pair, longer = metadata["pair"], self.freqai_info["feature_parameters"]["include_timeframes"][-1]
        dataframe["%-hour_of_day"] = dataframe["date"].dt.hour
        fast = dataframe[f"%-ema-period_10_{pair}_{self.timeframe}"]
        dataframe["%-trend"] = fast / dataframe[f"%-ema-period_10_{pair}_{longer}"] - 1
        dataframe["%-rsi_turn"] = (
            dataframe[f"%-rsi-period_10_{pair}_{self.timeframe}"]
            - dataframe[f"%-rsi-period_10_shift-1_{pair}_{self.timeframe}"]
        )
        dataframe["%-slow_trend"] = dataframe["%-trend"].ewm(span=12, adjust=False).mean()
        names = [name for name in dataframe.columns if name.startswith("%%-atr")]
        dataframe["%%-calm"] = dataframe[names].mean(axis=1)
        return dataframe

    def set_freqai_targets(self, dataframe, metadata, **kwargs):
        ahead = self.freqai_info["feature_parameters"]["label_period_candles"]
        later = dataframe["close"].shift(-ahead).rolling(ahead).mean()
        dataframe["&-s_moves"] = (later / dataframe["close"] - 1) / dataframe["%%-calm"]
        return dataframe

    def populate_indicators(self, dataframe, metadata):
        return self.freqai.start(dataframe, metadata, self)

    def populate_entry_trend(self, dataframe, metadata):
        good = (dataframe["do_predict"] == 1) & (dataframe["&-s_moves"] > 0) & (dataframe["%%-calm"] < 1)
        dataframe.loc[good, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["&-s_moves"] < 0, "exit_long"] = 1
        return dataframe
