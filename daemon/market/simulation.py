"""The random processes of the simulated exchange, made piece by piece.

`docs/simulated-exchange.md` states the model and derives its best possible prediction. A process is
made in chunks of fixed length. What a chunk needs from the past is one small state, kept for every
chunk ever passed; the candles themselves are kept for the latest used chunks only and made again on
demand, so that memory does not grow with the length of history.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

import numpy as np

from daemon.core.recursion import recursion

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from daemon.core.pair import Pair
    from daemon.core.timeframe import Timeframe

CHUNK = 4096
"""Base candles per chunk: two weeks of 5m candles."""

PHI = 2.0 ** (-1 / 24)
"""Persistence of the excitement per base candle: a half-life of 24 candles."""
GAIN = 0.3
"""Share of a surprise in volume that stays in the excitement."""
SURPRISE = 0.395
"""Standard deviation of the surprise in log volume: with PHI and GAIN, 0.5 for the excitement."""
PULL = 0.19
"""Mean log return of the next candle per unit of excitement, in units of the pair's volatility."""
RANGE_POWER = 0.3
"""Volume grows with this power of the candle's own log range."""
SEASON = 0.35
"""Amplitude of the time of day in log volume."""

_DAY_MS = 86_400_000
_VOL_SPREAD = 0.4  # standard deviation of log volatility
_TAIL = 5  # degrees of freedom of Student's t
_MARKET_VOL = 0.0011  # per root of five minutes: 1.9 % a day
_KNOWN_PRICES = {
    "BTC": 42_000.0, "ETH": 2_300.0, "BNB": 310.0, "SOL": 102.0, "XRP": 0.62, "ADA": 0.6, "DOGE": 0.09,
    "LINK": 15.0, "ATOM": 10.6, "LTC": 73.0, "AVAX": 39.0, "DOT": 8.2, "TRX": 0.107, "NEAR": 3.6,
}  # fmt: skip

State = TypeVar("State")
Chunk = TypeVar("Chunk")


class Chunks(Generic[State, Chunk]):
    """A process of endless length, made in order once and afterwards chunk by chunk.

    Args:
        first: state before chunk 0.
        make: from (index, state before) to (chunk, state after); must depend on nothing else.
        keep: how many of the latest used chunks stay in memory.
    """

    def __init__(self, first: State, make: Callable[[int, State], tuple[Chunk, State]], keep: int) -> None:
        self._states = [first]
        self._make = make
        self._keep = keep
        self._cache: OrderedDict[int, Chunk] = OrderedDict()

    def __getitem__(self, index: int) -> Chunk:
        if index in self._cache:
            self._cache.move_to_end(index)
            return self._cache[index]
        while len(self._states) <= index:
            self._remember(len(self._states) - 1)
        return self._remember(index)

    def _remember(self, index: int) -> Chunk:
        if index in self._cache:
            return self._cache[index]
        chunk, after = self._make(index, self._states[index])
        if index + 1 == len(self._states):
            self._states.append(after)
        self._cache[index] = chunk
        while len(self._cache) > self._keep:
            self._cache.popitem(last=False)
        return chunk


class Noise(NamedTuple):
    """Shocks with clustered volatility and fat tails, and what they were drawn from.

    Attributes:
        shock: float64[CHUNK], log returns.
        variance: float64[CHUNK], the variance of each, given its volatility and tail draw.
    """

    shock: NDArray[np.float64]
    variance: NDArray[np.float64]


class PairChunk(NamedTuple):
    """Base candles of one pair.

    Attributes:
        values: float64[CHUNK, 5], candles.
        excitement: float64[CHUNK], smoothed surprise in volume at each candle's close.
    """

    values: NDArray[np.float64]
    excitement: NDArray[np.float64]


class PairState(NamedTuple):
    """What the next chunk needs from the one before it."""

    log_vol: float
    excitement: float
    log_close: float
    """Unrounded: rounding to ticks is what the exchange shows, it does not pile up."""


@dataclass(frozen=True, slots=True)
class PairModel:
    """One pair's constants, drawn from the seed and the pair's name."""

    beta: float
    own_vol: float
    """Volatility (root mean square log return per base candle) of the pair's own noise."""
    vol: float
    """Volatility of the pair, the market's part included."""
    price: float
    price_decimals: int
    volume: float
    """Level of volume per base candle, in base currency."""
    volume_decimals: int
    vol_phi: float
    """Persistence of log volatility per base candle."""

    @property
    def drift(self) -> float:
        """Mean log return of the next base candle per unit of excitement."""
        return PULL * self.vol


