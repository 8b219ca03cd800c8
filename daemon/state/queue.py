"""The training queue: pure decisions over the entries of ``pair_dictionary.json``."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from daemon.core.pair import Pair

_NOTHING: Mapping[str, Any] = MappingProxyType({})
_FIRST_BACK_OFF_MS = 60_000
_LONGEST_BACK_OFF_MS = 6 * 3_600_000


class QueueState(enum.StrEnum):
    """Where a pair stands in the training queue."""

    IDLE = "idle"
    """It has a model that is young enough."""
    QUEUED = "queued"
    """It waits for its turn."""
    TRAINING = "training"
    """The trainer works on it; found at start, it means that the daemon ended in between."""
    BACKING_OFF = "backing off"
    """The last training failed; it waits until ``not_before_ms`` and is then tried again."""


class Cause(enum.StrEnum):
    """Why a pair is trained; the recorded reason begins with one of these."""

    FIRST = "first"
    """It never had a model."""
    MISSING = "model missing"
    """Its model is damaged, gone, or not for this candled."""
    RECIPE = "recipe changed"
    """The strategy or the settings that make the model are others than they were."""
    AGE = "age"
    """The model is older than ``live_retrain_hours``."""
    SKILL = "skill fell"
    """Live, the model does far worse than on its test rows."""
    REQUEST = "requested"
    """Somebody asked for it."""


_TRANSITIONS = {
    QueueState.IDLE: {QueueState.QUEUED},
    QueueState.QUEUED: {QueueState.TRAINING},
    QueueState.TRAINING: {QueueState.IDLE, QueueState.BACKING_OFF, QueueState.QUEUED},
    QueueState.BACKING_OFF: {QueueState.TRAINING, QueueState.QUEUED},
}


class IllegalTransition(RuntimeError):
    """A pair was asked to go where its state does not lead: a bug of the caller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairEntry:
    """What is remembered of one pair's trainings. The first four fields are FreqAI's.

    Attributes:
        model_filename: stem of the files of the live model, ``cb_btc_1732000000``; "" without a model.
        trained_timestamp: end of the training window of the live model, seconds UTC; 0 without a model.
        data_path: name of the live model's folder, relative to the identifier folder.
        extras: whatever a model class wants kept.
        state: place in the queue; a pair that was never seen waits for its first training.
        queued_since_ms: since when it waits, ms UTC.
        attempts: failed trainings since the last good one.
        not_before_ms: a pair that backs off is not tried again before, ms UTC.
        last_error: why the last training failed; "" if it did not.
        last_attempt_ms: start of the last training, ms UTC.
        train_seconds: real seconds that the last good training took.
        urgent: why it comes before all others (its model was damaged, say); "" if it does not.
        reason: why it waits, is being trained, or was trained last: a `Cause` and perhaps more words.
    """

    model_filename: str = ""
    trained_timestamp: int = 0
    data_path: str = ""
    extras: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    state: QueueState = QueueState.QUEUED
    queued_since_ms: int = 0
    attempts: int = 0
    not_before_ms: int = 0
    last_error: str = ""
    last_attempt_ms: int = 0
    train_seconds: float = 0.0
    urgent: str = ""
    reason: str = Cause.FIRST


NEW = PairEntry()
"""The entry of a pair that has none."""


def next_pair(entries: Mapping[Pair, PairEntry], whitelist: Sequence[Pair], now_ms: int) -> Pair | None:
    """The pair to train next; None if none waits.

    Order: urgent ones, then those never tried (in the whitelist's order), then the one that has waited
    longest since its model was trained or, if it failed meanwhile, since it was last tried. So a pair
    that fails again and again is tried again, and neither blocks the others nor starves.
    """
    waiting = [
        (_rank(entries.get(pair, NEW)), place, pair)
        for place, pair in enumerate(whitelist)
        if _ready(entries.get(pair, NEW), now_ms)
    ]
    return min(waiting)[2] if waiting else None


def _ready(entry: PairEntry, now_ms: int) -> bool:
    if entry.state is QueueState.BACKING_OFF:
        # A time further off than any back-off was written while the clock was wrong.
        return entry.not_before_ms <= now_ms or entry.not_before_ms > now_ms + _LONGEST_BACK_OFF_MS
    return entry.state is QueueState.QUEUED


def _rank(entry: PairEntry) -> tuple[bool, bool, int]:
    tried_s = entry.last_attempt_ms // 1000 if entry.attempts else 0
    since_s = max(entry.trained_timestamp, tried_s)
    return not entry.urgent, since_s > 0, since_s


def due(entry: PairEntry, now_ms: int, retrain_ms: int) -> bool:
    """Whether an idle pair's model is old enough to be trained anew; 0 means after every training."""
    return entry.state is QueueState.IDLE and now_ms - entry.trained_timestamp * 1000 >= retrain_ms


