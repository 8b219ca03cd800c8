"""XGBoost (https://xgboost.readthedocs.io), an extra of candled: ``xgboost``."""

from __future__ import annotations

import json
import logging
import warnings
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

import numpy as np
import xgboost

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
from daemon.learning.models.port import CannotContinue, FitStopped, Rows, refuse_missing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from daemon.learning.models.port import FitOptions

log = logging.getLogger(__name__)

DEFAULTS: Mapping[str, Any] = {
    # As for CatBoost: weak signals in many correlated features ask for small trees on few features each.
    "n_estimators": 300,
    "learning_rate": 0.03,
    "max_depth": 4,
    "colsample_bylevel": 0.1,
    "max_bin": 64,
    "early_stopping_rounds": 50,
}
FOREST_DEFAULTS: Mapping[str, Any] = {
    # Those of XGBoost's own XGBRFRegressor (https://xgboost.readthedocs.io/en/stable/tutorials/rf.html).
    "n_estimators": 100,
    "learning_rate": 1.0,
    "subsample": 0.8,
    "colsample_bynode": 0.8,
    "reg_lambda": 1e-5,
    "max_bin": 64,  # as above
}
_ROUNDS = {"n_estimators", "num_boost_round", "num_round"}
_ALIASES = (
    _ROUNDS,
    {"learning_rate", "eta"},
    {"reg_lambda", "lambda"},
    {"seed", "random_state"},
    {"nthread", "n_jobs"},
)
_OF_CLASSES = {"binary:logistic", "reg:logistic", "multi:softprob", "multi:softmax"}
_ATTRIBUTE = "candled_classes"
_PLACE = "freqai.model_training_parameters: XGBoost"


class _Watch(xgboost.callback.TrainingCallback):  # type: ignore[misc, unused-ignore]
    """Looks up between two trees: is the fit to stop, and did XGBoost complain of a parameter?"""

    def __init__(self, options: FitOptions, said: list[warnings.WarningMessage]) -> None:
        self._options = options
        self._said = said

    def before_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002  XGBoost's own
        if self._options.stop is not None and self._options.stop():
            raise FitStopped(f"stopped before round {epoch + 1}")
        return False

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002  XGBoost's own
        for entry in self._said:
            words = " ".join(str(entry.message).partition("WARNING:")[2].split())
            if "are not used" in words:
                raise Refused(f"{_PLACE}: {words[max(0, words.find('Parameters:')) :]}")
            log.warning("xgboost", extra={"fields": {"warning": words or str(entry.message)}})
        self._said.clear()
        return False


class _Xgboost:
    suffix: ClassVar[str] = "ubj"
    classifies: ClassVar[bool]
    stops: ClassVar[bool] = True
    continues: ClassVar[bool] = True
    _defaults: ClassVar[Mapping[str, Any]] = DEFAULTS

    def __init__(self, booster: xgboost.Booster) -> None:
        booster.set_param({"nthread": 1, "device": "cpu"})
        self._booster = booster

    @classmethod
    def fit(cls, train: Rows, test: Rows | None, options: FitOptions) -> Self:
        """See `Model`."""
        parameters = cls._parameters(options)
        taken(parameters, {"verbosity", "verbose", "silent"})
        parameters["verbosity"] = 1  # silence would hide the words about unknown parameters
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            try:
                start = cast("Self | None", options.start)
                booster = cls._grown(train, test, parameters, _Watch(options, said), start)
                model = cls._loaded(bytes(booster.save_raw("ubj")))  # what predicts is what a file will hold
                model.predict(train.features[:1])
            except (xgboost.core.XGBoostError, TypeError, ValueError) as exc:
                raise Refused(f"XGBoost: {in_short(exc)}") from exc
        return model

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """See `Model`."""
        try:
            return cls._loaded(unsealed(data, "XGBoost"))
        except (xgboost.core.XGBoostError, ValueError) as exc:
            raise Corrupt(f"not an XGBoost model: {in_short(exc)}") from exc

    def to_bytes(self) -> bytes:
        """See `Model`; UBJSON and its checksum."""
        return sealed(bytes(self._booster.save_raw("ubj")))

    @classmethod
    def _loaded(cls, raw: bytes) -> Self:
        booster = xgboost.Booster()
        booster.load_model(bytearray(raw))
        return cls(booster)

    @classmethod
    def _parameters(cls, options: FitOptions) -> dict[str, Any]:
        own = {**cls._defaults, "seed": options.seed, "nthread": options.threads}
        return over_defaults(own, options.parameters, _ALIASES)

    @classmethod
    def _grown(
        cls,
        train: Rows,
        test: Rows | None,
        parameters: dict[str, Any],
        watch: _Watch,
        start: Self | None,
    ) -> xgboost.Booster:
        """A booster up to its best tree; takes what is no parameter of XGBoost's core out of the parameters."""
        rounds = taken(parameters, _ROUNDS)
        if isinstance(rounds, int) and rounds < 1:  # XGBoost would make no tree, and stumble over that later
            raise Refused(f"{_PLACE}: n_estimators {rounds}: must be at least 1")
        patience = taken(parameters, {"early_stopping_rounds"}) or None
        rows = _matrix(train, parameters)
        tests = [] if test is None else [(_matrix(test, parameters, rows), "test")]
        booster = xgboost.train(
            parameters,
            rows,
            rounds,
            evals=tests,
            early_stopping_rounds=patience if tests else None,
            verbose_eval=False,
            callbacks=[watch],
            xgb_model=None if start is None else start._booster,  # noqa: SLF001  of this class
        )
        return booster[: booster.best_iteration + 1] if tests and patience else booster

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """See `Model`."""
        refuse_missing(features)
        return checked_numbers(self._booster.inplace_predict(features))

    def importances(self) -> NDArray[np.float64]:
        """See `Explains`; each feature's share of the mean gain of a split, as XGBoost's scikit-learn classes."""
        names = [f"f{i}" for i in range(self._booster.num_features())]  # XGBoost's own, for it was given none
        gains = self._booster.get_score(importance_type="gain")
        found = np.array([gains.get(name, 0.0) for name in names], np.float64)
        return found / found.sum() if found.any() else found

    def explained(self, features: NDArray[np.float32], code: int) -> NDArray[np.float64]:
        """See `Explains`; XGBoost computes them in float32."""
        refuse_missing(features)
        raw = self._booster.predict(xgboost.DMatrix(features, nthread=1), pred_contribs=True)
        return one_output(np.asarray(raw, np.float64), code, classifies=self.classifies)


