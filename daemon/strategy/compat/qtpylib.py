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
from scipy.signal import lfilter

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

Values = pd.Series | np.ndarray


def nans(length: int = 1) -> np.ndarray:
    """An array without values."""
    return np.full(length, np.nan)


def _series(values: Values) -> pd.Series:
    return values if isinstance(values, pd.Series) else pd.Series(values)


def _windows(data: Values, window: int) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(np.asarray(data), int(window))


def numpy_rolling_mean(data: Values, window: int, as_source: bool = False) -> Values:
    """Mean of each full window, computed anew for each; an array, or a Series with ``as_source``."""
    result = nans(len(data))
    if len(data) >= window:
        result[window - 1 :] = np.mean(_windows(data, window), axis=-1)
    return pd.Series(result, data.index) if as_source and isinstance(data, pd.Series) else result


def numpy_rolling_std(data: Values, window: int, as_source: bool = False) -> Values:
    """Standard deviation (n - 1) of each full window; an array, or a Series with ``as_source``."""
    result = nans(len(data))
    if len(data) >= window:
        result[window - 1 :] = np.std(_windows(data, window), axis=-1, ddof=1)
    return pd.Series(result, data.index) if as_source and isinstance(data, pd.Series) else result


# --- averages ------------------------------------------------------------------------------------


def rolling_mean(series: Values, window: int = 200, min_periods: int | None = None) -> Values:
    """Simple moving average."""
    if min_periods in (None, window) and len(series) > window:
        return numpy_rolling_mean(series, window, as_source=True)
    return _series(series).rolling(window, min_periods=min_periods).mean()


def rolling_std(series: Values, window: int = 200, min_periods: int | None = None) -> Values:
    """Standard deviation (n - 1) in a moving window."""
    if min_periods in (None, window) and len(series) > window:
        return numpy_rolling_std(series, window, as_source=True)
    return _series(series).rolling(window, min_periods=min_periods).std()


def rolling_min(series: Values, window: int = 14, min_periods: int | None = None) -> pd.Series:
    """Smallest value in a moving window."""
    return _series(series).rolling(window, min_periods=min_periods).min()


def rolling_max(series: Values, window: int = 14, min_periods: int | None = None) -> pd.Series:
    """Largest value in a moving window."""
    return _series(series).rolling(window, min_periods=min_periods).max()


def rolling_weighted_mean(series: Values, window: float = 200, min_periods: float | None = None) -> pd.Series:
    """Exponential moving average of that span."""
    known = window if min_periods is None else min_periods
    return _series(series).ewm(span=window, min_periods=known).mean()


def hull_moving_average(series: Values, window: int = 200, min_periods: int | None = None) -> pd.Series:
    """Hull's moving average, of exponential ones."""
    known = window if min_periods is None else min_periods
    fast = rolling_weighted_mean(series, window / 2, known)
    slow = rolling_weighted_mean(series, window, known)
    return rolling_weighted_mean(2 * fast - slow, np.sqrt(window), known)


sma = rolling_mean
wma = rolling_weighted_mean
hma = hull_moving_average


def zlma(series: pd.Series, window: int = 20, min_periods: int | None = None, kind: str = "ema") -> Values:
    """Ehlers' moving average without lag: of ``ema``, ``hma`` or ``sma``."""
    known = window if min_periods is None else min_periods
    lag = (window - 1) // 2
    ahead = 2 * series - series.shift(lag)
    if kind in ("ewm", "ema"):
        return wma(ahead, lag, known)
    return hma(ahead, lag, known) if kind == "hma" else sma(ahead, lag, known)


def zlema(series: pd.Series, window: int, min_periods: int | None = None) -> Values:
    """`zlma` of exponential averages."""
    return zlma(series, window, min_periods, kind="ema")


def zlsma(series: pd.Series, window: int, min_periods: int | None = None) -> Values:
    """`zlma` of simple averages."""
    return zlma(series, window, min_periods, kind="sma")


def zlhma(series: pd.Series, window: int, min_periods: int | None = None) -> Values:
    """`zlma` of Hull's averages."""
    return zlma(series, window, min_periods, kind="hma")


# --- prices --------------------------------------------------------------------------------------


def typical_price(bars: pd.DataFrame) -> pd.Series:
    """(high + low + close) / 3."""
    return (bars["high"] + bars["low"] + bars["close"]) / 3.0


def mid_price(bars: pd.DataFrame) -> pd.Series:
    """(high + low) / 2."""
    return (bars["high"] + bars["low"]) / 2.0


