"""CatBoost (https://catboost.ai), the default model library."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

import catboost
import numpy as np

from daemon.core.errors import Corrupt, Refused
from daemon.learning.models.common import one_output, over_defaults
from daemon.learning.models.port import CannotContinue, FitStopped, refuse_missing
from daemon.learning.steps.port import column_major

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from daemon.learning.models.port import FitOptions, Rows

DEFAULTS: Mapping[str, Any] = {
    # Labels overlap and features are many, so a month of candles is worth some hundred independent rows. Shallow trees
    # on a third of the features, with noise on the choice of splits and leaves shrunk as if 100 rows of the mean
    # stood in each, learn most of what such data teach (docs/skill.md).
    "learning_rate": 0.03,
    "depth": 4,
    "rsm": 0.3,
    "random_strength": 10,
    "l2_leaf_reg": 100,
    "border_count": 32,
}
TREES: Mapping[str, Any] = {"iterations": 100, "use_best_model": False}
"""How many, and all are kept: test rows that hold a few dozen independent labels stop a fit early by chance."""
STOPPED: Mapping[str, Any] = {"iterations": 300, "early_stopping_rounds": 50}
"""The same where the user sets how far a fit goes: the test rows then decide when it is enough."""
_REACH = frozenset(
    {
        *(
            "iterations",
            "n_estimators",
            "num_boost_round",
            "num_trees",
            "learning_rate",
            "eta",
            "use_best_model",
        ),
        *("early_stopping_rounds", "od_wait", "od_pval", "od_type"),
    }
)
"""Parameters that say how far a fit goes."""
# CatBoost knows one parameter by several names and refuses two of them at once.
_LETTERS = b"CBM1"
"""What a CatBoost file begins with; four bytes of the length of the trees follow, then these."""
_ALIASES = (
    {"iterations", "n_estimators", "num_boost_round", "num_trees"},
    {"learning_rate", "eta"},
    {"depth", "max_depth"},
    {"rsm", "colsample_bylevel"},
    {"l2_leaf_reg", "reg_lambda"},
    {"border_count", "max_bin"},
    {"early_stopping_rounds", "od_wait", "od_pval", "od_type"},
    {"random_seed", "random_state"},
    {"logging_level", "verbose", "verbose_eval", "silent"},
)


class _Watch:
    """Looks up after each tree: is the fit to stop? CatBoost wraps what a callback raises, so nothing is raised."""

    def __init__(self, stop: Callable[[], bool]) -> None:
        self._stop = stop
        self.stopped = False

    def after_iteration(self, info: Any) -> bool:  # noqa: ARG002  CatBoost's own
        self.stopped = self._stop()
        return not self.stopped


class _Catboost:
    suffix: ClassVar[str] = "cbm"
    classifies: ClassVar[bool]
    stops: ClassVar[bool] = True
    continues: ClassVar[bool] = True
    _loss: ClassVar[str]

    def __init__(self, booster: catboost.CatBoost) -> None:
        self._booster = booster

    @classmethod
    def fit(cls, train: Rows, test: Rows | None, options: FitOptions) -> Self:
        """See `Model`."""
        parameters = cls._parameters(options)
        if test is None:  # there is none, or every row of it is an outlier: CatBoost would refuse both
            parameters.pop("early_stopping_rounds", None)
            parameters["use_best_model"] = False
        booster = catboost.CatBoost(parameters)
        # On a GPU CatBoost takes no callbacks: there a fit ends with its process.
        on_gpu = str(parameters.get("task_type")).upper() == "GPU"
        if on_gpu and options.start is not None:
            raise CannotContinue("CatBoost goes on from a model on the CPU only")
        start = cast("Self | None", options.start)
        watch = None if options.stop is None or on_gpu else _Watch(options.stop)
        tests = None if test is None else cls._pool(test)
        try:
            booster.fit(
                cls._pool(train),
                eval_set=tests,
                callbacks=[watch] if watch else None,
                init_model=None if start is None else start._booster,  # noqa: SLF001  of this class
            )
        except (catboost.CatBoostError, TypeError, ValueError) as exc:
            raise Refused(f"CatBoost: {' '.join(str(exc).split())[-300:]}") from exc
        if watch is not None and watch.stopped:
            raise FitStopped(f"stopped after {booster.tree_count_} trees")
        return cls(booster)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """See `Model`."""
        # CatBoost shall not look behind the end of a file that is cut off.
        if data[:4] != _LETTERS or len(data) < 8 + int.from_bytes(data[4:8], "little"):
            raise Corrupt("not a CatBoost model: it begins otherwise, or is cut off")
        booster = catboost.CatBoost()
        try:
            booster.load_model(blob=data)
        except (catboost.CatBoostError, ValueError) as exc:
            raise Corrupt(f"not a CatBoost model: {' '.join(str(exc).split())[-300:]}") from exc
        return cls(booster)

    def to_bytes(self) -> bytes:
        """See `Model`; without the random id and the time stamp that CatBoost adds."""
        return booster_bytes(self._booster)

    def importances(self) -> NDArray[np.float64]:
        """See `Explains`; the average change of the prediction per change of the feature (PredictionValuesChange)."""
        return np.asarray(self._booster.get_feature_importance(), np.float64)

    def explained(self, features: NDArray[np.float32], code: int) -> NDArray[np.float64]:
        """See `Explains`."""
        refuse_missing(features)
        pool = catboost.Pool(features)
        raw = self._booster.get_feature_importance(pool, type="ShapValues", thread_count=1)
        return one_output(np.asarray(raw, np.float64), code, classifies=self.classifies)

    @classmethod
    def _parameters(cls, options: FitOptions) -> dict[str, Any]:
        """The user's parameters over our defaults, aliases respected."""
        own: dict[str, Any] = {
            **DEFAULTS,
            **(STOPPED if _REACH & options.parameters.keys() else TREES),
            "loss_function": cls._loss,
            "random_seed": options.seed,
            "thread_count": options.threads,
            "logging_level": "Silent",
        }
        # Without this CatBoost drops a folder `catboost_info` into the working directory.
        return {**over_defaults(own, options.parameters, _ALIASES), "allow_writing_files": False}

    @staticmethod
    def _pool(rows: Rows) -> catboost.Pool:
        return catboost.Pool(column_major(rows.features), rows.labels, weight=rows.weights)


