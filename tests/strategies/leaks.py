"""Twelve strategies that look ahead, each as people do it without knowing; and more that are not to be trusted."""

import numpy as np
import pandas as pd
from scipy.signal import argrelextrema
from sklearn.preprocessing import StandardScaler
from teaching import Plain


class ShiftedBack(Plain):
    """The next candle's close."""

    def feature_engineering_expand_basic(self, dataframe, metadata, **kwargs):
        dataframe["%-leak"] = dataframe["close"].shift(-1) / dataframe["close"] - 1
        return dataframe


class CentredRolling(Plain):
    """A mean whose window lies half in the future."""

    def feature_engineering_expand_all(self, dataframe, period, metadata, **kwargs):
        dataframe["%-leak-period"] = (
            dataframe["close"].rolling(period, center=True).mean() / dataframe["close"]
        )
        return dataframe


class FullFrameNormalisation(Plain):
    """Mean and deviation of the whole frame."""

    def feature_engineering_expand_basic(self, dataframe, metadata, **kwargs):
        close = dataframe["close"]
        dataframe["%-leak"] = (close - close.mean()) / close.std()
        return dataframe


class WrongResampleLabel(Plain):
    """The hour's close, on the hour's first candle."""

    def feature_engineering_standard(self, dataframe, metadata, **kwargs):
        hourly = dataframe.set_index("date")["close"].resample("1h", label="left").last()
        dataframe["%-leak"] = (
            hourly.reindex(dataframe["date"], method="ffill").to_numpy() / dataframe["close"]
        )
        return dataframe


class OpenHigherCandle(Plain):
    """A four-hour candle that is merged in while it is in progress."""

    def feature_engineering_standard(self, dataframe, metadata, **kwargs):
        longer = dataframe.resample("4h", on="date").agg({"high": "max", "low": "min"}).reset_index()
        merged = pd.merge_asof(dataframe[["date"]], longer, on="date")
        dataframe["%-leak"] = merged["high"] / merged["low"] - 1
        return dataframe


class FilledBackwards(Plain):
    """The beginning filled with what comes later."""

    def feature_engineering_expand_all(self, dataframe, period, metadata, **kwargs):
        dataframe["%-leak-period"] = dataframe["close"].rolling(period).mean().bfill() / dataframe["close"]
        return dataframe


class Pivots(Plain):
    """Extremes that are known only when the next ten candles are."""

    def feature_engineering_expand_basic(self, dataframe, metadata, **kwargs):
        dataframe["%-leak"] = 0.0
        found = argrelextrema(dataframe["close"].to_numpy(), np.greater, order=10)[0]
        dataframe.loc[dataframe.index[found], "%-leak"] = 1.0
        return dataframe


class LastRowBroadcast(Plain):
    """The newest close in every row."""

    def feature_engineering_expand_basic(self, dataframe, metadata, **kwargs):
        dataframe["%-leak"] = dataframe["close"] / dataframe["close"].iloc[-1]
        return dataframe


class DayTransform(Plain):
    """The day's mean, from its first candle on."""

    def feature_engineering_standard(self, dataframe, metadata, **kwargs):
        mean = dataframe.groupby(dataframe["date"].dt.date)["close"].transform("mean")
        dataframe["%-leak"] = dataframe["close"] / mean - 1
        return dataframe


class FittedScaler(Plain):
    """A scaler that is fitted to the whole frame."""

    def feature_engineering_expand_basic(self, dataframe, metadata, **kwargs):
        dataframe["%-leak"] = StandardScaler().fit_transform(dataframe[["volume"]])[:, 0]
        return dataframe


class LabelAsFeature(Plain):
    """The target itself among the features."""

    def feature_engineering_standard(self, dataframe, metadata, **kwargs):
        dataframe = self.set_freqai_targets(dataframe, metadata)
        dataframe["%-leak"] = dataframe["&-s_close"]
        return dataframe


