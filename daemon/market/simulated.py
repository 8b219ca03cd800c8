"""The embedded exchange: candles of several correlated pairs, made by a documented model."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from daemon.core.candles import CandleFrame
from daemon.core.errors import CandledError, ConfigError, Refused
from daemon.core.timeframe import Timeframe
from daemon.market import simulation
from daemon.market.path import Piece, Standing, pieces, standing
from daemon.market.resample import resampled, unfinished
from daemon.market.simulation import CHUNK, Chunks, Noise, PairChunk, PairModel, PairState

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from daemon.core.clock import Clock
    from daemon.core.market import CandleRequest
    from daemon.core.pair import Pair

ORIGIN_MS = 1_704_067_200_000
"""Open time of the first candle: Monday, 2024-01-01 00:00 UTC."""

COMMON_TIMEFRAMES = tuple(
    Timeframe(text)
    for text in ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w")
)
"""What exchanges usually offer."""

_FIVE_MINUTES = Timeframe("5m")
_CHUNKS_PER_PAIR = 2  # 0.4 MB: a page that begins in the one before; of older pages each chunk is made anew


class SimulatedMarket:
    """A `Market` whose candles are a function of (seed, pair, base timeframe) and nothing else.

    The same candle has the same values whatever was asked before, in whichever order, at whatever
    speed of the clock, and whichever other pairs there are. Only what has happened by ``clock`` is
    served; the candle in progress comes last and is shown as it stands. The model, and why its best
    prediction is known, stands in ``docs/simulated-exchange.md``.

    Args:
        pairs: what is traded. ``BTC/...`` is nearly the market itself, the others follow it by a beta.
        seed: any integer.
        clock: decides what has happened.
        base: length of the candles that are drawn; longer ones are aggregated from them.

    Raises:
        ConfigError: a week is not a whole number of base candles, or no pairs are named.
    """

    name = "simulated"
    page_limit = 1000

    def __init__(
        self, *, pairs: Sequence[Pair], seed: int, clock: Clock, base: Timeframe = _FIVE_MINUTES
    ) -> None:
        if not pairs:
            raise ConfigError("the simulated exchange needs at least one pair")
        if Timeframe("1w").ms % base.ms:
            raise ConfigError(
                f"the simulated exchange cannot draw {base} candles: a week must hold a whole number"
            )
        self._clock = clock
        self._base = base
        self._seed = seed
        self._models = {pair: simulation.pair_model(pair, seed, base) for pair in pairs}
        # Market chunks serve every pair; 64 of them are 4 MB.
        self._factor: Chunks[float, Noise] = Chunks(0.0, self._factor_chunk, keep=64)
        self._chunks = {pair: self._pair_chunks(pair, model) for pair, model in self._models.items()}
        self._lock = threading.Lock()

    def list_too(self, pairs: Sequence[Pair]) -> None:
        """Trade these as well, from the first candle on: the candles of the others do not depend on it."""
        with self._lock:
            new = {
                pair: simulation.pair_model(pair, self._seed, self._base)
                for pair in pairs
                if pair not in self._models
            }
            chunks = {pair: self._pair_chunks(pair, model) for pair, model in new.items()}
            self._chunks = {**self._chunks, **chunks}  # before the models: who finds a pair finds its candles
            self._models = {**self._models, **new}

    def timeframes(self) -> frozenset[Timeframe]:
        """See `Market`: the base and what it divides."""
        return frozenset({self._base, *(tf for tf in COMMON_TIMEFRAMES if tf.ms % self._base.ms == 0)})

    def pairs(self) -> frozenset[Pair]:
        """See `Market`."""
        return frozenset(self._models)

    def now_ms(self) -> int:
        """See `Market`."""
        return self._clock.now_ms()

    def fetch(self, requests: Sequence[CandleRequest], budget_s: float) -> list[CandleFrame | CandledError]:
        """See `Market`; ``budget_s`` is never used up."""
        del budget_s
        now_ms = self._clock.now_ms()
        return [self._answer(request, now_ms) for request in requests]

    def close(self) -> None:
        """See `Market`; there is nothing to let go of."""

    def path(
        self, pair: Pair, after_ms: int, until_ms: int, *, at_or_below: Decimal | None = None
    ) -> Iterator[Piece]:
        """See `daemon.market.path.pieces`; what has not happened by the clock is not told."""
        until_ms = min(until_ms, self._clock.now_ms())
        first_ms = self._base.floor(max(after_ms, ORIGIN_MS))
        if until_ms <= first_ms:
            return iter(())
        final = self._base_candles(pair, first_ms, self._base.floor(until_ms - 1))
        return pieces(final, self._base, after_ms, until_ms, at_or_below=at_or_below)

    def standing(self, pair: Pair, at_ms: int) -> Standing | None:
        """The base candle that was in progress at a moment that is not in the future."""
        at_ms = min(at_ms, self._clock.now_ms())
        opened_ms = self._base.floor(at_ms)
        if pair not in self._models or opened_ms < ORIGIN_MS:
            return None
        final = self._base_candles(pair, opened_ms, opened_ms)
        return standing(final.values[0], (at_ms - opened_ms) / self._base.ms)

    def steps(self, pair: Pair) -> tuple[Decimal, Decimal]:
        """Smallest steps of an amount (base currency) and of a price (quote currency)."""
        model = self._models[pair]
        return Decimal(1).scaleb(-model.volume_decimals), Decimal(1).scaleb(-model.price_decimals)

    def expected_return(self, pair: Pair, open_ms: NDArray[np.int64], horizon: int) -> NDArray[np.float64]:
        """The best possible prediction: ``E[log(close[t + horizon] / close[t]) | candles up to t]``.

        It is ``drift * excitement[t] * (1 - PHI**horizon) / (1 - PHI)``. The excitement is a function
        of the candles up to t (an exponential average of relative volume), so that no predictor that
        sees candles can have a smaller mean square error. It does not ask the clock: it is meant for
        checks, also of candles to come.

        Args:
            pair: one of `pairs`.
            open_ms: int64[n], open times of base candles.
            horizon: number of base candles ahead, at least 1.

        Returns:
            float64[n], log returns.

        Raises:
            ValueError: a time at which no base candle opens, or a horizon below 1.
        """
        offset = np.asarray(open_ms, np.int64) - ORIGIN_MS
        if horizon < 1 or (offset < 0).any() or (offset % self._base.ms).any():
            raise ValueError(
                f"horizon {horizon} or times are not those of {self._base} candles since {ORIGIN_MS}"
            )
        which, row = np.divmod(offset // self._base.ms, CHUNK)
        excitement = np.empty(len(offset), np.float64)
        with self._lock:
            for index in np.unique(which):
                here = which == index
                excitement[here] = self._chunks[pair][int(index)].excitement[row[here]]
        ahead = (1 - simulation.PHI**horizon) / (1 - simulation.PHI)
        return self._models[pair].drift * ahead * excitement

    def _answer(self, request: CandleRequest, now_ms: int) -> CandleFrame | CandledError:
        pair, timeframe = request.key
        if pair not in self._models:
            return Refused(f"{self.name} has no pair {pair}")
        if timeframe not in self.timeframes():
            return Refused(
                f"{self.name} has no {timeframe} candles: they are not made of {self._base} candles"
            )
        first_ms = max(timeframe.ceil(request.since_ms), timeframe.ceil(ORIGIN_MS))
        limit = min(request.limit, self.page_limit)
        last_ms = min(first_ms + (limit - 1) * timeframe.ms, timeframe.floor(now_ms))
        if last_ms < first_ms:
            return CandleFrame.empty()
        base = self._base_candles(
            pair, first_ms, min(last_ms + timeframe.ms - self._base.ms, self._base.floor(now_ms))
        )
        base = _as_seen(base, self._base, now_ms)
        return base if timeframe == self._base else resampled(base, timeframe)[0]

    def _base_candles(self, pair: Pair, first_ms: int, last_ms: int) -> CandleFrame:
        """Base candles that open from ``first_ms`` to ``last_ms``, as they close."""
        step = self._base.ms
        first, stop = (first_ms - ORIGIN_MS) // step, (last_ms - ORIGIN_MS) // step + 1
        parts = []
        with self._lock:
            for index in range(first // CHUNK, (stop - 1) // CHUNK + 1):
                start = index * CHUNK
                parts.append(self._chunks[pair][index].values[max(first - start, 0) : stop - start])
        return CandleFrame(ORIGIN_MS + step * np.arange(first, stop, dtype=np.int64), np.concatenate(parts))

    def _factor_chunk(self, index: int, before: float) -> tuple[Noise, float]:
        rng = simulation.random(self._seed, f"market {self._base}", index)
        return simulation.noise(
            rng, simulation.market_vol(self._base), simulation.vol_phi(self._base), before
        )

    def _pair_chunks(self, pair: Pair, model: PairModel) -> Chunks[PairState, PairChunk]:
        def make(index: int, before: PairState) -> tuple[PairChunk, PairState]:
            rng = simulation.random(self._seed, f"{pair} {self._base}", index)
            rows = np.arange(index * CHUNK, (index + 1) * CHUNK, dtype=np.int64)
            open_ms = ORIGIN_MS + self._base.ms * rows
            return simulation.pair_chunk(model, rng, self._factor[index], before, open_ms)

        start = PairState(log_vol=0.0, excitement=0.0, log_close=float(np.log(model.price)))
        return Chunks(start, make, keep=_CHUNKS_PER_PAIR)


def _as_seen(base: CandleFrame, timeframe: Timeframe, now_ms: int) -> CandleFrame:
    """The same candles, the last as it stands at ``now_ms`` if it is in progress."""
    passed_ms = now_ms - int(base.open_ms[-1])
    if passed_ms >= timeframe.ms:
        return base
    values = base.values.copy()
    values[-1] = unfinished(values[-1], passed_ms / timeframe.ms)
    return CandleFrame(base.open_ms, values)
