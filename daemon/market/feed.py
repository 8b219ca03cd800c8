"""The feed: every key's closed candles, whole, in order and up to date."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from daemon.market.agreement import Agreement
from daemon.market.rounds import Rounds, Tally
from daemon.market.track import Track
from daemon.market.warm_up import CatchUp, await_market
from daemon.market.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping, Sequence

    from daemon.core.candles import CandleFrame
    from daemon.core.clock import Clock
    from daemon.core.market import CandleKey, Market
    from daemon.core.pair import Pair
    from daemon.market.gaps import Span
    from daemon.market.store import CandleStore

# First pause before a late candle is asked for again; it doubles.
_PAUSE_S = 0.5
# One round of the warm-up: short, so that a stop is heard soon.
_ROUND_S = 5.0
# How long a series that is not fetched any more stays readable: longer than any thread's step, real seconds.
_LEAVE_S = 3600.0
# Candles per key that the warm-up holds back from the disk: so much of it a crash may cost.
_UNWRITTEN_WARM_UP = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedReport:
    """What one call changed.

    Attributes:
        appended: candles that came in, by key; keys without any are absent.
        missing: keys whose newest closed candle is not there, and why.
        changed: keys whose history is another one than before (a revision, a gap filled late), and the
            open time of the first candle that changed or came in.
        revisions: closed candles whose values the exchange has changed.
        gaps: gaps that were recorded.
        requests: pages that were asked for.
        disagreements: longer candles that are not what their parts say.
    """

    appended: Mapping[CandleKey, int]
    missing: Mapping[CandleKey, str]
    changed: Mapping[CandleKey, int]
    revisions: int
    gaps: int
    requests: int
    disagreements: int


class Feed:
    """Keeps the candles of all keys: from the files at start, from the market since.

    A candle in progress never enters. Candles arrive in order and without holes; a hole is asked for
    again and, when it stays, recorded as a gap. Late revisions of the last two closed candles are taken
    and logged. In memory, a key keeps what `warm_up` was asked for and a few hundred more; files keep what
    the store keeps.

    One thread calls `warm_up`, `update`, `join`, `keep` and `flush`; the rest may be called from any.

    Args:
        market: where candles come from.
        store: where they are kept.
        keys: what is wanted.
        clock: for pauses and deadlines; which candle is closed is told by the market's own time.
    """

    def __init__(
        self, *, market: Market, store: CandleStore, keys: Sequence[CandleKey], clock: Clock
    ) -> None:
        self._market = market
        self._store = store
        self._writer = Writer(store)
        self._clock = clock
        self._tracks = {key: Track(key) for key in keys}
        # What `frame` answers from: for a while also keys that are not fetched any more, which others may just be reading.
        self._known = self._tracks
        self._left_s: dict[CandleKey, float] = {}
        self._agreement = Agreement(list(self._tracks))
        self._rounds = Rounds(market, self._tracks, self._agreement)
        self._updates = 0
        self._disagreements = 0
        # Keys that had nothing new for the whole of the last update (a halted pair): nobody waits for them.
        self._quiet: set[CandleKey] = set()

    @property
    def disagreements(self) -> int:
        """Longer candles so far that are not what their parts say."""
        return self._disagreements

    def frame(self, key: CandleKey) -> CandleFrame:
        """The candles held of a key, as they are now; the answer does not change any more."""
        return self._known[key].frame

    def __contains__(self, key: CandleKey) -> bool:
        """Whether a key's candles are fetched."""
        return key in self._tracks

    def beside(self, keys: Sequence[CandleKey]) -> Feed:
        """A feed of more keys, from the same market into the same files: to be warmed up by another thread, then `join`ed."""
        return Feed(market=self._market, store=self._store, keys=keys, clock=self._clock)

    def join(self, other: Feed) -> None:
        """Fetch another feed's keys from now on, with the candles that it holds; nobody must use that feed afterwards."""
        more = {key: track for key, track in other._tracks.items() if key not in self._tracks}
        for key, track in more.items():
            self._rounds.note_price(key, track.frame, self._market.now_ms())
        self._turn_to({**self._tracks, **more})

    def keep(self, keys: Container[CandleKey]) -> None:
        """Fetch these alone from now on, as far as they are known; the others stay on the disk, and in memory for an hour."""
        for key, track in self._tracks.items():
            if key not in keys:
                self._writer.write(track)
        self._turn_to({key: track for key, track in self._known.items() if key in keys})

    def _turn_to(self, tracks: dict[CandleKey, Track]) -> None:
        self._known = {**self._known, **tracks}
        now_s = self._clock.monotonic_s()
        self._left_s = {key: self._left_s.get(key, now_s) for key in self._known if key not in tracks}
        self._agreement.turn_to(list(tracks))
        self._rounds.turn_to(tracks)
        self._quiet &= tracks.keys()
        self._tracks = tracks

    def price(self, pair: Pair) -> float | None:
        """The last price seen of a pair, the candle in progress included; None before the first."""
        return self._rounds.price(pair)

    def gaps(self) -> Mapping[CandleKey, list[tuple[int, int]]]:
        """Recorded gaps of the keys that have some: open times of the first and the last missing candle."""
        return {
            key: [(gap.span.first_ms, gap.span.last_ms) for gap in track.gaps]
            for key, track in self._tracks.items()
            if track.gaps
        }

    def warm_up(
        self,
        since_ms: Mapping[CandleKey, int],
        stop: threading.Event,
        progress: Callable[[CandleKey, int, int], None] | None = None,
    ) -> FeedReport:
        """Read the files and fetch what they lack, until every key is up to date or ``stop`` is set.

        While the market cannot be reached it is asked again, with growing pauses.

        Args:
            since_ms: open time of the oldest candle that is needed, for each key.
            stop: ends the call; what was fetched is kept.
            progress: is called with (key, candles held, candles expected) as they come in.

        Raises:
            ConfigError: the market does not serve a pair or a timeframe.
        """
        tally = Tally()
        if await_market(self._market, self._tracks, self._clock, stop):
            now_ms = self._market.now_ms()
            for key, track in self._tracks.items():
                self._writer.load(track, since_ms[key], key.timeframe.newest_closed(now_ms))
                self._rounds.note_price(key, track.frame, now_ms)
            expected = {
                key: max(0, (now_ms - key.timeframe.ceil(since_ms[key])) // key.timeframe.ms)
                for key in self._tracks
            }
            self._catch_up(CatchUp(self._tracks, expected, progress), stop, tally)
            self._writer.write_much(self._tracks.values())
        return self._report(tally, self._market.now_ms())

    def update(self, close_ms: int, budget_s: float, stop: threading.Event | None = None) -> FeedReport:
        """Fetch all candles that are closed at ``close_ms`` and not there yet, whatever their number.

        A candle that the exchange is late with is asked for again while the budget lasts.

        Args:
            close_ms: market time, a candle boundary; candles that close later are left for later.
            budget_s: real seconds that the call may take.
            stop: ends the call early.
        """
        stop = stop or threading.Event()
        tally = Tally()
        self._updates += 1
        deadline_s = self._clock.monotonic_s() + budget_s
        pause_s, left_s = _PAUSE_S, budget_s
        asked = set(self._tracks)
        while True:
            bound_ms = min(self._market.now_ms(), close_ms)
            settled = self._round(self._spans(asked, bound_ms), bound_ms, left_s, tally)
            self._quiet -= settled
            asked = self._late(close_ms) - self._quiet - tally.errors.keys()
            left_s = deadline_s - self._clock.monotonic_s()
            if not asked or left_s <= 0 or stop.is_set():
                break
            if not settled:
                if left_s <= pause_s or self._clock.wait(stop, pause_s):
                    break
                pause_s, left_s = 2 * pause_s, deadline_s - self._clock.monotonic_s()
        self._quiet |= {key for key in self._late(close_ms) if not tally.appended[key]}
        self._ask_for_gaps(min(self._market.now_ms(), close_ms), left_s, tally)
        self._writer.write_due(self._tracks.values())
        self._forget()
        return self._report(tally, close_ms)

    def _forget(self) -> None:
        """Let go of series that were left long ago: nobody reads them any more."""
        bound_s = self._clock.monotonic_s() - _LEAVE_S
        gone = {key for key, left_s in self._left_s.items() if left_s < bound_s}
        if gone:
            self._known = {key: track for key, track in self._known.items() if key not in gone}
            self._left_s = {key: left_s for key, left_s in self._left_s.items() if key not in gone}

    def flush(self) -> None:
        """Write all files that lack candles; one that cannot be written is logged and tried again later."""
        for track in self._tracks.values():
            self._writer.write(track)

    def _catch_up(self, plan: CatchUp, stop: threading.Event, tally: Tally) -> None:
        """Ask, round by round, until nothing is behind that the market can give."""
        while not stop.is_set():
            self._updates += 1
            bound_ms = self._market.now_ms()
            spans = self._spans(self._tracks, bound_ms)
            turn = plan.turn(spans)
            if not turn:
                return
            settled = self._round({key: spans[key] for key in turn}, bound_ms, _ROUND_S, tally)
            self._writer.write_due(self._tracks.values(), _UNWRITTEN_WARM_UP)
            self._clock.wait(stop, plan.pause_s(turn, settled, tally))

    def _round(
        self, spans: Mapping[CandleKey, Span], bound_ms: int, budget_s: float, tally: Tally
    ) -> set[CandleKey]:
        """One batch; the keys for which it brought something."""
        if not spans:
            return set()
        return self._rounds.run(
            spans, bound_ms=bound_ms, update=self._updates, budget_s=budget_s, tally=tally
        )

    def _spans(self, keys: Container[CandleKey], bound_ms: int) -> dict[CandleKey, Span]:
        """What is wanted of these keys, closed by ``bound_ms``, in the order of the feed's keys."""
        tracks = ((key, track) for key, track in self._tracks.items() if key in keys)
        wanted = ((key, track.wanted(key.timeframe.newest_closed(bound_ms))) for key, track in tracks)
        return {key: span for key, span in wanted if span is not None}

    def _late(self, close_ms: int) -> set[CandleKey]:
        """Keys whose newest candle closed by ``close_ms`` is not there."""
        return {
            key
            for key, track in self._tracks.items()
            if track.last_ms is None or track.last_ms < key.timeframe.newest_closed(close_ms)
        }

    def _ask_for_gaps(self, bound_ms: int, budget_s: float, tally: Tally) -> None:
        """Ask once more for recorded gaps whose time has come, one for each key."""
        due = {key: gap for key, track in self._tracks.items() if (gap := track.due_gap(bound_ms))}
        if budget_s <= 0 or not due:
            return
        self._round({key: gap.span for key, gap in due.items()}, bound_ms, budget_s, tally)
        for key, gap in due.items():
            if key not in tally.errors:
                self._tracks[key].postpone(gap, bound_ms)

    def _report(self, tally: Tally, close_ms: int) -> FeedReport:
        """Compare timeframes, and say what became of the call."""
        disagreements = self._agreement.check(self.frame)
        self._disagreements += disagreements
        late = self._late(close_ms)
        return FeedReport(
            appended={key: count for key, count in tally.appended.items() if count},
            missing={key: self._why_late(key, tally) for key in self._tracks if key in late},
            changed=dict(tally.changed),
            revisions=tally.revisions,
            gaps=tally.gaps,
            requests=tally.requests,
            disagreements=disagreements,
        )

    def _why_late(self, key: CandleKey, tally: Tally) -> str:
        if key in tally.errors:
            return str(tally.errors[key])
        if self._tracks[key].suspects:
            return "candles before it are missing and asked for again"
        return f"{self._market.name} has not served it yet"
