"""A strategy that adds to losing trades and takes half out of winning ones; it runs in freqtrade, too."""

import numpy as np
from freqtrade.persistence import Trade
from freqtrade.strategy import IStrategy


class PositionAdjuster(IStrategy):
    """Enters whenever it may with a third of the stake, adds the same up to twice, sells half in profit once."""

    timeframe = "5m"
    can_short = False
    minimal_roi = {"0": 0.03, "720": 0.0}
    stoploss = -0.15
    startup_candle_count = 30
    position_adjustment_enable = True
    max_entry_position_adjustment = 2
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

    def custom_stake_amount(
        self,
        pair,
        current_time,
        current_rate,
        proposed_stake,
        min_stake,
        max_stake,
        leverage,
        entry_tag,
        side,
        **kwargs,
    ):
        return proposed_stake / (1 + self.max_entry_position_adjustment)

    def adjust_trade_position(
        self, trade: Trade, current_time, current_rate, current_profit, min_stake, max_stake,
        current_entry_rate, current_exit_rate, current_entry_profit, current_exit_profit, **kwargs,
    ):  # fmt: skip
        if trade.has_open_orders:
            return None
        entries = trade.select_filled_orders(trade.entry_side)
        if current_profit > 0.005 and trade.nr_of_successful_exits == 0:
            return -trade.stake_amount / 2, "half out"
        if current_profit < -0.005 * len(entries) and len(entries) <= self.max_entry_position_adjustment:
            return min(entries[0].stake_amount_filled, max_stake), f"add {len(entries)}"
        return None
