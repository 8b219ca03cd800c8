"""A configuration that is read again while the daemon runs: what may change is handed out, the rest is named."""

from __future__ import annotations

import json
import logging
import queue
from typing import TYPE_CHECKING, Any, Protocol

from daemon.config.reloading import reloaded
from daemon.core.errors import CandledError, Refused, Retryable
from daemon.core.market import CandleKey
from daemon.runtime.systemd import notify

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping, Sequence

    from daemon.config import Settings
    from daemon.config.reloading import Change, Reloaded
    from daemon.core.clock import Clock
    from daemon.core.pair import Pair
    from daemon.market.feed import Feed
    from daemon.runtime.newcomers import Newcomers, Ready

log = logging.getLogger(__name__)

ANSWER_S = 60.0
"""Longest wait of a command for the outcome, real seconds: the exchange may be asked whether it trades a pair."""
_WHITELIST = "exchange.pair_whitelist"


class Parts(Protocol):
    """Whoever goes by the settings. New ones are handed over as frozen options, taken between two steps."""

    def check(self, found: Reloaded) -> None:
        """Whether these settings can hold; nothing has changed where they cannot.

        Raises:
            ConfigError: they cannot.
        """
        ...

    def engine(self, settings: Settings, pairs: Sequence[Pair], joining: Sequence[Ready]) -> None:
        """Have these pairs handled; those that join come with their candles."""
        ...

    def others(self, settings: Settings, pairs: Sequence[Pair]) -> None:
        """Tell everybody else; the engine has the candles of all these pairs."""
        ...


class Reloading:
    """Reads, compares, hands out. `step` and the properties belong to the main thread; `ask` may be called from any.

    Handled are the pairs of the whitelist and those that left it while a trade of theirs is open; a pair that is not
    handled yet goes through `Newcomers` first.

    Args:
        settings: those that the daemon started with.
        read: reads the same files, environment and command line again. Raises ConfigError.
        parts: who goes by them.
        newcomers: prepares pairs.
        feed: whose candles everybody reads.
        held: pairs with an open trade.
        asked: set by SIGHUP.
        clock: for the service manager.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        read: Callable[[], Settings],
        parts: Parts,
        newcomers: Newcomers,
        feed: Feed,
        held: Callable[[], Sequence[Pair]],
        asked: threading.Event,
        clock: Clock,
    ) -> None:
        self.settings = settings
        self.pairs = settings.pairs
        """Pairs that the engine handles."""
        self._told = (settings, self.pairs)
        self._warned = settings.warnings
        self._read = read
        self._parts = parts
        self._newcomers = newcomers
        self._feed = feed
        self._held = held
        self._asked = asked
        self._clock = clock
        self._questions: queue.SimpleQueue[queue.SimpleQueue[Mapping[str, Any] | CandledError]] = (
            queue.SimpleQueue()
        )

    @property
    def leaving(self) -> frozenset[Pair]:
        """Pairs that left the whitelist and are handled until their trade is closed."""
        return frozenset(self.pairs) - frozenset(self.settings.pairs)

    @property
    def warming(self) -> Mapping[str, str]:
        """Pairs that are not handled yet, and how far they are."""
        return self._newcomers.figures()

    def ask(self) -> Mapping[str, Any]:
        """Have the configuration read again, and wait for the outcome; called from other threads than the main one.

        Raises:
            Refused: it is wrong; nothing has changed.
            Retryable: no answer in time.
        """
        answer: queue.SimpleQueue[Mapping[str, Any] | CandledError] = queue.SimpleQueue()
        self._questions.put(answer)
        self._asked.set()
        try:
            found = answer.get(timeout=ANSWER_S)
        except queue.Empty:
            raise Retryable(f"no answer within {ANSWER_S:g} s; the daemon's log tells the outcome") from None
        if isinstance(found, CandledError):
            raise found
        return found

    def step(self) -> None:
        """Reload if it was asked for; see to pairs that come and go."""
        if self._asked.is_set():
            self._asked.clear()  # before anything is read: who asks from now on gets a reading of their own
            self._reload()
        self._tend()

    def _reload(self) -> None:
        """One reading, told to the service manager and to whoever asked."""
        asking = []
        while not self._questions.empty():
            asking.append(self._questions.get())
        notify(f"RELOADING=1\nMONOTONIC_USEC={int(self._clock.monotonic_s() * 1e6)}")
        answer: Mapping[str, Any] | CandledError
        try:
            answer = self._outcome()
        except CandledError as exc:
            log.error("reload_refused", extra={"fields": {"error": str(exc)}})  # noqa: TRY400 - a human's mistake
            answer = Refused(str(exc))
        finally:
            notify("READY=1")
        for question in asking:
            question.put(answer)

    def _outcome(self) -> Mapping[str, Any]:
        """Go by what was read, and say what has changed.

        Raises:
            ConfigError: what was read is wrong; nothing has changed.
        """
        read = self._read()
        found = reloaded(self.settings, read)
        self._parts.check(found)
        for warning in read.warnings:
            if warning not in self._warned:
                log.warning("config", extra={"fields": {"warning": warning}})
        self._warned = read.warnings
        self.settings = found.settings
        self._newcomers.forgive()
        changed = [_words(change) for change in found.changed]
        if found.restart:
            log.warning("reload_needs_restart", extra={"fields": {"keys": list(found.restart)}})
        log.info("reloaded", extra={"fields": {"changed": changed}})
        coming = [str(pair) for pair in self.settings.pairs if pair not in self.pairs]
        return {"changed": changed, "restart": list(found.restart), "warming": coming}

    def _tend(self) -> None:
        """Have the pairs handled that should be, as far as they are ready; tell the others what has changed."""
        wanted = dict.fromkeys([*self.settings.pairs, *self._held()])
        joining = [ready for ready in self._newcomers.ready() if ready.pair in wanted]
        here = {*self.pairs, *(ready.pair for ready in joining)}
        pairs = tuple(pair for pair in wanted if pair in here)
        changed = self.settings is not self._told[0]
        if changed or pairs != self.pairs:
            self._parts.engine(self.settings, pairs, joining)
            self.pairs = pairs
        self._newcomers.ask([pair for pair in wanted if pair not in here])
        # Others would look in vain for the candles of a pair that the engine has not taken yet.
        known = tuple(pair for pair in pairs if CandleKey(pair, self.settings.timeframe) in self._feed)
        if changed or known != self._told[1]:
            self._parts.others(self.settings, known)
            self._told = self.settings, known


def _words(change: Change) -> str:
    """A change for people: ``max_open_trades: 3 -> 5``; of the whitelist, who comes and who goes."""
    if change.key == _WHITELIST:
        old, new = change.old or (), change.new or ()
        words = [f"+{pair}" for pair in new if pair not in old]
        words += [f"-{pair}" for pair in old if pair not in new]
        return f"{change.key}: {' '.join(words) or 'another order'}"
    return f"{change.key}: {_value(change.old)} -> {_value(change.new)}"


def _value(value: Any) -> str:
    return "left out" if value is None else json.dumps(value)
