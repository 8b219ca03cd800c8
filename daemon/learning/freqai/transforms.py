"""Steps of a pipeline, by the names that model files of FreqAI's users import (``datasieve.transforms``).

Every step takes and returns features, labels, weights and the names of the features. One that finds outliers removes
their rows, or, with ``outlier_check``, takes 1 off ``y`` where it objects.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from sklearn.decomposition import PCA as _PCA
from sklearn.feature_selection import VarianceThreshold as _VarianceThreshold

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = [
    "PCA",
    "BaseTransform",
    "Noise",
    "SKLearnWrapper",
    "VarianceThreshold",
    "remove_outliers",
]

Passed = tuple[Any, Any, Any, Any]
"""Features, labels, weights, names of the features."""


def remove_outliers(
    X: Any,
    y: Any = None,
    sample_weight: Any = None,
    inliers: Any = None,
) -> tuple[Any, Any, Any]:
    """The rows where ``inliers`` is 1, of each of the three that is there."""
    kept = np.asarray(inliers) == 1
    found = tuple(None if part is None else part[kept] for part in (X, y, sample_weight))
    return found[0], found[1], found[2]


class BaseTransform(ABC):
    """What every step derives from, a user's own as well.

    What it has learnt is kept in attributes: numbers, texts, arrays, and fitted objects of scikit-learn can be saved.
    """

    detects: ClassVar[bool] = False
    """Whether it removes rows."""
    name: str = ""

    def __init__(self, name: str = "", **_: Any) -> None:
        self.name = name

    @abstractmethod
    def fit(
        self, X: Any, y: Any = None, sample_weight: Any = None, feature_list: Any = None, **kwargs: Any
    ) -> Passed:
        """Learn; nothing changes."""

    @abstractmethod
    def transform(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        feature_list: Any = None,
        outlier_check: bool = False,
        **kwargs: Any,
    ) -> Passed:
        """Change rows, or take some out."""

    def fit_transform(
        self, X: Any, y: Any = None, sample_weight: Any = None, feature_list: Any = None, **kwargs: Any
    ) -> Passed:
        """Learn and change."""
        *_, names = self.fit(X, y, sample_weight, feature_list=feature_list, **kwargs)
        return self.transform(X, y, sample_weight, feature_list=names, **kwargs)

    def inverse_transform(
        self, X: Any, y: Any = None, sample_weight: Any = None, feature_list: Any = None, **_: Any
    ) -> Passed:
        """Change back; left as it is, nothing changes."""
        return X, y, sample_weight, feature_list

    def saved(self) -> dict[str, Any]:
        """What `restored` needs: its attributes, but for those that begin with ``_cached``."""
        return {name: value for name, value in vars(self).items() if not name.startswith("_cached")}

    @classmethod
    def restored(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `saved`."""
        step = cls.__new__(cls)
        vars(step).update(values)
        return step


class SKLearnWrapper(BaseTransform):
    """A transformer of scikit-learn as a step."""

    def __init__(self, sklearninstance: Any, n_jobs: int = -1, backend: str = "loky", **_: Any) -> None:
        self.n_jobs = n_jobs
        self.backend = backend
        self._skl = sklearninstance

    def fit(
        self, X: Any, y: Any = None, sample_weight: Any = None, feature_list: Any = None, **_: Any
    ) -> Passed:
        """See `BaseTransform`."""
        self._skl = self._skl.fit(X, y=y)
        return X, y, sample_weight, feature_list

    def transform(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        feature_list: Any = None,
        outlier_check: bool = False,
        **_: Any,
    ) -> Passed:
        """See `BaseTransform`."""
        return self._skl.transform(X), y, sample_weight, feature_list

    def inverse_transform(
        self, X: Any, y: Any = None, sample_weight: Any = None, feature_list: Any = None, **_: Any
    ) -> Passed:
        """See `BaseTransform`."""
        return self._skl.inverse_transform(X), y, sample_weight, feature_list


class VarianceThreshold(BaseTransform):
    """Leaves out columns whose variance is not above a threshold."""

    def __init__(self, **kwargs: Any) -> None:
        self._skl = _VarianceThreshold(**kwargs)
        self.feature_list: list[Any] | None = None
        self.mask: NDArray[np.bool_] = np.empty(0, np.bool_)

    def fit(
        self, X: Any, y: Any = None, sample_weight: Any = None, feature_list: Any = None, **_: Any
    ) -> Passed:
        """See `BaseTransform`."""
        self.mask = self._skl.fit(X).get_support()
        self.feature_list = None if feature_list is None else list(np.array(feature_list)[self.mask])
        return X, y, sample_weight, self.feature_list

    def transform(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        feature_list: Any = None,
        outlier_check: bool = False,
        **_: Any,
    ) -> Passed:
        """See `BaseTransform`."""
        return X[:, self.mask], y, sample_weight, self.feature_list


class PCA(BaseTransform):
    """Principal components instead of features."""

    def __init__(self, **kwargs: Any) -> None:
        self._skl = _PCA(**kwargs)
        self.feature_list: list[str] = []

    def fit(
        self, X: Any, y: Any = None, sample_weight: Any = None, feature_list: Any = None, **_: Any
    ) -> Passed:
        """See `BaseTransform`."""
        self._skl.fit(X)
        self.feature_list = [f"PC{i}" for i in range(self._skl.n_components_)]
        return X, y, sample_weight, self.feature_list

    def transform(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        feature_list: Any = None,
        outlier_check: bool = False,
        **_: Any,
    ) -> Passed:
        """See `BaseTransform`."""
        return self._skl.transform(X), y, sample_weight, self.feature_list

    def inverse_transform(
        self, X: Any, y: Any = None, sample_weight: Any = None, feature_list: Any = None, **_: Any
    ) -> Passed:
        """See `BaseTransform`."""
        return self._skl.inverse_transform(X), y, sample_weight, feature_list


class Noise(BaseTransform):
    """Gaussian noise on the training features, never on those of a prediction."""

    def __init__(self, mu: float = 0, sigma: float = 0.01, **_: Any) -> None:
        self.mu = mu
        self.sigma = sigma

    def fit(
        self, X: Any, y: Any = None, sample_weight: Any = None, feature_list: Any = None, **_: Any
    ) -> Passed:
        """See `BaseTransform`."""
        return X, y, sample_weight, feature_list

    def fit_transform(
        self, X: Any, y: Any = None, sample_weight: Any = None, feature_list: Any = None, **_: Any
    ) -> Passed:
        """See `BaseTransform`."""
        # Of NumPy's own generator, which a training seeds before the user's code runs.
        noise = np.random.normal(self.mu, self.sigma, X.shape)  # noqa: NPY002
        return X + noise, y, sample_weight, feature_list

    def transform(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        feature_list: Any = None,
        outlier_check: bool = False,
        **_: Any,
    ) -> Passed:
        """See `BaseTransform`."""
        return X, y, sample_weight, feature_list
