"""Trades and orders, as strategies name them.

This version records no trades, so a query for them has no answer to give but an empty one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

__all__ = ["LocalTrade", "Order", "Trade"]


class Column:
    """A field of `Trade`, for conditions such as ``Trade.pair == pair`` or ``Trade.is_open.is_(True)``."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]  # conditions, as in SQL
        return Condition(self.name, "==", other)

    def __ne__(self, other: object) -> Condition:  # type: ignore[override]  # conditions, as in SQL
        return Condition(self.name, "!=", other)

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

    def in_(self, values: Any) -> Condition:
        """The field is one of the values."""
        return Condition(self.name, "in", tuple(values))

    def asc(self) -> Condition:
        """Smallest first."""
        return Condition(self.name, "asc", None)

    def desc(self) -> Condition:
        """Largest first."""
        return Condition(self.name, "desc", None)


@dataclass(frozen=True, slots=True)
class Condition:
    """What a query asks of one field."""

    field: str
    operator: str
    value: object


class TradeQuery:
    """The answer to a query for trades: an iterable with the methods that strategies call on it."""

    def __init__(self, trades: tuple[Trade, ...]) -> None:
        self._trades = trades

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

    def order_by(self, *_: Column | Condition) -> Self:
        """Sorted by fields."""
        return self

    def limit(self, number: int) -> TradeQuery:
        """The first ``number`` of them."""
        return TradeQuery(self._trades[:number])


class _TradeFields(type):
    """Answers ``Trade.<field>`` on the class by a `Column`."""

    _FIELDS = frozenset(
        [
            "id",
            "pair",
            "base_currency",
            "stake_currency",
            "exchange",
            "strategy",
            "timeframe",
            "is_open",
            "is_short",
            "leverage",
            "amount",
            "amount_requested",
            "stake_amount",
            "max_stake_amount",
            "open_rate",
            "open_rate_requested",
            "open_trade_value",
            "open_date",
            "close_rate",
            "close_rate_requested",
            "close_date",
            "close_profit",
            "close_profit_abs",
            "realized_profit",
            "fee_open",
            "fee_close",
            "enter_tag",
            "exit_reason",
            "exit_order_status",
            "stop_loss",
            "stop_loss_pct",
            "initial_stop_loss",
            "initial_stop_loss_pct",
            "is_stop_loss_trailing",
            "min_rate",
            "max_rate",
            "trading_mode",
            "liquidation_price",
            "funding_fees",
        ]
    )

    def __getattr__(cls, name: str) -> Column:
        if name in _TradeFields._FIELDS:
            return Column(name)
        raise AttributeError(f"candled's Trade has no {name!r}")


class Trade(metaclass=_TradeFields):
    """A trade: a position from its first entry order to its last exit.

    Trades are made by the daemon only; this version does not trade, so there are none.
    """

    @staticmethod
    def get_open_trades() -> list[Trade]:
        """Trades that are not closed."""
        return []

    @staticmethod
    def get_open_trade_count() -> int:
        """How many trades are not closed."""
        return 0

    @staticmethod
    def get_trades(
        trade_filter: Any = None,  # noqa: ARG004 - asked of no trades at all
        include_orders: bool = True,  # noqa: ARG004 - asked of no trades at all
    ) -> TradeQuery:
        """Trades that meet all conditions."""
        return TradeQuery(())

    @staticmethod
    def get_trades_proxy(
        *,
        pair: str | None = None,  # noqa: ARG004 - asked of no trades at all
        is_open: bool | None = None,  # noqa: ARG004 - asked of no trades at all
        open_date: datetime | None = None,  # noqa: ARG004 - asked of no trades at all
        close_date: datetime | None = None,  # noqa: ARG004 - asked of no trades at all
    ) -> list[Trade]:
        """Trades of a pair, open or closed, opened or closed after a date."""
        return []

    @staticmethod
    def get_total_closed_profit() -> float:
        """Profit of all closed trades, in stake currency."""
        return 0.0

    @staticmethod
    def total_open_trades_stakes() -> float:
        """Stake that is bound in open trades."""
        return 0.0


LocalTrade = Trade


class Order:
    """An order of a trade; made by the daemon only, which does not trade in this version."""

    @staticmethod
    def get_open_orders() -> list[Order]:
        """Orders that are not finished."""
        return []
