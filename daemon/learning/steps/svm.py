"""Outliers by a linear one-class support vector machine."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from daemon.core.errors import Refused
from daemon.learning.steps.port import Verdict, vector

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from daemon.learning.steps.port import Points

_BLOCK = 64


@dataclass(frozen=True, slots=True)
class OneClassSvm:
    """scikit-learn's ``SGDOneClassSVM``: a row is an outlier where ``weights . row - offset`` is negative.

    Attributes:
        weights: float64[k].
        offset: of the decision.
    """

    name: ClassVar[str] = "svm"

    weights: NDArray[np.float64]
    offset: float

    @classmethod
    def fit(cls, points: Points, parameters: Mapping[str, Any], seed: int) -> Self:
        """Learn from the rows and their weights, in float64, as FreqAI does.

        Args:
            points: training rows.
            parameters: the user's ``svm_params``, in scikit-learn's words.
            seed: where the parameters have no ``random_state``.

        Raises:
            Refused: scikit-learn does not take these parameters; the message is its own.
        """
        from sklearn import config_context  # noqa: PLC0415  only the training process pays for it
        from sklearn.linear_model import SGDOneClassSVM  # noqa: PLC0415  as above

        try:
            # Rows behind the pipeline are finite: scikit-learn need not look once more.
            with warnings.catch_warnings(), config_context(assume_finite=True):
                # Ended by max_iter before it settled: the user's choice, and FreqAI goes on as well.
                warnings.simplefilter("ignore")
                found = SGDOneClassSVM(**{"random_state": seed, **parameters}).fit(
                    points.features.astype(np.float64), sample_weight=points.weights
                )
        except (TypeError, ValueError) as exc:
            raise Refused(f"svm_params: {' '.join(str(exc).split())[-300:]}") from exc
        return cls(found.coef_.ravel().astype(np.float64), float(np.ravel(found.offset_)[0]))

    def decisions(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """float64[n], distance to the boundary times a constant; negative for outliers."""
        # Products first, then each row's sum by itself: a matrix product would sum one row in another order than
        # many. A few rows at a time, so that their products stay near the processor.
        found = np.empty(len(rows))
        for start in range(0, len(rows), _BLOCK):
            part = slice(start, start + _BLOCK)
            (np.ascontiguousarray(rows[part]) * self.weights).sum(axis=1, out=found[part])
        return found - self.offset

    def judge(self, rows: NDArray[np.float32]) -> Verdict:
        """See `Detector`."""
        return Verdict(self.decisions(rows) < 0)

    def outliers(self, rows: NDArray[np.float32]) -> NDArray[np.bool_]:
        """See `Detector`; float64 is asked only where float32 cannot tell the sign."""
        with np.errstate(over="ignore", invalid="ignore"):  # what float32 cannot hold is nowhere sure
            rough = rows @ self.weights.astype(np.float32) - np.float32(self.offset)
            # The product is off by at most (k + 1) * 2^-24 * |row| |weights| (Higham, Accuracy and Stability of
            # Numerical Algorithms, section 3.1), the difference by its last bit; doubled for the rest. What is too
            # small for a float32 is lost in the lengths: more than that is added to them.
            lengths = np.sqrt(np.vecdot(rows, rows)) + np.float32(1e-15)
            bound = lengths * np.float32(np.linalg.norm(self.weights) + 1e-20) + np.float32(abs(self.offset))
            slack = np.float32((rows.shape[1] + 8) * 2.0**-23) * bound
            found, sure = rough < 0, np.abs(rough) > slack
        unsure = np.flatnonzero(~sure)
        found[unsure] = self.judge(rows[unsure]).outlier
        return found

    def saved(self) -> tuple[dict[str, Any], dict[str, NDArray[np.float32]]]:
        """See `Step`."""
        return {"weights": self.weights.tolist(), "offset": self.offset}, {}

    @classmethod
    def restored(cls, values: Mapping[str, Any], _: Mapping[str, NDArray[np.float32]]) -> Self:
        """See `Step`."""
        return cls(vector(values["weights"], np.float64), float(values["offset"]))