def ibs(bars: pd.DataFrame) -> pd.Series:
    """Internal bar strength: where in low..high the close lies, to two decimals."""
    return ((bars["close"] - bars["low"]) / (bars["high"] - bars["low"])).round(2)


def true_range(bars: pd.DataFrame) -> pd.Series:
    """Largest of high - low and the distances of both to the close before."""
    before = bars["close"].shift(1)
    ranges = [bars["high"] - bars["low"], (bars["high"] - before).abs(), (bars["low"] - before).abs()]
    return pd.concat(ranges, axis=1).max(axis=1)


def heikinashi(bars: pd.DataFrame) -> pd.DataFrame:
    """Heikin-Ashi candles: open, high, low, close."""
    close = (bars["open"] + bars["high"] + bars["low"] + bars["close"]) / 4
    first = (bars["open"].iloc[0] + bars["close"].iloc[0]) / 2
    # open[i] = (open[i-1] + close[i-1]) / 2
    later, _ = lfilter([0.5], [1, -0.5], close.to_numpy()[:-1], zi=[first * 0.5])
    opened = pd.Series(np.concatenate(([first], later)), bars.index)
    high = pd.concat([bars["high"], opened, close], axis=1).max(axis=1)
    low = pd.concat([bars["low"], opened, close], axis=1).min(axis=1)
    return pd.DataFrame({"open": opened, "high": high, "low": low, "close": close})


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
    return (returns(bars["close"], keep_infinite=True) * bars["volume"]).cumsum()


# --- crossings -----------------------------------------------------------------------------------


def crossed(series1: Values, series2: Values | float, direction: str | None = None) -> pd.Series:
    """Whether the first crossed the second since the row before: ``above``, ``below``, or either way."""
    first = _series(series1)
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


def returns(series: pd.Series, *, keep_infinite: bool = False) -> pd.Series:
    """Change from the row before, as a ratio."""
    change = series / series.shift(1) - 1
    return change if keep_infinite else change.replace([np.inf, -np.inf], np.nan)


def log_returns(series: pd.Series) -> pd.Series:
    """Logarithm of the ratio to the row before."""
    return np.log(series / series.shift(1)).replace([np.inf, -np.inf], np.nan)


def implied_volatility(series: pd.Series, window: int = 252) -> pd.Series:
    """Standard deviation of log returns in a moving window, scaled to the window's length."""
    return pd.Series(numpy_rolling_std(log_returns(series), window) * np.sqrt(window), series.index)


def atr(bars: pd.DataFrame, window: int = 14, exp: bool = False) -> pd.Series:
    """Average true range: simple, or exponential with ``exp``."""
    average = rolling_weighted_mean if exp else rolling_mean
    return _series(average(true_range(bars), window))


def zscore(bars: pd.DataFrame, window: int = 20, stds: float = 1, col: str = "close") -> pd.Series:
    """Distance from the moving average in standard deviations."""
    mean, std = numpy_rolling_mean(bars[col], window), numpy_rolling_std(bars[col], window)
    return (bars[col] - mean) / (std * stds)


# --- bands and oscillators -----------------------------------------------------------------------


def bollinger_bands(series: pd.Series, window: int = 20, stds: float = 2) -> pd.DataFrame:
    """Moving average (mid) and ``stds`` standard deviations around it (upper, lower); from row 1 on."""
    mid = rolling_mean(series, window, min_periods=1)
    width = rolling_std(series, window, min_periods=1) * stds
    return pd.DataFrame({"upper": mid + width, "mid": mid, "lower": mid - width}, series.index)


def weighted_bollinger_bands(series: pd.Series, window: int = 20, stds: float = 2) -> pd.DataFrame:
    """`bollinger_bands` around an exponential average, once the window is filled."""
    mid = rolling_weighted_mean(series, window)
    width = rolling_std(series, window) * stds
    return pd.DataFrame({"upper": mid + width, "mid": mid, "lower": mid - width}, series.index)


def keltner_channel(bars: pd.DataFrame, window: int = 14, atrs: float = 2) -> pd.DataFrame:
    """Average typical price (mid) and ``atrs`` average true ranges around it (upper, lower)."""
    mid = rolling_mean(typical_price(bars), window)
    width = atr(bars, window) * atrs
    return pd.DataFrame({"upper": mid + width, "mid": mid, "lower": mid - width}, bars.index)


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
    later, _ = lfilter([1 / window], [1, -decay], changes[window - 1 :], zi=[start * decay])
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


def tdi(
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
    return 100 * np.log10(travelled / spanned) / np.log10(window)
