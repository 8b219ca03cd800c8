"""The indicators of qtpylib that strategies use, equal to those of freqtrade and technical.

qtpylib (Ran Aroussi, Apache-2.0, https://github.com/ranaroussi/qtpylib) also hangs these functions on
every pandas object; that is not done here. Two of its functions look ahead and are refused: `vwap` and
`cci`.

Unless said otherwise, ``series`` is a Series of float64[n], ``bars`` a frame with open, high, low, close
and volume, and the result has one value per row, NaN where the window is not filled.
"""

from __future__ import annotations

from typing import NoReturn

import numpy as np
import pandas as pd

from daemon.core.recursion import recursion
from daemon.strategy.compat.averages import (
    Values,
    hma,
    hull_moving_average,
    nans,
    numpy_rolling_mean,
    numpy_rolling_std,
    rolling_max,
    rolling_mean,
    rolling_min,
    rolling_std,
    rolling_weighted_mean,
    series_of,
    sma,
    wma,
    zlema,
    zlhma,
    zlma,
    zlsma,
)
from daemon.strategy.compat.prices import heikinashi, ibs, mid_price, true_range, typical_price

__all__ = [
    "atr",
    "awesome_oscillator",
    "bollinger_bands",
    "cci",
    "chopiness",
    "crossed",
    "crossed_above",
    "crossed_below",
    "heikinashi",
    "hma",
    "hull_moving_average",
    "ibs",
    "implied_volatility",
    "keltner_channel",
    "log_returns",
    "macd",
    "mid_price",
    "nans",
    "numpy_rolling_mean",
    "numpy_rolling_std",
    "pvt",
    "returns",
    "roc",
    "rolling_max",
    "rolling_mean",
    "rolling_min",
    "rolling_std",
    "rolling_vwap",
    "rolling_weighted_mean",
    "rsi",
    "sma",
    "stoch",
    "tdi",
    "true_range",
    "typical_price",
    "vwap",
    "weighted_bollinger_bands",
    "wma",
    "zlema",
    "zlhma",
    "zlma",
    "zlsma",
    "zscore",
]


_BAND = pd.Index(["upper", "mid", "lower"])

# --- volume --------------------------------------------------------------------------------------


def vwap(bars: pd.DataFrame) -> NoReturn:  # noqa: ARG001 - refused whatever is given
    """Refused: the volume-weighted price of the whole frame depends on where the frame begins."""
    raise ValueError("qtpylib.vwap depends on the whole frame: use qtpylib.rolling_vwap")


def rolling_vwap(bars: pd.DataFrame, window: int = 200, min_periods: int | None = None) -> pd.Series:
    """Volume-weighted typical price in a moving window."""
    volume = bars["volume"]
    traded = (volume * typical_price(bars)).rolling(window, min_periods=min_periods).sum()
    total = volume.rolling(window, min_periods=min_periods).sum()
    return (traded / total).replace([np.inf, -np.inf], np.nan).ffill()


def pvt(bars: pd.DataFrame) -> pd.Series:
    """Price-volume trend: a running sum."""
    before = bars["close"].shift(1)
    return ((bars["close"] - before) / before * bars["volume"]).cumsum()


# --- crossings -----------------------------------------------------------------------------------


def crossed(series1: Values, series2: Values | float, direction: str | None = None) -> pd.Series:
    """Whether the first crossed the second since the row before: ``above``, ``below``, or either way."""
    first = series_of(series1)
    second = series2 if isinstance(series2, pd.Series) else pd.Series(series2, first.index)
    before, before_second = first.shift(1), second.shift(1)
    above = (first > second) & (before <= before_second)
    below = (first < second) & (before >= before_second)
    if direction is None:
        return above | below
    return above if direction == "above" else below


def crossed_above(series1: Values, series2: Values | float) -> pd.Series:
    """Whether the first came from below or level to above the second."""
    return crossed(series1, series2, "above")


def crossed_below(series1: Values, series2: Values | float) -> pd.Series:
    """Whether the first came from above or level to below the second."""
    return crossed(series1, series2, "below")


# --- returns and volatility ----------------------------------------------------------------------


def returns(series: pd.Series) -> pd.Series:
    """Change from the row before, as a ratio."""
    return (series / series.shift(1) - 1).replace([np.inf, -np.inf], np.nan)


def log_returns(series: pd.Series) -> pd.Series:
    """Logarithm of the ratio to the row before."""
    ratio = series / series.shift(1)
    return pd.Series(np.log(ratio), series.index).replace([np.inf, -np.inf], np.nan)


def implied_volatility(series: pd.Series, window: int = 252) -> pd.Series:
    """Standard deviation of log returns in a moving window, scaled to the window's length."""
    return pd.Series(numpy_rolling_std(log_returns(series), window) * np.sqrt(window), series.index)


def atr(bars: pd.DataFrame, window: int = 14, exp: bool = False) -> pd.Series:
    """Average true range: simple, or exponential with ``exp``."""
    average = rolling_weighted_mean if exp else rolling_mean
    return series_of(average(true_range(bars), window))


def zscore(bars: pd.DataFrame, window: int = 20, stds: float = 1, col: str = "close") -> pd.Series:
    """Distance from the moving average in standard deviations."""
    mean, std = numpy_rolling_mean(bars[col], window), numpy_rolling_std(bars[col], window)
    return (bars[col] - mean) / (std * stds)


# --- bands and oscillators -----------------------------------------------------------------------


