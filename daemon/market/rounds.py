"""One batch of requests for many keys, and what came of it."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from daemon.core.errors import CandledError, RateLimited, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daemon.core.candles import CandleFrame
    from daemon.core.market import CandleKey, Market
    from daemon.core.pair import Pair
    from daemon.market.agreement import Agreement
    from daemon.market.gaps import Span
    from daemon.market.track import Track

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Tally:
    """What happened so far in one update."""

    appended: Counter[CandleKey] = field(default_factory=Counter)
    changed: dict[CandleKey, int] = field(default_factory=dict)
    """The first candle of each key's history that is another one than before."""
    revisions: int = 0
    gaps: int = 0
    requests: int = 0
    errors: dict[CandleKey, CandledError] = field(default_factory=dict)
    """The newest error of each key that failed when it was last asked for."""

    @property
    def wait_s(self) -> float:
        """Seconds for which the exchange asked for silence; 0 if it did not."""
        return max((e.wait_s for e in self.errors.values() if isinstance(e, RateLimited)), default=0.0)


class Rounds:
    """Asks the market, and gives the answers to the tracks.

    A failure of the market is logged when it begins and when it is over, not for every request.
    """

    def __init__(self, market: Market, tracks: Mapping[CandleKey, Track], agreement: Agreement) -> None:
        self._market = market
        self._tracks = tracks
        self._agreement = agreement
        self._prices: dict[Pair, tuple[int, float]] = {}
        self._failing = False
        self._refused: set[CandleKey] = set()

    def turn_to(self, tracks: Mapping[CandleKey, Track]) -> None:
        """Give answers to these from now on."""
        self._tracks = tracks

    def price(self, pair: Pair) -> float | None:
        """Last price seen, the candle in progress included."""
        seen = self._prices.get(pair)
        return seen[1] if seen else None

    def note_price(self, key: CandleKey, page: CandleFrame, bound_ms: int) -> None:
        """Keep the newest close; a candle in progress speaks of now, a closed one of its close."""
        if not len(page):
            return
        seen_ms = min(int(page.open_ms[-1]) + key.timeframe.ms, bound_ms)
        if key.pair not in self._prices or seen_ms >= self._prices[key.pair][0]:
            self._prices[key.pair] = (seen_ms, float(page.close[-1]))

    def run(
        self, spans: Mapping[CandleKey, Span], *, bound_ms: int, update: int, budget_s: float, tally: Tally
    ) -> set[CandleKey]:
        """Ask for one page of every span; return the keys for which something was settled by it.

        Args:
            spans: what is wanted.
            bound_ms: market time; candles that are not closed by then are in progress.
            update: number of the update.
            budget_s: real seconds.
            tally: counts and errors are added to it.
        """
        requests = {
            key: self._tracks[key].request(span, self._market.page_limit) for key, span in spans.items()
        }
        answers = self._market.fetch(list(requests.values()), budget_s)
        tally.requests += len(requests)
        settled = set()
        for (key, request), answer in zip(requests.items(), answers, strict=True):
            tally.errors.pop(key, None)
            if isinstance(answer, CandledError):
                tally.errors[key] = answer
                continue
            self.note_price(key, answer, bound_ms)
            newest_ms = key.timeframe.newest_closed(bound_ms)
            done = self._tracks[key].absorb(spans[key], request, answer, newest_ms, update)
            tally.appended[key] += done.appended
            tally.revisions += len(done.revised_ms)
            tally.gaps += done.gaps
            for changed_ms in done.changed_ms:
                self._agreement.revisit(key, changed_ms)
                tally.changed[key] = min(changed_ms, tally.changed.get(key, changed_ms))
            if done.settled:
                settled.add(key)
        self._report({key: answer for key, answer in tally.errors.items() if key in requests}, len(requests))
        return settled

    def _report(self, errors: Mapping[CandleKey, CandledError], asked: int) -> None:
        """Log beginnings and ends of failures."""
        for key, error in errors.items():
            if isinstance(error, Refused) and key not in self._refused:
                self._refused.add(key)
                log.warning("candles_refused", extra={"fields": {"key": str(key), "error": str(error)}})
        passing = {key: error for key, error in errors.items() if not isinstance(error, Refused)}
        if passing and not self._failing:
            key, error = next(iter(passing.items()))
            fields = {"failed": len(passing), "of": asked, "key": str(key), "error": str(error)}
            log.warning("candles_unavailable", extra={"fields": fields})
        elif self._failing and not passing:
            log.info("candles_available_again", extra={"fields": {"market": self._market.name}})
        self._failing = bool(passing)
