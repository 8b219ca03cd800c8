"""Running a user's model file, and looking at the class in it."""

from __future__ import annotations

import ast
import inspect
from typing import TYPE_CHECKING, Any

from daemon.core.errors import StrategyError
from daemon.learning.freqai.interface import (
    NEVER_CALLED,
    BaseClassifierModel,
    BaseRegressionModel,
    IFreqaiModel,
)
from daemon.learning.freqai.modules import UNSUPPORTED, model_modules
from daemon.learning.freqai.predictor import new_instance
from daemon.learning.models.user import UserClass, UserModel
from daemon.strategy.facade import facades
from daemon.strategy.faults import describe_fault
from daemon.strategy.modules import StrategyModules
from daemon.strategy.sources import digest_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_BASES = (BaseRegressionModel, BaseClassifierModel)


def loaded(name: str, file: Path, config: Mapping[str, Any]) -> UserClass:
    """Run a user's file and look at the class in it.

    Args:
        name: of the class.
        file: where it stands.
        config: the user's configuration, JSON values.

    Raises:
        StrategyError: the file does not compile or raises, or its class is not one that can work; the message names
            file and line.
    """
    modules = StrategyModules(file.parent, {**facades(), **model_modules()}, "model")

    def fault(exc: BaseException) -> str:
        return describe_fault(exc, tuple(modules.files.values()), file)

    try:
        _refuse_unsupported(file)
        cls = getattr(modules.run(file), name, None)
        digest = digest_of(file)
    # The user's code ran here: it may raise anything, and a call of exit() must not stop the daemon.
    except (Exception, SystemExit) as exc:
        modules.forget()
        raise StrategyError(fault(exc)) from exc
    try:
        checked = _checked(cls, name, file)
        user = UserClass(
            name=name,
            cls=checked,
            freqai=not issubclass(checked, UserModel),
            classifies=bool(checked.classifies),
            file=file,
            digest=digest,
            config=config,
            types=modules.classes(),
            fault=fault,
        )
        if user.freqai:
            new_instance(user)
    except StrategyError:
        modules.forget()
        raise
    return user


def _refuse_unsupported(file: Path) -> None:
    """Say by name what candled has no place for, before a missing library of it is asked for."""
    for node in ast.walk(ast.parse(file.read_bytes(), str(file))):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        line = getattr(node, "lineno", 0)
        for module in names:
            for beginning, what in UNSUPPORTED.items():
                if module.startswith(beginning):
                    raise StrategyError(f"{file}:{line}: {module}: candled does not have {what}")


def _checked(cls: Any, name: str, file: Path) -> type[Any]:
    """The class, if it can do what is asked of it.

    Raises:
        StrategyError: it cannot.
    """
    if not isinstance(cls, type) or not issubclass(cls, (UserModel, *_BASES)):
        wrong = "is no class" if not isinstance(cls, type) else "is no model"
        if isinstance(cls, type) and issubclass(cls, IFreqaiModel):
            wrong = "derives from IFreqaiModel alone"
        raise StrategyError(
            f"{file}: {name} {wrong}: derive it from daemon.learning.models.UserModel, or in FreqAI's manner from "
            "BaseRegressionModel or BaseClassifierModel"
        )
    if issubclass(cls, UserModel):
        missing = sorted(getattr(cls, "__abstractmethods__", ()))
        if missing:
            raise StrategyError(f"{_place(cls, file)}: {name} lacks {', '.join(missing)}")
        if not str(cls.suffix).isalnum() or cls.suffix == "html":
            raise StrategyError(
                f"{_place(cls, file)}: {name}.suffix must be letters and digits, not {cls.suffix!r}"
            )
        return cls
    for each in cls.__mro__[: cls.__mro__.index(IFreqaiModel)]:
        for method in sorted(NEVER_CALLED & vars(each).keys()) if each not in _BASES else ():
            raise StrategyError(
                f"{_place(vars(each)[method], file)}: {name}.{method}: candled does not call this method of FreqAI's; "
                "fit, train, predict, define_data_pipeline and define_label_pipeline are called"
            )
    if cls.fit is IFreqaiModel.fit and cls.train is IFreqaiModel.train:
        raise StrategyError(f"{_place(cls, file)}: {name} has no fit(self, data_dictionary, dk, **kwargs)")
    try:
        inspect.signature(cls.fit).bind(None, {}, None)
    except TypeError as exc:
        raise StrategyError(
            f"{_place(cls.fit, file)}: {name}.fit must take (self, data_dictionary, dk, **kwargs): {exc}"
        ) from exc
    return cls


def _place(where: Any, file: Path) -> str:
    """``file:line`` of a class or function of the user's."""
    try:
        return f"{inspect.getsourcefile(where) or file}:{inspect.getsourcelines(where)[1]}"
    except (OSError, TypeError):
        return str(file)
