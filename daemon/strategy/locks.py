"""Pair locks, as strategies set and ask for them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from daemon.core.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.core.clock import Clock
    from daemon.strategy.ports import LockStore

__all__ = ["PairLock", "PairLocks"]


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


class MemoryLocks:
    """Locks that live as long as the process, for strategies that do not trade."""

    def __init__(self) -> None:
        self._locks: tuple[PairLock, ...] = ()

    def locks(self) -> tuple[PairLock, ...]:
        """See `LockStore`."""
        return self._locks

    def add(self, lock: PairLock) -> None:
        """See `LockStore`; ended locks go, or a strategy that locks at every candle would fill the memory in months."""
        self._locks = (*(old for old in self._locks if old.lock_end_time > lock.lock_time), lock)

    def lift(self, locks: Sequence[PairLock]) -> None:
        """See `LockStore`."""
        self._locks = tuple(replace(lock, active=False) if lock in locks else lock for lock in self._locks)


class PairLocks:
    """Locks of pairs, whoever set them."""

    store: LockStore = MemoryLocks()
    clock: Clock = SystemClock()

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
        start = now or cls._now()
        lock = PairLock(pair=pair, lock_time=start, lock_end_time=until, reason=reason, side=side)
        cls.store.add(lock)
        return lock

    @classmethod
    def get_pair_locks(
        cls, pair: str | None, now: datetime | None = None, side: str | None = None
    ) -> list[PairLock]:
        """Locks in force for a pair (None: for all)."""
        moment = now or cls._now()
        return [lock for lock in cls.store.locks() if lock.covers(pair, moment, side)]

    @classmethod
    def get_pair_longest_lock(
        cls, pair: str, now: datetime | None = None, side: str = "*"
    ) -> PairLock | None:
        """The lock that ends last."""
        return max(cls.get_pair_locks(pair, now, side), key=lambda lock: lock.lock_end_time, default=None)

    @classmethod
    def unlock_pair(cls, pair: str, now: datetime | None = None, side: str = "*") -> None:
        """Lift the locks of a pair."""
        cls.store.lift(cls.get_pair_locks(pair, now, side))

    @classmethod
    def unlock_reason(cls, reason: str, now: datetime | None = None) -> None:
        """Lift the locks that were set for a reason."""
        cls.store.lift([lock for lock in cls.get_pair_locks(None, now) if lock.reason == reason])

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
        """Every lock that is kept."""
        return list(cls.store.locks())

    @classmethod
    def _now(cls) -> datetime:
        return datetime.fromtimestamp(cls.clock.now_ms() / 1000, tz=UTC)


def use_locks(store: LockStore, clock: Clock | None = None) -> None:
    """Keep locks in a store from now on; ``clock`` tells market time, by which they end."""
    PairLocks.store = store
    PairLocks.clock = clock or SystemClock()
