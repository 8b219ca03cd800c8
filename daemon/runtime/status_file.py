"""``status.json``: what the daemon shows of itself to other processes; derived, never read back by it."""

from __future__ import annotations

import contextlib
import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from daemon.core.errors import Corrupt
from daemon.core.prediction import Prediction
from daemon.runtime.tally import iso
from daemon.runtime.trading_report import trading_figures
from daemon.state import atomic

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from daemon.core.clock import Clock
    from daemon.core.pair import Pair
    from daemon.core.timeframe import Timeframe
    from daemon.learning.live import LiveModel
    from daemon.market.feed import Feed
    from daemon.runtime.scores import PairScores
    from daemon.runtime.tally import Tally
    from daemon.state.queue import PairEntry
    from daemon.trading.messages import DeskView


FRESH_S = 5.0
"""Real seconds after which figures are made anew though nothing has happened: for what nobody tells of (the queue)."""


class Published:
    """The newest figures, for whoever asks in another thread.

    To make the figures of 50 pairs takes milliseconds, to write them as much again: every second, that would be as
    much as all the ticks. So they are made when something has happened, and now and then.

    Args:
        clock: tells how old they are.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._newest: tuple[Mapping[str, Any], float] = ({}, clock.monotonic_s())
        self._made_s = clock.monotonic_s()
        self._seen: object = None

    def put(self, figures: Mapping[str, Any], seen: object = None) -> None:
        """Show these from now on; ``seen`` is equal to what was seen before if nothing has happened since."""
        self._made_s = self._clock.monotonic_s()
        self._newest, self._seen = (figures, self._made_s), seen

    def again(self, state: str, seen: object) -> dict[str, Any] | None:
        """The newest figures as of now, if they need not be made anew: nothing has happened, and they are fresh."""
        figures, now_s = self._newest[0], self._clock.monotonic_s()
        if figures.get("state") != state or seen != self._seen or now_s - self._made_s >= FRESH_S:
            return None
        figures = {**figures, "now_ms": self._clock.now_ms()}
        self._newest = figures, now_s
        return figures

    def __call__(self) -> tuple[Mapping[str, Any], float]:
        """The newest figures, empty before the first, and how many real seconds ago they were looked at."""
        figures, looked_s = self._newest
        return figures, self._clock.monotonic_s() - looked_s


def status(
    *,
    state: str,
    clock: Clock,
    tally: Tally,
    pairs: Sequence[Pair],
    feed: Feed,
    models: Mapping[Pair, LiveModel],
    entries: Mapping[Pair, PairEntry],
    scores: Callable[[Pair], PairScores],
    base: Timeframe,
    expiration_ms: int | None = None,
    trading: DeskView | None = None,
    barred: str = "",
    unsaved: bool = False,
    leaving: Collection[Pair] = (),
    warming: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """The daemon's state as JSON values; times are market time, ms UTC.

    ``expiration_ms`` is the age at which a model predicts no more; None: never. ``barred`` says why the strategy may
    enter nothing at all, ``unsaved`` whether predictions cannot be written, which has the same effect. Pairs that are ``leaving`` left the whitelist and are watched until their trade is closed;
    those that are ``warming`` will join, each with how far it is.
    """
    return {
        "state": state,
        "now_ms": clock.now_ms(),
        "speed": clock.speed,
        "started_ms": tally.started_ms,
        "timeframe_ms": base.ms,
        "expiration_ms": expiration_ms,
        **tally.snapshot(),
        **({} if trading is None else {"trading": trading_figures(trading)}),
        **({"entries_blocked": barred} if barred else {}),
        **({"unsaved": True} if unsaved else {}),
        "warming": dict(warming),
        "pairs": {
            str(pair): _pair(pair, tally, feed, models, entries)
            | _skill(scores(pair))
            | ({"leaving": True} if pair in leaving else {})
            for pair in pairs
        },
    }


def status_line(figures: Mapping[str, Any]) -> str:
    """What a service manager shows of the daemon: last candle, models, queue."""
    rows, now_ms, limit_ms = figures["pairs"].values(), figures["now_ms"], figures["expiration_ms"]
    ages_ms = [now_ms - row["window_end_ms"] for row in rows if "window_end_ms" in row]
    fresh = sum(limit_ms is None or age_ms <= limit_ms for age_ms in ages_ms)
    queued = sum(row.get("queue") in ("queued", "training") for row in rows)
    last = figures["last_tick"]
    candle = f"last candle {iso(last['close_ms'])}" if last else "no candle yet"
    late = f", {len(ages_ms) - fresh} expired" if fresh < len(ages_ms) else ""
    return f"{candle}; {fresh} of {len(rows)} models fresh{late}; {queued} to train"


def _skill(found: PairScores) -> dict[str, Any]:
    """Rolling skill by target, and by model; nothing before the first prediction was judged."""
    if not found.rolling:
        return {}
    skill = {target: _rounded(metrics) for target, metrics in found.rolling.items()}
    models = {
        name: {target: _rounded(metrics) for target, metrics in targets.items()}
        for name, targets in found.models.items()
    }
    return {"skill": skill, "skill_known_ms": found.known_ms, "model_skill": models}


def _rounded(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 5) for name, value in metrics.items()}


def _pair(
    pair: Pair,
    tally: Tally,
    feed: Feed,
    models: Mapping[Pair, LiveModel],
    entries: Mapping[Pair, PairEntry],
) -> dict[str, Any]:
    outcome, model, entry = tally.outcome(pair), models.get(pair), entries.get(pair)
    shown: dict[str, Any] = {"price": feed.price(pair)}
    if model is not None:
        shown |= {"model": model.name, "window_end_ms": model.window_end_ms, "labels": list(model.labels)}
    if entry is not None:
        shown |= {"queue": str(entry.state), "attempts": entry.attempts, "last_error": entry.last_error}
        shown |= {"reason": entry.reason}
    if isinstance(outcome, Prediction):
        shown |= {"candle_ms": outcome.candle_ms, "late": outcome.late, "values": dict(outcome.values)}
    elif outcome is not None:
        shown |= {"candle_ms": outcome.candle_ms, "reason": str(outcome.reason), "detail": outcome.detail}
    return shown


def write_status(path: Path, figures: Mapping[str, Any]) -> None:
    """Replace the file; a full disk is no reason to stop, the figures are shown again in a moment."""
    with contextlib.suppress(OSError):
        atomic.write_volatile(path, json.dumps(figures, default=str).encode())


def read_status(path: Path) -> dict[str, Any]:
    """The last status that a daemon wrote; empty if none ever ran.

    Raises:
        Corrupt: the file is not what a daemon writes.
    """
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as exc:
        raise Corrupt(f"{path}: {exc}; a running daemon writes it anew at the next candle") from exc
    if not isinstance(found, dict):
        raise Corrupt(f"{path}: not a daemon's figures; a running daemon writes it anew at the next candle")
    return found