class SumFromTheStart(Plain):
    """No look ahead, but a value that depends on where the history begins."""

    def feature_engineering_expand_basic(self, dataframe, metadata, **kwargs):
        dataframe["%-leak"] = (dataframe["volume"] * np.sign(dataframe["close"].diff())).cumsum()
        return dataframe


class KeptScaler(Plain):
    """A scaler that is fitted to whatever comes first, and kept."""

    scaler = None

    def feature_engineering_expand_basic(self, dataframe, metadata, **kwargs):
        if self.scaler is None:
            self.scaler = StandardScaler().fit(dataframe[["volume"]].to_numpy())
        dataframe["%-leak"] = self.scaler.transform(dataframe[["volume"]].to_numpy())[:, 0]
        return dataframe


class Noise(Plain):
    """A feature that is never twice the same."""

    def feature_engineering_expand_basic(self, dataframe, metadata, **kwargs):
        dataframe["%-leak"] = np.random.default_rng().normal(size=len(dataframe))
        return dataframe


class HoleFilledBackwards(Plain):
    """Looks ahead only where nothing was traded."""

    def feature_engineering_expand_basic(self, dataframe, metadata, **kwargs):
        traded = dataframe["volume"].where(dataframe["volume"] > 0)
        dataframe["%-leak"] = np.log(traded.bfill())
        return dataframe


class NamedAsTarget(Plain):
    """A feature that FreqAI would train on and for."""

    def feature_engineering_expand_basic(self, dataframe, metadata, **kwargs):
        dataframe["&-leak_%"] = dataframe["close"].pct_change()
        return dataframe


class SignalAhead(Plain):
    """Features as they should be; the entry knows the next close."""

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"].shift(-1) > dataframe["close"], "enter_long"] = 1
        return dataframe


class MergedTooEarly(Plain):
    """An hourly candle merged by its open time, from the data provider."""

    def informative_pairs(self):
        return [(pair, "1h") for pair in self.dp.current_whitelist()]

    def populate_indicators(self, dataframe, metadata):
        hourly = self.dp.get_pair_dataframe(metadata["pair"], "1h")[["date", "close"]]
        dataframe["leak"] = dataframe[["date"]].merge(hourly, how="left", on="date")["close"].ffill()
        return self.freqai.start(dataframe, metadata, self)


class Convolved(Plain):
    """A mean by Fourier transform: every row is computed from all, to the last digits only."""

    def feature_engineering_expand_basic(self, dataframe, metadata, **kwargs):
        change = dataframe["close"].pct_change().fillna(0).to_numpy()
        room = 2 * len(change) + 12
        spectrum = np.fft.rfft(change, room) * np.fft.rfft(np.ones(12) / 12, room)
        dataframe["%-mean_change"] = np.fft.irfft(spectrum, room)[: len(change)]
        return dataframe


class EntersAlways(Plain):
    """Asks to enter at every candle."""

    def populate_entry_trend(self, dataframe, metadata):
        dataframe["enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe


class EntersOnLeak(EntersAlways):
    """Asks to enter at every candle, on a model that was trained on a leak."""

    feature_engineering_expand_basic = FullFrameNormalisation.feature_engineering_expand_basic


class NeedsRecord(Plain):
    """Reads a column that no prediction has."""

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["threshold"] > 0, "enter_long"] = 1
        return dataframe


class Mediocre(Plain):
    """Looks back only, and has columns that are of little use."""

    def feature_engineering_expand_basic(self, dataframe, metadata, **kwargs):
        dataframe["%-so_far"] = dataframe["volume"].cumsum()
        dataframe["%-same"] = 1.0
        dataframe["%-rare"] = dataframe["close"].where(dataframe["date"].dt.hour < 12)
        return dataframe

    def set_freqai_targets(self, dataframe, metadata, **kwargs):
        dataframe["%-ahead"] = dataframe["close"].shift(-1)
        return super().set_freqai_targets(dataframe, metadata, **kwargs)
