"""The rules of the port `Model`, each as a check that any model class can be put to: ours, and a user's own.

``candled config model`` runs them on the configured class; in a test of your own: ``assert not failures(MyModel)``.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from daemon.core.errors import CandledError, Corrupt, Refused
from daemon.learning.models.port import FitOptions, FitStopped, Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from daemon.learning.models.port import Model

    Parameters = Mapping[str, Any]
    Check = Callable[[type[Model], Parameters], None]

_NONE: Mapping[str, Any] = MappingProxyType({})
_ROWS, _COLUMNS, _SIGNAL = 300, 8, 2


class CheckFailed(CandledError):
    """A model class does not keep a rule; the message says which value was wrong."""


def failures(cls: type[Model], parameters: Parameters = _NONE) -> dict[str, str]:
    """Put a class to every check.

    Args:
        cls: the class.
        parameters: ``model_training_parameters`` for its fits; choose few trees, there are many fits.

    Returns:
        What is wrong, by the name of the check; empty if the class keeps all rules.
    """
    found = {}
    for name, check in CHECKS.items():
        try:
            check(cls, parameters)
        except Exception as exc:  # noqa: BLE001  whatever the class raises where it must not is its failure
            found[name] = str(exc) if isinstance(exc, CheckFailed) else f"{type(exc).__name__}: {exc}"
    return found


def some_rows(*, classifies: bool, n: int = _ROWS, seed: int = 0) -> Rows:
    """Rows whose label hangs on column 2: numbers, or the codes 0 and 1."""
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((n, _COLUMNS)).astype(np.float32)
    signal = features[:, _SIGNAL] + 0.3 * rng.standard_normal(n)
    return Rows(features, (signal > 0).astype(np.int64) if classifies else signal, np.ones(n))


def check_answers(cls: type[Model], parameters: Parameters) -> None:
    """One finite float64 per row, or a probability of each class."""
    rows = some_rows(classifies=cls.classifies, seed=1)
    _answers(cls, _fitted(cls, parameters).predict(rows.features), _ROWS)


def check_fit_leaves_its_rows_as_they_are(cls: type[Model], parameters: Parameters) -> None:
    """A fit changes neither its rows nor a model that was fitted before it."""
    rows, first = some_rows(classifies=cls.classifies), _fitted(cls, parameters)
    before = [part.tobytes() for part in (rows.features, rows.labels, rows.weights)]
    said = first.predict(rows.features).tobytes()
    cls.fit(rows, None, _options(cls, parameters))
    cls.fit(some_rows(classifies=cls.classifies, seed=7), None, _options(cls, parameters))
    after = [part.tobytes() for part in (rows.features, rows.labels, rows.weights)]
    _hold(before == after, "fit changed the rows that it was given")
    _hold(said == first.predict(rows.features).tobytes(), "a later fit changed an earlier model")


def check_same_seed_same_bytes(cls: type[Model], parameters: Parameters) -> None:
    """The same rows, options and seed give the same file."""
    one, two = (_fitted(cls, parameters).to_bytes() for _ in "ab")
    _hold(one == two, "two fits of the same rows, parameters and seed gave different bytes")


def check_saved_and_read_it_predicts_the_same(cls: type[Model], parameters: Parameters) -> None:
    """Read again, a model predicts the same bits and writes the same bytes."""
    model, rows = _fitted(cls, parameters), some_rows(classifies=cls.classifies)
    data = model.to_bytes()
    again = cls.from_bytes(data)
    same = again.predict(rows.features).tobytes() == model.predict(rows.features).tobytes()
    _hold(same, "read again it predicts something else")
    _hold(again.to_bytes() == data, "read again it writes other bytes")


def check_its_bytes_are_no_pickle(cls: type[Model], parameters: Parameters) -> None:
    """The format is the library's own, or arrays: a pickle would run what it says."""
    data = _fitted(cls, parameters).to_bytes()
    _hold(type(data) is bytes and len(data) > 0, "to_bytes must return bytes, at least one")
    _hold(not data.startswith(b"\x80"), "to_bytes returned a pickle, which executes code when it is read")
    _hold(cls.suffix.isalnum(), f"suffix must be letters and digits, not {cls.suffix!r}")


