"""An exchange that shows recorded candles again."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from daemon.core.candles import CandleFrame
from daemon.core.errors import CandledError, ConfigError, Corrupt, Refused
from daemon.core.market import CandleKey
from daemon.market.feather import candle_path, read_candles
from daemon.market.path import Piece, Standing, pieces, standing
from daemon.market.resample import resampled, unfinished
from daemon.market.simulated import COMMON_TIMEFRAMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from daemon.core.clock import Clock
    from daemon.core.market import CandleRequest
    from daemon.core.pair import Pair
    from daemon.core.timeframe import Timeframe


class ReplayMarket:
    """A `Market` that serves the candle files of a folder in freqtrade's layout, up to the clock's time.

    A timeframe without a file of its own is aggregated from the shortest that the pair has. The candle
    in progress is made of the recorded one, as far as its time has passed. Gaps of the files are gaps
    here.

    Args:
        folder: holds ``BTC_USDT-5m.feather`` and so on; read once, never written.
        pairs: what is traded.
        clock: decides what has happened.

    Raises:
        ConfigError: a pair has no file, a file is not readable, or the files have no time in common.
    """

    name = "replay"
    page_limit = 1000

    def __init__(self, *, folder: Path, pairs: Sequence[Pair], clock: Clock) -> None:
        if not pairs:
            raise ConfigError("a replay needs at least one pair")
        self._clock = clock
        self._files = {pair: _files(folder, pair) for pair in pairs}
        # Aggregates are made on first use and kept: together they are smaller than what they come from.
        self._made: dict[CandleKey, CandleFrame] = {}
        first_ms, last_ms = self.span_ms()
        if first_ms >= last_ms:
            raise ConfigError(f"the candle files of {', '.join(pairs)} in {folder} have no time in common")

    def span_ms(self) -> tuple[int, int]:
        """When the first candle opens and the last closes, as far as all pairs have candles."""
        shortest = [(min(files, key=lambda tf: tf.ms), files) for files in self._files.values()]
        opens = [int(files[tf].open_ms[0]) for tf, files in shortest]
        closes = [int(files[tf].open_ms[-1]) + tf.ms for tf, files in shortest]
        return max(opens), min(closes)

    def timeframes(self) -> frozenset[Timeframe]:
        """See `Market`: what every pair has a file of, or can be aggregated for."""
        return frozenset.intersection(*(_timeframes(files) for files in self._files.values()))

    def pairs(self) -> frozenset[Pair]:
        """See `Market`."""
        return frozenset(self._files)

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
        """See `daemon.market.path.pieces`, of the shortest candles recorded; what lies ahead is not told."""
        shortest = self._shortest(pair)
        until_ms = min(until_ms, self._clock.now_ms())
        final = self._files[pair][shortest].between(shortest.floor(after_ms), until_ms)
        return pieces(final, shortest, after_ms, until_ms, at_or_below=at_or_below)

    def standing(self, pair: Pair, at_ms: int) -> Standing | None:
        """The newest of the shortest candles recorded, as it stood at a moment; None before the first."""
        if pair not in self._files:
            return None
        shortest = self._shortest(pair)
        at_ms = min(at_ms, self._clock.now_ms())
        frame = self._files[pair][shortest]
        i = int(np.searchsorted(frame.open_ms, at_ms, side="right")) - 1
        if i < 0:
            return None
        return standing(frame.values[i], min(1.0, (at_ms - int(frame.open_ms[i])) / shortest.ms))

    def steps(self, pair: Pair) -> tuple[Decimal, Decimal]:
        """Smallest steps of an amount and of a price: as fine as exchanges write, a recording has no filters."""
        if pair not in self._files:
            raise KeyError(pair)
        return Decimal("1E-8"), Decimal("1E-8")

    def _shortest(self, pair: Pair) -> Timeframe:
        return min(self._files[pair], key=lambda timeframe: timeframe.ms)

    def _answer(self, request: CandleRequest, now_ms: int) -> CandleFrame | CandledError:
        pair, timeframe = request.key
        if pair not in self._files:
            return Refused(f"{self.name} has no pair {pair}")
        if timeframe not in _timeframes(self._files[pair]):
            return Refused(f"{self.name} has no {timeframe} candles of {pair}")
        whole = self._candles(request.key)
        page = whole.between(request.since_ms, now_ms)[: min(request.limit, self.page_limit)]
        if not len(page) or page.open_ms[-1] + timeframe.ms <= now_ms:
            return page
        last = self._in_progress(request.key, page[-1:], now_ms)
        if last is None:
            return page[:-1]
        return CandleFrame(
            np.append(page.open_ms[:-1], last.open_ms), np.concatenate([page.values[:-1], last.values])
        )

    def _candles(self, key: CandleKey) -> CandleFrame:
        """The whole recording of a key, the future included."""
        files = self._files[key.pair]
        if key.timeframe in files:
            return files[key.timeframe]
        if key not in self._made:
            base = min(files, key=lambda tf: tf.ms)
            made, counts = resampled(files[base], key.timeframe)
            # A recording begins and ends anywhere: a first or last candle of which a part is missing
            # would pass for a whole one. Inside, a gap of the base is what was traded.
            starts_late = len(made) and counts[0] < key.timeframe.ms // base.ms
            ends_early = len(made) > 1 and counts[-1] < key.timeframe.ms // base.ms
            self._made[key] = made[int(starts_late) : len(made) - int(ends_early)]
        return self._made[key]

    def _in_progress(self, key: CandleKey, final: CandleFrame, now_ms: int) -> CandleFrame | None:
        """The last candle as it stands; an aggregated one does not exist before its first trade."""
        files = self._files[key.pair]
        base = min(files, key=lambda tf: tf.ms)
        opened_ms = int(final.open_ms[0])
        if key.timeframe in files:
            passed = (now_ms - opened_ms) / key.timeframe.ms
            return CandleFrame(final.open_ms.copy(), unfinished(final.values[0], passed)[None])
        parts = files[base].between(opened_ms, now_ms)
        if not len(parts):
            return None
        values = parts.values.copy()
        passed_ms = now_ms - int(parts.open_ms[-1])
        if passed_ms < base.ms:
            values[-1] = unfinished(values[-1], passed_ms / base.ms)
        return resampled(CandleFrame(parts.open_ms.copy(), values), key.timeframe)[0]


def _files(folder: Path, pair: Pair) -> dict[Timeframe, CandleFrame]:
    """Every recording of the pair."""
    found = {}
    for timeframe in COMMON_TIMEFRAMES:
        path = candle_path(folder, CandleKey(pair, timeframe))
        try:
            frame = read_candles(path, timeframe)
        except FileNotFoundError:
            continue
        except (Corrupt, OSError) as exc:
            raise ConfigError(f"cannot replay {path}: {exc}") from exc
        if len(frame):
            found[timeframe] = frame
    if not found:
        example = candle_path(folder, CandleKey(pair, COMMON_TIMEFRAMES[2])).name
        raise ConfigError(f"no candles of {pair} in {folder}: there is no file such as {example}")
    return found


def _timeframes(files: dict[Timeframe, CandleFrame]) -> frozenset[Timeframe]:
    base = min(files, key=lambda tf: tf.ms)
    return frozenset({*files, *(tf for tf in COMMON_TIMEFRAMES if tf.ms % base.ms == 0)})
