"""LightGBM's scikit-learn classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lightgbm
import numpy as np

import daemon.learning.models.lightgbm  # noqa: F401  from then on LightGBM writes nothing to the terminal
from daemon.core.errors import Corrupt, Refused
from daemon.learning.freqai.native.known import known_name
from daemon.learning.models.common import in_short, sealed, unsealed

if TYPE_CHECKING:
    from collections.abc import Mapping

_ESTIMATORS = {name: getattr(lightgbm, name) for name in ("LGBMRegressor", "LGBMClassifier")}


def estimator_bytes(estimator: Any) -> tuple[str, bytes, dict[str, Any]]:
    """Suffix, bytes, and what else `estimator_of` needs, of a model that a user's own code fitted.

    Raises:
        Refused: it is of a class that cannot be read again.
    """
    name = known_name(estimator, _ESTIMATORS, "LightGBM")
    if callable(estimator.objective_):
        raise Refused(f"a {name} whose objective is a function cannot be saved; name one of LightGBM's own")
    values: dict[str, Any] = {"class": name, "objective": estimator.objective_}
    if name == "LGBMClassifier":
        values["classes"] = np.asarray(estimator.classes_).tolist()
    return "txt", sealed(estimator.booster_.model_to_string().encode()), values


def estimator_of(data: bytes, values: Mapping[str, Any]) -> Any:
    """The inverse of `estimator_bytes`.

    LightGBM has no reader for these classes, so what it keeps in them is put in place by hand; a training compares
    the predictions of what it wrote with those of what it reads.

    Raises:
        Corrupt: the bytes are not a model.
    """
    try:
        booster = lightgbm.Booster(model_str=unsealed(data, "LightGBM").decode())
    except (lightgbm.basic.LightGBMError, ValueError) as exc:
        raise Corrupt(f"not a LightGBM model: {in_short(exc)}") from exc
    estimator = _ESTIMATORS[values["class"]](n_jobs=1)
    inside = {
        "_Booster": booster,
        "_n_features": booster.num_feature(),
        "_n_features_in": booster.num_feature(),
        "_objective": values["objective"],
        "_best_iteration": -1,
        "fitted_": True,
    }
    if "classes" in values:
        classes = np.asarray(values["classes"])
        encoder = lightgbm.compat._LGBMLabelEncoder()  # noqa: SLF001  as above
        encoder.fit(classes)
        inside |= {
            "_le": encoder,
            "_classes": encoder.classes_,
            "_n_classes": len(classes),
            "_class_map": {name: i for i, name in enumerate(encoder.classes_)},
        }
    vars(estimator).update(inside)
    return estimator
