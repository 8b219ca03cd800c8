"""XGBoost's scikit-learn classes, and what FreqAI hangs into their fit."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xgboost

from daemon.core.errors import Corrupt
from daemon.learning.freqai.native.known import known_name
from daemon.learning.models.common import in_short, sealed, unsealed

if TYPE_CHECKING:
    from collections.abc import Mapping

_ESTIMATORS = {
    name: getattr(xgboost, name)
    for name in ("XGBRegressor", "XGBClassifier", "XGBRFRegressor", "XGBRFClassifier")
}


class TensorBoardCallback(xgboost.callback.TrainingCallback):  # type: ignore[misc, unused-ignore]
    """What FreqAI's own model files hang into a fit; there is no TensorBoard here, and it does nothing."""

    def __init__(self, *_: Any, **__: Any) -> None: ...


def estimator_bytes(estimator: Any) -> tuple[str, bytes, dict[str, Any]]:
    """Suffix, bytes, and what else `estimator_of` needs, of a model that a user's own code fitted.

    Raises:
        Refused: it is of a class that cannot be read again.
    """
    name = known_name(estimator, _ESTIMATORS, "XGBoost")
    with tempfile.TemporaryDirectory(prefix="candled-") as folder:
        path = Path(folder) / "model.ubj"
        estimator.save_model(path)
        return "ubj", sealed(path.read_bytes()), {"class": name}


def estimator_of(data: bytes, values: Mapping[str, Any]) -> Any:
    """The inverse of `estimator_bytes`.

    Raises:
        Corrupt: the bytes are not a model.
    """
    raw = unsealed(data, "XGBoost")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of forests: it is the user who chose them
        estimator = _ESTIMATORS[values["class"]](n_jobs=1)
    try:
        estimator.load_model(bytearray(raw))
    except (xgboost.core.XGBoostError, ValueError) as exc:
        raise Corrupt(f"not an XGBoost model: {in_short(exc)}") from exc
    return estimator
