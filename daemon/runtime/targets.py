"""The strategy's targets as a training takes them: checked against the model, classes as codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from daemon.core.errors import Refused, StrategyError
from daemon.core.prediction import CANDLE_COLUMNS, RECORD_COLUMNS
from daemon.features.labels import LabelKind
from daemon.learning.job import Target
from daemon.learning.models.registry import counterpart, learns_classes

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from daemon.features.labels import LabelColumn


def check_targets(columns: Sequence[LabelColumn], model: str, extra_returns: Collection[str] = ()) -> None:
    """Make sure that a model can learn these targets, and that their predictions can stand side by side.

    Any number of targets may be there, of both kinds: each is learnt by its library's regressor or classifier. One
    of the kind that the model's name promises must be among them.

    Args:
        columns: the targets.
        model: ``freqaimodel``.
        extra_returns: names of ``extra_returns_per_train``.

    Raises:
        StrategyError: they do not fit the model, or two columns of predictions would have one name.
    """
    wants_classes = learns_classes(model)
    kinds = [column.kind is LabelKind.CLASS for column in columns]
    if wants_classes not in kinds:
        kind, other = ("text", "Regressor") if wants_classes else ("numbers", "Classifier")
        names = ", ".join(repr(column.name) for column in columns)
        raise StrategyError(
            f"target {names} does not fit {model}, which learns {kind}: "
            f"change the target, or set freqaimodel to Catboost{other}"
        )
    for column, classifies in zip(columns, kinds, strict=True):
        if counterpart(model, classifies=classifies) is None:
            kind = "text" if classifies else "numbers"
            raise StrategyError(
                f"target {column.name!r} does not fit {model}, whose library has no model here that learns {kind}: "
                "take the target out, or set freqaimodel to a model of another library"
            )
    _check_names(columns, extra_returns)


def _check_names(columns: Sequence[LabelColumn], extra_returns: Collection[str]) -> None:
    """A class is a column of probabilities: two of one name would hide each other."""
    owners = {column.name: column.name for column in columns}
    hidden = sorted(
        {name for column in columns for name in (column.name, *column.class_names)} & set(extra_returns)
    )
    if hidden:
        raise StrategyError(
            f"freqai.extra_returns_per_train has {hidden[0]!r}, which is a target or a class of the strategy: "
            "give the value another name"
        )
    for column in columns:
        for name in column.class_names:
            if name in CANDLE_COLUMNS | RECORD_COLUMNS:
                raise StrategyError(
                    f"target {column.name!r} has a class {name!r}, whose probability would hide the column of that name "
                    f"from the strategy: give the class another name, such as '{name}_class'"
                )
            other = owners.setdefault(name, column.name)
            if other != column.name or name == column.name:
                raise StrategyError(
                    f"targets {other!r} and {column.name!r} both make a column {name!r}, its class: give each class "
                    "a name of its own, such as 'up_1h' and 'up_4h'"
                )


def coded(columns: Sequence[LabelColumn], horizon: int) -> tuple[NDArray[np.float64], tuple[Target, ...]]:
    """The targets as numbers.

    Args:
        columns: the targets, all over the same n candles.
        horizon: candles that a label looks ahead.

    Returns:
        float64[n, targets], a class as its code in the sorted order of the names, NaN where a target is not known;
        and what the columns are.

    Raises:
        Refused: a target of classes has no value at all.
    """
    found = [_coded(column, horizon) for column in columns]
    labels = np.stack([numbers for numbers, _ in found], axis=1)
    targets = tuple(
        Target(name=column.name, classes=classes) for column, (_, classes) in zip(columns, found, strict=True)
    )
    return labels, targets


def _coded(label: LabelColumn, horizon: int) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Numbers as they are; classes as codes in the sorted order of their names, NaN where unknown.

    ``np.where(later > now, "up", "down")`` gives the newest candles a class although nobody knows it yet, because
    a comparison with NaN is false; ``(later > now).astype(int)`` gives them a number. What lies within the label's
    horizon of the end is not learnt from, unless it is numbers whose own gap at the end says where they end.
    """
    known, names = label.known, label.class_names
    if label.kind is LabelKind.NUMBER:
        codes = label.numbers.copy()
        if not known[-1:].any():
            return codes, ()
    elif names:
        codes = np.searchsorted(np.array(names), label.classes).astype(np.float64)
        codes[~known] = np.nan
    else:
        raise Refused(f"label {label.name!r} has no value in the whole training window")
    codes[len(codes) - min(horizon, len(codes)) :] = np.nan
    return codes, names


def unknown_tail(columns: Sequence[LabelColumn]) -> int:
    """Candles at the end that lack a label: how far the farthest label really looks ahead."""
    tails = [0]
    for column in columns:
        known = np.flatnonzero(column.known)
        tails.append(len(column.known) - 1 - int(known[-1]) if len(known) else 0)
    return max(tails)
