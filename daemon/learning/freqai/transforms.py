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
from sklearn.linear_model import SGDOneClassSVM

from daemon.learning.steps.dbscan import Dbscan
from daemon.learning.steps.dissimilarity import Dissimilarity
from daemon.learning.steps.distances import Cloud

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = [
    "DBSCAN",
    "PCA",
    "BaseTransform",
    "DissimilarityIndex",
    "Noise",
    "SKLearnWrapper",
    "SVMOutlierExtractor",
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


class Detector(BaseTransform):
    """A step that finds outliers.

    Attributes:
        removed: training rows that it removed.
        inliers: its opinion of the rows that it saw last: 1, or 0 for an outlier.
    """

    detects = True
    removed: int = 0
    inliers: NDArray[np.int64] = np.empty(0, np.int64)

    def _fitted(self, X: Any, weights: Any) -> NDArray[np.bool_]:
        """Learn from the rows, and say which of them are outliers."""
        raise NotImplementedError

    def _outliers(self, X: Any) -> NDArray[np.bool_]:
        raise NotImplementedError

    def fit(
        self, X: Any, y: Any = None, sample_weight: Any = None, feature_list: Any = None, **_: Any
    ) -> Passed:
        """See `BaseTransform`."""
        self._fitted(X, sample_weight)
        return X, y, sample_weight, feature_list

    def fit_transform(
        self, X: Any, y: Any = None, sample_weight: Any = None, feature_list: Any = None, **_: Any
    ) -> Passed:
        """See `BaseTransform`."""
        self.inliers = np.where(self._fitted(X, sample_weight), 0, 1)
        self.removed = int((self.inliers == 0).sum())
        return *remove_outliers(X, y, sample_weight, self.inliers), feature_list

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
        self.inliers = np.where(self._outliers(X), 0, 1)
        if outlier_check:
            return X, y + self.inliers - 1, sample_weight, feature_list
        return *remove_outliers(X, y, sample_weight, self.inliers), feature_list

    def saved(self) -> dict[str, Any]:
        """See `BaseTransform`; without the opinion of rows long past."""
        return {
            name: value for name, value in super().saved().items() if name not in {"inliers", "di_values"}
        }


class SVMOutlierExtractor(Detector):
    """Outliers by scikit-learn's ``SGDOneClassSVM``, fitted with the weights of the rows."""

    def __init__(self, **kwargs: Any) -> None:
        self._skl = SGDOneClassSVM(**kwargs)

    def _fitted(self, X: Any, weights: Any) -> NDArray[np.bool_]:
        self._skl.fit(X, sample_weight=weights)
        return self._outliers(X)

    def _outliers(self, X: Any) -> NDArray[np.bool_]:
        return np.asarray(self._skl.predict(X) == -1)


class DissimilarityIndex(Detector):
    """Outliers by the dissimilarity index; see `daemon.learning.steps.dissimilarity`.

    Attributes:
        di_values: float64[n], the index of the rows that it saw last.
    """

    di_values: NDArray[np.float64] = np.empty(0)

    def __init__(self, di_threshold: float = 1, n_jobs: int = -1, backend: str = "loky", **_: Any) -> None:
        self.di_threshold = di_threshold
        self.n_jobs = n_jobs
        self.backend = backend
        self.avg_mean_dist = 0.0
        self.trained_data: NDArray[np.float32] = np.empty((0, 0), np.float32)

    def _fitted(self, X: Any, weights: Any) -> NDArray[np.bool_]:
        self.trained_data = _rows(X)
        step = Dissimilarity.fit(Cloud(self.trained_data), float(self.di_threshold))
        self.avg_mean_dist, self._cached_step = step.mean_distance, step
        self.di_values = np.zeros(len(X))  # each is among the rows that it is compared with
        return np.zeros(len(X), np.bool_)

    def _outliers(self, X: Any) -> NDArray[np.bool_]:
        if "_cached_step" not in vars(self):
            cloud = Cloud(self.trained_data)
            self._cached_step = Dissimilarity(float(self.di_threshold), cloud, float(self.avg_mean_dist))
        verdict = self._cached_step.judge(_rows(X))
        if verdict.di is not None:
            self.di_values = verdict.di
        return verdict.outlier


class DBSCAN(Detector):
    """Outliers by density, with the automatic radius; see `daemon.learning.steps.dbscan`."""

    def __init__(self, backend: str = "loky", n_jobs: int = -1, **_: Any) -> None:
        self.backend = backend
        self.n_jobs = n_jobs

    def _fitted(self, X: Any, weights: Any) -> NDArray[np.bool_]:
        self._cached_step, noise = Dbscan.fit(Cloud(_rows(X)))
        return noise

    def _outliers(self, X: Any) -> NDArray[np.bool_]:
        return self._cached_step.judge(_rows(X)).outlier

    def saved(self) -> dict[str, Any]:
        """See `BaseTransform`."""
        values, arrays = self._cached_step.saved()
        return {**super().saved(), "found": values, **arrays}

    @classmethod
    def restored(cls, values: Mapping[str, Any]) -> Self:
        """See `BaseTransform`."""
        kept = {name: value for name, value in values.items() if name not in {"found", "trained"}}
        step = super().restored(kept)
        vars(step)["_cached_step"] = Dbscan.restored(values["found"], {"trained": values["trained"]})
        return step


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


def _rows(X: Any) -> NDArray[np.float32]:
    return np.ascontiguousarray(X, np.float32)
