"""Several targets by one estimator each, by the names that model files of FreqAI's users import."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor

__all__ = ["FreqaiMultiOutputClassifier", "FreqaiMultiOutputRegressor"]

FitParams = Sequence[Mapping[str, Any] | None] | None


class FreqaiMultiOutputRegressor(MultiOutputRegressor):  # type: ignore[misc]
    """scikit-learn's, with arguments of ``fit`` for each target."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None, fit_params: FitParams = None) -> Any:
        """Fit a copy of the estimator for each column of ``y``."""
        self.estimators_ = _fitted(self.estimator, X, y, sample_weight, fit_params)
        return self


class FreqaiMultiOutputClassifier(MultiOutputClassifier):  # type: ignore[misc]
    """scikit-learn's, with arguments of ``fit`` for each target; the classes of all targets stand side by side."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None, fit_params: FitParams = None) -> Any:
        """Fit a copy of the estimator for each column of ``y``.

        Raises:
            ValueError: two targets have a class of the same name.
        """
        self.estimators_ = _fitted(self.estimator, X, y, sample_weight, fit_params)
        self.classes_ = [name for estimator in self.estimators_ for name in estimator.classes_]
        if len(set(self.classes_)) < len(self.classes_):
            raise ValueError(f"two targets have a class of the same name: {self.classes_}")
        return self

    def predict(self, X: Any) -> Any:
        """[n, targets]."""
        return np.column_stack([np.asarray(each.predict(X)).ravel() for each in self.estimators_])

    def predict_proba(self, X: Any) -> Any:
        """[n, classes of all targets]."""
        return np.hstack([each.predict_proba(X) for each in self.estimators_])


def _fitted(estimator: Any, X: Any, y: Any, weights: Any, parameters: FitParams) -> list[Any]:
    labels = np.asarray(y)
    if labels.ndim != 2:
        raise ValueError("y must have a column for each target")
    given = {} if weights is None else {"sample_weight": weights}
    each = parameters or [None] * labels.shape[1]
    return [clone(estimator).fit(X, labels[:, i], **given, **(each[i] or {})) for i in range(labels.shape[1])]
