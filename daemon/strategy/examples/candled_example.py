"""An example to learn from: features, a target, and signals from the predictions.

Copy this file to ``user_data/strategies``, rename the class, and write the new name into the
configuration under ``strategy``. The same file runs in freqtrade.
"""
# ruff: noqa: ARG002 - hooks are called with all of their arguments, needed or not

import numpy as np
import talib.abstract as ta

# candled answers this import while it loads a strategy; freqtrade need not be installed,
# which is what a type checker sees.
from freqtrade.strategy import DecimalParameter, IStrategy  # type: ignore[import-not-found]
from pandas import DataFrame, Series

DAY = 288
"""Candles that "usual volume" is measured over: a day of five-minute candles."""


class CandledExampleStrategy(IStrategy):  # type: ignore[misc]  # its base is known at run time only
    """Predicts the mean return of the next candles, and enters where it stands out.

    candled asks a strategy three things: what the model sees (``feature_engineering_*``), what it is to
    predict (``set_freqai_targets``) and what follows from a prediction (``populate_*``).
    """

    minimal_roi = {"0": 0.05, "240": 0.0}  # noqa: RUF012 - plain, as strategies are written
    stoploss = -0.05
    can_short = False
    process_only_new_candles = True
    startup_candle_count = DAY

    # How far above the usual a prediction must be, in standard deviations of the target. A model that
    # knows a little predicts far smaller swings than the market makes, so a fifth of one is a lot.
    entry_strength = DecimalParameter(0.1, 1.0, default=0.2, decimals=2, space="buy")
    exit_strength = DecimalParameter(0.0, 1.0, default=0.2, decimals=2, space="sell")

    # --- what the model sees --------------------------------------------------------------------
    # A column is a feature if its name begins with "%". Let features be ratios, not prices: a model that
    # was trained at one price must understand another. A row may depend on its own candle and earlier
    # ones only.

    def feature_engineering_expand_all(
        self, dataframe: DataFrame, period: int, metadata: dict[str, str], **kwargs: object
    ) -> DataFrame:
        """Called for every period, timeframe and correlated pair: use ``period`` as the window."""
        close, volume = dataframe["close"], log_volume(dataframe)
        spread = (dataframe["high"] - dataframe["low"]) / close

        # Is more traded than usual? In log, so that twice as much is as far from 0 as half as much.
        dataframe["%-relative_volume-period"] = volume.rolling(period).mean() - volume.rolling(DAY).mean()
        # Is more traded than so much movement explains?
        dataframe["%-volume_per_range-period"] = volume.rolling(period).mean() - np.log(
            spread.rolling(period).mean() + 1e-5
        )
        # How much does the price move, and which way did it go, in units of that?
        volatility = close.pct_change().rolling(period).std()
        dataframe["%-volatility-period"] = volatility
        dataframe["%-return-period"] = close.pct_change(period) / (volatility * np.sqrt(period) + 1e-6)
        dataframe["%-rsi-period"] = ta.RSI(dataframe, timeperiod=period)
        dataframe["%-adx-period"] = ta.ADX(dataframe, timeperiod=period)
        return dataframe

    def feature_engineering_expand_basic(
        self, dataframe: DataFrame, metadata: dict[str, str], **kwargs: object
    ) -> DataFrame:
        """Called once for every timeframe and correlated pair."""
        candle_range = dataframe["high"] - dataframe["low"]
        dataframe["%-pct_change"] = dataframe["close"].pct_change()
        dataframe["%-candle_range"] = candle_range / dataframe["close"]
        # Where in its range did the candle close? 0 at the low, 1 at the high.
        dataframe["%-close_in_range"] = (dataframe["close"] - dataframe["low"]) / (
            candle_range + dataframe["close"] * 1e-6
        )
        volume = log_volume(dataframe)
        dataframe["%-volume_surprise"] = volume - volume.rolling(DAY).mean()
        return dataframe

    def feature_engineering_standard(
        self, dataframe: DataFrame, metadata: dict[str, str], **kwargs: object
    ) -> DataFrame:
        """Called once, on the base timeframe: features that need no copies."""
        hour = dataframe["date"].dt.hour + dataframe["date"].dt.minute / 60
        # A clock on a circle: 23:55 is next to 00:00. What changes slowly (a weekday, a date) is better
        # left out: a month of training has seen four Mondays, and the model would learn them by heart.
        dataframe["%-hour_sin"] = np.sin(2 * np.pi * hour / 24)
        dataframe["%-hour_cos"] = np.cos(2 * np.pi * hour / 24)
        return dataframe

    # --- what it is to predict ------------------------------------------------------------------

    def set_freqai_targets(
        self, dataframe: DataFrame, metadata: dict[str, str], **kwargs: object
    ) -> DataFrame:
        """A column is a target if its name begins with "&". Targets alone may look ahead."""
        candles = self.freqai_info["feature_parameters"]["label_period_candles"]
        # Mean of the next closes, relative to this one: steadier than a single close far ahead.
        dataframe["&-s_close"] = (
            dataframe["close"].shift(-candles).rolling(candles).mean() / dataframe["close"] - 1
        )
        return dataframe

    # --- what follows ---------------------------------------------------------------------------

    def populate_indicators(self, dataframe: DataFrame, metadata: dict[str, str]) -> DataFrame:
        """Adds the predictions: ``&-s_close``, its ``_mean`` and ``_std`` in training, ``do_predict``."""
        dataframe = self.freqai.start(dataframe, metadata, self)
        mean, std = dataframe["&-s_close_mean"], dataframe["&-s_close_std"]
        dataframe["enter_above"] = mean + self.entry_strength.value * std
        dataframe["exit_below"] = mean - self.exit_strength.value * std
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, str]) -> DataFrame:
        """1 in ``enter_long`` is a signal. do_predict is 1 only where the prediction may be trusted."""
        rising = (dataframe["do_predict"] == 1) & (dataframe["&-s_close"] > dataframe["enter_above"])
        dataframe.loc[rising, ["enter_long", "enter_tag"]] = (1, "rise predicted")
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict[str, str]) -> DataFrame:
        """1 in ``exit_long`` is a signal."""
        falling = (dataframe["do_predict"] == 1) & (dataframe["&-s_close"] < dataframe["exit_below"])
        dataframe.loc[falling, ["exit_long", "exit_tag"]] = (1, "fall predicted")
        return dataframe


def log_volume(dataframe: DataFrame) -> Series:
    """Logarithm of the volume; missing where nothing was traded."""
    return Series(np.log(dataframe["volume"].where(dataframe["volume"] > 0)), dataframe.index)
