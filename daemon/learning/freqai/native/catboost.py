"""CatBoost's classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import catboost

from daemon.core.errors import Corrupt
from daemon.learning.freqai.native.known import known_name
from daemon.learning.models.catboost import booster_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

_ESTIMATORS = {
    cls.__name__: cls for cls in (catboost.CatBoostRegressor, catboost.CatBoostClassifier, catboost.CatBoost)
}


def estimator_bytes(estimator: catboost.CatBoost) -> tuple[str, bytes, dict[str, Any]]:
    """Suffix, bytes, and what else `estimator_of` needs, of a model that a user's own code fitted.

    Raises:
        Refused: it is of a class that cannot be read again.
    """
    name = known_name(estimator, _ESTIMATORS, "CatBoost")
    return "cbm", booster_bytes(estimator), {"class": name}


def estimator_of(data: bytes, values: Mapping[str, Any]) -> catboost.CatBoost:
    """The inverse of `estimator_bytes`.

    Raises:
        Corrupt: the bytes are not a model.
    """
    estimator = _ESTIMATORS[values["class"]]()
    try:
        estimator.load_model(blob=data)
    except catboost.CatBoostError as exc:
        raise Corrupt(f"not a CatBoost model: {' '.join(str(exc).split())[-300:]}") from exc
    return estimator
