"""Parameters of a strategy that freqtrade's optimiser may have tuned, and where their values come from.

candled does not optimise; it runs with the values that stand in the parameter file beside the strategy
(``<file>.json``, as freqtrade writes it), else in the strategy's ``<space>_params``, else the defaults.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from inspect import getattr_static
from typing import TYPE_CHECKING, Any

from daemon.core.errors import StrategyError
from daemon.strategy.compat.exceptions import OperationalException
from daemon.strategy.compat.space import Categorical, Integer, Real, SKDecimal

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "BaseParameter",
    "BooleanParameter",
    "CategoricalParameter",
    "DecimalParameter",
    "IntParameter",
    "NumericParameter",
    "RealParameter",
]

_SPACES = ("buy", "sell", "enter", "exit", "protection")


class BaseParameter:
    """A named value; strategies read ``value``, and ``range`` where they loop over candidates.

    Args:
        default: value if no other is given.
        space: group of the parameter; may be left out if its name begins with ``buy_``, ``sell_``, ...
        optimize: whether freqtrade's optimiser may vary it; without effect here.
        load: whether a value may be taken from the parameter file.
        kwargs: further settings of the optimiser's distribution; without effect here.
    """

    name: str

    def __init__(
        self,
        *,
        default: Any,
        space: str | None = None,
        optimize: bool = True,
        load: bool = True,
        **kwargs: Any,
    ) -> None:
        if "name" in kwargs:
            raise OperationalException("a parameter is named by its attribute: leave out `name`")
        self.default = default
        self.space = space
        self.optimize = optimize
        self.load = load
        self.in_space = False
        self.value = default

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.value})"

    @property
    def range(self) -> Sequence[Any]:
        """The values to compute indicators for: the one in use, because nothing is being optimised."""
        return [self.value]

    def can_optimize(self) -> bool:
        """Whether an optimisation varies the parameter: never here."""
        return False


class NumericParameter(BaseParameter):
    """A number between two bounds, both included: ``(low, high)`` or ``([low, high])``."""

    def __init__(
        self, low: float | Sequence[float], high: float | None = None, *, default: float, **kwargs: Any
    ) -> None:
        if isinstance(low, Sequence):
            if high is not None or len(low) != 2:
                raise OperationalException(
                    f"{type(self).__name__}: the bounds must be low, high or [low, high]"
                )
            low, high = low
        if high is None:
            raise OperationalException(f"{type(self).__name__}: the bounds must be low, high or [low, high]")
        self.low = low
        self.high = high
        super().__init__(default=default, **kwargs)


class IntParameter(NumericParameter):
    """A whole number."""

    @property
    def range(self) -> Sequence[int]:
        """The value in use, as a range."""
        return range(self.value, self.value + 1)

    def get_space(self, name: str) -> Integer:
        """Description of the bounds."""
        return Integer(int(self.low), int(self.high), name)


class RealParameter(NumericParameter):
    """A floating-point number."""

    def get_space(self, name: str) -> Real:
        """Description of the bounds."""
        return Real(self.low, self.high, name)


class DecimalParameter(NumericParameter):
    """A number with a fixed count of decimals; every value is rounded to them."""

    def __init__(
        self,
        low: float | Sequence[float],
        high: float | None = None,
        *,
        default: float,
        decimals: int = 3,
        **kwargs: Any,
    ) -> None:
        self.decimals = decimals
        super().__init__(low, high, default=round(default, decimals), **kwargs)

    @property
    def value(self) -> float:
        """The number in use."""
        return self._value

    @value.setter
    def value(self, number: float) -> None:
        self._value = round(number, self.decimals)

    def get_space(self, name: str) -> SKDecimal:
        """Description of the bounds."""
        return SKDecimal(self.low, self.high, self.decimals, name)


class CategoricalParameter(BaseParameter):
    """One of at least two values."""

    def __init__(self, categories: Sequence[Any], *, default: Any = None, **kwargs: Any) -> None:
        if len(categories) < 2:
            raise OperationalException(f"{type(self).__name__}: give at least two values to choose from")
        self.opt_range = categories
        super().__init__(default=default, **kwargs)

    def get_space(self, name: str) -> Categorical:
        """Description of the choice."""
        return Categorical(self.opt_range, name)


class BooleanParameter(CategoricalParameter):
    """True or False."""

    def __init__(self, *, default: bool | None = None, **kwargs: Any) -> None:
        super().__init__([True, False], default=default, **kwargs)


def stored_parameters(file: Path, class_name: str) -> dict[str, Any]:
    """Values of freqtrade's parameter file beside a strategy file: space -> name -> value.

    Args:
        file: the strategy's file.
        class_name: the strategy, which the parameter file must name.

    Returns:
        Empty if there is no parameter file.

    Raises:
        StrategyError: the file is not JSON, or belongs to another strategy.
    """
    path = file.with_suffix(".json")
    if not path.is_file():
        return {}
    try:
        stored = json.loads(path.read_bytes())
    except ValueError as exc:
        raise StrategyError(f"{path}: the strategy's parameter file is not JSON: {exc}") from exc
    if not isinstance(stored, dict) or stored.get("strategy_name") != class_name:
        named = stored.get("strategy_name") if isinstance(stored, dict) else None
        raise StrategyError(
            f"{path}: the parameter file names the strategy {named!r}, but it stands beside {class_name!r}: "
            "correct `strategy_name` in it, or move it away"
        )
    params = stored.get("params", {})
    return params if isinstance(params, dict) else {}


def set_parameters(instance: object, stored: dict[str, Any]) -> None:
    """Give every parameter of a strategy its value.

    Raises:
        StrategyError: the group of a parameter cannot be told from its name.
    """
    for name in dir(instance):
        if name.startswith("__"):
            continue
        parameter = getattr_static(instance, name)  # a property of the user's is not run
        if not isinstance(parameter, BaseParameter):
            continue
        parameter.name = name
        parameter.space = parameter.space or _space_of(name)
        written = {**getattr(instance, f"{parameter.space}_params", {}), **stored.get(parameter.space, {})}
        if parameter.load and name in written:
            parameter.value = written[name]


def _space_of(name: str) -> str:
    for space in _SPACES:
        if name.startswith(f"{space}_"):
            return space
    raise StrategyError(
        f"parameter {name!r}: its space is not known: write space=..., or begin its name with "
        + ", ".join(f"{space}_" for space in _SPACES)
    )
