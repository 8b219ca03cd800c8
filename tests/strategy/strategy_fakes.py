"""Candles for strategies, and a daemon's side of their ports."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd


def made_candles(rows=400, minutes=5, seed=1, price=100.0):
    """Candles of a random walk from 2024-01-01 UTC on."""
    steps = np.random.default_rng(seed).normal(0, 0.002, (rows, 2))
    close = price * np.exp(np.cumsum(steps[:, 0]))
    opened = np.concatenate(([price], close[:-1]))
    return pd.DataFrame(
        {
            "date": pd.date_range("2024-01-01", periods=rows, freq=f"{minutes}min", tz="UTC").as_unit("ms"),
            "open": opened,
            "high": np.maximum(opened, close) * 1.001,
            "low": np.minimum(opened, close) * 0.999,
            "close": close,
            "volume": np.exp(3 + 100 * steps[:, 1]),
        }
    )


class Candles:
    """A candle source over a table of frames; an empty frame for what it lacks."""

    def __init__(self, frames=None, pairs=("ETH/USDT",)):
        self.frames = frames or {}
        self.pairs = list(pairs)
        self.asked = []

    def candles(self, pair, timeframe):
        self.asked.append((pair, timeframe))
        return self.frames.get((pair, timeframe), made_candles(1).iloc[:0])

    def analyzed(self, pair, timeframe):
        frame = self.frames.get((pair, timeframe))
        empty = (pd.DataFrame(), datetime.fromtimestamp(0, UTC))
        return empty if frame is None else (frame, datetime(2024, 1, 1, tzinfo=UTC))

    def whitelist(self):
        return self.pairs


class Predictions:
    """A prediction source that attaches the same columns to every frame."""

    def __init__(self, **columns):
        self.columns = columns

    def attach(self, pair, frame):
        return frame.assign(**self.columns)
