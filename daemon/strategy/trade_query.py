"""Conditions on trades, as strategies write them: ``Trade.pair == pair``, ``Trade.close_date.desc()``."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from daemon.core.errors import StrategyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from daemon.strategy.persistence import Trade


class Column:
    """A field of `Trade`, for conditions such as ``Trade.pair == pair`` or ``Trade.is_open.is_(True)``."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]  # conditions, as in SQL
        return Condition(self.name, "is" if other is None else "==", other)

    def __ne__(self, other: object) -> Condition:  # type: ignore[override]  # conditions, as in SQL
        return Condition(self.name, "is not" if other is None else "!=", other)

    def __lt__(self, other: object) -> Condition:
        return Condition(self.name, "<", other)

    def __le__(self, other: object) -> Condition:
        return Condition(self.name, "<=", other)

    def __gt__(self, other: object) -> Condition:
        return Condition(self.name, ">", other)

    def __ge__(self, other: object) -> Condition:
        return Condition(self.name, ">=", other)

    def __hash__(self) -> int:
        return hash(self.name)

    def is_(self, other: object) -> Condition:
        """The field is that very value."""
        return Condition(self.name, "is", other)

    def is_not(self, other: object) -> Condition:
        """The field is not that value."""
        return Condition(self.name, "is not", other)

    isnot = is_not

    def in_(self, values: Iterable[object]) -> Condition:
        """The field is one of the values."""
        return Condition(self.name, "in", tuple(values))

    def not_in(self, values: Iterable[object]) -> Condition:
        """The field is none of the values."""
        return Condition(self.name, "not in", tuple(values))

    notin_ = not_in

    def between(self, low: object, high: object) -> Condition:
        """The field lies between two values, both included."""
        return (self >= low) & (self <= high)

    def asc(self) -> Condition:
        """Smallest first."""
        return Condition(self.name, "asc", None)

    def desc(self) -> Condition:
        """Largest first."""
        return Condition(self.name, "desc", None)


_TESTS: Mapping[str, Callable[[Any, Any], bool]] = MappingProxyType(
    {
        "==": operator.eq,
        "!=": operator.ne,
        "<": operator.lt,
        "<=": operator.le,
        ">": operator.gt,
        ">=": operator.ge,
        "in": lambda value, values: value in values,
        "not in": lambda value, values: value not in values,
    }
)

_JOINS: Mapping[str, Callable[[Iterable[bool]], bool]] = MappingProxyType(
    {"and": all, "or": any, "not": lambda parts: not any(parts)}
)


@dataclass(frozen=True, slots=True)
class Condition:
    """What a query asks of one field, or of several (``and``, ``or``, ``not``)."""

    field: str
    operator: str
    value: Any

    def __and__(self, other: Condition) -> Condition:
        return Condition("", "and", (self, other))

    def __or__(self, other: Condition) -> Condition:
        return Condition("", "or", (self, other))

    def __invert__(self) -> Condition:
        return Condition("", "not", (self,))

    def holds(self, trade: Trade) -> bool:
        """Whether a trade meets it; what is unknown (None) meets no comparison, as in SQL."""
        if self.operator in _JOINS:
            return _JOINS[self.operator](part.holds(trade) for part in self.value)
        value = _comparable(getattr(trade, self.field))
        if self.operator in ("is", "is not"):
            same = value is self.value if None in (value, self.value) else value == self.value
            return bool(same) == (self.operator == "is")
        if self.operator not in _TESTS:
            raise StrategyError(f"Trade.{self.field}: {self.operator} is an order, not a condition")
        if value is None or self.value is None:
            return False
        listed = isinstance(self.value, tuple)
        return _TESTS[self.operator](
            value, tuple(map(_comparable, self.value)) if listed else _comparable(self.value)
        )


class TradeQuery:
    """The answer to a query for trades: an iterable with the methods that strategies call on it."""

    def __init__(self, trades: Iterable[Trade]) -> None:
        self._trades = tuple(trades)

    def __iter__(self) -> Iterator[Trade]:
        return iter(self._trades)

    def all(self) -> list[Trade]:
        """Every trade found."""
        return list(self._trades)

    def first(self) -> Trade | None:
        """The first trade found, if any."""
        return next(iter(self._trades), None)

    def count(self) -> int:
        """How many were found."""
        return len(self._trades)

    def filter(self, *conditions: Condition) -> TradeQuery:
        """Those that meet the conditions as well."""
        return TradeQuery(filtered(self._trades, conditions))

    def order_by(self, *fields: Column | Condition) -> TradeQuery:
        """Sorted by fields; what is unknown (None) is smallest."""
        trades = list(self._trades)
        for field in reversed(fields):
            name = field.name if isinstance(field, Column) else field.field
            trades.sort(
                key=lambda trade, name=name: _sortable(getattr(trade, name)),  # type: ignore[misc]  # bound here
                reverse=isinstance(field, Condition) and field.operator == "desc",
            )
        return TradeQuery(trades)

    def limit(self, number: int) -> TradeQuery:
        """The first ``number`` of them."""
        return TradeQuery(self._trades[:number])


def filtered(trades: Iterable[Trade], conditions: Iterable[Condition]) -> list[Trade]:
    """The trades that meet every condition, in their order."""
    asked = list(conditions)
    for condition in asked:
        if not isinstance(condition, Condition):
            raise StrategyError(f"{condition!r} is no condition on trades, such as Trade.pair == 'BTC/USDT'")
    return [trade for trade in trades if all(condition.holds(trade) for condition in asked)]


def _comparable(value: object) -> Any:
    """Times without a zone are UTC, as in freqtrade's database."""
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value


def _sortable(value: object) -> tuple[bool, Any]:
    return value is not None, _comparable(value)
