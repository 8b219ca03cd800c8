"""Model classes by FreqAI's names."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
from typing import TYPE_CHECKING, cast

from daemon.core.errors import ConfigError

if TYPE_CHECKING:
    from daemon.learning.models.port import Model
    from daemon.learning.models.user import UserClass

_LIBRARIES = {
    "catboost": ("CatboostRegressor", "CatboostClassifier"),
    "lightgbm": ("LightGBMRegressor", "LightGBMClassifier"),
    "xgboost": ("XGBoostRegressor", "XGBoostClassifier", "XGBoostRFRegressor", "XGBoostRFClassifier"),
    "sklearn": ("SKLearnRandomForestClassifier",),
}
"""Model classes by library. A library's name is also that of its file here and of the extra that installs it."""
_VARIANTS = {
    f"{model}MultiTarget": model
    for model in (
        "CatboostRegressor",
        "CatboostClassifier",
        "LightGBMRegressor",
        "LightGBMClassifier",
        "XGBoostRegressor",
    )
}
"""FreqAI's names for strategies with several targets. Here they mean their plain class, which takes them, too."""
_MODELS = {model: library for library, models in _LIBRARIES.items() for model in models} | {
    variant: library
    for library, models in _LIBRARIES.items()
    for variant, model in _VARIANTS.items()
    if model in models
}


_INTERFACES = {"lightgbm": "sklearn"}
"""Libraries that import another one for an interface that none of our models uses: a second of CPU, and 57 MB."""

_USERS: dict[str, UserClass] = {}
"""The user's own classes, by name; one of a name of ours is taken for it, as in FreqAI."""


def use(user: UserClass) -> None:
    """Know a user's class by its name from now on."""
    _USERS[user.name] = user


def forget(name: str) -> None:
    """Know the user's class of that name no more."""
    _USERS.pop(name, None)


def user_class(name: str) -> UserClass | None:
    """The user's class of that name, if there is one."""
    return _USERS.get(name)


def model_names() -> tuple[str, ...]:
    """Names that ``freqaimodel`` may have."""
    return tuple(_MODELS)


def learns_classes(name: str) -> bool:
    """Whether a model is one for targets of classes: ours by its name, a user's by what it says."""
    if name in _USERS:
        return _USERS[name].classifies
    return _VARIANTS.get(name, name).endswith("Classifier")


def counterpart(name: str, *, classifies: bool) -> str | None:
    """The class of the same library and method for one kind of target; None if the library has none."""
    if name in _USERS:
        return name if _USERS[name].classifies == classifies else None
    plain = _VARIANTS.get(name, name)
    stem = plain.removesuffix("Regressor").removesuffix("Classifier")
    found = stem + ("Classifier" if classifies else "Regressor")
    return found if found in _MODELS else None


def model_part(index: int) -> str:
    """Ending, without suffix, of the file that holds the model of a target: ``model``, ``model-1``, ..."""
    return f"model-{index}" if index else "model"


def check_library(name: str) -> None:
    """Make sure that the library of a model is installed; it is not imported.

    Raises:
        ConfigError: there is no such model, or its library is missing; the message names the extra to install.
    """
    if name in _USERS:
        return
    if name not in _MODELS:
        raise ConfigError(f"freqaimodel: {name!r} is not a model; there are {', '.join(_MODELS)}")
    library = _MODELS[name]
    if importlib.util.find_spec(library) is None:
        raise ConfigError(
            f"freqaimodel: {name} needs {library}, an extra of candled; in its checkout: "
            f"`.tools/bin/uv sync --inexact --extra {library}`, or `pip install '.[{library}]'`"
        )


def import_lean(name: str) -> None:
    """Import the library of a model of ours without its interface to another one, in a process that only predicts.

    The copy is our model's own: whoever imports the library later on (a strategy may) gets it whole. Since the newest
    copy is told what the library has to say, a process that fits must not do this. What cannot be imported is left to
    `model_class`, which tells of it. Nothing else may be importing meanwhile.
    """
    library = _MODELS.get(name, "")
    interface = _INTERFACES.get(library)
    if interface is None or {library, interface} & sys.modules.keys():
        return
    sys.modules[interface] = None  # type: ignore[assignment]  # Python's way to say that it is not to be had
    try:
        with contextlib.suppress(ImportError, OSError):
            importlib.import_module(f"daemon.learning.models.{library}")
    finally:
        del sys.modules[interface]
        for each in [each for each in sys.modules if each.partition(".")[0] == library]:
            del sys.modules[each]


def model_class(name: str, *, classifies: bool | None = None) -> type[Model]:
    """The model class of a name; its library is imported now, unless only a fit needs it.

    Args:
        name: as in ``freqaimodel``.
        classifies: the kind of the target, which decides between the library's regressor and classifier; None: what
            the name says.

    Raises:
        ConfigError: there is no such model, or its library is missing or does not load, or learns no such target.
    """
    check_library(name)
    kind = learns_classes(name) if classifies is None else classifies
    found = counterpart(name, classifies=kind)
    if found is None:
        raise ConfigError(
            f"freqaimodel: {name} has no counterpart that learns {'text' if kind else 'numbers'}"
        )
    if name in _USERS:
        return cast("type[Model]", _USERS[name].cls)
    library = _MODELS[name]
    try:
        module = importlib.import_module(f"daemon.learning.models.{library}")
    except (ImportError, OSError) as exc:  # a shared library of the system's may be missing
        raise ConfigError(f"freqaimodel: {library}, which {name} needs, does not load: {exc}") from exc
    return cast("type[Model]", getattr(module, found))
