"""Candles for the benchmark scripts, in the place of the peer's own: a random walk per pair."""

import numpy as np
import pandas as pd

TIMEFRAMES = {"5m": 1, "15m": 3, "1h": 12}
FIRST_MS = 1_767_225_600_000


def pair_names(n):
    return [f"C{i:02d}/USDT" for i in range(n)]


def corr_names():
    return ["BTC/USDT", "ETH/USDT"]


def make_market(n_pairs, days):
    rng, frames = np.random.default_rng(1), {}
    for pair in corr_names() + pair_names(n_pairs):
        path = 100 * np.exp(np.cumsum(rng.normal(0, 1e-3, (288 * days, 5)).ravel())).reshape(-1, 5)
        volume = rng.uniform(1, 2, len(path))
        for name, width in TIMEFRAMES.items():
            prices = path.reshape(-1, 5 * width)
            opens_ms = FIRST_MS + 300_000 * width * np.arange(len(prices))
            frames[pair, name] = pd.DataFrame(
                {
                    "date": pd.to_datetime(opens_ms, unit="ms", utc=True),
                    "open": prices[:, 0],
                    "high": prices.max(axis=1),
                    "low": prices.min(axis=1),
                    "close": prices[:, -1],
                    "volume": volume.reshape(-1, width).sum(axis=1),
                }
            )
    return frames


def write_market(frames, folder):
    folder.mkdir(parents=True)
    for (pair, name), frame in frames.items():
        frame.to_feather(folder / f"{pair.replace('/', '_')}-{name}.feather")
