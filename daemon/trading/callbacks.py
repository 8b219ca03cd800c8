"""The boundary to a strategy's trading callbacks: copies go in, checked values come out, errors name their place."""

from __future__ import annotations

import inspect
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from daemon.core.errors import StrategyError
from daemon.strategy.faults import describe_fault
from daemon.strategy.loader import overrides
from daemon.strategy.persistence import Trade

if TYPE_CHECKING:
    from collections.abc import Callable

    from daemon.strategy.loader import LoadedStrategy
    from daemon.strategy.order import Order

LONGEST_TAG = 255
"""Letters of a tag or reason that are kept, as in freqtrade."""


class Callbacks:
    """Calls the trading callbacks of one strategy.

    A strategy gets a copy of the trade, so that nothing it writes into one reaches a decision. Times are ms UTC of
    market time; rates are quote currency. Every method raises `StrategyError`, whose message names file and line,
    the callback, the pair and what happened; what follows from it is the caller's to decide: no new order, and the
    position stays protected.
    """

    def __init__(self, strategy: LoadedStrategy) -> None:
        self._strategy = strategy
        self._instance = strategy.instance
        parameters = inspect.signature(self._instance.custom_stoploss).parameters
        self.stop_after_fill = "after_fill" in parameters
        """Whether `custom_stoploss` wants to be asked after a fill, when the stop may also fall."""

    def has(self, name: str) -> bool:
        """Whether the strategy has a callback of its own."""
        return overrides(self._instance, name)

    # numbers

    def custom_stake_amount(self, pair: str, *, now_ms: int, proposed_stake: float, **named: Any) -> float:
        """See `TradingCallbacks`; 0 for no trade."""
        if not self.has("custom_stake_amount"):
            return proposed_stake
        value = self._call("custom_stake_amount", pair, now_ms, proposed_stake=proposed_stake, **named)
        return self._number("custom_stake_amount", pair, value) or 0.0

    def custom_entry_price(
        self, pair: str, trade: Trade | None, *, now_ms: int, proposed_rate: float, **named: Any
    ) -> float:
        """See `TradingCallbacks`."""
        named |= {"trade": trade, "now_ms": now_ms}
        return self._price("custom_entry_price", pair, proposed_rate, named)

    def custom_exit_price(self, trade: Trade, *, now_ms: int, proposed_rate: float, **named: Any) -> float:
        """See `TradingCallbacks`."""
        named |= {"trade": trade, "now_ms": now_ms}
        return self._price("custom_exit_price", trade.pair, proposed_rate, named)

    def custom_stoploss(self, trade: Trade, *, now_ms: int, after_fill: bool, **named: Any) -> float | None:
        """See `TradingCallbacks`; None keeps the stop where it is."""
        value = self._call("custom_stoploss", trade.pair, now_ms, trade=trade, after_fill=after_fill, **named)
        return self._number("custom_stoploss", trade.pair, value, lenient=True) or None

    def custom_roi(self, trade: Trade, *, now_ms: int, **named: Any) -> float | None:
        """See `TradingCallbacks`; None leaves it to ``minimal_roi``."""
        value = self._call("custom_roi", trade.pair, now_ms, trade=trade, **named)
        return self._number("custom_roi", trade.pair, value, lenient=True)

    def adjust_order_price(self, trade: Trade, order: Order, *, now_ms: int, **named: Any) -> float | None:
        """See `TradingCallbacks`; None: the order is to be cancelled."""
        value = self._call("adjust_order_price", trade.pair, now_ms, trade=trade, order=order, **named)
        return self._number("adjust_order_price", trade.pair, value) or None

    def adjust_trade_position(self, trade: Trade, *, now_ms: int, **named: Any) -> tuple[float, str]:
        """Stake to add (above 0) or to take out (below 0), and a tag; 0 for nothing."""
        value = self._call("adjust_trade_position", None, now_ms, trade=trade, **named)
        tag = ""
        if isinstance(value, tuple):
            value, tag = (*value, "", "")[:2] if value else (None, "")
        stake = self._number("adjust_trade_position", trade.pair, value)
        return stake or 0.0, str(tag or "")[:LONGEST_TAG]

    # words

    def custom_exit(self, trade: Trade, *, now_ms: int, **named: Any) -> str | None:
        """The strategy's reason to close the trade now, ``custom_exit`` if it gave none; None: it stays."""
        if not (self.has("custom_exit") or self.has("custom_sell")):
            return None
        value = self._call("custom_exit", trade.pair, now_ms, trade=trade, **named)
        if not value:
            return None
        return value[:LONGEST_TAG] if isinstance(value, str) else "custom_exit"

    def confirm_trade_entry(self, pair: str, *, now_ms: int, **named: Any) -> bool:
        """See `TradingCallbacks`."""
        return not self.has("confirm_trade_entry") or bool(
            self._call("confirm_trade_entry", pair, now_ms, **named)
        )

    def confirm_trade_exit(self, trade: Trade, *, now_ms: int, exit_reason: str, **named: Any) -> bool:
        """See `TradingCallbacks`."""
        if not self.has("confirm_trade_exit"):
            return True
        named |= {"exit_reason": exit_reason, "sell_reason": exit_reason}
        return bool(self._call("confirm_trade_exit", trade.pair, now_ms, trade=trade, **named))

    def timed_out(self, trade: Trade, order: Order, *, now_ms: int, entry: bool) -> bool:
        """``check_entry_timeout`` or ``check_exit_timeout``, or their former names."""
        name, former = ("entry", "buy") if entry else ("exit", "sell")
        if not (self.has(f"check_{name}_timeout") or self.has(f"check_{former}_timeout")):
            return False
        return bool(self._call(f"check_{name}_timeout", trade.pair, now_ms, trade=trade, order=order))

    def order_filled(self, trade: Trade, order: Order, *, now_ms: int) -> None:
        """See `TradingCallbacks`."""
        if self.has("order_filled"):
            self._call("order_filled", trade.pair, now_ms, trade=trade, order=order)

    def _price(self, name: str, pair: str, proposed: float, named: dict[str, Any]) -> float:
        if not self.has(name):
            return proposed
        value = self._call(name, pair, proposed_rate=proposed, **named)
        return self._number(name, pair, value) or proposed

    def _call(self, name: str, pair: str | None, now_ms: int, **named: Any) -> Any:
        arguments = {key: _copied(value) for key, value in named.items()}
        trade, order = arguments.get("trade"), arguments.get("order")
        if trade is not None and order is not None:
            arguments["order"] = trade.select_order_by_order_id(order.order_id) or order
        if pair is not None:
            arguments["pair"] = pair
        moment = datetime.fromtimestamp(now_ms / 1000, tz=UTC)
        callback: Callable[..., Any] = getattr(self._instance, name)
        if name == "custom_stoploss" and not self.stop_after_fill and "kwargs" not in _names(callback):
            arguments.pop("after_fill", None)
        try:
            return callback(current_time=moment, **arguments)
        except (Exception, SystemExit) as exc:  # a user's code may raise anything; it becomes our error
            about = f"{name} {pair or getattr(trade, 'pair', '')}".strip()
            fault = describe_fault(exc, self._strategy.files, self._strategy.file)
            raise StrategyError(f"{fault} [{about}]") from exc

    def _number(self, name: str, pair: str, value: Any, *, lenient: bool = False) -> float | None:
        """The value as a number; None stays None, and so does what is no number where freqtrade passes it over."""
        if value is None:
            return None
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if math.isfinite(number):
            return number
        if lenient and isinstance(value, float):
            return None
        raise StrategyError(f"{self._strategy.file}: {value!r} is not a number [{name} {pair}]")


def _copied(value: Any) -> Any:
    return value.copied() if isinstance(value, Trade) else value


def _names(callback: Callable[..., Any]) -> set[str]:
    return {p.name for p in inspect.signature(callback).parameters.values()}