def check_damaged_bytes_are_corrupt(cls: type[Model], parameters: Parameters) -> None:
    """Bytes that are no model are refused with `Corrupt`, and with nothing else."""
    data = _fitted(cls, parameters).to_bytes()
    for damaged in (data[: len(data) // 2], b"", b"x" * 100):
        try:
            cls.from_bytes(damaged)
        except Corrupt:
            continue
        raise CheckFailed(f"from_bytes took {len(damaged)} damaged bytes; it must raise Corrupt")


def check_one_row_as_within_a_batch(cls: type[Model], parameters: Parameters) -> None:
    """Live there is one row, in a back-test there are many: the same bits."""
    model, rows = _fitted(cls, parameters), some_rows(classifies=cls.classifies)
    batch = model.predict(rows.features)
    for i in (0, _ROWS // 3, _ROWS - 1):
        alone = model.predict(rows.features[i : i + 1])
        _hold(
            alone.tobytes() == batch[i : i + 1].tobytes(),
            f"row {i} alone: {alone[0]}, in a batch: {batch[i]}",
        )


def check_a_missing_feature_is_refused(cls: type[Model], parameters: Parameters) -> None:
    """There is no number for a row that lacks a feature."""
    model = _fitted(cls, parameters)
    for value in (np.nan, np.inf):
        features = some_rows(classifies=cls.classifies).features.copy()
        features[7, 3] = value
        try:
            model.predict(features)
        except Refused:
            continue
        raise CheckFailed(f"predict took a feature that is {value}; call refuse_missing(features) first")


def check_predict_leaves_the_model_untouched(cls: type[Model], parameters: Parameters) -> None:
    """A prediction depends on the model and the row alone, not on what was asked before."""
    model, rows = _fitted(cls, parameters), some_rows(classifies=cls.classifies)
    before, said = model.to_bytes(), model.predict(rows.features).tobytes()
    model.predict(some_rows(classifies=cls.classifies, seed=5).features)
    _hold(model.to_bytes() == before, "predict changed the model")
    _hold(model.predict(rows.features).tobytes() == said, "the same rows got another prediction")


def check_it_stops_when_it_is_told(cls: type[Model], parameters: Parameters) -> None:
    """A class with ``stops`` ends its fit at the first True, with `FitStopped`; to be asked changes nothing."""
    if not cls.stops:
        return
    answers: list[bool] = []

    def stop() -> bool:
        answers.append(len(answers) >= 2)
        return answers[-1]

    try:
        cls.fit(some_rows(classifies=cls.classifies), None, replace(_options(cls, parameters), stop=stop))
    except FitStopped:
        _hold(answers.count(True) == 1, "fit went on after it was told to stop")
    else:
        raise CheckFailed(f"fit was to stop; it asked {len(answers)} times and went on to its end")
    rows = some_rows(classifies=cls.classifies)
    asked = cls.fit(rows, None, replace(_options(cls, parameters), stop=lambda: False))
    same = asked.predict(rows.features).tobytes() == _fitted(cls, parameters).predict(rows.features).tobytes()
    _hold(same, "to be asked whether to stop changes the model")


def check_a_class_that_is_absent_has_its_place(cls: type[Model], parameters: Parameters) -> None:
    """A class that the training rows lack has a column of its own, next to zero."""
    if not cls.classifies:
        return
    rows = some_rows(classifies=True)
    gap = Rows(rows.features, rows.labels * 2, rows.weights)
    test = Rows(rows.features, np.arange(_ROWS) % 3, rows.weights)
    for judge in (None, test):
        fitted = cls.fit(gap, judge, replace(_options(cls, parameters), classes=3))
        out = cls.from_bytes(fitted.to_bytes()).predict(rows.features)
        _hold(out.shape == (_ROWS, 3), f"three classes, but an answer of shape {out.shape}")
        _hold(float(out[:, 1].max()) < 0.05, f"a class that nobody saw has probability {out[:, 1].max()}")
        _hold(bool(np.allclose(out.sum(axis=1), 1)), "probabilities do not add up to 1")


def check_a_constant_label_is_refused_or_learnt(cls: type[Model], parameters: Parameters) -> None:
    """A label that never varies is refused, or predicted."""
    rows = some_rows(classifies=cls.classifies)
    constant = replace(rows, labels=np.full_like(rows.labels, 1))
    try:
        out = cls.fit(constant, None, _options(cls, parameters)).predict(rows.features)
    except Refused:
        return
    learnt = (out.argmax(axis=1) == 1).all() if cls.classifies else np.allclose(out, 1)
    _hold(bool(learnt), "the label is always 1, but the model says something else")


def check_a_single_row_is_refused_or_learnt(cls: type[Model], parameters: Parameters) -> None:
    """One row to learn from is refused, or gives an answer as any other."""
    rows = some_rows(classifies=cls.classifies)
    one = Rows(rows.features[:1], rows.labels[:1], rows.weights[:1])
    try:
        out = cls.fit(one, None, _options(cls, parameters)).predict(rows.features[:2])
    except Refused:
        return
    _answers(cls, out, 2)


CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        name.removeprefix("check_").replace("_", " "): check
        for name, check in list(globals().items())
        if name.startswith("check_")
    }
)
"""Every check, by what it holds a class to."""


def _options(cls: type[Model], parameters: Parameters) -> FitOptions:
    return FitOptions(parameters=parameters, seed=3, threads=1, classes=2 if cls.classifies else 0)


def _fitted(cls: type[Model], parameters: Parameters) -> Model:
    return cls.fit(some_rows(classifies=cls.classifies), None, _options(cls, parameters))


def _answers(cls: type[Model], out: Any, count: int) -> None:
    wanted = (count, 2) if cls.classifies else (count,)
    _hold(isinstance(out, np.ndarray) and out.dtype == np.float64, "predict must return an array of float64")
    _hold(out.shape == wanted, f"predict must return shape {wanted}, not {out.shape}")
    _hold(bool(np.isfinite(out).all()), "predict returned a number that is not finite")
    if cls.classifies:
        _hold(bool((out >= 0).all() and np.allclose(out.sum(axis=1), 1)), "probabilities do not add up to 1")


def _hold(condition: bool, text: str) -> None:
    if not condition:
        raise CheckFailed(text)