def random(seed: int, name: str, index: int) -> np.random.Generator:
    """The generator of one chunk: a function of its arguments, whatever was drawn before."""
    digest = hashlib.sha256(f"{seed}/{name}/{index}".encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big")))


def market_vol(base: Timeframe) -> float:
    """Volatility of the market factor per base candle."""
    return _MARKET_VOL * float(np.sqrt(base.ms / 300_000))


def vol_phi(base: Timeframe) -> float:
    """Persistence of log volatility per base candle: a half-life of a day."""
    return float(2.0 ** (-base.ms / _DAY_MS))


def pair_model(pair: Pair, seed: int, base: Timeframe) -> PairModel:
    """Draw the pair's constants."""
    rng = random(seed, f"{pair} constants", 0)
    scale = float(np.sqrt(base.ms / 300_000))
    is_market = pair.base == "BTC"
    beta = 1.0 if is_market else float(rng.uniform(0.7, 1.6))
    own_vol = (0.0003 if is_market else float(rng.uniform(0.0006, 0.0016))) * scale
    price = float(_KNOWN_PRICES.get(pair.base, 10 ** rng.uniform(-1, 2.5)))
    turnover = float(10 ** rng.uniform(5.5, 7)) * base.ms / 300_000
    volume = turnover / price
    return PairModel(
        beta=beta,
        own_vol=own_vol,
        vol=float(np.hypot(beta * market_vol(base), own_vol)),
        price=price,
        price_decimals=max(0, 6 - int(np.floor(np.log10(price)))),
        volume=volume,
        volume_decimals=max(0, 6 - int(np.floor(np.log10(volume)))),
        vol_phi=vol_phi(base),
    )


def noise(rng: np.random.Generator, vol: float, phi: float, log_vol: float) -> tuple[Noise, float]:
    """One chunk of shocks: log volatility is an AR(1), tails are Student's t.

    Args:
        rng: the chunk's generator.
        vol: root mean square of the shocks.
        phi: persistence of log volatility per candle.
        log_vol: log volatility before the chunk, relative to its mean.

    Returns:
        The shocks and the log volatility after the chunk.
    """
    steps = rng.standard_normal(CHUNK) * (_VOL_SPREAD * np.sqrt(1 - phi * phi))
    path = recursion(steps, gain=1.0, decay=phi, before=log_vol)
    # A Student t is a normal whose variance is itself drawn; the draw is kept, because high and low of
    # a candle follow from the variance within it.
    tail = (_TAIL - 2) / rng.chisquare(_TAIL, CHUNK)
    variance = vol * vol * np.exp(2 * (path - _VOL_SPREAD**2)) * tail
    return Noise(np.sqrt(variance) * rng.standard_normal(CHUNK), variance), float(path[-1])


def log_volume_level(
    model: PairModel, open_ms: NDArray[np.int64], log_range: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Log volume to be expected of a candle, given its hour and its range, without any surprise.

    Args:
        model: the pair's constants.
        open_ms: int64[n], open times of base candles.
        log_range: float64[n], ``log(high / low)``.

    Returns:
        float64[n]; `docs/simulated-exchange.md` derives the best prediction from what volume is
        above this level.
    """
    season = SEASON * np.sin(2 * np.pi * (open_ms % _DAY_MS / _DAY_MS - 0.3))
    typical = 1.6 * model.vol  # the mean range of a Brownian path
    relative = np.log(np.maximum(log_range, 1e-3 * typical) / typical)
    level: NDArray[np.float64] = np.log(model.volume) + season + RANGE_POWER * relative
    return level


def pair_chunk(
    model: PairModel,
    rng: np.random.Generator,
    market: Noise,
    before: PairState,
    open_ms: NDArray[np.int64],
) -> tuple[PairChunk, PairState]:
    """One chunk of candles of a pair, and the state after it."""
    own, log_vol = noise(rng, model.own_vol, model.vol_phi, before.log_vol)
    surprise = SURPRISE * rng.standard_normal(CHUNK)
    excitement = recursion(surprise, gain=GAIN, decay=PHI, before=before.excitement)
    earlier = np.concatenate(([before.excitement], excitement[:-1]))

    returns = model.beta * market.shock + own.shock + model.drift * earlier
    log_close = before.log_close + np.cumsum(returns)
    log_open = np.concatenate(([before.log_close], log_close[:-1]))
    log_high, log_low = _extremes(rng, log_open, log_close, model.beta**2 * market.variance + own.variance)

    level = log_volume_level(model, open_ms, log_high - log_low)
    volume = np.exp(level + PHI * earlier + surprise)
    values = _rounded(model, np.exp(np.stack([log_open, log_high, log_low, log_close], axis=1)), volume)
    after = PairState(log_vol, float(excitement[-1]), float(log_close[-1]))
    return PairChunk(values, excitement), after


def _extremes(
    rng: np.random.Generator,
    log_open: NDArray[np.float64],
    log_close: NDArray[np.float64],
    variance: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Highest and lowest log price, each by the law of a Brownian bridge's extreme."""
    middle, square = log_open + log_close, (log_close - log_open) ** 2
    up = np.sqrt(square + 2 * variance * rng.standard_exponential(CHUNK))
    down = np.sqrt(square + 2 * variance * rng.standard_exponential(CHUNK))
    return (middle + up) / 2, (middle - down) / 2


def _rounded(
    model: PairModel, prices: NDArray[np.float64], volume: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Candles with prices in ticks and volume in lots, as exchanges write them."""
    values = np.empty((len(prices), 5), np.float64)
    # Division by a power of ten gives the double that is nearest to the decimal number.
    per_tick = 10.0**model.price_decimals
    values[:, :4] = np.maximum(np.round(prices * per_tick), 1.0) / per_tick
    values[:, 1] = values[:, [0, 1, 3]].max(axis=1)
    values[:, 2] = values[:, [0, 2, 3]].min(axis=1)
    per_lot = 10.0**model.volume_decimals
    values[:, 4] = np.maximum(np.round(volume * per_lot), 1.0) / per_lot
    return values
