"""Model classes of a user's own: the base class that they derive from, and what is known of a loaded one."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

from daemon.core.errors import CandledError, StrategyError
from daemon.learning.pipeline import LabelScaling, configured_transforms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from daemon.learning.models.port import FitOptions, Rows
    from daemon.learning.options import PipelineOptions
    from daemon.learning.steps.port import Transform


class UserModel(ABC):
    """A model class of a user's own: the port `Model`, with what it need not say filled in.

    `daemon.learning.models.checks` proves that a class keeps the port's rules. ``fit`` runs in the training process,
    ``from_bytes`` and ``predict`` in the daemon.
    """

    suffix: ClassVar[str] = "bin"
    """File name ending of what `to_bytes` gives: letters and digits."""
    classifies: ClassVar[bool] = False
    """Whether labels are class codes."""
    stops: ClassVar[bool] = False
    """Whether `fit` asks ``options.stop`` now and then."""
    continues: ClassVar[bool] = False
    """Whether `fit` can go on from ``options.start``."""

    @classmethod
    @abstractmethod
    def fit(cls, train: Rows, test: Rows | None, options: FitOptions) -> Self:
        """Fit on ``train``; ``test`` may stop the fit early. See `Model`."""

    @classmethod
    @abstractmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The inverse of `to_bytes`; it must execute nothing that the bytes say. See `Model`."""

    @abstractmethod
    def to_bytes(self) -> bytes:
        """All that `from_bytes` needs; the same model gives the same bytes. See `Model`."""

    @abstractmethod
    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """float64[n] (regression), or float64[n, classes] probabilities by class code. See `Model`."""

    @classmethod
    def feature_pipeline(cls, options: PipelineOptions) -> tuple[type[Transform], ...]:
        """Steps that change the features, in order, each fitted on what the one before it gives.

        Left as it is: ours, as ``feature_parameters`` ask for them. The outlier methods that they ask for follow
        in any case. A step of the user's own has ``fit(rows)`` besides what `Transform` has, and a ``name`` that
        none of ours has.

        Args:
            options: what the configuration asks for.
        """
        return configured_transforms(options)

    @classmethod
    def label_pipeline(cls, labels: NDArray[np.float64]) -> LabelScaling:
        """Scale of a regression label: `predict` learns and answers on it.

        Left as it is: [-1, 1], by minimum and maximum. ``LabelScaling.standard(labels)`` takes mean and standard
        deviation, ``LabelScaling.none()`` leaves the label in its own unit.

        Args:
            labels: float64[n] of the training rows.
        """
        return LabelScaling.fit(labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserClass:
    """A user's model class, loaded.

    Attributes:
        name: as in ``freqaimodel``.
        cls: the class: a `UserModel`, or one in FreqAI's manner.
        freqai: whether it is in FreqAI's manner.
        classifies: whether it learns classes.
        file: where it stands.
        digest: SHA-256 of the file and of the helper modules that it imports.
        config: the user's configuration, which FreqAI's models read.
        types: classes that the user's files define, by name.
        fault: puts an error that the user's code raised into words, with file and line.
    """

    name: str
    cls: type[Any]
    freqai: bool
    classifies: bool
    file: Path
    digest: str
    fault: Callable[[BaseException], str]
    config: Mapping[str, Any] = field(default_factory=dict)
    types: Mapping[str, type[Any]] = field(default_factory=dict)

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """Run the user's code inside: what it raises becomes one error with file and line.

        Raises:
            StrategyError: it raised, or called exit().
        """
        try:
            yield
        except CandledError:
            raise
        except (Exception, SystemExit) as exc:  # the user's code may raise anything
            raise StrategyError(self.fault(exc)) from exc
