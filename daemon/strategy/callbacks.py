"""The trading callbacks that a strategy may override, with freqtrade's names, arguments and defaults.

Each default says "no opinion": confirm, keep the proposed value, do nothing. The names of the arguments
are part of the interface, because strategies take them by keyword.
"""
# ruff: noqa: ARG002, PLR0917 - a default has no use for its arguments, but they are freqtrade's interface

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from daemon.strategy.persistence import Order, Trade


class TradingCallbacks:
    """Callbacks around orders. Rates are in quote currency, profits are ratios (0.01 is one percent)."""

    stoploss: float

    def bot_start(self, **kwargs: Any) -> None:
        """Called once, when the strategy is loaded and its data provider stands."""

    def bot_loop_start(self, current_time: datetime, **kwargs: Any) -> None:
        """Called once per tick, before any pair is handled."""

    def confirm_trade_entry(
        self,
        pair: str,
        order_type: str,
        amount: float,
        rate: float,
        time_in_force: str,
        current_time: datetime,
        entry_tag: str | None,
        side: str,
        **kwargs: Any,
    ) -> bool:
        """Whether an entry order may be placed."""
        return True

    def confirm_trade_exit(
        self,
        pair: str,
        trade: Trade,
        order_type: str,
        amount: float,
        rate: float,
        time_in_force: str,
        exit_reason: str,
        current_time: datetime,
        **kwargs: Any,
    ) -> bool:
        """Whether an exit order may be placed."""
        return True

    def custom_stake_amount(
        self,
        pair: str,
        current_time: datetime,
        current_rate: float,
        proposed_stake: float,
        min_stake: float | None,
        max_stake: float,
        leverage: float,
        entry_tag: str | None,
        side: str,
        **kwargs: Any,
    ) -> float:
        """Stake of a new trade, in stake currency."""
        return proposed_stake

    def custom_entry_price(
        self,
        pair: str,
        trade: Trade | None,
        current_time: datetime,
        proposed_rate: float,
        entry_tag: str | None,
        side: str,
        **kwargs: Any,
    ) -> float:
        """Limit price of an entry order."""
        return proposed_rate

    def custom_exit_price(
        self,
        pair: str,
        trade: Trade,
        current_time: datetime,
        proposed_rate: float,
        current_profit: float,
        exit_tag: str | None,
        **kwargs: Any,
    ) -> float:
        """Limit price of an exit order."""
        return proposed_rate

    def custom_stoploss(
        self,
        pair: str,
        trade: Trade,
        current_time: datetime,
        current_rate: float,
        current_profit: float,
        after_fill: bool,
        **kwargs: Any,
    ) -> float | None:
        """New stop-loss as a ratio of ``current_rate``; None keeps the one in place."""
        return self.stoploss

    def custom_roi(
        self,
        pair: str,
        trade: Trade,
        current_time: datetime,
        trade_duration: int,
        entry_tag: str | None,
        side: str,
        **kwargs: Any,
    ) -> float | None:
        """Profit at which the trade is closed; None leaves it to ``minimal_roi``."""
        return None

    def custom_exit(
        self,
        pair: str,
        trade: Trade,
        current_time: datetime,
        current_rate: float,
        current_profit: float,
        **kwargs: Any,
    ) -> str | bool | None:
        """A reason (or True) to close the trade now; None or False keeps it."""
        return self.custom_sell(pair, trade, current_time, current_rate, current_profit, **kwargs)

    def custom_sell(
        self,
        pair: str,
        trade: Trade,
        current_time: datetime,
        current_rate: float,
        current_profit: float,
        **kwargs: Any,
    ) -> str | bool | None:
        """Former name of `custom_exit`."""
        return None

    def adjust_trade_position(
        self,
        trade: Trade,
        current_time: datetime,
        current_rate: float,
        current_profit: float,
        min_stake: float | None,
        max_stake: float,
        current_entry_rate: float,
        current_exit_rate: float,
        current_entry_profit: float,
        current_exit_profit: float,
        **kwargs: Any,
    ) -> float | tuple[float | None, str | None] | None:
        """Stake to add (positive) or to take out (negative), with a tag if wanted; None does nothing."""
        return None

    def adjust_entry_price(
        self,
        trade: Trade,
        order: Order | None,
        pair: str,
        current_time: datetime,
        proposed_rate: float,
        current_order_rate: float,
        entry_tag: str | None,
        side: str,
        **kwargs: Any,
    ) -> float | None:
        """New price of an open entry order; None cancels it."""
        return current_order_rate

    def adjust_exit_price(
        self,
        trade: Trade,
        order: Order | None,
        pair: str,
        current_time: datetime,
        proposed_rate: float,
        current_order_rate: float,
        entry_tag: str | None,
        side: str,
        **kwargs: Any,
    ) -> float | None:
        """New price of an open exit order; None cancels it."""
        return current_order_rate

    def adjust_order_price(
        self,
        trade: Trade,
        order: Order | None,
        pair: str,
        current_time: datetime,
        proposed_rate: float,
        current_order_rate: float,
        entry_tag: str | None,
        side: str,
        is_entry: bool,
        **kwargs: Any,
    ) -> float | None:
        """New price of an open order of either side; None cancels it."""
        adjust = self.adjust_entry_price if is_entry else self.adjust_exit_price
        return adjust(
            trade=trade,
            order=order,
            pair=pair,
            current_time=current_time,
            proposed_rate=proposed_rate,
            current_order_rate=current_order_rate,
            entry_tag=entry_tag,
            side=side,
            **kwargs,
        )

    def check_entry_timeout(
        self, pair: str, trade: Trade, order: Order, current_time: datetime, **kwargs: Any
    ) -> bool:
        """Whether an unfilled entry order is to be cancelled."""
        return self.check_buy_timeout(pair=pair, trade=trade, order=order, current_time=current_time)

    def check_buy_timeout(
        self, pair: str, trade: Trade, order: Order, current_time: datetime, **kwargs: Any
    ) -> bool:
        """Former name of `check_entry_timeout`."""
        return False

    def check_exit_timeout(
        self, pair: str, trade: Trade, order: Order, current_time: datetime, **kwargs: Any
    ) -> bool:
        """Whether an unfilled exit order is to be cancelled."""
        return self.check_sell_timeout(pair=pair, trade=trade, order=order, current_time=current_time)

    def check_sell_timeout(
        self, pair: str, trade: Trade, order: Order, current_time: datetime, **kwargs: Any
    ) -> bool:
        """Former name of `check_exit_timeout`."""
        return False

    def order_filled(
        self, pair: str, trade: Trade, order: Order, current_time: datetime, **kwargs: Any
    ) -> None:
        """Called after an order has been filled."""

    def leverage(
        self,
        pair: str,
        current_time: datetime,
        current_rate: float,
        proposed_leverage: float,
        max_leverage: float,
        entry_tag: str | None,
        side: str,
        **kwargs: Any,
    ) -> float:
        """Leverage of a new trade; 1 on spot markets."""
        return 1.0
