"""The port that every model library fits into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np

from daemon.core.errors import CandledError, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray


class FitStopped(CandledError):
    """A fit was told to stop, and left nothing behind."""


class CannotContinue(Refused):
    """A fit cannot go on from the model that it was given; from nothing it may succeed."""


def refuse_missing(features: NDArray[np.float32]) -> None:
    """No model sees a NaN: libraries read it as they like, and scikit-learn's and CatBoost's ways differ.

    Raises:
        Refused: a value of these rows is not a finite number.
    """
    if np.isfinite(
        np.vdot(features, features)
    ):  # half the time; what it cannot add up is looked at one by one
        return
    sound = np.isfinite(features)
    if not sound.all():
        row, column = np.argwhere(~sound)[0]
        raise Refused(f"a model cannot take row {row}, column {column}: {features[row, column]}")


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows to fit on or to judge by.

    Raises:
        Refused: a feature is not a finite number.

    Attributes:
        features: float32[n, k], C-contiguous, all finite.
        labels: float64[n] (regression) or int64[n] class codes (classification).
        weights: float64[n].
    """

    features: NDArray[np.float32]
    labels: NDArray[Any]
    weights: NDArray[np.float64]

    def __post_init__(self) -> None:
        refuse_missing(self.features)


@dataclass(frozen=True, slots=True, kw_only=True)
class FitOptions:
    """What a fit is given besides rows.

    Attributes:
        parameters: the user's, in the library's own words; they win over the backend's defaults.
        seed: for all randomness of the fit.
        threads: how many threads the fit may use, unless the parameters say.
        classes: how many class codes there are; 0 for regression.
        start: a fitted model of the same class to go on from: its trees stay, new ones are put on top.
        stop: asked between two trees; once it says True the fit ends with `FitStopped`. A deadline is a ``stop``
            that looks at the clock.
    """

    parameters: Mapping[str, Any]
    seed: int
    threads: int
    classes: int = 0
    stop: Callable[[], bool] | None = None
    start: Model | None = None


class Model(Protocol):
    """A fitted model.

    Rules: the same rows, options and library give a model that predicts the same bits; ``predict`` leaves the
    model untouched and gives for one row the bits that it gives for it within a batch; ``to_bytes`` is in the
    library's own format, deterministic, and reading it executes nothing.
    """

    suffix: ClassVar[str]
    """File name ending of the native format, without the dot."""
    classifies: ClassVar[bool]
    """Whether labels are class codes."""
    stops: ClassVar[bool]
    """Whether a fit asks `FitOptions.stop` between its trees; else it can only be ended with its process."""
    continues: ClassVar[bool]
    """Whether a fit can go on from `FitOptions.start`; else it is never given one."""

    @classmethod
    def fit(cls, train: Rows, test: Rows | None, options: FitOptions) -> Self:
        """Fit on ``train``; ``test`` may stop the fit early.

        Raises:
            Refused: the library does not take these parameters or rows; the message is the library's.
            FitStopped: ``options.stop`` said so.
            CannotContinue: not from ``options.start``.
        """
        ...

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a model.

        Raises:
            Corrupt: the bytes are not a model of this library.
        """
        ...

    def to_bytes(self) -> bytes:
        """The model in the library's native format."""
        ...

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """float64[n] (regression), or float64[n, classes] probabilities by class code.

        Raises:
            Refused: a feature is not a finite number; there is no number for such a row.
        """
        ...


@runtime_checkable
class Remembers(Protocol):
    """What a fit may leave besides, if its library has it: what the model says of the test rows, known without asking."""

    def of_test(self) -> NDArray[np.float64] | None:
        """What `Model.predict` gives for the features of the fit's ``test``, bit for bit; None: that is to be asked."""
        ...


@runtime_checkable
class Explains(Protocol):
    """What a model has besides, if its library has it: which features decide, in general and for one row."""

    def importances(self) -> NDArray[np.float64]:
        """float64[k], the library's usual importance of each feature over the whole training; larger is more."""
        ...

    def explained(self, features: NDArray[np.float32], code: int) -> NDArray[np.float64]:
        """Exact SHAP values of some rows, by the library's own algorithm.

        Lundberg et al., "From local explanations to global understanding with explainable AI for trees", Nature
        Machine Intelligence 2 (2020): what each feature adds to the expected value over the training rows.

        Args:
            features: float32[n, k], all finite.
            code: class whose raw score (of which the probabilities are made) is explained; 0 for regression.

        Returns:
            float64[n, k + 1], contributions and, last, the expected value; a row sums to the model's raw score: for
            regression the prediction, unless the objective has a link function.

        Raises:
            Refused: a feature is not a finite number, or the model never saw the class.
        """
        ...
