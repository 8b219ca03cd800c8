"""What strategies see of trading, from any thread: trades, locks and the account, with what they have just written."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from daemon.core.errors import Refused
from daemon.trading.account import Account
from daemon.trading.broker import rules_to_show
from daemon.trading.stakes import proposed_stake
from daemon.trading.strategy_trades import strategy_trade

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from daemon.core.pair import Pair
    from daemon.strategy.locks import PairLock
    from daemon.strategy.persistence import Trade
    from daemon.trading.broker import MarketRules
    from daemon.trading.records import TradeRecord
    from daemon.trading.rules import TradeRules


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What strategies have written since it was asked for last; to be put into the ledger.

    Attributes:
        custom: trade -> everything that is kept with it now.
        locks: set, oldest first.
        lifted: made inactive.
    """

    custom: Mapping[int, Mapping[str, Any]]
    locks: tuple[PairLock, ...]
    lifted: tuple[PairLock, ...]


class StrategySources:
    """The desk publishes what the ledger says; strategies read it, and what they write is seen at once and handed back.

    It is the `TradeSource`, the `LockStore` and the `AccountSource` of a strategy.

    Closed trades are read when a strategy asks for the first time, and kept from then on: most strategies never ask, and
    there are more of them every day.

    Args:
        rules: of the strategy.
        exchange: its name.
        market: the exchange's rules for a pair.
        closed: the ledger's closed trades, from any thread.
    """

    def __init__(
        self,
        rules: TradeRules,
        exchange: str,
        market: Callable[[Pair], MarketRules],
        closed: Callable[[], Sequence[TradeRecord]],
    ) -> None:
        self._rules = rules
        self._exchange = exchange
        self._market = market
        self._read_closed = closed
        self._mutex = threading.Lock()
        self._open: tuple[Trade, ...] = ()
        self._closed: dict[int, Trade] | None = None
        self._custom: dict[int, Mapping[str, Any]] = {}
        self._written: dict[int, dict[str, Any]] = {}
        self._locks: tuple[PairLock, ...] = ()
        self._set: list[PairLock] = []
        self._lifted: list[PairLock] = []
        self._account = Account(stake_currency=rules.stake_currency)

    # the desk's side

    def take(self, rules: TradeRules) -> None:
        """Go by other rules from now on."""
        self._rules = rules

    def publish(
        self,
        *,
        open_trades: Sequence[TradeRecord],
        closed_trades: Sequence[TradeRecord],
        account: Account,
        locks: Sequence[PairLock],
    ) -> None:
        """Show this from now on; what strategies wrote since the last `changes` stays over it.

        Args:
            open_trades: all of them.
            closed_trades: those that were closed since the last call.
            account: as it is.
            locks: of the ledger.
        """
        shown = tuple(self.shown(record) for record in open_trades)
        with self._mutex:
            self._open = shown
            if self._closed is None:
                self._custom = {}
            else:
                self._put_closed(self._closed, closed_trades)
                for trade in shown:
                    self._closed.pop(trade.id, None)
            self._custom.update({record.trade_id: record.custom for record in open_trades})
            lifted = set(self._lifted)
            self._locks = (*(_off(lock) if lock in lifted else lock for lock in locks), *self._set)
            self._account = account

    def changes(self) -> Changes:
        """What strategies have written since the last call; put it into the ledger, then `publish`."""
        with self._mutex:
            found = Changes(
                custom={number: dict(kept) for number, kept in self._written.items()},
                locks=tuple(self._set),
                lifted=tuple(self._lifted),
            )
            self._custom.update(found.custom)
            self._written, self._set, self._lifted = {}, [], []
        return found

    def market(self, pair: Pair) -> MarketRules:
        """The exchange's rules for a pair, also for one that it has no more."""
        return rules_to_show(self._market, pair)

    def shown(self, record: TradeRecord, market: MarketRules | None = None) -> Trade:
        """A trade as strategies see it; ``market``: the rules for its pair, where they were asked for before."""
        market = market or self.market(record.pair)
        return strategy_trade(record, market, exchange=self._exchange, fee=self._rules.fee)

    # TradeSource

    def trades(self, is_open: bool | None) -> list[Trade]:
        """See `TradeSource`."""
        with self._mutex:
            found = {} if is_open else dict(self._known_closed())
            for trade in self._open:  # one that was closed since is open for as long as that is not published
                found.pop(trade.id, None)
                if is_open is not False:
                    found[trade.id] = trade
        return [found[number].copied() for number in sorted(found)]

    def custom(self, trade_id: int) -> Mapping[str, Any]:
        """See `TradeSource`."""
        with self._mutex:
            return MappingProxyType(dict(self._kept(trade_id)))

    def keep_custom(self, trade_id: int, key: str, value: Any) -> None:
        """See `TradeSource`."""
        with self._mutex:
            self._written[trade_id] = {**self._kept(trade_id), key: value}

    def drop_custom(self, trade_id: int, key: str | None) -> None:
        """See `TradeSource`."""
        with self._mutex:
            kept = self._kept(trade_id)
            self._written[trade_id] = {} if key is None else {k: v for k, v in kept.items() if k != key}

    def _kept(self, trade_id: int) -> Mapping[str, Any]:
        if trade_id not in self._written and trade_id not in self._custom:
            self._known_closed()
        return self._written.get(trade_id, self._custom.get(trade_id, {}))

    def _known_closed(self) -> dict[int, Trade]:
        if self._closed is None:
            closed: dict[int, Trade] = {}
            self._put_closed(closed, self._read_closed())
            self._closed = closed  # not before all are there: the next question tries again
        return self._closed

    def _put_closed(self, closed: dict[int, Trade], records: Sequence[TradeRecord]) -> None:
        for record in records:
            if record.filled:
                closed[record.trade_id] = self.shown(record)
                # What strategies have written since is newer than what the ledger said at the closing.
                self._custom.setdefault(record.trade_id, record.custom)

    # LockStore

    def locks(self) -> tuple[PairLock, ...]:
        """See `LockStore`."""
        return self._locks

    def add(self, lock: PairLock) -> None:
        """See `LockStore`."""
        with self._mutex:
            self._locks = (*self._locks, lock)
            self._set.append(lock)

    def lift(self, locks: Sequence[PairLock]) -> None:
        """See `LockStore`."""
        gone = set(locks)
        with self._mutex:
            self._locks = tuple(_off(lock) if lock in gone else lock for lock in self._locks)
            self._set = [lock for lock in self._set if lock not in gone]
            self._lifted += [lock for lock in locks if lock not in self._lifted]

    # AccountSource

    def balances(self) -> Mapping[str, tuple[float, float]]:
        """See `AccountSource`."""
        held = self._account.balances.items()
        return {currency: (float(balance.free), float(balance.used)) for currency, balance in held}

    def starting_balance(self) -> float:
        """See `AccountSource`."""
        return float(self._account.starting_balance(self._rules))

    def total_stake_amount(self) -> float:
        """See `AccountSource`."""
        return float(self._account.total_stake(self._rules))

    def available_stake_amount(self) -> float:
        """See `AccountSource`."""
        return float(self._account.available_stake(self._rules))

    def trade_stake_amount(self) -> float:
        """See `AccountSource`; 0 where the account does not have it."""
        try:
            return float(proposed_stake(self._account, self._rules))
        except Refused:
            return 0.0


def _off(lock: PairLock) -> PairLock:
    return replace(lock, active=False)
