"""What the runtime injects into a strategy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from daemon.strategy.locks import use_locks
from daemon.strategy.persistence import use_trades
from daemon.strategy.provider import DataProvider, FreqaiDoor, Wallets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from pandas import DataFrame

    from daemon.core.clock import Clock
    from daemon.strategy.loader import LoadedStrategy
    from daemon.strategy.locks import PairLock
    from daemon.strategy.persistence import Trade

__all__ = [
    "AccountSource",
    "CandleSource",
    "LockStore",
    "MarketSource",
    "PredictionSource",
    "TradeSource",
    "bind",
    "bind_trading",
]


class PredictionSource(Protocol):
    """Where ``self.freqai.start`` gets its columns from."""

    def attach(self, pair: str, frame: DataFrame) -> DataFrame:
        """The frame plus the prediction columns, one row per row of ``frame``.

        Args:
            pair: the pair.
            frame: closed candles, oldest first; may be written into.
        """
        ...


class CandleSource(Protocol):
    """Where ``self.dp`` gets its candles from.

    Rules: frames hold closed candles only. They may be shared with other callers: the strategy gets a
    copy-on-write copy. A pair or timeframe without candles is answered by an empty frame.
    """

    def candles(self, pair: str, timeframe: str) -> DataFrame:
        """Candles: date (open time, UTC), open, high, low, close, volume; oldest first."""
        ...

    def analyzed(self, pair: str, timeframe: str) -> tuple[DataFrame, datetime]:
        """The frame that `Hooks.populate` returned last, and when (UTC); empty and 1970 if none."""
        ...

    def whitelist(self) -> list[str]:
        """Pairs that are traded."""
        ...


class TradeSource(Protocol):
    """Where `Trade`'s queries get their trades from, and where what strategies keep with them goes.

    Rules: may be called from any thread. The trades are new copies, oldest first, that a strategy may write into.
    What was kept is seen at once by everybody, and lasts.
    """

    def trades(self, is_open: bool | None) -> Sequence[Trade]:
        """Trades that are open, closed, or (None) all."""
        ...

    def custom(self, trade_id: int) -> Mapping[str, Any]:
        """What strategies keep with a trade."""
        ...

    def keep_custom(self, trade_id: int, key: str, value: Any) -> None:
        """Keep a JSON value with a trade."""
        ...

    def drop_custom(self, trade_id: int, key: str | None) -> None:
        """Forget the value of a key, or all of them."""
        ...


class LockStore(Protocol):
    """Where pair locks live. Rules: may be called from any thread; a change is seen at once by everybody, and lasts."""

    def locks(self) -> tuple[PairLock, ...]:
        """Every lock that is kept, in force or not, oldest first."""
        ...

    def add(self, lock: PairLock) -> None:
        """Keep a lock."""
        ...

    def lift(self, locks: Sequence[PairLock]) -> None:
        """Make these locks inactive."""
        ...


class AccountSource(Protocol):
    """Where ``self.wallets`` gets its amounts from. Rules: may be called from any thread; floats of one moment."""

    def balances(self) -> Mapping[str, tuple[float, float]]:
        """Currency -> what is free, what is bound in orders."""
        ...

    def starting_balance(self) -> float:
        """Stake currency that the account began with."""
        ...

    def total_stake_amount(self) -> float:
        """Stake currency that may be traded with, bound or free."""
        ...

    def available_stake_amount(self) -> float:
        """Stake currency that a new trade may use."""
        ...

    def trade_stake_amount(self) -> float:
        """Stake that a new trade would have."""
        ...


class MarketSource(Protocol):
    """Where ``self.dp`` gets the present market from, in ccxt's words; None or empty for what it does not know."""

    def order_book(self, pair: str, places: int) -> Mapping[str, Any]:
        """``bids`` and ``asks``: lists of [price, amount], best first."""
        ...

    def ticker(self, pair: str) -> Mapping[str, Any]:
        """``symbol``, ``bid``, ``ask``, ``last``, ``timestamp``."""
        ...

    def market(self, pair: str) -> Mapping[str, Any] | None:
        """``symbol``, ``base``, ``quote``, ``precision``, ``limits``, ``maker``, ``taker``."""
        ...


def bind(
    strategy: LoadedStrategy,
    *,
    predictions: PredictionSource,
    candles: CandleSource,
    clock: Clock | None = None,
) -> None:
    """Connect a strategy to predictions and candles.

    Args:
        strategy: what `load_strategy` returned.
        predictions: answers ``self.freqai.start``.
        candles: answers ``self.dp``.
        clock: tells which candle a message of ``self.dp.send_msg`` belongs to; the system's by default.
    """
    instance = strategy.instance
    door = FreqaiDoor(predictions)
    door.class_names = instance.freqai.class_names
    instance.freqai = door
    instance.dp = DataProvider(instance.config, candles, clock)


def bind_trading(
    strategy: LoadedStrategy,
    *,
    trades: TradeSource,
    locks: LockStore,
    account: AccountSource,
    market: MarketSource | None = None,
    clock: Clock | None = None,
) -> None:
    """Connect a strategy to what is traded; call it after `bind`.

    `Trade` and `PairLocks` are classes that strategies ask directly: there is one source of each per process.

    Args:
        strategy: what `load_strategy` returned.
        trades: answers `Trade`'s queries.
        locks: keeps pair locks.
        account: answers ``self.wallets``.
        market: answers ``self.dp.orderbook``, ``ticker`` and ``market``; None: they say that they are not served.
        clock: tells market time, by which locks end; the system's by default.
    """
    use_trades(trades)
    use_locks(locks, clock)
    instance = strategy.instance
    instance.wallets = Wallets(instance.config, account)
    instance.dp.use_market(market)