class CatboostRegressor(_Catboost):
    """Gradient boosting on a number, squared error unless the parameters say otherwise."""

    classifies = False
    _loss = "RMSE"

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """See `Model`."""
        refuse_missing(features)
        return np.asarray(self._booster.predict(column_major(features), thread_count=1), np.float64)


class CatboostClassifier(_Catboost):
    """Gradient boosting on classes, cross-entropy over all classes unless the parameters say otherwise."""

    classifies = True
    _loss = "MultiClass"

    @classmethod
    def _parameters(cls, options: FitOptions) -> dict[str, Any]:
        # Naming the classes gives a class that the training rows lack its place, at probability near zero.
        return {"classes_count": options.classes, **super()._parameters(options)}

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """See `Model`."""
        refuse_missing(features)
        rows = column_major(features)
        raw = self._booster.predict(rows, prediction_type="Probability", thread_count=1)
        return np.asarray(raw, np.float64)


def booster_bytes(booster: catboost.CatBoost) -> bytes:
    """The booster in CatBoost's own format, without what differs from one fit to the same fit again."""
    metadata = booster.get_metadata()
    for name in ("model_guid", "train_finish_time"):
        if name in metadata:
            del metadata[name]
    with tempfile.TemporaryDirectory(prefix="candled-") as folder:
        path = Path(folder) / "model.cbm"
        booster.save_model(str(path), format="cbm")
        return path.read_bytes()
