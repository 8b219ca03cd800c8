"""LightGBM (https://lightgbm.readthedocs.io), an extra of candled: ``lightgbm``."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

import lightgbm
import numpy as np

from daemon.core.errors import Corrupt, Refused
from daemon.learning.models.common import (
    checked_numbers,
    checked_shares,
    in_short,
    one_output,
    over_defaults,
    sealed,
    taken,
    unsealed,
)
from daemon.learning.models.port import FitStopped, refuse_missing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from daemon.learning.models.port import FitOptions, Rows

DEFAULTS: Mapping[str, Any] = {
    # As for CatBoost: weak signals in many correlated features ask for small trees on few features each.
    "n_estimators": 300,
    "learning_rate": 0.03,
    "num_leaves": 15,
    "feature_fraction": 0.1,
    "max_bin": 63,
    "early_stopping_rounds": 50,
}
_ROUNDS = {
    "n_estimators",
    "num_iterations",
    "num_iteration",
    "n_iter",
    "num_tree",
    "num_trees",
    "num_round",
    "num_rounds",
    "nrounds",
    "num_boost_round",
    "max_iter",
}
_PATIENCE = {"early_stopping_rounds", "early_stopping_round", "early_stopping", "n_iter_no_change"}
_OBJECTIVE = {"objective", "objective_type", "app", "application", "loss"}
_VERBOSITY = {"verbosity", "verbose"}
_ALIASES = (
    _ROUNDS,
    _PATIENCE,
    _OBJECTIVE,
    {"learning_rate", "shrinkage_rate", "eta"},
    {"num_leaves", "num_leaf", "max_leaves", "max_leaf", "max_leaf_nodes"},
    {"feature_fraction", "sub_feature", "colsample_bytree"},
    {"max_bin", "max_bins"},
    {"seed", "random_seed", "random_state"},
    {"num_threads", "num_thread", "nthread", "nthreads", "n_jobs"},
    {"num_class", "num_classes"},
    {"force_row_wise", "force_col_wise"},  # one excludes the other
)
_TWO_CLASSES = {"binary", "cross_entropy", "xentropy"}
_MULTICLASS = {"multiclass", "softmax", "multiclassova", "multiclass_ova", "ova", "ovr"}
_LOOKED_AT = 32
"""Test rows, about, that are predicted to see whether the training knows the predictions of all."""


class _Words(threading.local):
    """What LightGBM logs in this thread; it warns of unknown parameters there and nowhere else."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def info(self, message: str) -> None:
        """LightGBM's core sends everything here, its warnings too."""
        self.said.append(message)

    def warning(self, message: str) -> None:
        """LightGBM's Python part warns here."""
        self.said.append(message)

    def unknown(self) -> str:
        """What was said of unknown parameters since the last question."""
        found = [text.strip().rpartition("] ")[2] for text in self.said if "Unknown parameter" in text]
        self.said.clear()
        return "; ".join(dict.fromkeys(found))


_words = _Words()
lightgbm.register_logger(_words)


