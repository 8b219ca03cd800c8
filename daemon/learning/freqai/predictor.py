"""A user's ``predict`` in FreqAI's manner, on a fitted model and its pipelines: called, and its answer checked."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from daemon.core.errors import StrategyError
from daemon.learning.freqai.estimators import estimator_of
from daemon.learning.freqai.kitchen import FreqaiDataKitchen
from daemon.learning.freqai.pipeline_bytes import pipelines_of
from daemon.learning.models.port import refuse_missing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from daemon.learning.freqai.pipeline import Pipeline
    from daemon.learning.job import Target
    from daemon.learning.models.user import UserClass


@dataclass(frozen=True, slots=True)
class Said:
    """What a user's ``predict`` said of some rows, checked.

    Attributes:
        columns: by target, float64[n] or the names of classes; by class, float64[n].
        accepted: int64[n], 1 less the number of objections.
        di: float64[n], NaN where there is no dissimilarity index.
        objections: names of the steps that object to the last row.
    """

    columns: Mapping[str, NDArray[Any]]
    accepted: NDArray[np.int64]
    di: NDArray[np.float64]
    objections: tuple[str, ...]


class Predictor:
    """A user's object with a fitted model in it. Its methods keep state between each other: one caller at a time.

    Args:
        user: the class.
        targets: what it predicts.
        features: names of the columns.
        pair: whose model it is.
        model: what its ``fit`` returned.
        pipelines: of features and labels, fitted.
        data: ``dk.data`` of the training.

    Raises:
        StrategyError: the user's ``__init__`` raised.
    """

    def __init__(
        self,
        user: UserClass,
        *,
        targets: Sequence[Target],
        features: Sequence[str],
        pair: str,
        model: Any,
        pipelines: tuple[Pipeline, Pipeline],
        data: Mapping[str, Any],
    ) -> None:
        self._user = user
        self.targets = tuple(targets)
        self.features = list(features)
        self._pair = pair
        self._pipelines = pipelines
        self._data = data
        self._lock = threading.Lock()
        self._instance = new_instance(user)
        self._instance.model = model

    @property
    def model(self) -> Any:
        """What the user's ``fit`` returned."""
        return self._instance.model

    @property
    def pipelines(self) -> tuple[Pipeline, Pipeline]:
        """Of features and labels."""
        return self._pipelines

    def said(self, rows: NDArray[np.float32]) -> Said:
        """What the model says of float32[n, features].

        Raises:
            StrategyError: the user's code raised, or did not answer as FreqAI's ``predict`` does.
            Refused: a feature is not a finite number.
        """
        refuse_missing(rows)
        frame = pd.DataFrame(rows.astype(np.float64), columns=self.features)
        with self._lock:
            dk = self._kitchen()
            with self._user.guarded():
                found, accepted = self._instance.predict(frame, dk)
            return self._checked(found, accepted, dk, len(rows))

    def _kitchen(self) -> FreqaiDataKitchen:
        dk = FreqaiDataKitchen(dict(self._user.config), live=True, pair=self._pair)
        dk.training_features_list = list(self.features)
        dk.label_list = [target.name for target in self.targets]
        dk.feature_pipeline, dk.label_pipeline = self._pipelines
        dk.data = json.loads(json.dumps(self._data))  # the next row must not see what this one left behind
        dk.unique_class_list = [name for name in dk.data.get("labels_std", {}) if name not in dk.label_list]
        return dk

    def _checked(self, found: Any, accepted: Any, dk: FreqaiDataKitchen, count: int) -> Said:
        if not isinstance(found, pd.DataFrame) or len(found) != count or np.shape(accepted) != (count,):
            raise self._fault(f"predict must return a frame of {count} rows and as many values of do_predict")
        columns: dict[str, NDArray[Any]] = {}
        for target in self.targets:
            if target.name not in found:
                raise self._fault(f"predict gave no column {target.name!r}")
            columns |= (
                _classes(found, target) if target.classes else {target.name: _numbers(found, target.name)}
            )
        for name, values in columns.items():
            if values.dtype.kind == "f" and not np.isfinite(values).all():
                raise self._fault(f"predict gave a value of {name!r} that is not a finite number")
            if values.dtype.kind != "f" and not set(values) <= set(_target(self.targets, name).classes):
                raise self._fault(
                    f"predict gave a class of {name!r} that the target does not have: {values[-1]!r}"
                )
        di = np.asarray(dk.DI_values, np.float64)
        has_di = di.shape == (count,) and "di" in dk.feature_pipeline
        objecting = [
            name
            for name, step in dk.feature_pipeline.detectors.items()
            if len(step.inliers) and not step.inliers[-1]
        ]
        return Said(
            columns=columns,
            accepted=np.asarray(accepted, np.int64),
            di=di if has_di else np.full(count, np.nan),
            objections=tuple(objecting),
        )

    def _fault(self, text: str) -> StrategyError:
        return StrategyError(f"{self._user.file}: {self._user.name}: {text}")


def predictor_of(
    user: UserClass, pair: str, targets: Sequence[Target], features: Sequence[str], files: Mapping[str, bytes]
) -> Predictor:
    """The user's object on the files that a training wrote.

    Args:
        user: the class.
        pair: whose model it is.
        targets: what it predicts.
        features: names of the columns.
        files: contents by file name ending without its suffix.

    Raises:
        Corrupt: they do not make a model.
        StrategyError: the user's code raised.
    """
    with user.guarded():
        model = estimator_of(files, user.types)
        pipelines = pipelines_of(files["pipeline"], user.types)
    return Predictor(
        user,
        targets=targets,
        features=features,
        pair=pair,
        model=model,
        pipelines=pipelines,
        data=json.loads(files["data"]),
    )


def new_instance(user: UserClass) -> Any:
    """A new object of the user's class, made as FreqAI makes it.

    Raises:
        StrategyError: its ``__init__`` raised.
    """
    with user.guarded():
        return user.cls(config=json.loads(json.dumps(dict(user.config))))


def _target(targets: Sequence[Target], name: str) -> Target:
    return next(target for target in targets if target.name == name)


def _numbers(found: pd.DataFrame, name: str) -> NDArray[np.float64]:
    return pd.to_numeric(found[name], errors="coerce").to_numpy(np.float64)


def _classes(found: pd.DataFrame, target: Target) -> dict[str, NDArray[Any]]:
    """The likeliest class, and each class's probability; a class that the training rows lacked has 0."""
    zero = np.zeros(len(found))
    shares = {name: _numbers(found, name) if name in found else zero for name in target.classes}
    return {target.name: found[target.name].astype(str).to_numpy(object), **shares}
