"""How good recorded predictions turned out to be: pure functions of the record and of labels known since."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from daemon.features.labels import LabelKind
from daemon.learning.evaluate import classification_metrics, regression_metrics, skill

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from daemon.features.labels import LabelColumn

Metrics = dict[str, float]
NEWEST_MODELS = 10
"""Models of a pair that are judged by themselves: more are rarely on the disk, and nobody asks for their skill."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairScores:
    """What a pair's predictions turned out to be worth.

    Attributes:
        rolling: by target, metrics of the newest predictions whose label is known, whoever made them; ``n`` of them.
        models: by name of the artifact, then by target, the same of each model's own predictions.
        known_ms: open time of the newest candle whose label is known, ms UTC; 0 where none is.
    """

    rolling: Mapping[str, Metrics] = field(default_factory=lambda: MappingProxyType({}))
    models: Mapping[str, Mapping[str, Metrics]] = field(default_factory=lambda: MappingProxyType({}))
    known_ms: int = 0


NOTHING = PairScores()


def scores(
    columns: list[LabelColumn],
    recorded: Mapping[str, NDArray[Any]],
    open_ms: NDArray[np.int64],
    *,
    horizon: int,
    window: int,
    means: Mapping[str, Mapping[str, float]],
) -> PairScores:
    """Judge the predictions of one pair.

    A prediction counts once its label is known, ``horizon`` candles later. Abstentions do not count, nor do late
    predictions, on which nobody could act.

    Args:
        columns: the targets over at least n candles up to now; the last n are looked at, but which classes there
            are is learnt from all.
        recorded: what was predicted for these candles, by column: [n] each, as `PredictionHistory.window` gives it.
        open_ms: int64[n], their open times.
        horizon: candles that a label looks ahead.
        window: how many of the newest predictions the rolling metrics take.
        means: by model and target, the mean of its training labels, where it is known.
    """
    n = len(open_ms)
    made_by = recorded.get("model")
    if made_by is None or not n:
        return NOTHING
    made = (made_by != "") & ~(recorded["late"] > 0)
    rolling: dict[str, Metrics] = {}
    models: dict[str, dict[str, Metrics]] = {}
    known_ms = 0
    for column in columns:
        ripe = column.known[-n:] & (np.arange(n) < n - max(horizon, _unknown_tail(column)))
        known_ms = max(known_ms, int(open_ms[ripe].max(initial=0)))
        judge = _regression if column.kind is LabelKind.NUMBER else _classification
        judged = judge(column, recorded, np.flatnonzero(ripe & made), means)
        if len(judged.rows):
            rolling[column.name] = judged.metrics(slice(-window, None))
            for name in dict.fromkeys(made_by[judged.rows[::-1]].tolist()):
                own = np.flatnonzero(made_by[judged.rows] == name)
                models.setdefault(name, {})[column.name] = judged.metrics(own)
    newest = dict(list(models.items())[:NEWEST_MODELS])
    return PairScores(rolling=rolling, models=newest, known_ms=known_ms)


def fallen_skill(
    live: Mapping[str, Metrics], test: Mapping[str, Mapping[str, float]], *, share: float, least: int
) -> str:
    """Which target's live skill fell below a share of that at training, in words; "" if none did.

    Args:
        live: by target, metrics of the live model's own predictions.
        test: by target, its metrics on the test rows.
        share: of the skill at training; 0: never.
        least: predictions that must have been judged, for fewer say nothing.
    """
    for target, found in live.items():
        if not share or found["n"] < least or target not in test:
            continue
        then, now = skill(test[target]), skill(found)
        # A model that was worth nothing from the start is only asked to be no worse than that.
        if now < share * max(then, 0.0):
            return f"{target} {now:.3f} live, {then:.3f} in training, {found['n']:.0f} predictions"
    return ""


def _unknown_tail(column: LabelColumn) -> int:
    known = np.flatnonzero(column.known)
    return len(column.known) - 1 - int(known[-1]) if len(known) else len(column.known)


@dataclass(frozen=True, slots=True)
class _Judged:
    """Predictions of one target beside what came true.

    Attributes:
        rows: int64[m], indices of the candles, increasing.
        truth: [m], labels or class codes.
        said: float64[m], predicted values, or float64[m, classes], probabilities.
        naive: float64[m], what the naive baseline says of each; unused for classes.
        classes: names by code; empty for regression.
    """

    rows: NDArray[np.int64]
    truth: NDArray[Any]
    said: NDArray[np.float64]
    naive: NDArray[np.float64]
    classes: tuple[str, ...] = ()

    def metrics(self, which: slice | NDArray[np.int64]) -> Metrics:
        """Metrics of some of them, and how many there are."""
        truth, said = self.truth[which], self.said[which]
        if not self.classes:
            found = regression_metrics(truth, said, self.naive[which])
        else:
            # Nobody knows the shares beforehand: the baseline is a little better informed than the model.
            shares = np.bincount(truth, minlength=len(self.classes)) / len(truth)
            found = classification_metrics(truth, said, shares)
        return {"n": float(len(truth)), **found}


def _regression(
    column: LabelColumn,
    recorded: Mapping[str, NDArray[Any]],
    rows: NDArray[np.int64],
    means: Mapping[str, Mapping[str, float]],
) -> _Judged:
    numbers = column.numbers[-len(recorded["model"]) :]
    nothing = np.full(len(numbers), np.nan)
    said = recorded.get(column.name, nothing)
    if said.dtype.kind != "f":  # a target of that name was one of classes once
        said = nothing
    rows = rows[np.isfinite(said[rows])]
    naive = recorded.get(f"{column.name}_mean", nothing)[rows]
    for place, name in enumerate(recorded["model"][rows]):
        if name in means and column.name in means[name]:
            naive[place] = means[name][column.name]
    truth = numbers[rows]
    naive = np.where(np.isfinite(naive), naive, truth.mean() if len(truth) else 0.0)
    return _Judged(rows, truth, said[rows], naive)


def _classification(
    column: LabelColumn,
    recorded: Mapping[str, NDArray[Any]],
    rows: NDArray[np.int64],
    _: Mapping[str, Mapping[str, float]],
) -> _Judged:
    names = column.class_names
    numbers = {
        name: recorded[name] for name in names if name in recorded and recorded[name].dtype.kind == "f"
    }
    if not numbers:
        return _Judged(rows[:0], rows[:0], np.empty((0, len(names))), np.empty(0), names)
    classes = column.classes[-len(recorded["model"]) :]
    nothing = np.full(len(classes), np.nan)
    said = np.stack([numbers.get(name, nothing) for name in names], axis=1)
    rows = rows[np.isfinite(said[rows]).any(axis=1)]
    truth = np.searchsorted(np.array(names), classes[rows]).astype(np.int64)
    # A class that a model had never seen had no probability.
    return _Judged(rows, truth, np.nan_to_num(said[rows], nan=0.0), np.empty(len(rows)), names)
