"""Moving windows and averages of qtpylib; see `daemon.strategy.compat.qtpylib`."""

from __future__ import annotations

import numpy as np
import pandas as pd

Values = pd.Series | np.ndarray


def nans(length: int = 1) -> np.ndarray:
    """An array without values."""
    return np.full(length, np.nan)


def series_of(values: Values) -> pd.Series:
    """The values as a Series."""
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


def rolling_mean(series: Values, window: int = 200, min_periods: int | None = None) -> Values:
    """Simple moving average."""
    if min_periods in (None, window) and len(series) > window:
        return numpy_rolling_mean(series, window, as_source=True)
    return series_of(series).rolling(window, min_periods=min_periods).mean()


def rolling_std(series: Values, window: int = 200, min_periods: int | None = None) -> Values:
    """Standard deviation (n - 1) in a moving window."""
    if min_periods in (None, window) and len(series) > window:
        return numpy_rolling_std(series, window, as_source=True)
    return series_of(series).rolling(window, min_periods=min_periods).std()


def rolling_min(series: Values, window: int = 14, min_periods: int | None = None) -> pd.Series:
    """Smallest value in a moving window."""
    return series_of(series).rolling(window, min_periods=min_periods).min()


def rolling_max(series: Values, window: int = 14, min_periods: int | None = None) -> pd.Series:
    """Largest value in a moving window."""
    return series_of(series).rolling(window, min_periods=min_periods).max()


def rolling_weighted_mean(series: Values, window: float = 200, min_periods: float | None = None) -> pd.Series:
    """Exponential moving average of that span."""
    known = int(window if min_periods is None else min_periods)
    return series_of(series).ewm(span=window, min_periods=known).mean()


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
