"""Finding a user's strategy by its name, and making it ready."""

from __future__ import annotations

import difflib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon.core.errors import ConfigError, StrategyError
from daemon.strategy.attributes import apply_settings, strategy_config
from daemon.strategy.faults import describe_fault
from daemon.strategy.interface import IStrategy
from daemon.strategy.modules import StrategyModules
from daemon.strategy.parameters import set_parameters, stored_parameters
from daemon.strategy.sources import class_names, digest_of, python_files

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

__all__ = ["LoadedStrategy", "check_hooks", "load_strategy"]

log = logging.getLogger(__name__)

EXAMPLES = Path(__file__).parent / "examples"
_FEATURE_HOOKS = (
    "feature_engineering_expand_all",
    "feature_engineering_expand_basic",
    "feature_engineering_standard",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedStrategy:
    """A user's strategy, ready to be called through `Hooks`.

    Attributes:
        name: name of its class.
        instance: the object.
        file: where its class stands.
        modules: the modules that it consists of, helpers included.
        digest: SHA-256, hexadecimal, of the file, of its helper modules and of its parameter file: what
            makes the same features and signals has the same digest.
        limits: the strategy's own `LIMITS`, which hold where the configuration does not say.
    """

    name: str
    instance: IStrategy
    file: Path
    digest: str
    modules: StrategyModules
    limits: Mapping[str, Any]

    @property
    def files(self) -> Collection[Path]:
        """Files of the user's that have run."""
        return tuple(self.modules.files.values())


def load_strategy(name: str, *, paths: Sequence[Path], config: Mapping[str, Any]) -> LoadedStrategy:
    """The strategy of that class name, from the first of the folders that has it, else of our examples.

    Other files are not run; they may be broken. Values of the configuration go before the strategy's own
    attributes (``stoploss``, ``minimal_roi``, ``timeframe``, ...), as in freqtrade.

    Args:
        name: name of the class.
        paths: folders (or files) to search; those that do not exist are passed over.
        config: the user's configuration in freqtrade's keys; the strategy gets a copy of its own.

    Raises:
        ConfigError: no file defines the class; the message names the folders and the nearest names.
        StrategyError: the file does not compile, raises, or lacks what a strategy must have; the message
            names file and line.
    """
    file = _find(name, [*paths, EXAMPLES])
    modules = StrategyModules(file.parent)
    try:
        module = modules.run(file)
        strategy_class = _strategy_class(module, name, file)
        strategy_class.__file__ = str(file)
        strategy_class.__source__ = file.read_text(encoding="utf-8", errors="replace")
        stored = stored_parameters(file, name)
        instance = strategy_class(strategy_config(config, name))
        set_parameters(instance, stored)
        limits = apply_settings(instance, stored)
    # The user's code ran here: it may raise anything, and a call of exit() must not stop the daemon.
    except (Exception, SystemExit) as exc:
        modules.forget()
        raise StrategyError(describe_fault(exc, tuple(modules.files.values()), file)) from exc
    strategy = LoadedStrategy(
        name=name, instance=instance, file=file, digest=digest_of(file), modules=modules, limits=limits
    )
    check_hooks(strategy)
    return strategy


def check_hooks(strategy: LoadedStrategy) -> None:
    """Refuse a strategy that lacks what no prediction can be made without.

    Raises:
        StrategyError: it overrides the hook that FreqAI gave up, sets no targets, or has no features.
    """
    place = f"{strategy.file}: {strategy.name}"
    if hasattr(strategy.instance, "populate_any_indicators"):
        raise StrategyError(
            f"{place}: populate_any_indicators is no longer called. Split it into "
            f"{', '.join(_FEATURE_HOOKS)} and set_freqai_targets"
        )
    if not overrides(strategy.instance, "set_freqai_targets"):
        raise StrategyError(
            f"{place}: set_freqai_targets is missing: it sets what is to be predicted, "
            "for example dataframe['&-s_close']"
        )
    if not any(overrides(strategy.instance, hook) for hook in _FEATURE_HOOKS):
        raise StrategyError(
            f"{place}: there are no features: write at least one of {', '.join(_FEATURE_HOOKS)}"
        )


def overrides(instance: IStrategy, method: str) -> bool:
    """Whether a strategy has its own version of a method."""
    return getattr(type(instance), method) is not getattr(IStrategy, method)


def _find(name: str, paths: Sequence[Path]) -> Path:
    if not name.isidentifier():
        raise ConfigError(f"strategy: {name!r} is not the name of a class")
    defined: dict[str, Path] = {}
    for path in paths:
        for file in python_files(path):
            for found in class_names(file):
                if found == name and name in defined and path != EXAMPLES:
                    log.warning(
                        "strategy defined twice",
                        extra={
                            "fields": {"strategy": name, "used": str(defined[name]), "ignored": str(file)}
                        },
                    )
                defined.setdefault(found, file)
    if name in defined:
        return defined[name]
    near = difflib.get_close_matches(name, defined, n=3) or sorted(defined)[:8]
    raise ConfigError(
        f"strategy: no file in {', '.join(str(path) for path in paths)} has a class {name!r}; "
        f"nearest: {', '.join(near)}"
    )


def _strategy_class(module: object, name: str, file: Path) -> type[IStrategy]:
    found = getattr(module, name, None)
    if not (isinstance(found, type) and issubclass(found, IStrategy)):
        raise StrategyError(f"{file}: {name} is not a strategy: derive it from freqtrade.strategy.IStrategy")
    return found
