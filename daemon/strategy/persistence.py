"""Trades, orders and pair locks, as strategies name them.

This version records no trades, so a query for them has no answer to give but an empty one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Self

from daemon.core.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["LocalTrade", "Order", "PairLock", "PairLocks", "Trade"]


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
        ["id", "pair", "base_currency", "stake_currency", "exchange", "strategy", "timeframe", "is_open", "is_short", "leverage", "amount", "amount_requested", "stake_amount", "max_stake_amount", "open_rate", "open_rate_requested", "open_trade_value", "open_date", "close_rate", "close_rate_requested", "close_date", "close_profit", "close_profit_abs", "realized_profit", "fee_open", "fee_close", "enter_tag", "exit_reason", "exit_order_status", "stop_loss", "stop_loss_pct", "initial_stop_loss", "initial_stop_loss_pct", "is_stop_loss_trailing", "min_rate", "max_rate", "trading_mode", "liquidation_price", "funding_fees"]
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


@dataclass(frozen=True, slots=True, kw_only=True)
class PairLock:
    """No entry for ``pair`` (all pairs: ``*``) on ``side`` (both: ``*``) until ``lock_end_time`` (UTC)."""

    pair: str
    lock_time: datetime
    lock_end_time: datetime
    reason: str | None
    side: str
    active: bool = True

    @property
    def lock_end_time_utc(self) -> datetime:
        """End of the lock, UTC."""
        return self.lock_end_time.replace(tzinfo=UTC)

    def covers(self, pair: str | None, now: datetime, side: str | None) -> bool:
        """Whether it is in force then; None stands for any pair or side."""
        return (
            self.active
            and self.lock_end_time > now
            and pair in (None, self.pair)
            and (side is None or self.side in ("*", side))
        )


class PairLocks:
    """Locks that strategies set. They live as long as the process."""

    locks: ClassVar[tuple[PairLock, ...]] = ()

    @classmethod
    def lock_pair(
        cls,
        pair: str,
        until: datetime,
        reason: str | None = None,
        *,
        now: datetime | None = None,
        side: str = "*",
    ) -> PairLock:
        """Allow no entry for a pair until then; a lock that is there already is not set twice."""
        for lock in cls.get_pair_locks(pair, now, side):
            if (lock.reason, lock.lock_end_time, lock.side) == (reason, until, side):
                return lock
        start = _now(now)
        lock = PairLock(pair=pair, lock_time=start, lock_end_time=until, reason=reason, side=side)
        # Ended locks go, or a strategy that locks at every candle would fill the memory in months.
        cls.locks = (*(old for old in cls.locks if old.lock_end_time > start), lock)
        return lock

    @classmethod
    def get_pair_locks(
        cls, pair: str | None, now: datetime | None = None, side: str | None = None
    ) -> list[PairLock]:
        """Locks in force for a pair (None: for all)."""
        moment = _now(now)
        return [lock for lock in cls.locks if lock.covers(pair, moment, side)]

    @classmethod
    def get_pair_longest_lock(
        cls, pair: str, now: datetime | None = None, side: str = "*"
    ) -> PairLock | None:
        """The lock that ends last."""
        return max(cls.get_pair_locks(pair, now, side), key=lambda lock: lock.lock_end_time, default=None)

    @classmethod
    def unlock_pair(cls, pair: str, now: datetime | None = None, side: str = "*") -> None:
        """Lift the locks of a pair."""
        moment = _now(now)
        cls.locks = tuple(
            replace(lock, active=False) if lock.covers(pair, moment, side) else lock for lock in cls.locks
        )

    @classmethod
    def unlock_reason(cls, reason: str, now: datetime | None = None) -> None:
        """Lift the locks that were set for a reason."""
        moment = _now(now)
        cls.locks = tuple(
            replace(lock, active=False) if lock.reason == reason and lock.covers(None, moment, None) else lock
            for lock in cls.locks
        )

    @classmethod
    def is_global_lock(cls, now: datetime | None = None, side: str = "*") -> bool:
        """Whether no pair may be entered."""
        return bool(cls.get_pair_locks("*", now, side))

    @classmethod
    def is_pair_locked(cls, pair: str, now: datetime | None = None, side: str = "*") -> bool:
        """Whether a pair may not be entered."""
        return bool(cls.get_pair_locks(pair, now, side)) or cls.is_global_lock(now, side)

    @classmethod
    def get_all_locks(cls) -> list[PairLock]:
        """Every lock that is kept; ended ones go when the next is set."""
        return list(cls.locks)


def _now(moment: datetime | None) -> datetime:
    return moment or datetime.fromtimestamp(SystemClock().now_ms() / 1000, tz=UTC)