class _Classifier(_Xgboost):
    """Classes that the training rows lack get no trees, and probability 0."""

    classifies = True

    def __init__(self, booster: xgboost.Booster) -> None:
        super().__init__(booster)
        try:
            classes = json.loads(booster.attr(_ATTRIBUTE) or "")
            self._classes, self._present = int(classes["all"]), list(map(int, classes["present"]))
        except (KeyError, TypeError) as exc:
            raise ValueError(f"its classes are not named: {exc!r}") from exc

    @classmethod
    def _parameters(cls, options: FitOptions) -> dict[str, Any]:
        return {**super()._parameters(options), _ATTRIBUTE: options.classes}

    @classmethod
    def _grown(
        cls,
        train: Rows,
        test: Rows | None,
        parameters: dict[str, Any],
        watch: _Watch,
        start: Self | None,
    ) -> xgboost.Booster:
        classes = parameters.pop(_ATTRIBUTE)
        present = np.unique(train.labels)
        if len(present) < 2:
            raise Refused("XGBoost: the rows have one class: nothing can be learnt from them")
        if start is not None and start._present != present.tolist():  # noqa: SLF001  of this class
            raise CannotContinue("XGBoost: the training rows have other classes than before")
        objective = parameters.get("objective", "multi:softprob" if len(present) > 2 else "binary:logistic")
        if objective not in _OF_CLASSES:
            raise Refused(f"XGBoost: objective {objective!r} does not give probabilities of classes")
        if objective == "multi:softmax":  # the same trees, but classes instead of probabilities
            objective = "multi:softprob"
        parameters["objective"] = objective
        if objective == "multi:softprob":
            parameters["num_class"] = len(present)
        known = None if test is None else _of_classes(test, present)
        booster = super()._grown(_of_classes(train, present), known, parameters, watch, start)
        booster.set_attr(**{_ATTRIBUTE: json.dumps({"all": classes, "present": present.tolist()})})
        return booster

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """See `Model`."""
        refuse_missing(features)
        shares = np.zeros((len(features), self._classes))
        shares[:, self._present] = checked_shares(self._booster.inplace_predict(features), len(self._present))
        return shares

    def explained(self, features: NDArray[np.float32], code: int) -> NDArray[np.float64]:
        """See `Explains`."""
        if code not in self._present:
            raise Refused("the model never saw the class: its probability is 0 whatever the features are")
        return super().explained(features, self._present.index(code))


class _Forest(_Xgboost):
    """All trees in one round, on the same residuals: a random forest. It cannot be stopped between its trees."""

    stops = False
    continues = False
    _defaults = FOREST_DEFAULTS

    @classmethod
    def _parameters(cls, options: FitOptions) -> dict[str, Any]:
        parameters = super()._parameters(options)
        if taken(parameters, {"early_stopping_rounds"}):
            raise Refused("XGBoost: early_stopping_rounds is not implemented for random forest")
        parameters["num_parallel_tree"] = taken(parameters, _ROUNDS)
        return {**parameters, "num_boost_round": 1}


class XGBoostRegressor(_Xgboost):
    """Gradient boosting on a number, squared error unless the parameters say otherwise."""

    classifies = False


class XGBoostClassifier(_Classifier):
    """Gradient boosting on classes: log loss of two, cross-entropy over more, as XGBoost's own classifier."""


class XGBoostRFRegressor(_Forest):
    """A random forest on a number."""

    classifies = False


class XGBoostRFClassifier(_Forest, _Classifier):
    """A random forest on classes."""


def _of_classes(rows: Rows, present: NDArray[np.int64]) -> Rows:
    """The rows of these classes, under codes without gaps."""
    kept = np.isin(rows.labels, present)
    if kept.all():
        return Rows(rows.features, np.searchsorted(present, rows.labels), rows.weights)
    return Rows(rows.features[kept], np.searchsorted(present, rows.labels[kept]), rows.weights[kept])


def _matrix(
    rows: Rows, parameters: Mapping[str, Any], like: xgboost.DMatrix | None = None
) -> xgboost.DMatrix:
    """Rows as XGBoost wants them; binned at once where that serves, as its scikit-learn classes do."""
    given: dict[str, Any] = {
        "label": rows.labels,
        "weight": rows.weights,
        "nthread": parameters.get("nthread", parameters.get("n_jobs")),
    }
    binned = parameters.get("tree_method", "auto") in {"auto", "hist"}
    if not binned or parameters.get("booster") == "gblinear":
        return xgboost.DMatrix(rows.features, **given)
    return xgboost.QuantileDMatrix(
        rows.features, max_bin=int(parameters.get("max_bin", 256)), ref=like, **given
    )