class _Lightgbm:
    suffix: ClassVar[str] = "txt"
    classifies: ClassVar[bool]
    stops: ClassVar[bool] = True
    continues: ClassVar[bool] = True

    def __init__(self, booster: lightgbm.Booster, text: str = "") -> None:
        self._booster = booster
        self._text = text  # of a fit, which is written next; of what was read it would only take memory
        self._of_test: NDArray[np.float64] | None = None

    @classmethod
    def fit(cls, train: Rows, test: Rows | None, options: FitOptions) -> Self:
        """See `Model`."""
        parameters = cls._parameters(options)
        taken(parameters, _VERBOSITY)  # silence would hide the words about unknown parameters
        rounds = taken(parameters, _ROUNDS)
        patience = taken(parameters, _PATIENCE)
        if test is not None and patience:
            parameters["early_stopping_round"] = patience
        parameters["verbosity"] = 0
        _words.unknown()

        def before(environment: Any) -> None:
            if unknown := _words.unknown():
                raise Refused(f"freqai.model_training_parameters: LightGBM: {unknown}")
            if options.stop is not None and options.stop():
                raise FitStopped(f"stopped before tree {environment.iteration + 1} of {rounds}")

        vars(before)["before_iteration"] = True  # LightGBM's way to mark when a callback is called
        try:
            rows = cls._dataset(train, parameters)
            tests = [] if test is None else [cls._dataset(test, parameters, rows)]
            start = cast("Self | None", options.start)
            booster = lightgbm.train(
                parameters,
                rows,
                rounds,
                valid_sets=tests,
                callbacks=[before],
                init_model=None if start is None else start._booster,  # noqa: SLF001  of this class
                keep_training_booster=True,
            )
            # What predicts is what a file will hold: up to the best tree, and without the rows.
            text = booster.model_to_string()
            model = cls(lightgbm.Booster(model_str=text), text)
            model._raw(train.features[:1], options.classes)
            if test is not None and booster.best_iteration in {0, booster.current_iteration()}:
                model._of_test = model._remembered(booster, test, options.classes)
        except (lightgbm.basic.LightGBMError, TypeError, ValueError) as exc:
            raise Refused(f"LightGBM: {in_short(exc)}") from exc
        return model

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """See `Model`."""
        text = unsealed(data, "LightGBM")
        try:
            return cls(lightgbm.Booster(model_str=text.decode()))
        except (lightgbm.basic.LightGBMError, ValueError) as exc:
            raise Corrupt(f"not a LightGBM model: {in_short(exc)}") from exc

    def to_bytes(self) -> bytes:
        """See `Model`; LightGBM's text and a last line with its checksum."""
        return sealed((self._text or self._booster.model_to_string()).encode())

    def of_test(self) -> NDArray[np.float64] | None:
        """See `Remembers`."""
        return self._of_test

    def importances(self) -> NDArray[np.float64]:
        """See `Explains`; how often the trees split by the feature."""
        return np.asarray(self._booster.feature_importance("split"), np.float64)

    def explained(self, features: NDArray[np.float32], code: int) -> NDArray[np.float64]:
        """See `Explains`."""
        refuse_missing(features)
        flat: Any = self._booster.predict(features, pred_contrib=True, num_threads=1)
        outputs = self._booster.num_model_per_iteration()
        raw = np.asarray(flat, np.float64).reshape(len(features), outputs, -1)
        return one_output(raw if outputs > 1 else raw[:, 0], code, classifies=self.classifies)

    @classmethod
    def _parameters(cls, options: FitOptions) -> dict[str, Any]:
        own: dict[str, Any] = {
            **DEFAULTS,
            "seed": options.seed,
            "num_threads": options.threads,
            # The same bits for any number of threads; without the second LightGBM times both ways and picks one.
            "deterministic": True,
            "force_row_wise": True,
        }
        return over_defaults(own, options.parameters, _ALIASES)

    @staticmethod
    def _dataset(
        rows: Rows, parameters: dict[str, Any], like: lightgbm.Dataset | None = None
    ) -> lightgbm.Dataset:
        return lightgbm.Dataset(
            rows.features, rows.labels, reference=like, weight=rows.weights, params=dict(parameters)
        )

    def _raw(self, features: NDArray[np.float32], classes: int) -> NDArray[np.float64]:
        refuse_missing(features)
        return self._checked(self._booster.predict(features, num_threads=1), classes)

    def _checked(self, out: Any, classes: int) -> NDArray[np.float64]:
        return checked_shares(out, classes) if self.classifies else checked_numbers(out)

    def _remembered(self, booster: lightgbm.Booster, test: Rows, classes: int) -> NDArray[np.float64] | None:
        """What the booster that was trained has summed up for the test rows, if this one says the same of some."""
        found: list[NDArray[np.float64]] = []

        def noted(scores: NDArray[np.float64], _: lightgbm.Dataset) -> tuple[str, float, bool]:
            found.append(scores.copy())  # LightGBM's own memory
            return "none", 0.0, True

        booster.eval_valid(noted)
        scores, some = self._checked(found[0], classes), slice(None, None, 1 + len(test.labels) // _LOOKED_AT)
        # DART and random forests weigh their trees anew as they go: sums in another order, another last bit.
        return scores if np.array_equal(scores[some], self._raw(test.features[some], classes)) else None


class LightGBMRegressor(_Lightgbm):
    """Gradient boosting on a number, squared error unless the parameters say otherwise."""

    classifies = False

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """See `Model`."""
        return self._raw(features, 0)


class LightGBMClassifier(_Lightgbm):
    """Gradient boosting on classes: log loss of two, cross-entropy over more, as LightGBM's own classifier."""

    classifies = True

    @classmethod
    def _parameters(cls, options: FitOptions) -> dict[str, Any]:
        parameters = super()._parameters(options)
        usual = "binary" if options.classes == 2 else "multiclass"
        parameters["objective"] = objective = taken(parameters, _OBJECTIVE) or usual
        if objective not in _MULTICLASS | _TWO_CLASSES:
            raise Refused(f"LightGBM: objective {objective!r} does not give probabilities of classes")
        if objective in _MULTICLASS:
            # LightGBM leaves a class that the rows lack at a probability near zero.
            parameters["num_class"] = options.classes
        return parameters

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """See `Model`."""
        # A binary booster says that it has one class: the probability of code 1.
        return self._raw(features, max(2, self._booster.num_model_per_iteration()))
