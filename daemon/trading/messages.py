"""What the desk is told, and what it shows: frozen values that cross threads."""

from __future__ import annotations

import queue
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from daemon.core.errors import CandledError, Retryable
from daemon.trading.orders import ZERO

if TYPE_CHECKING:
    import threading
    from collections.abc import Collection, Mapping
    from decimal import Decimal

    from daemon.core.pair import Pair
    from daemon.trading.broker import Balance
    from daemon.trading.records import TradeRecord
    from daemon.trading.signals import Signal

_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A closed candle was handled, and its predictions are on the disk.

    Attributes:
        close_ms: when it closed, ms UTC.
        candle_ms: when it opened, ms UTC.
        signals: what the strategy asks for.
    """

    close_ms: int
    candle_ms: int
    signals: tuple[Signal, ...]

    def listed(self, pairs: Collection[Pair]) -> Tick:
        """The same without entries of other pairs: one that left the whitelist is predicted while its trade is open."""
        kept = tuple(signal for signal in self.signals if signal.pair in pairs or not signal.kind.enters)
        return self if kept == self.signals else replace(self, signals=kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What a human asks for.

    Attributes:
        do: which command: ``enter``, ``exit``, ``settle``, ``pause``, ``resume``, ``stop``, ``reconcile``.
        arguments: of it.
        answer: where the desk puts an answer (a mapping of JSON values) or a `CandledError`.
    """

    do: str
    arguments: Mapping[str, Any]
    answer: queue.SimpleQueue[Mapping[str, Any] | CandledError]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTrade:
    """An open trade as it is shown.

    Attributes:
        record: as the ledger has it.
        price: what one could sell at now, quote currency; None before the first look.
        profit: if it were sold at that price, fees included, stake currency.
        profit_ratio: the same by what was paid.
        amount: held, base currency.
    """

    record: TradeRecord
    price: Decimal | None
    profit: Decimal
    profit_ratio: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskView:
    """How trading stands, at one moment; published whole by one assignment.

    Attributes:
        at_ms: when, ms UTC.
        trades: open ones, oldest first.
        gates: pair (``*``: all) -> why nothing is entered.
        balances: the account.
        worth: of the account, as far as it has prices, stake currency.
        closed: number of closed trades.
        closed_profit: what they have earned, stake currency.
        orders: number of orders that the exchange has, or may have.
        paused: why entries are paused; empty if they are not.
        trouble: what is wrong now, in words; empty if nothing is.
    """

    at_ms: int = 0
    trades: tuple[OpenTrade, ...] = ()
    gates: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: _NOTHING)
    balances: Mapping[str, Balance] = field(default_factory=lambda: _NOTHING)
    worth: Decimal = ZERO
    closed: int = 0
    closed_profit: Decimal = ZERO
    orders: int = 0
    paused: str = ""
    trouble: str = ""


class Inbox:
    """The one way to the desk's thread. Putting never waits.

    Args:
        wake: set when there is something to do.
    """

    def __init__(self, wake: threading.Event) -> None:
        self._queue: queue.SimpleQueue[Tick | Command] = queue.SimpleQueue()
        self.wake = wake

    def put(self, message: Tick | Command) -> None:
        """Hand a message over."""
        self._queue.put(message)
        self.wake.set()

    def take(self) -> list[Tick | Command]:
        """Everything that has come since, oldest first."""
        found = []
        while True:
            try:
                found.append(self._queue.get_nowait())
            except queue.Empty:
                return found

    def ask(self, request: Mapping[str, Any], longest_s: float) -> Mapping[str, Any]:
        """Have the desk act on a command, and wait for its answer. Called from other threads.

        Raises:
            CandledError: the desk's refusal.
            Retryable: no answer in time; it may still be acted on.
        """
        answer: queue.SimpleQueue[Mapping[str, Any] | CandledError] = queue.SimpleQueue()
        arguments = {name: value for name, value in request.items() if name != "do"}
        self.put(Command(do=str(request.get("do", "")), arguments=arguments, answer=answer))
        try:
            found = answer.get(timeout=longest_s)
        except queue.Empty:
            raise Retryable(
                f"no answer within {longest_s:g} s; the command may still be acted on: look before asking again"
            ) from None
        if isinstance(found, CandledError):
            raise found
        return found
