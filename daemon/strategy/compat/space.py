"""Search spaces of freqtrade's optimiser, as far as strategies name them.

candled does not optimise parameters. A strategy's nested ``HyperOpt`` class must load all the same, so
the spaces are plain descriptions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Categorical", "Dimension", "Integer", "Real", "SKDecimal"]


@dataclass(frozen=True)
class Categorical:
    """One of several values."""

    categories: Sequence[Any]
    name: str = ""


@dataclass(frozen=True)
class Integer:
    """A whole number from ``low`` to ``high``, both included."""

    low: int
    high: int
    name: str = ""


@dataclass(frozen=True)
class Real:
    """A number from ``low`` to ``high``."""

    low: float
    high: float
    name: str = ""


@dataclass(frozen=True)
class SKDecimal:
    """A number from ``low`` to ``high`` in steps of ``10 ** -decimals``."""

    low: float
    high: float
    decimals: int = 3
    name: str = ""


Dimension = Categorical | Integer | Real | SKDecimal