def reason_to_train(
    entry: PairEntry, now_ms: int, retrain_ms: int, *, newer_candle: bool, recipe_changed: bool, fallen: str
) -> str:
    """Why an idle pair is to be trained anew; "" if it is not.

    A model of the newest candle cannot be improved upon: neither its age nor its skill asks for another one before
    there is a newer candle. While a pair is halted, its model would be the oldest for ever, and take every turn.

    Args:
        entry: of the pair.
        now_ms: market time, ms UTC.
        retrain_ms: age from which a model is trained anew; 0: after every training.
        newer_candle: whether there is a candle behind the live model's training window.
        recipe_changed: whether the live model was made by another strategy or with other settings.
        fallen: what the live model's skill is and was, if it has fallen too far; else "".
    """
    if entry.state is not QueueState.IDLE:
        return ""
    if recipe_changed:
        return Cause.RECIPE
    if newer_candle and due(entry, now_ms, retrain_ms):
        return f"{Cause.AGE}: {(now_ms - entry.trained_timestamp * 1000) / 3_600_000:.1f} h"
    return f"{Cause.SKILL}: {fallen}" if newer_candle and fallen else ""


def queued(entry: PairEntry, now_ms: int, *, urgent: str = "", reason: str = "") -> PairEntry:
    """The entry after its pair was put into the queue (again).

    Args:
        entry: the entry before; one that waits already may only be made urgent.
        now_ms: market time, ms UTC.
        urgent: why it goes to the head of the queue, if it does.
        reason: why it is to be trained; "" where that is not known.
    """
    if entry.state is QueueState.QUEUED and urgent:
        return replace(entry, urgent=urgent, reason=reason or entry.reason)
    return _moved(
        entry, QueueState.QUEUED, queued_since_ms=now_ms, not_before_ms=0, urgent=urgent, reason=reason
    )


def requested(entry: PairEntry, now_ms: int) -> PairEntry:
    """The entry after somebody asked for its pair's training: at the head of the queue, a back-off is over."""
    first = not entry.trained_timestamp
    return queued(
        entry, now_ms, urgent=Cause.REQUEST, reason=entry.reason or Cause.FIRST if first else Cause.REQUEST
    )


def training(entry: PairEntry, now_ms: int) -> PairEntry:
    """The entry once the trainer has begun."""
    known = entry.reason or (Cause.AGE if entry.trained_timestamp else Cause.FIRST)
    return _moved(entry, QueueState.TRAINING, last_attempt_ms=now_ms, reason=known)


def trained(
    entry: PairEntry, *, model_filename: str, trained_timestamp: int, data_path: str, train_seconds: float
) -> PairEntry:
    """The entry after a good training: writing it to the disk is what makes the new model the live one."""
    return _moved(
        entry,
        QueueState.IDLE,
        model_filename=model_filename,
        trained_timestamp=trained_timestamp,
        data_path=data_path,
        train_seconds=train_seconds,
        attempts=0,
        not_before_ms=0,
        last_error="",
        urgent="",
    )


def failed(entry: PairEntry, error: str, now_ms: int) -> PairEntry:
    """The entry after a failed training: it waits a minute, then two, four ... at most six hours."""
    # The exponent is bounded too, lest a pair that failed for years makes an astronomical number.
    wait_ms = min(_FIRST_BACK_OFF_MS << min(entry.attempts, 16), _LONGEST_BACK_OFF_MS)
    return _moved(
        entry,
        QueueState.BACKING_OFF,
        attempts=entry.attempts + 1,
        not_before_ms=now_ms + wait_ms,
        last_error=error,
        urgent="",
    )


def interrupted(entry: PairEntry) -> PairEntry:
    """The entry of a pair whose training ended with the daemon: it keeps its place, and nobody is to blame."""
    if entry.state is not QueueState.TRAINING:
        raise IllegalTransition(f"no training to interrupt: the pair is {entry.state}")
    return replace(entry, state=QueueState.QUEUED)


def without_model(entry: PairEntry, now_ms: int, why: str) -> PairEntry:
    """The entry of a pair whose model is gone: untrained, at the head of the queue."""
    return replace(
        entry,
        model_filename="",
        trained_timestamp=0,
        data_path="",
        state=QueueState.QUEUED,
        queued_since_ms=now_ms,
        not_before_ms=0,
        urgent=why,
        reason=f"{Cause.MISSING}: {why}",
    )


def _moved(entry: PairEntry, state: QueueState, **changes: Any) -> PairEntry:
    if state not in _TRANSITIONS[entry.state]:
        raise IllegalTransition(f"a pair cannot go from {entry.state} to {state}")
    return replace(entry, state=state, **changes)
