"""Prices of a candle in qtpylib; see `daemon.strategy.compat.qtpylib`."""

from __future__ import annotations

import numpy as np
import pandas as pd

from daemon.core.recursion import recursion


def typical_price(bars: pd.DataFrame) -> pd.Series:
    """(high + low + close) / 3."""
    high, low, close = (bars[name].to_numpy() for name in ("high", "low", "close"))
    return pd.Series((high + low + close) / 3.0, bars.index, copy=False)


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
    # Each open is the mean of the open and the close before it: a recursive filter.
    later = recursion(close.to_numpy()[:-1], gain=0.5, decay=0.5, before=first)
    opened = pd.Series(np.concatenate(([first], later)), bars.index)
    high = pd.concat([bars["high"], opened, close], axis=1).max(axis=1)
    low = pd.concat([bars["low"], opened, close], axis=1).min(axis=1)
    return pd.DataFrame({"open": opened, "high": high, "low": low, "close": close})
