"""An example of classification: will the price stand higher or lower, and how sure is the model?

Run it with ``"freqaimodel": "CatboostClassifier"``. What is not explained here stands in
``candled_example.py``.
"""
# ruff: noqa: ARG002 - hooks are called with all of their arguments, needed or not

import numpy as np
import talib.abstract as ta

# candled answers this import while it loads a strategy; freqtrade need not be installed,
# which is what a type checker sees.
from freqtrade.strategy import DecimalParameter, IStrategy  # type: ignore[import-not-found]
from pandas import DataFrame


class CandledExampleClassifier(IStrategy):  # type: ignore[misc]  # its base is known at run time only
    """Predicts a class, ``up`` or ``down``, and enters where the probability of ``up`` is high."""

    minimal_roi = {"0": 0.05, "240": 0.0}  # noqa: RUF012 - plain, as strategies are written
    stoploss = -0.05
    can_short = False
    process_only_new_candles = True
    startup_candle_count = 50

    enter_above = DecimalParameter(0.5, 0.9, default=0.6, decimals=2, space="buy")
    exit_above = DecimalParameter(0.5, 0.9, default=0.55, decimals=2, space="sell")

    def feature_engineering_expand_all(
        self, dataframe: DataFrame, period: int, metadata: dict[str, str], **kwargs: object
    ) -> DataFrame:
        """For every period, timeframe and correlated pair."""
        volume = dataframe["volume"].where(dataframe["volume"] > 0)
        dataframe["%-relative_volume-period"] = np.log(volume / volume.rolling(period).mean())
        dataframe["%-return-period"] = dataframe["close"].pct_change(period)
        dataframe["%-volatility-period"] = dataframe["close"].pct_change().rolling(period).std()
        dataframe["%-rsi-period"] = ta.RSI(dataframe, timeperiod=period)
        return dataframe

    def feature_engineering_expand_basic(
        self, dataframe: DataFrame, metadata: dict[str, str], **kwargs: object
    ) -> DataFrame:
        """For every timeframe and correlated pair."""
        dataframe["%-pct_change"] = dataframe["close"].pct_change()
        dataframe["%-candle_range"] = (dataframe["high"] - dataframe["low"]) / dataframe["close"]
        return dataframe

    def set_freqai_targets(
        self, dataframe: DataFrame, metadata: dict[str, str], **kwargs: object
    ) -> DataFrame:
        """Names of classes are texts. A candle whose future is not known yet has no class."""
        self.freqai.class_names = ["down", "up"]
        candles = self.freqai_info["feature_parameters"]["label_period_candles"]
        change = dataframe["close"].shift(-candles) - dataframe["close"]
        dataframe["&s-up_or_down"] = change.map(
            lambda value: "up" if value > 0 else "down", na_action="ignore"
        )
        return dataframe

    def populate_indicators(self, dataframe: DataFrame, metadata: dict[str, str]) -> DataFrame:
        """Adds the class in ``&s-up_or_down``, and a column per class with its probability."""
        dataframe = self.freqai.start(dataframe, metadata, self)
        return dataframe  # noqa: RET504 - two steps, so that more columns are easily added between

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, str]) -> DataFrame:
        """Enters where ``up`` is likely enough."""
        rising = (dataframe["do_predict"] == 1) & (dataframe["up"] > self.enter_above.value)
        dataframe.loc[rising, ["enter_long", "enter_tag"]] = (1, "up is likely")
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict[str, str]) -> DataFrame:
        """Exits where ``down`` is likely enough."""
        falling = (dataframe["do_predict"] == 1) & (dataframe["down"] > self.exit_above.value)
        dataframe.loc[falling, ["exit_long", "exit_tag"]] = (1, "down is likely")
        return dataframe
