"""Objects of scikit-learn as bytes, through skops (https://skops.readthedocs.io): reading them executes nothing.

A file names the types of its objects. Only those that skops knows as harmless and those listed here are made, and
what a training could not read again is refused when it is written.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from typing import Any

import skops.io
from skops.io.exceptions import UnsupportedTypeException

from daemon.core.errors import Corrupt, Refused
from daemon.learning.models.common import in_short, sealed, unsealed

TRUSTED = (
    # Parts of scikit-learn's estimators that are not in skops's own list.
    "sklearn._loss.loss.HalfTweedieLossIdentity",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.feature_selection._univariate_selection.f_classif",
    "sklearn.feature_selection._univariate_selection.f_regression",
    "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
    "sklearn.gaussian_process.kernels.ConstantKernel",
    "sklearn.gaussian_process.kernels.DotProduct",
    "sklearn.gaussian_process.kernels.Matern",
    "sklearn.gaussian_process.kernels.Product",
    "sklearn.gaussian_process.kernels.RBF",
    "sklearn.gaussian_process.kernels.RationalQuadratic",
    "sklearn.gaussian_process.kernels.Sum",
    "sklearn.gaussian_process.kernels.WhiteKernel",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn.tree._tree.Tree",
    "sklearn.utils._bunch.Bunch",
    "scipy.interpolate._bsplines.BSpline",
    "collections.OrderedDict",
    "numpy.dtype",
    # Models of the libraries within a pipeline or an ensemble; each keeps its library's own bytes.
    "catboost.core.CatBoostClassifier",
    "catboost.core.CatBoostRegressor",
    "lightgbm.basic.Booster",
    "lightgbm.sklearn.LGBMClassifier",
    "lightgbm.sklearn.LGBMRegressor",
    "xgboost.core.Booster",
    "xgboost.sklearn.XGBClassifier",
    "xgboost.sklearn.XGBRegressor",
    "xgboost.sklearn.XGBRFClassifier",
    "xgboost.sklearn.XGBRFRegressor",
)
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip file knows


def skops_bytes(value: Any, what: str) -> bytes:
    """Bytes of an object of scikit-learn, or of dicts, lists and arrays with such objects in them.

    Args:
        value: the object.
        what: what it is to the user, for the message.

    Raises:
        Refused: there is a type among its parts that would not be read again.
    """
    try:
        data: bytes = skops.io.dumps(value)
    except (UnsupportedTypeException, TypeError, ValueError, AttributeError) as exc:
        raise Refused(f"{what} cannot be saved: {in_short(exc)}. {_REMEDY}") from exc
    strange = sorted(set(skops.io.get_untrusted_types(data=data)) - set(TRUSTED))
    if strange:
        raise Refused(f"{what} cannot be saved: it holds {', '.join(strange)}. {_REMEDY}")
    return sealed(_settled(data))


def skops_value(data: bytes) -> Any:
    """The inverse of `skops_bytes`.

    Raises:
        Corrupt: these are not its bytes, or they hold a type that is not trusted.
    """
    raw = unsealed(data, "scikit-learn")
    try:
        strange = sorted(set(skops.io.get_untrusted_types(data=raw)) - set(TRUSTED))
        if strange:
            raise Corrupt(f"it holds {', '.join(strange)}, which is not to be trusted")
        return skops.io.loads(raw, trusted=list(TRUSTED))
    except (ValueError, TypeError, KeyError, AttributeError, ImportError, zipfile.BadZipFile) as exc:
        raise Corrupt(f"not a model of scikit-learn: {in_short(exc)}") from exc


_REMEDY = (
    "Known are models of CatBoost, LightGBM, XGBoost and scikit-learn; for anything else derive the class from "
    "daemon.learning.models.UserModel, whose to_bytes and from_bytes are yours (docs/models.md)"
)


def _settled(data: bytes) -> bytes:
    """The same file without what differs from run to run: addresses of objects, random names, the time of day."""
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        names = [name for name in source.namelist() if name != "schema.json"]
        schema = source.read("schema.json").decode()
        contents = {name: source.read(name) for name in names}
    addresses = {
        found: str(i) for i, found in enumerate(dict.fromkeys(re.findall(r'"__id__": (\d+)', schema)))
    }
    schema = re.sub(r'"__id__": (\d+)', lambda match: f'"__id__": {addresses[match[1]]}', schema)
    order = sorted(names, key=lambda name: schema.find(json.dumps(name)))
    renamed = {name: f"{i}{name[name.rfind('.') :]}" for i, name in enumerate(order)}
    for name, short in renamed.items():
        schema = schema.replace(json.dumps(name), json.dumps(short))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name in order:
            target.writestr(zipfile.ZipInfo(renamed[name], _EPOCH), contents[name], zipfile.ZIP_DEFLATED)
        target.writestr(zipfile.ZipInfo("schema.json", _EPOCH), schema, zipfile.ZIP_DEFLATED)
    return out.getvalue()
