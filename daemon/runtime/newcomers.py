"""Pairs that join a running daemon: their candles are fetched and their features computed beside it, then handed over whole."""

from __future__ import annotations

import logging
import queue
import threading
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from daemon.core.errors import CandledError, StrategyError
from daemon.runtime.preparation import candles_since
from daemon.runtime.supervision import STANDSTILL_S, stack_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from daemon.core.candles import CandleFrame
    from daemon.core.clock import Clock
    from daemon.core.market import CandleKey
    from daemon.core.pair import Pair
    from daemon.features.store import FeatureStore
    from daemon.market.feed import Feed

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A pair that can be handled from the next candle on.

    Attributes:
        pair: it.
        keys: every candle series that it needs.
        candles: a feed that holds those which the daemon does not fetch yet.
    """

    pair: Pair
    keys: tuple[CandleKey, ...]
    candles: Feed


class _Left(Exception):
    """This thread hung, and was left; what it was doing is nobody's business any more."""


class Newcomers:
    """One pair after the other, in a thread that runs while there are some.

    A pair whose candles cannot be had is told once, and left out until it is asked for anew; the others go on. So does
    one in whose features the strategy hangs: its thread is left where it is, and the others get another.

    Args:
        feed: of the running daemon.
        features: of the running daemon.
        keys_of: every candle series that a pair needs.
        train_period_ms: length of the training window.
        clock: market time.
        stop: ends the fetching.
        give_way: called before each piece of computation: a tick goes first.
        patience_s: real seconds that a piece of computation may take before it is taken to hang.
    """

    def __init__(
        self,
        *,
        feed: Feed,
        features: FeatureStore,
        keys_of: Callable[[Pair], Sequence[CandleKey]],
        train_period_ms: int,
        clock: Clock,
        stop: threading.Event,
        give_way: Callable[[], None],
        patience_s: float = 100.0,
    ) -> None:
        self._patience_s = patience_s
        self._computing: tuple[Pair, float] | None = None
        """Whose features are being computed, and when the piece under way began."""
        self._looked_s = clock.monotonic_s()
        self._feed = feed
        self._features = features
        self._keys_of = keys_of
        self._train_period_ms = train_period_ms
        self._clock = clock
        self._stop = stop
        self._give_way = give_way
        self._waiting: queue.SimpleQueue[Pair] = queue.SimpleQueue()
        self._ready: queue.SimpleQueue[Ready] = queue.SimpleQueue()
        self._states: dict[Pair, str] = {}
        self._failed: dict[Pair, str] = {}
        self._thread: threading.Thread | None = None

    def figures(self) -> dict[str, str]:
        """Pairs on their way, and how far they are; those that cannot come, and why."""
        return {str(pair): state for pair, state in {**self._states, **self._failed}.items()}

    def ask(self, pairs: Sequence[Pair]) -> None:
        """Prepare these, but for those that are on their way or failed; called by one thread, about every second, as are the next two."""
        self._leave_what_hangs()
        for pair in pairs:
            if pair not in self._states and pair not in self._failed:
                self._states[pair] = "waits for its turn"
                log.info("pair_warms_up", extra={"fields": {"pair": pair}})
                self._waiting.put(pair)
        if not self._waiting.empty() and (self._thread is None or not self._thread.is_alive()):
            self._thread = threading.Thread(target=self._run, name="newcomers", daemon=True)
            self._thread.start()

    def ready(self) -> list[Ready]:
        """Pairs that are ready and were not handed out yet."""
        found = []
        while not self._ready.empty():
            ready = self._ready.get()
            self._states.pop(ready.pair, None)
            found.append(ready)
        return found

    def forgive(self) -> None:
        """Try pairs that failed again, when they are asked for again."""
        self._failed.clear()

    def _leave_what_hangs(self) -> None:
        """Go on without a thread that hangs in a strategy's hook: Python cannot end it."""
        now_s, thread, computing = self._clock.monotonic_s(), self._thread, self._computing
        stood_still = now_s - self._looked_s > STANDSTILL_S  # the whole process: that is no thread's fault
        self._looked_s = now_s
        if computing is None or thread is None:
            return
        pair, since_s = computing
        if stood_still:
            self._computing = pair, now_s
        elif now_s - since_s > self._patience_s:
            fields = {"thread": thread.name, "seconds": round(now_s - since_s), "stack": stack_of(thread)}
            log.error("thread_hangs", extra={"fields": fields})
            self._thread = None
            self._fail(pair, f"the strategy's features took longer than {self._patience_s:g} s")

    def _piece(self, pair: Pair) -> None:
        """The strategy's code is about to run for a pair.

        Raises:
            _Left: nobody waits for this thread any more.
        """
        self._give_way()
        self._computed(pair)

    def _computed(self, pair: Pair | None) -> None:
        if self._left():
            raise _Left
        self._computing = None if pair is None else (pair, self._clock.monotonic_s())

    def _left(self) -> bool:
        """Whether this thread hung, and another does its work."""
        return threading.current_thread() is not self._thread

    def _run(self) -> None:
        """One pair after the other, until none waits."""
        while not (self._stop.is_set() or self._left()):
            try:
                pair = self._waiting.get_nowait()
            except queue.Empty:
                return
            try:
                self._prepare(pair)
            except _Left:
                return
            except CandledError as exc:
                if not self._left():
                    self._fail(pair, str(exc))
            except Exception as exc:  # the root of a thread: the pair stays out, the daemon goes on
                log.exception("newcomer_failed")
                if not self._left():
                    self._fail(pair, f"{type(exc).__name__}: {exc}")

    def _fail(self, pair: Pair, why: str) -> None:
        self._computing = None
        log.error("pair_cannot_join", extra={"fields": {"pair": pair, "error": why}})
        self._failed[pair] = why
        self._states.pop(pair, None)

    def _prepare(self, pair: Pair) -> None:
        """Fetch the pair's candles and compute its newest rows.

        Raises:
            ConfigError: the market does not serve them.
        """
        self._piece(pair)
        keys = tuple(self._keys_of(pair))
        self._computed(None)
        beside = self._feed.beside([key for key in keys if key not in self._feed])
        plan = self._features.plan
        since = candles_since(
            keys,
            plan,
            self._clock.now_ms(),
            self._train_period_ms,
            self._features.warm_up,
            nested=self._features.reads.any,
        )
        counts: dict[CandleKey, tuple[int, int]] = {}

        def progress(key: CandleKey, done: int, wanted: int) -> None:
            counts[key] = done, wanted
            done, wanted = (sum(numbers) for numbers in zip(*counts.values(), strict=True))
            self._states[pair] = f"fetching candles: {done} of {wanted}"

        report = beside.warm_up(since, self._stop, progress)
        if self._stop.is_set():
            return
        self._states[pair] = "computing features"
        self._piece(pair)
        try:
            self._features.prepare(
                pair,
                plan.base.floor(self._clock.now_ms()),
                _joined(self._feed, beside),
                partial(self._piece, pair),
            )
        except StrategyError as exc:  # as at a start: the pair comes, and abstains with this reason
            log.warning("strategy_failed_on_trial", extra={"fields": {"pair": pair, "error": str(exc)}})
        self._computed(None)
        fields: Mapping[str, Any] = {"pair": pair, "candles": sum(report.appended.values())}
        log.info("pair_is_warm", extra={"fields": fields})
        self._ready.put(Ready(pair=pair, keys=keys, candles=beside))


def _joined(feed: Feed, beside: Feed) -> Callable[[CandleKey], CandleFrame]:
    """Candles of both feeds; where both have some, those which are being fetched."""

    def frame_of(key: CandleKey) -> CandleFrame:
        return (beside if key in beside else feed).frame(key)

    return frame_of
