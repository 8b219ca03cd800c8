"""A strategy whose stop-loss follows the price by a callback; it runs in freqtrade, too."""

from datetime import timedelta

import numpy as np
from freqtrade.persistence import Trade
from freqtrade.strategy import IStrategy, stoploss_from_open


class TrailingStop(IStrategy):
    """Enters whenever it may; keeps half of the best profit, and leaves after a day at the latest."""

    timeframe = "5m"
    can_short = False
    minimal_roi = {"0": 0.1}
    stoploss = -0.03
    use_custom_stoploss = True
    startup_candle_count = 30
    order_types = {"entry": "limit", "exit": "limit", "stoploss": "market", "stoploss_on_exchange": False}

    def feature_engineering_expand_basic(self, dataframe, metadata, **kwargs):
        dataframe["%-change"] = np.log(dataframe["close"]).diff()
        dataframe["%-spread"] = (dataframe["high"] - dataframe["low"]) / dataframe["close"]
        return dataframe

    def set_freqai_targets(self, dataframe, metadata, **kwargs):
        ahead = self.freqai_info["feature_parameters"]["label_period_candles"]
        dataframe["&-s_close"] = dataframe["close"].shift(-ahead) / dataframe["close"] - 1
        return dataframe

    def populate_indicators(self, dataframe, metadata):
        return self.freqai.start(dataframe, metadata, self)

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["do_predict"] == 1, ["enter_long", "enter_tag"]] = (1, "predicted")
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe

    def custom_stoploss(
        self, pair, trade: Trade, current_time, current_rate, current_profit, after_fill, **kwargs
    ):
        best = max(trade.get_custom_data("best", 0.0), current_profit)
        if best > trade.get_custom_data("best", 0.0):
            trade.set_custom_data("best", best)
        if best < 0.004:
            return None
        return stoploss_from_open(best / 2, current_profit)

    def custom_exit(self, pair, trade: Trade, current_time, current_rate, current_profit, **kwargs):
        if current_time - trade.open_date_utc > timedelta(days=1):
            return "a day is over"
        return None
