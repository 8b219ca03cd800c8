"""The waiting and the counting of the feed's start."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING

from daemon.core.errors import ConfigError, Refused, Retryable

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Mapping

    from daemon.core.clock import Clock
    from daemon.core.market import CandleKey, Market
    from daemon.market.rounds import Tally
    from daemon.market.track import Track

    Progress = Callable[[CandleKey, int, int], None]

log = logging.getLogger(__name__)

_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.5, 60.0
# Answers in a row without anything new after which a key is left as it is.
_FRUITLESS = 4
# Requests in one round: enough to keep a fast exchange busy, few enough to get their turn soon.
_BATCH = 48


def await_market(market: Market, keys: Iterable[CandleKey], clock: Clock, stop: threading.Event) -> bool:
    """Wait until the market can be asked what it trades, and check that it serves all keys.

    Returns:
        False if ``stop`` was set before.

    Raises:
        ConfigError: it lacks a pair or a timeframe; the message names all of them.
    """
    keys, served = list(keys), market.timeframes()
    lacking = sorted({key.timeframe for key in keys if key.timeframe not in served})
    if lacking:
        offered = sorted(served, key=lambda timeframe: timeframe.ms)
        raise ConfigError(
            f"{market.name} has no candles of {', '.join(lacking)}; it offers {', '.join(offered)}"
        )
    pause_s, failed = _FIRST_PAUSE_S, False
    while not stop.is_set():
        try:
            pairs = market.pairs()
        except Retryable as exc:
            if not failed:
                fields = {"market": market.name, "error": str(exc)}
                log.warning("market_unreachable", extra={"fields": fields})
            failed = True
            clock.wait(stop, pause_s)
            pause_s = min(2 * pause_s, _LAST_PAUSE_S)
            continue
        if failed:
            log.info("market_reached", extra={"fields": {"market": market.name}})
        unknown = sorted({key.pair for key in keys if key.pair not in pairs})
        if unknown:
            raise ConfigError(
                f"{market.name} does not trade {', '.join(unknown)}: take them out of exchange.pair_whitelist or "
                "freqai.feature_parameters.include_corr_pairlist"
            )
        return True
    return False


class CatchUp:
    """Decides which keys are asked for next while the feed starts, and how long to pause.

    Args:
        tracks: all keys.
        expected: candles that each key should have in the end.
        progress: is told of candles that came in.
    """

    def __init__(
        self, tracks: Mapping[CandleKey, Track], expected: Mapping[CandleKey, int], progress: Progress | None
    ) -> None:
        self._tracks = tracks
        self._expected = expected
        self._progress = progress
        self._fruitless: Counter[CandleKey] = Counter()
        self._failed: Counter[CandleKey] = Counter()
        self._pause_s = 0.0
        for key in tracks:
            self._tell(key)

    def turn(self, behind: Iterable[CandleKey]) -> list[CandleKey]:
        """The keys to ask for now: failing ones last, then the shortest history, so that all get on evenly."""
        hopeful = [key for key in behind if self._fruitless[key] < _FRUITLESS]
        return sorted(hopeful, key=lambda key: (self._failed[key], self._share(key)))[:_BATCH]

    def pause_s(self, asked: Iterable[CandleKey], settled: set[CandleKey], tally: Tally) -> float:
        """Note what a round brought; return how many seconds to wait before the next.

        Raises:
            ConfigError: the market refuses a key.
        """
        for key in asked:
            error = tally.errors.get(key)
            if isinstance(error, Refused):
                raise ConfigError(f"cannot fetch candles of {key}: {error}") from error
            if key in settled:
                self._fruitless[key] = 0
                self._tell(key)
            elif error is None:
                self._fruitless[key] += 1
            self._failed[key] = self._failed[key] + 1 if error else 0
        if settled:
            self._pause_s = 0.0
        else:
            # Without an error, only the newest candle or a hole is awaited: no reason to wait for long.
            longest_s = _LAST_PAUSE_S if tally.errors else _FIRST_PAUSE_S
            self._pause_s = min(max(2 * self._pause_s, _FIRST_PAUSE_S), longest_s)
        return max(self._pause_s, tally.wait_s if not settled else 0.0)

    def _share(self, key: CandleKey) -> float:
        return len(self._tracks[key].frame) / max(1, self._expected[key])

    def _tell(self, key: CandleKey) -> None:
        if self._progress is not None:
            self._progress(key, min(len(self._tracks[key].frame), self._expected[key]), self._expected[key])
