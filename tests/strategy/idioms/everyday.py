"""A regression strategy in the style of public ones: every import that they use, each of them used."""
# ruff: noqa: RUF012 - written as strategies are

import logging
from functools import reduce

import freqtrade.vendor.qtpylib.indicators as qtpylib
import numpy as np
import talib.abstract as ta
from freqtrade.enums import RunMode, TradingMode
from freqtrade.exchange import timeframe_to_prev_date
from freqtrade.persistence import Trade
from freqtrade.strategy import (
    BooleanParameter,
    CategoricalParameter,
    DecimalParameter,
    IntParameter,
    IStrategy,
    RealParameter,
    informative,
    merge_informative_pair,
    stoploss_from_open,
    timeframe_to_minutes,
)
from freqtrade.strategy.interface import IStrategy as SameIStrategy
from pandas import DataFrame
from technical import qtpylib as qtpylib_of_technical

logger = logging.getLogger(__name__)


class Everyday(IStrategy):
    INTERFACE_VERSION = 3
    minimal_roi = {"60": 0.01, "0": 0.1, "240": -1}
    stoploss = -0.05
    timeframe = "5m"
    use_custom_stoploss = True
    can_short = True
    startup_candle_count: int = 40
    order_types = {"entry": "limit", "exit": "limit", "stoploss": "market", "stoploss_on_exchange": False}
    plot_config = {"main_plot": {}, "subplots": {"do_predict": {"do_predict": {"color": "brown"}}}}

    buy_threshold = DecimalParameter(0.001, 0.02, default=0.0051234, decimals=4)
    sell_window = IntParameter(2, 30, default=7, space="sell", optimize=False)
    sell_real = RealParameter(0.0, 1.0, default=0.25)
    buy_mode = CategoricalParameter(["trend", "revert"], default="trend")
    buy_strict = BooleanParameter(default=True)

    @property
    def protections(self):
        return [{"method": "CooldownPeriod", "stop_duration_candles": self.sell_window.value}]

    def bot_start(self, **kwargs):
        self.seen = []
        self.started_in = self.dp.runmode
        if self.config["runmode"].value in ("live", "dry_run"):
            self.dp.send_msg(f"trading {self.config['stake_currency']}")

    def feature_engineering_expand_all(self, dataframe: DataFrame, period: int, metadata: dict, **kwargs):
        dataframe["%-rsi-period"] = ta.RSI(dataframe, timeperiod=period)
        bands = qtpylib.bollinger_bands(qtpylib.typical_price(dataframe), window=period, stds=2.2)
        dataframe["bb_lower-period"] = bands["lower"]
        dataframe["%-bb_width-period"] = (bands["upper"] - bands["lower"]) / bands["mid"]
        return dataframe

    def feature_engineering_expand_basic(self, dataframe: DataFrame, metadata: dict, **kwargs):
        dataframe["%-pct-change"] = dataframe["close"].pct_change()
        dataframe["%-tf"] = timeframe_to_minutes(metadata["tf"])
        return dataframe

    def feature_engineering_standard(self, dataframe: DataFrame, metadata: dict, **kwargs):
        dataframe["%-hour_of_day"] = (dataframe["date"].dt.hour + 1) / 25
        return dataframe

    def set_freqai_targets(self, dataframe: DataFrame, metadata: dict, **kwargs):
        candles = self.freqai_info["feature_parameters"]["label_period_candles"]
        dataframe["&-s_close"] = (
            dataframe["close"].shift(-candles).rolling(candles).mean() / dataframe["close"] - 1
        )
        return dataframe

    def informative_pairs(self):
        return [(pair, "1h") for pair in self.dp.current_whitelist()]

    @informative("1h")
    @informative("1h", "BTC/{stake}")
    def populate_indicators_1h(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=3)
        return dataframe

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        self.freqai_info = self.config["freqai"]
        dataframe = self.freqai.start(dataframe, metadata, self)
        hours = self.dp.get_pair_dataframe(pair=metadata["pair"], timeframe="1h")
        hours["slow"] = hours["close"].rolling(3).mean()
        dataframe = merge_informative_pair(
            dataframe, hours[["date", "slow"]], self.timeframe, "1h", append_timeframe=False, suffix="hours"
        )
        dataframe["target_roi"] = dataframe["&-s_close_mean"] + dataframe["&-s_close_std"] * 1.25
        dataframe["above"] = qtpylib_of_technical.crossed_above(dataframe["close"], dataframe["slow_hours"])
        return dataframe

    def populate_entry_trend(self, df: DataFrame, metadata: dict) -> DataFrame:
        conditions = [df["do_predict"] == 1, df["&-s_close"] > df["target_roi"]]
        df.loc[reduce(lambda x, y: x & y, conditions), ["enter_long", "enter_tag"]] = (1, "long")
        return df

    def populate_exit_trend(self, df: DataFrame, metadata: dict) -> DataFrame:
        df["exit_long"] = np.where(df["&-s_close"] < 0, 1, 0)
        return df

    def custom_stoploss(self, pair, trade: Trade, current_time, current_rate, current_profit, **kwargs):
        return stoploss_from_open(0.02, current_profit, is_short=False, leverage=1)

    def custom_exit(self, pair, trade, current_time, current_rate, current_profit, **kwargs):
        from freqtrade.persistence import Trade as TradeInside  # noqa: PLC0415 - as strategies do it

        return TradeInside is Trade and timeframe_to_prev_date(self.timeframe, current_time) == current_time

    def names(self):
        return SameIStrategy is IStrategy, TradingMode.SPOT == "spot", RunMode.DRY_RUN.value, __name__