def bollinger_bands(series: pd.Series, window: int = 20, stds: float = 2) -> pd.DataFrame:
    """Moving average (mid) and ``stds`` standard deviations around it (upper, lower); from row 1 on."""
    mid = rolling_mean(series, window, min_periods=1)
    return _band(series.index, mid, rolling_std(series, window, min_periods=1), stds)


def weighted_bollinger_bands(series: pd.Series, window: int = 20, stds: float = 2) -> pd.DataFrame:
    """`bollinger_bands` around an exponential average, once the window is filled."""
    return _band(series.index, rolling_weighted_mean(series, window), rolling_std(series, window), stds)


def keltner_channel(bars: pd.DataFrame, window: int = 14, atrs: float = 2) -> pd.DataFrame:
    """Average typical price (mid) and ``atrs`` average true ranges around it (upper, lower)."""
    return _band(bars.index, rolling_mean(typical_price(bars), window), atr(bars, window), atrs)


def _band(index: pd.Index, mid: Values, deviation: Values, times: float) -> pd.DataFrame:
    """Upper, mid and lower: one array, for pandas takes longer to join three columns than to compute them."""
    middle, width = np.asarray(mid), np.asarray(deviation) * times
    values = np.stack((middle + width, middle, middle - width))
    return pd.DataFrame(values.T, index, _BAND, copy=False)


def roc(series: pd.Series, window: int = 14) -> pd.Series:
    """Change over a window, as a ratio."""
    return (series - series.shift(window)) / series.shift(window)


def rsi(series: pd.Series, window: int = 14) -> pd.Series:
    """Relative strength index (Wilder); constant over the first window, as in qtpylib."""
    changes = np.diff(series)
    gains, losses = np.maximum(changes, 0.0), np.maximum(-changes, 0.0)
    strength = _wilder(gains, window) / _wilder(losses, window)
    values = np.concatenate((np.repeat(strength[:1], window), strength[1:]))
    return pd.Series(100.0 - 100.0 / (1.0 + values), series.index)


def _wilder(changes: np.ndarray, window: int) -> np.ndarray:
    """Wilder's average, begun with the sum of window + 1 changes; the start, then one per later row."""
    start = changes[: window + 1].sum() / window
    decay = (window - 1) / window
    later = recursion(changes[window - 1 :], gain=1 / window, decay=decay, before=start)
    return np.concatenate(([start], later))


def macd(series: pd.Series, fast: int = 3, slow: int = 10, smooth: int = 16) -> pd.DataFrame:
    """Difference of two exponential averages (macd), its average (signal), and their distance (histogram)."""
    line = rolling_weighted_mean(series, fast) - rolling_weighted_mean(series, slow)
    signal = rolling_weighted_mean(line, smooth)
    return pd.DataFrame({"macd": line, "signal": signal, "histogram": line - signal}, series.index)


def stoch(bars: pd.DataFrame, window: int = 14, d: int = 3, k: int = 3, fast: bool = False) -> pd.DataFrame:
    """Stochastic oscillator: slow_k and slow_d, or fast_k and fast_d."""
    low = bars["low"].rolling(window).min()
    fast_k = 100 * (bars["close"] - low) / (bars["high"].rolling(window).max() - low)
    if fast:
        return pd.DataFrame({"fast_k": fast_k, "fast_d": fast_k.rolling(d).mean()})
    slow_k = fast_k.rolling(k).mean()
    return pd.DataFrame({"slow_k": slow_k, "slow_d": slow_k.rolling(d).mean()})


def cci(series: pd.DataFrame, window: int = 14) -> NoReturn:  # noqa: ARG001 - refused whatever is given
    """Refused: qtpylib divides by the standard deviation of the whole frame, the future included."""
    raise ValueError(
        "qtpylib.cci looks ahead (it divides by a deviation of the whole frame): use talib's CCI"
    )


def tdi(  # noqa: PLR0917 - qtpylib's interface
    series: pd.Series,
    rsi_lookback: int = 13,
    rsi_smooth_len: int = 2,
    rsi_signal_len: int = 7,
    bb_lookback: int = 34,
    bb_std: float = 1.6185,
) -> pd.DataFrame:
    """Traders dynamic index: an RSI, two averages of it and its Bollinger bands."""
    strength = rsi(series, rsi_lookback)
    bands = bollinger_bands(strength, bb_lookback, bb_std)
    return pd.DataFrame(
        {
            "rsi": strength,
            "rsi_signal": sma(strength, rsi_signal_len),
            "rsi_smooth": sma(strength, rsi_smooth_len),
            "rsi_bb_upper": bands["upper"],
            "rsi_bb_lower": bands["lower"],
            "rsi_bb_mid": bands["mid"],
        },
        series.index,
    )


def awesome_oscillator(
    bars: pd.DataFrame, weighted: bool = False, fast: int = 5, slow: int = 34
) -> pd.Series:
    """Difference of two averages of the mid price: simple, or exponential (by centre of mass)."""
    price = mid_price(bars)
    if weighted:
        return price.ewm(fast).mean() - price.ewm(slow).mean()
    return pd.Series(numpy_rolling_mean(price, fast) - numpy_rolling_mean(price, slow), bars.index)


def chopiness(bars: pd.DataFrame, window: int = 14) -> pd.Series:
    """Choppiness index: 100 in a market that goes nowhere."""
    travelled = true_range(bars).rolling(window).sum()
    spanned = bars["high"].rolling(window).max() - bars["low"].rolling(window).min()
    return pd.Series(100 * np.log10(travelled / spanned) / np.log10(window), bars.index)
