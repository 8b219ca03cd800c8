"""A strategy that never rests, for storms: it enters, adds, takes out, moves its stop and leaves at random.

Now and then it denies what it asked for, or raises.
"""

import random

from freqtrade.strategy import IStrategy


class Stormy(IStrategy):
    timeframe = "1m"
    stoploss = -0.02
    minimal_roi = {"0": 1}
    process_only_new_candles = True
    use_custom_stoploss = True
    position_adjustment_enable = True
    startup_candle_count = 30

    def feature_engineering_standard(self, dataframe, metadata, **kwargs):
        dataframe["%-change"] = dataframe["close"].pct_change()
        dataframe["%-hour"] = dataframe["date"].dt.hour
        return dataframe

    def set_freqai_targets(self, dataframe, metadata, **kwargs):
        dataframe["&-s_close"] = dataframe["close"].shift(-6) / dataframe["close"] - 1
        return dataframe

    def populate_indicators(self, dataframe, metadata):
        return self.freqai.start(dataframe, metadata, self)

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["volume"] > 0, ["enter_long", "enter_tag"]] = (1, "always")
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe

    def custom_entry_price(self, pair, trade, current_time, proposed_rate, entry_tag, side, **kwargs):
        return proposed_rate * random.choice((0.9996, 0.9999, 1.0, 1.0003, 1.001))

    def custom_exit_price(self, pair, trade, current_time, proposed_rate, current_profit, exit_tag, **kwargs):
        return proposed_rate * random.choice((0.999, 0.9997, 1.0, 1.0001, 1.0004))

    def custom_stoploss(self, pair, trade, current_time, current_rate, current_profit, after_fill, **kwargs):
        return random.choice((None, None, -0.02, -0.004, -0.002))

    def custom_exit(self, pair, trade, current_time, current_rate, current_profit, **kwargs):
        return "whim" if random.random() < 0.1 else None

    def confirm_trade_exit(
        self, pair, trade, order_type, amount, rate, time_in_force, exit_reason, current_time, **kwargs
    ):
        if random.random() < 0.1:
            raise ValueError("a strategy may be wrong")
        return random.random() < 0.9

    def adjust_trade_position(self, trade, current_time, current_rate, current_profit, *args, **kwargs):
        whim = random.random()
        if whim < 0.45 and trade.stake_amount < 400:
            return random.randint(20, 90), "more"
        if whim < 0.8 and trade.stake_amount > 90:
            return -trade.stake_amount * random.choice((0.2, 0.4)), "less"
        return None

    def adjust_order_price(
        self,
        trade,
        order,
        pair,
        current_time,
        proposed_rate,
        current_order_rate,
        entry_tag,
        side,
        is_entry,
        **kwargs,
    ):
        return random.choice((current_order_rate, proposed_rate, proposed_rate * 0.9999, None))

    def check_entry_timeout(self, pair, trade, order, current_time, **kwargs):
        return random.random() < 0.05

    def check_exit_timeout(self, pair, trade, order, current_time, **kwargs):
        return random.random() < 0.05
