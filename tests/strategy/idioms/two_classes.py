"""A classifier with several targets, in the style of freqtrade's own, with a helper module beside it."""
# ruff: noqa: RUF012, I001 - written as strategies are

import numpy as np
from freqtrade.strategy import DecimalParameter, IStrategy

from idiom_helper import LOOK_AHEAD, momentum


class TwoClasses(IStrategy):
    minimal_roi = {"0": 0.1}
    stoploss = -0.05
    timeframe = "5m"
    offset = DecimalParameter(0.00, 0.02, default=0.005, space="sell", optimize=False, load=True)

    def feature_engineering_expand_all(self, dataframe, period, metadata, **kwargs):
        dataframe["%-momentum-period"] = momentum(dataframe, period)
        return dataframe

    def set_freqai_targets(self, dataframe, metadata, **kwargs):
        self.freqai.class_names = ["down", "up"]
        dataframe["&s-up_or_down"] = np.where(
            dataframe["close"].shift(-LOOK_AHEAD) > dataframe["close"], "up", "down"
        )
        return dataframe

    def populate_indicators(self, dataframe, metadata):
        return self.freqai.start(dataframe, metadata, self)

    def populate_buy_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["&s-up_or_down"] == "up", ["buy", "buy_tag"]] = (1, "up")
        return dataframe

    def populate_sell_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["&s-up_or_down"] == "down", "sell"] = 1
        return dataframe
