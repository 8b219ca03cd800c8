"""Model classes by FreqAI's names."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, cast

from daemon.core.errors import ConfigError

if TYPE_CHECKING:
    from daemon.learning.models.port import Model

_MODELS = {
    "CatboostRegressor": ("daemon.learning.models.catboost", "CatboostRegressor"),
    "CatboostClassifier": ("daemon.learning.models.catboost", "CatboostClassifier"),
}


def model_names() -> tuple[str, ...]:
    """Names that ``freqaimodel`` may have."""
    return tuple(_MODELS)


def model_class(name: str) -> type[Model]:
    """The model class of a name; its library is imported now.

    Raises:
        ConfigError: there is no such model.
    """
    if name not in _MODELS:
        raise ConfigError(f"freqaimodel: {name!r} is not a model; there are {', '.join(_MODELS)}")
    module, attribute = _MODELS[name]
    return cast("type[Model]", getattr(importlib.import_module(module), attribute))
