"""A fitted estimator of a user's as files, each in its library's own format, and back.

``model.json`` says what there is; ``model-1``, ``model-2``, ... are the parts. Nothing is a pickle.
"""

from __future__ import annotations

import importlib
import json
from typing import TYPE_CHECKING, Any

from daemon.core.errors import Corrupt, Refused
from daemon.learning.freqai.multioutput import FreqaiMultiOutputClassifier, FreqaiMultiOutputRegressor
from daemon.learning.freqai.skops_bytes import skops_bytes, skops_value

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

_MULTI = {cls.__name__: cls for cls in (FreqaiMultiOutputRegressor, FreqaiMultiOutputClassifier)}
_NATIVE = ("catboost", "lightgbm", "xgboost")


def estimator_files(estimator: Any, types: Mapping[str, type[Any]]) -> dict[str, bytes]:
    """Contents by file name ending.

    Args:
        estimator: what the user's ``fit`` returned.
        types: classes that the user's files define, by name.

    Raises:
        Refused: it is of a type that cannot be saved; the message names type and remedy.
    """
    files: dict[str, bytes] = {}
    tree = _saved(estimator, types, files)
    return {"model.json": json.dumps(tree, sort_keys=True, indent=0).encode(), **files}


def estimator_of(parts: Mapping[str, bytes], types: Mapping[str, type[Any]]) -> Any:
    """The inverse of `estimator_files`.

    Args:
        parts: contents by file name ending without its suffix.
        types: as above.

    Raises:
        Corrupt: they are not those of an estimator.
    """
    try:
        return _restored(json.loads(parts["model"]), parts, types)
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise Corrupt(f"not a user's model: {exc!r}") from exc


def _saved(estimator: Any, types: Mapping[str, type[Any]], files: dict[str, bytes]) -> dict[str, Any]:
    kind = type(estimator)
    if kind in _MULTI.values():
        return {
            "kind": "several",
            "class": kind.__name__,
            "models": [_saved(each, types, files) for each in estimator.estimators_],
        }
    part = f"model-{len(files) + 1}"
    library = kind.__module__.partition(".")[0]
    if types.get(kind.__name__) is kind:
        suffix, data, values = "bin", _own_bytes(estimator), {"class": kind.__name__}
        library = "own"
    elif library in _NATIVE:
        suffix, data, values = _library(library).estimator_bytes(estimator)
    else:
        suffix, data, values = "skops", skops_bytes(estimator, f"a {kind.__module__}.{kind.__name__}"), {}
        library = "scikit-learn"
    files[f"{part}.{suffix}"] = data
    return {"kind": library, "part": part, **values}


def _restored(tree: Mapping[str, Any], parts: Mapping[str, bytes], types: Mapping[str, type[Any]]) -> Any:
    kind = tree["kind"]
    if kind == "several":
        models = [_restored(each, parts, types) for each in tree["models"]]
        several = _MULTI[tree["class"]](models[0])
        several.estimators_ = models
        if isinstance(several, FreqaiMultiOutputClassifier):
            several.classes_ = [name for each in several.estimators_ for name in each.classes_]
        return several
    data = parts[tree["part"]]
    if kind == "own":
        return types[tree["class"]].from_bytes(data)
    if kind in _NATIVE:
        return _library(kind).estimator_of(data, tree)
    return skops_value(data)


def _own_bytes(estimator: Any) -> bytes:
    if not callable(getattr(estimator, "to_bytes", None)) or not callable(
        getattr(type(estimator), "from_bytes", None)
    ):
        raise Refused(
            f"a {type(estimator).__name__}, which the model's file defines, cannot be saved: give it "
            "to_bytes(self) -> bytes and the class method from_bytes(cls, data)"
        )
    data = estimator.to_bytes()
    if not isinstance(data, bytes):
        raise Refused(f"{type(estimator).__name__}.to_bytes returned {type(data).__name__}, not bytes")
    return data


def _library(name: str) -> ModuleType:
    return importlib.import_module(f"daemon.learning.freqai.native.{name}")
