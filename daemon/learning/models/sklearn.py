"""scikit-learn's random forest (https://scikit-learn.org), fitted by the library, evaluated by numpy.

Only a fit needs the library: a saved forest is plain arrays, which `forest` evaluates with numpy.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from daemon.core.errors import Refused
from daemon.learning.models.common import in_short, over_defaults
from daemon.learning.models.forest import Forest
from daemon.learning.models.port import FitStopped, refuse_missing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from daemon.learning.models.port import FitOptions, Rows

DEFAULTS: Mapping[str, Any] = {
    # A leaf of one row learns the noise of a candle, and makes files of tens of megabytes.
    "n_estimators": 100,
    "min_samples_leaf": 20,
}
_AT_ONCE = 4
"""Trees between two questions whether to stop; a few per thread keep the threads busy."""


class SKLearnRandomForestClassifier:
    """A random forest on classes. Test rows do not stop it: more trees never make a forest worse."""

    suffix: ClassVar[str] = "npz"
    classifies: ClassVar[bool] = True
    stops: ClassVar[bool] = True
    continues: ClassVar[bool] = False

    def __init__(self, forest: Forest) -> None:
        self._forest = forest

    @classmethod
    def fit(cls, train: Rows, test: Rows | None, options: FitOptions) -> Self:  # noqa: ARG003  see the class
        """See `Model`."""
        import sklearn.ensemble  # noqa: PLC0415  heavy, and only a fit needs it

        own = {**DEFAULTS, "random_state": options.seed, "n_jobs": options.threads, "warm_start": True}
        parameters = over_defaults(own, options.parameters, ())
        try:
            classifier = sklearn.ensemble.RandomForestClassifier(**parameters)
            _grow(classifier, train, options)
        except (TypeError, ValueError) as exc:
            raise Refused(f"scikit-learn: {in_short(exc)}") from exc
        codes = np.asarray(classifier.classes_, np.int64)
        return cls(Forest.of_trees([tree.tree_ for tree in classifier.estimators_], codes, options.classes))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """See `Model`."""
        return cls(Forest.from_bytes(data))

    def to_bytes(self) -> bytes:
        """See `Model`; numpy's own archive of arrays, without objects."""
        return self._forest.to_bytes()

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """See `Model`."""
        refuse_missing(features)
        return self._forest.shares(features)


def _grow(classifier: Any, train: Rows, options: FitOptions) -> None:
    """Fit, a few trees at a time where somebody may stop it: with ``warm_start`` they are the same trees."""
    wanted = classifier.n_estimators
    steps = classifier.warm_start and options.stop is not None and isinstance(wanted, int) and wanted > 0
    at_once = _AT_ONCE * max(1, options.threads)
    features = np.ascontiguousarray(train.features)
    for trees in [*range(at_once, wanted, at_once), wanted] if steps else [wanted]:
        if options.stop is not None and options.stop():
            raise FitStopped(f"stopped before tree {trees} of {wanted}")
        classifier.set_params(n_estimators=trees)
        with warnings.catch_warnings():
            # What it warns of is `class_weight` with `warm_start` on other rows: ours are the same.
            warnings.simplefilter("ignore")
            classifier.fit(features, train.labels, sample_weight=train.weights)
