"""Model classes by FreqAI's names."""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, cast

from daemon.core.errors import ConfigError

if TYPE_CHECKING:
    from daemon.learning.models.port import Model

_LIBRARIES = {
    "catboost": ("CatboostRegressor", "CatboostClassifier"),
    "lightgbm": ("LightGBMRegressor", "LightGBMClassifier"),
    "xgboost": ("XGBoostRegressor", "XGBoostClassifier", "XGBoostRFRegressor", "XGBoostRFClassifier"),
    "sklearn": ("SKLearnRandomForestClassifier",),
}
"""Models by library. A library's name is also that of its file here and of the extra that installs it."""
_MODELS = {model: library for library, models in _LIBRARIES.items() for model in models}


def model_names() -> tuple[str, ...]:
    """Names that ``freqaimodel`` may have."""
    return tuple(_MODELS)


def check_library(name: str) -> None:
    """Make sure that the library of a model is installed; it is not imported.

    Raises:
        ConfigError: there is no such model, or its library is missing; the message names the extra to install.
    """
    if name not in _MODELS:
        raise ConfigError(f"freqaimodel: {name!r} is not a model; there are {', '.join(_MODELS)}")
    library = _MODELS[name]
    if importlib.util.find_spec(library) is None:
        raise ConfigError(
            f"freqaimodel: {name} needs {library}, an extra of candled; in its checkout: "
            f"`.tools/bin/uv sync --inexact --extra {library}`, or `pip install '.[{library}]'`"
        )


def model_class(name: str) -> type[Model]:
    """The model class of a name; its library is imported now, unless only a fit needs it.

    Raises:
        ConfigError: there is no such model, or its library is missing or does not load.
    """
    check_library(name)
    library = _MODELS[name]
    try:
        module = importlib.import_module(f"daemon.learning.models.{library}")
    except (ImportError, OSError) as exc:  # a shared library of the system's may be missing
        raise ConfigError(f"freqaimodel: {library}, which {name} needs, does not load: {exc}") from exc
    return cast("type[Model]", getattr(module, name))
