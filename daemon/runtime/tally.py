"""What the daemon has done so far: counters that the engine and the trainer write and everybody reads."""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from daemon.core.prediction import Abstention, Prediction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from daemon.core.clock import Clock
    from daemon.core.pair import Pair
    from daemon.core.prediction import Outcome
    from daemon.trading.signals import Signal, SignalKind

log = logging.getLogger(__name__)

_NO_STAGES: Mapping[str, float] = MappingProxyType({})
RECENT = 1_000
"""Ticks whose durations are kept: three days and a half of five-minute candles."""
_HOUR_S = 3600.0


@dataclass(slots=True)
class _Counts:
    ticks: int = 0
    late: int = 0
    skipped: int = 0
    predictions: int = 0
    abstentions: int = 0
    trainings: int = 0
    failed_trainings: int = 0
    reasons: dict[str, int] = field(default_factory=dict)


class Laps:
    """Splits a span of real time into its parts.

    Args:
        clock: for durations.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last_s = clock.monotonic_s()
        self.parts: dict[str, float] = {}
        """Real seconds by name."""

    def lap(self, name: str) -> None:
        """What was done since the last call is of this name."""
        now_s = self._clock.monotonic_s()
        self.parts[name] = self.parts.get(name, 0.0) + now_s - self._last_s
        self._last_s = now_s

    @property
    def seconds(self) -> float:
        """All parts together."""
        return sum(self.parts.values())


class Tally:
    """Counters of one run of the daemon.

    Every method may be called from any thread.

    Args:
        clock: market and real time.
        limit: ticks after which ``enough`` is set; None: never.
        enough: set, before another tick can begin, when ``limit`` ticks were handled.
    """

    def __init__(self, clock: Clock, limit: int | None = None, enough: threading.Event | None = None) -> None:
        self._clock = clock
        self._limit = limit
        self._enough = enough
        self._lock = threading.Lock()
        self._counts = _Counts()
        self._idle_s: deque[float] = deque(maxlen=RECENT)
        self._busy_s: deque[float] = deque(maxlen=RECENT)
        self._trained_at_s: deque[float] = deque()
        self._outcomes: dict[Pair, Outcome] = {}
        self._signals: deque[Signal] = deque(maxlen=20)
        self._streaks: dict[Pair, str] = {}
        self._standing: dict[tuple[Pair, SignalKind], tuple[str, str]] = {}
        self._last: dict[str, Any] = {}
        self._stages: dict[str, tuple[int, float]] = {}
        self._training_s: tuple[int, float] = (0, 0.0)
        self._training: str = ""
        self.changes = 0
        """How often anything was counted: where it stands still, nothing has happened."""
        self.started_ms = clock.now_ms()
        self.started_s = clock.monotonic_s()

    def tick(
        self,
        *,
        close_ms: int,
        outcomes: Sequence[Outcome],
        signals: Sequence[Signal],
        late: bool,
        skipped: int,
        seconds: float,
        missing: Sequence[str],
        stages: Mapping[str, float] = _NO_STAGES,
    ) -> None:
        """Count and log one handled candle; ``stages`` are parts of its ``seconds``."""
        predicted = sum(isinstance(outcome, Prediction) for outcome in outcomes)
        with self._lock:
            counts = self._counts
            self.changes += 1
            counts.ticks += 1
            counts.late += late
            counts.skipped += skipped
            counts.predictions += predicted
            counts.abstentions += len(outcomes) - predicted
            reasons: dict[str, int] = {}
            for outcome in outcomes:
                if isinstance(outcome, Abstention):
                    reasons[str(outcome.reason)] = reasons.get(str(outcome.reason), 0) + 1
            for reason, count in reasons.items():
                counts.reasons[reason] = counts.reasons.get(reason, 0) + count
            training = self._training
            (self._busy_s if training else self._idle_s).append(seconds)
            self._signals.extend(signals)
            for stage, part_s in stages.items():
                count, sum_s = self._stages.get(stage, (0, 0.0))
                self._stages[stage] = count + 1, sum_s + part_s
            self._last = {
                "close_ms": close_ms,
                "handled_ms": self._clock.now_ms(),
                "seconds": round(seconds, 4),
            }
            if self._limit is not None and self._enough is not None and counts.ticks >= self._limit:
                self._enough.set()
        self._log(outcomes, signals)
        fields: dict[str, Any] = {
            "candle": iso(close_ms),
            "predictions": predicted,
            "abstentions": reasons,
            "ms": round(seconds * 1000, 1),
        }
        extra = {"late": late, "skipped": skipped, "missing": list(missing), "training": training}
        fields.update({name: value for name, value in extra.items() if value})
        log.info("tick", extra={"fields": fields})

    def training_began(self, pair: Pair) -> None:
        """A pair is being trained now."""
        with self._lock:
            self._training = str(pair)
            self.changes += 1

    def training_ended(self, *, failed: bool, seconds: float = 0.0) -> None:
        """The training is over; a good one took so many real seconds."""
        with self._lock:
            self._training = ""
            self.changes += 1
            if failed:
                self._counts.failed_trainings += 1
            else:
                self._counts.trainings += 1
                self._training_s = self._training_s[0] + 1, self._training_s[1] + seconds
                now_s = self._clock.monotonic_s()
                self._trained_at_s.append(now_s)
                while now_s - self._trained_at_s[0] >= _HOUR_S:
                    self._trained_at_s.popleft()

    def training_stopped(self) -> None:
        """The training was abandoned because the daemon stops: neither a success nor a failure."""
        with self._lock:
            self._training = ""
            self.changes += 1

    def outcome(self, pair: Pair) -> Outcome | None:
        """The newest outcome of a pair in this run."""
        return self._outcomes.get(pair)

    def recent_signals(self) -> list[Signal]:
        """The newest signals, oldest first."""
        with self._lock:
            return list(self._signals)

    def snapshot(self) -> dict[str, Any]:
        """All figures as JSON values.

        Durations are milliseconds of real time, from the question for the candles to the last signal;
        ``training`` are ticks during which a model was being trained. ``stages`` and ``training_seconds`` are how many
        there were, and the sum of their real seconds.
        """
        with self._lock:
            counts = self._counts
            now_s = self._clock.monotonic_s()
            hour = sum(now_s - at < _HOUR_S for at in self._trained_at_s)
            span_h = min(max(now_s - self.started_s, 1.0), _HOUR_S) / _HOUR_S
            return {
                "ticks": counts.ticks,
                "late": counts.late,
                "skipped": counts.skipped,
                "predictions": counts.predictions,
                "abstentions": counts.abstentions,
                "abstention_reasons": dict(counts.reasons),
                "trainings": counts.trainings,
                "failed_trainings": counts.failed_trainings,
                "trainings_per_hour": round(hour / span_h, 1),
                "training": self._training,
                "training_seconds": list(self._training_s),
                "stages": {stage: list(sums) for stage, sums in self._stages.items()},
                "last_tick": dict(self._last),
                "tick_ms": {"idle": _percentiles(self._idle_s), "training": _percentiles(self._busy_s)},
            }

    def _log(self, outcomes: Sequence[Outcome], signals: Sequence[Signal]) -> None:
        """Log what begins: a signal, blocked or not, and for each pair an abstention; and the end of that."""
        standing = {(signal.pair, signal.kind): (signal.blocked, signal.tag) for signal in signals}
        for signal in signals:
            fields = {"pair": signal.pair, "signal": signal.kind.value, "candle": iso(signal.candle_ms)}
            fields |= {"tag": signal.tag} if signal.tag else {}
            if self._standing.get((signal.pair, signal.kind)) == (signal.blocked, signal.tag):
                continue  # told when the streak began
            if signal.blocked:
                log.info("signal_blocked", extra={"fields": {**fields, "why": signal.blocked}})
            else:
                log.info("signal", extra={"fields": fields})
        self._standing = standing
        for outcome in outcomes:
            self._outcomes[outcome.pair] = outcome
            reason = str(outcome.reason) if isinstance(outcome, Abstention) else ""
            before = self._streaks.get(outcome.pair, "")
            if isinstance(outcome, Abstention) and reason != before:
                fields = {"pair": outcome.pair, "reason": reason, "detail": outcome.detail}
                log.warning("no_prediction", extra={"fields": fields})
            elif before and not reason:
                log.info("predicting", extra={"fields": {"pair": outcome.pair, "after": before}})
            self._streaks[outcome.pair] = reason


def _percentiles(seconds: Sequence[float] | deque[float]) -> Mapping[str, float | int]:
    if not seconds:
        return {"n": 0}
    p50, p99 = np.percentile(np.fromiter(seconds, float), [50, 99]) * 1000
    return {"n": len(seconds), "p50": round(float(p50), 2), "p99": round(float(p99), 2)}


def iso(ms: int) -> str:
    """A moment as logs write it: ``2026-01-01T00:05:00Z``."""
    return str(np.datetime64(ms, "ms").astype("datetime64[s]")) + "Z"
