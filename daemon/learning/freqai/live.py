"""A model in FreqAI's manner, ready to predict: the user's ``predict`` on the model and pipelines of an artifact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from daemon.core.schema import FeatureSchema
from daemon.learning.freqai.predictor import predictor_of
from daemon.learning.live import Answer, LiveModel
from daemon.learning.pipeline import FeaturePipeline

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from daemon.core.pair import Pair
    from daemon.learning.freqai.predictor import Predictor, Said
    from daemon.learning.job import Target
    from daemon.learning.models.user import UserClass


@dataclass(frozen=True, slots=True, kw_only=True)
class FreqaiLiveModel(LiveModel):
    """What predicts for a pair: a user's class in FreqAI's manner. It has no heads of its own.

    Attributes:
        targets: what it predicts.
        predictor: the user's code.
        label_statistics: mean and standard deviation of the training labels, by target of numbers.
    """

    targets: tuple[Target, ...]
    predictor: Predictor
    label_statistics: Mapping[str, tuple[float, float]]

    @property
    def labels(self) -> tuple[str, ...]:
        """See `LiveModel`."""
        return tuple(target.name for target in self.targets)

    @property
    def label_means(self) -> dict[str, float]:
        """See `LiveModel`."""
        return {name: mean for name, (mean, _) in self.label_statistics.items()}

    @property
    def numbers(self) -> tuple[str, ...]:
        """See `LiveModel`."""
        return tuple(name for target in self.targets for name in (target.classes or (target.name,)))

    def predicted(self, rows: NDArray[np.float32]) -> dict[str, NDArray[np.float64]]:
        """See `LiveModel`."""
        said = self.predictor.said(rows)
        return {name: np.asarray(said.columns[name], np.float64) for name in self.numbers}

    def answer(self, row: NDArray[np.float32]) -> Answer:
        """See `LiveModel`.

        Raises:
            StrategyError: the user's code raised, or did not answer.
        """
        said = self.predictor.said(row[None, :])
        count = 1 - int(said.accepted[-1])
        names = said.objections if len(said.objections) == count else ("predict",) * max(0, count)
        return Answer(values=self._said(said), di=float(said.di[-1]), outlier_of=names)

    def values(self, row: NDArray[np.float32]) -> dict[str, float | str]:
        """See `LiveModel`."""
        return self._said(self.predictor.said(row[None, :]))

    def _said(self, said: Said) -> dict[str, float | str]:
        values: dict[str, float | str] = {}
        for name, column in said.columns.items():
            values[name] = float(column[-1]) if column.dtype.kind == "f" else str(column[-1])
        for name, (mean, deviation) in self.label_statistics.items():
            values |= {f"{name}_mean": mean, f"{name}_std": deviation}
        return values | dict(self.extra_returns)


def freqai_model(
    user: UserClass,
    pair: Pair,
    name: str,
    metadata: Mapping[str, Any],
    files: Mapping[str, bytes],
    *,
    targets: tuple[Target, ...],
) -> FreqaiLiveModel:
    """Put a model together from the verified contents of its artifact; see `daemon.learning.live.live_model`.

    Raises:
        Corrupt: something is missing or does not fit together.
        StrategyError: the user's code raised.
    """
    features = tuple(metadata["training_features_list"])
    predictor = predictor_of(user, str(pair), targets, features, files)
    numbers = [target.name for target in targets if not target.classes]
    return FreqaiLiveModel(
        pair=pair,
        name=name,
        window_end_ms=int(metadata["window_end_ms"]),
        heads=(),
        schema=FeatureSchema(features),
        pipeline=FeaturePipeline(()),
        metrics={label: dict(found) for label, found in metadata["metrics"].items()},
        extra_returns=dict(metadata.get("extra_returns", {})),
        targets=targets,
        predictor=predictor,
        label_statistics={
            label: (float(metadata["labels_mean"][label]), float(metadata["labels_std"][label]))
            for label in numbers
        },
    )
