"""The pipeline of model files of FreqAI's users (``datasieve.pipeline``): named steps, one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from daemon.core.errors import Refused
from daemon.learning.freqai.detectors import Detector
from daemon.learning.freqai.transforms import BaseTransform, Passed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Pipeline"]


class Pipeline:
    """Steps by name. Frames come out as frames: features by their names, labels by theirs.

    Args:
        steps: name and step, in order.
        fitparams: arguments for the calls of a step, by its name.
    """

    def __init__(
        self,
        steps: Iterable[tuple[str, BaseTransform]] = (),
        fitparams: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.steps: list[tuple[str, BaseTransform]] = []
        self.fitparams: dict[str, dict[str, Any]] = {}
        self.features_in: list[Any] = []
        self.label_list: list[Any] = []
        self.pandas_types = False
        self.kept: frozenset[str] = frozenset()
        """Steps that `fit_transform` leaves as they are: a training that goes on keeps the scale of its trees."""
        for step in steps:
            self.append(step, (fitparams or {}).get(step[0], {}))

    def append(self, step: tuple[str, BaseTransform], fitparams: Mapping[str, Any] | None = None) -> None:
        """Put a step behind the others.

        Raises:
            ValueError: there is a step of that name.
            TypeError: it is none.
        """
        name, transform = step
        if name in self:
            raise ValueError(f"the pipeline has two steps named {name!r}")
        if not isinstance(transform, BaseTransform):
            raise TypeError(
                f"the pipeline's step {name!r} is a {type(transform).__name__}, no BaseTransform: put a transformer "
                "of scikit-learn into SKLearnWrapper(...)"
            )
        self.steps.append((name, transform))
        self.fitparams[name] = dict(fitparams or {})

    def __getitem__(self, name: str) -> Any:
        """The step of that name; None if there is none, as DataSieve has it."""
        return next((step for each, step in self.steps if each == name), None)

    def __contains__(self, name: object) -> bool:
        return any(each == name for each, _ in self.steps)

    def keep(self, fitted: Pipeline) -> None:
        """Take over the fitted steps of another pipeline that change rows, where name and class are the same."""
        kept = {name for name, step in self.steps if type(fitted[name]) is type(step) and not step.detects}
        self.steps = [(name, fitted[name] if name in kept else step) for name, step in self.steps]
        self.kept = frozenset(kept)

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Pipeline:
        """Learn from rows."""
        self.fit_transform(X, y, sample_weight)
        return self

    def fit_transform(self, X: Any, y: Any = None, sample_weight: Any = None) -> tuple[Any, Any, Any]:
        """Learn from rows, and change them; outliers are removed.

        Raises:
            Refused: every row is an outlier.
        """
        self.pandas_types = isinstance(X, pd.DataFrame)
        self.features_in = _columns(X)
        self.label_list = [] if y is None else _columns(y)
        passed: Passed = (_array(X), _array(y), _array(sample_weight), list(self.features_in))
        for name, step in self.steps:
            does = step.transform if name in self.kept else step.fit_transform
            passed = self._through(does, name, passed)
            if not len(passed[0]):
                raise Refused(f"the pipeline's step {name!r} removed every training row")
        return self._framed(passed)

    def transform(
        self, X: Any, y: Any = None, sample_weight: Any = None, outlier_check: bool = False
    ) -> tuple[Any, Any, Any]:
        """Change rows; outliers are removed.

        With ``outlier_check`` they stay, and ``y`` comes back as 1 for a row that no step objects to, less 1 for
        each that does.
        """
        if isinstance(X, pd.DataFrame) and list(X.columns) != list(self.features_in):
            raise ValueError(f"the pipeline learnt {self.features_in}, not {list(X.columns)}")
        y = np.ones(len(X), np.int64) if outlier_check else y
        passed: Passed = (_array(X), _array(y), _array(sample_weight), list(self.features_in))
        for name, step in self.steps:
            passed = self._through(step.transform, name, passed, outlier_check=outlier_check)
        return self._framed(passed, plain_labels=outlier_check)

    def inverse_transform(self, X: Any, y: Any = None, sample_weight: Any = None) -> tuple[Any, Any, Any]:
        """Change rows back, the last step first."""
        passed: Passed = (_array(X), _array(y), _array(sample_weight), list(self.features_in))
        for name, step in reversed(self.steps):
            passed = self._through(step.inverse_transform, name, passed)
        return self._framed((*passed[:3], list(self.features_in)))

    @property
    def detectors(self) -> dict[str, Detector]:
        """The steps that remove rows, by name."""
        return {name: step for name, step in self.steps if isinstance(step, Detector)}

    def _through(self, does: Any, name: str, passed: Passed, **more: Any) -> Passed:
        X, y, weights, names = passed
        found: Passed = does(X, y, sample_weight=weights, feature_list=names, **more, **self.fitparams[name])
        return found

    def _framed(self, passed: Passed, *, plain_labels: bool = False) -> tuple[Any, Any, Any]:
        X, y, weights, names = passed
        if not self.pandas_types:
            return X, y, weights
        if hasattr(X, "toarray"):
            X = X.toarray()
        # A step of scikit-learn may give other columns than it takes; it has no names for them.
        columns = names if names is not None and len(names) == X.shape[1] else list(range(X.shape[1]))
        if y is not None and not plain_labels:
            y = pd.DataFrame(y, columns=self.label_list)
        return pd.DataFrame(X, columns=[str(each) for each in columns]), y, weights


def _columns(values: Any) -> list[Any]:
    if isinstance(values, pd.DataFrame):
        return list(values.columns)
    return list(range(values.shape[1] if values.ndim > 1 else 1))


def _array(values: Any) -> Any:
    return values.to_numpy() if isinstance(values, pd.DataFrame | pd.Series) else values
