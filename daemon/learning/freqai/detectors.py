"""Steps that find outliers, by the names that model files of FreqAI's users import (``datasieve.transforms``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.linear_model import SGDOneClassSVM

from daemon.learning.freqai.transforms import BaseTransform, Passed, remove_outliers
from daemon.learning.steps.dbscan import Dbscan
from daemon.learning.steps.dissimilarity import Dissimilarity
from daemon.learning.steps.distances import Cloud

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["DBSCAN", "DissimilarityIndex", "SVMOutlierExtractor"]


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


def _rows(X: Any) -> NDArray[np.float32]:
    return np.ascontiguousarray(X, np.float32)
