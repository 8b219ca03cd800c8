"""Candles of a market that never was: a function of (seed, pair) and of nothing else, exact to the digit.

Prices and volumes are whole numbers of ticks, so that longer candles are exactly what their parts say.
"""

import threading
import zlib

import numpy as np

from daemon.core.candles import CandleFrame
from daemon.core.timeframe import Timeframe

BASE = Timeframe("1m")
_DAY = 1440  # base candles
_VOLUME_DECIMALS = 5
# First price and its decimals: from coins of fifty thousand to such of a fraction of a cent.
_PRICES = [
    (4_213_700, 2),
    (228_311, 2),
    (10_139_2, 3),
    (3151, 1),
    (63_05, 4),
    (8_012, 5),
    (99_87, 6),
    (1034, 8),
]


class LocalCandles:
    """Base candles of some pairs from ``origin_ms`` on, made when they are needed, and longer ones of them."""

    def __init__(self, pairs, seed, origin_ms):
        self.pairs = {pair.replace("/", ""): pair for pair in pairs}
        self._prices = {pair: _PRICES[i % len(_PRICES)] for i, pair in enumerate(pairs)}
        self._seed = seed
        self._origin_ms = BASE.ceil(origin_ms)
        self._made = {pair: [] for pair in pairs}
        self._lock = threading.Lock()  # the exchange and the tests ask from different threads

    def rows(self, pair, timeframe, first_ms, last_ms, now_ms):
        """int64[n, 6]: open time, open, high, low, close, volume in ticks; the last may be in progress at now."""
        first_ms = max(timeframe.ceil(first_ms), timeframe.ceil(self._origin_ms))
        last_ms = timeframe.floor(min(last_ms, now_ms))
        if last_ms < first_ms:
            return np.empty((0, 6), np.int64)
        base = self._base(pair, first_ms, min(last_ms + timeframe.ms, now_ms + 1) - 1, now_ms)
        opens = timeframe.floor(base[:, 0])
        starts = np.flatnonzero(np.concatenate(([True], np.diff(opens) > 0)))
        ends = np.append(starts[1:], len(base)) - 1
        return np.column_stack(
            [
                opens[starts],
                base[starts, 1],
                np.maximum.reduceat(base[:, 2], starts),
                np.minimum.reduceat(base[:, 3], starts),
                base[ends, 4],
                np.add.reduceat(base[:, 5], starts),
            ]
        )

    def texts(self, pair, rows):
        """The rows as Binance writes them: time as a number, all else as decimals in a string."""
        decimals = self._prices[pair][1]
        return [
            [int(row[0]), *(_text(int(x), decimals) for x in row[1:5]), _text(int(row[5]), _VOLUME_DECIMALS)]
            for row in rows
        ]

    def truth(self, pair, timeframe, now_ms):
        """All candles that are closed at ``now_ms``, as the numbers that the served texts are."""
        rows = self.rows(pair, timeframe, self._origin_ms, timeframe.newest_closed(now_ms), now_ms)
        return CandleFrame.from_rows([[float(cell) for cell in row] for row in self.texts(pair, rows)])

    def _base(self, pair, first_ms, last_ms, now_ms):
        first, last = ((ms - self._origin_ms) // BASE.ms for ms in (first_ms, last_ms))
        with self._lock:
            days = [self._day(pair, day) for day in range(first // _DAY, last // _DAY + 1)]
        start = first // _DAY * _DAY
        values = np.concatenate(days)[first - start : last - start + 1]
        open_ms = self._origin_ms + np.arange(first, last + 1) * BASE.ms
        rows = np.column_stack([open_ms, values])
        passed_ms = now_ms - int(open_ms[-1])
        if passed_ms < BASE.ms:
            rows[-1, 1:] = _in_progress(rows[-1, 1:], passed_ms)
        return rows

    def _day(self, pair, day):
        made = self._made[pair]
        while len(made) <= day:
            made.append(self._draw(pair, len(made), int(made[-1][-1, 3]) if made else self._prices[pair][0]))
        return made[day]

    def _draw(self, pair, day, price):
        rng = np.random.default_rng([self._seed, zlib.crc32(pair.encode()), day])
        step = max(price * 0.0008, 1.0)
        closes = np.maximum(price + np.rint(np.cumsum(rng.normal(0, step, _DAY))), 50).astype(np.int64)
        opens = np.concatenate(([price], closes[:-1]))
        high = np.maximum(opens, closes) + np.abs(np.rint(rng.normal(0, step / 2, _DAY))).astype(np.int64)
        low = np.minimum(opens, closes) - np.abs(np.rint(rng.normal(0, step / 2, _DAY))).astype(np.int64)
        volume = np.rint(rng.lognormal(14, 1, _DAY)).astype(np.int64)
        return np.column_stack([opens, high, np.maximum(low, 1), closes, volume])


def _in_progress(values, passed_ms):
    """The candle as far as it has come: the price on its straight way from open to close."""
    start, _, _, end, volume = (int(x) for x in values)
    price = start + (end - start) * passed_ms // BASE.ms
    return [start, max(start, price), min(start, price), price, volume * passed_ms // BASE.ms]


def _text(ticks, decimals):
    digits = str(ticks).rjust(decimals + 1, "0")
    return f"{digits[:-decimals]}.{digits[-decimals:]:0<8}"
