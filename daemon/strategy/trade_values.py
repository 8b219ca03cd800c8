"""What follows from a trade's fields: times, orders by kind, profit. All in floats, as freqtrade has it."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

from daemon.strategy.order import CLOSED, Order

_ONE = Decimal(1)


class ProfitStruct(NamedTuple):
    """Profit at some price: of what is held, and of the trade with what it has realised; ratios are of the stake."""

    profit_abs: float
    profit_ratio: float
    total_profit: float
    total_profit_ratio: float


class TradeValues:
    """The read-only part of `Trade`."""

    pair: str
    base_currency: str | None
    stake_currency: str | None
    is_short: bool
    amount: float
    open_rate: float
    open_trade_value: float
    open_date: datetime
    close_date: datetime | None
    close_rate: float | None
    close_rate_requested: float | None
    fee_open: float
    fee_close: float
    stop_loss: float
    enter_tag: str | None
    exit_reason: str | None
    realized_profit: float
    max_stake_amount: float
    orders: list[Order]

    # times

    @property
    def open_date_utc(self) -> datetime:
        """When it was opened, UTC."""
        return self.open_date.replace(tzinfo=UTC)

    @property
    def close_date_utc(self) -> datetime | None:
        """When it was closed, UTC."""
        return self.close_date.replace(tzinfo=UTC) if self.close_date else None

    @property
    def date_last_filled_utc(self) -> datetime:
        """When an order was filled last, UTC; else when the trade was opened."""
        dates = [order.order_filled_utc for order in self.select_filled_orders()]
        return max([self.open_date_utc, *(date for date in dates if date)])

    @property
    def date_entry_fill_utc(self) -> datetime | None:
        """When its first entry was filled, UTC."""
        dates = [order.order_filled_utc for order in self.select_filled_orders(self.entry_side)]
        return min((date for date in dates if date), default=None)

    @property
    def stoploss_last_update_utc(self) -> datetime | None:
        """When the stop order at the exchange was placed, UTC."""
        return max((order.order_date_utc for order in self.open_sl_orders), default=None)

    # sides and words

    @property
    def entry_side(self) -> str:
        """Side of its entries."""
        return "sell" if self.is_short else "buy"

    @property
    def exit_side(self) -> str:
        """Side of its exits."""
        return "buy" if self.is_short else "sell"

    @property
    def trade_direction(self) -> str:
        """``long`` or ``short``."""
        return "short" if self.is_short else "long"

    @property
    def safe_base_currency(self) -> str:
        """The coin that is held."""
        return self.base_currency or self.pair.split("/")[0]

    @property
    def safe_quote_currency(self) -> str:
        """The currency that it is priced in."""
        return self.stake_currency or self.pair.split("/")[1].split(":")[0]

    @property
    def safe_close_rate(self) -> float:
        """Price of its close, else the one asked for, else 0."""
        return self.close_rate or self.close_rate_requested or 0.0

    @property
    def stoploss_or_liquidation(self) -> float:
        """Price of its stop-loss; nothing is liquidated on a spot market."""
        return self.stop_loss

    @property
    def buy_tag(self) -> str | None:
        """Former name of ``enter_tag``."""
        return self.enter_tag

    @property
    def sell_reason(self) -> str | None:
        """Former name of ``exit_reason``."""
        return self.exit_reason

    @property
    def has_no_leverage(self) -> bool:
        """Spot trades have none."""
        return True

    # orders

    @property
    def open_orders(self) -> list[Order]:
        """Entries and exits that have not ended."""
        return [order for order in self.orders if order.ft_is_open and order.ft_order_side != "stoploss"]

    @property
    def has_open_orders(self) -> bool:
        """Whether an entry or exit has not ended."""
        return bool(self.open_orders)

    @property
    def open_orders_ids(self) -> list[str]:
        """Ids of `open_orders`."""
        return [order.order_id for order in self.open_orders]

    @property
    def has_open_position(self) -> bool:
        """Whether it holds something."""
        return self.amount > 0

    @property
    def sl_orders(self) -> list[Order]:
        """Its stop orders at the exchange."""
        return [order for order in self.orders if order.ft_order_side == "stoploss"]

    @property
    def open_sl_orders(self) -> list[Order]:
        """Those that have not ended."""
        return [order for order in self.sl_orders if order.ft_is_open]

    @property
    def has_open_sl_orders(self) -> bool:
        """Whether there are any."""
        return bool(self.open_sl_orders)

    def select_order_by_order_id(self, order_id: str) -> Order | None:
        """The order of an id."""
        return next((order for order in self.orders if order.order_id == order_id), None)

    def select_order(
        self, order_side: str | None = None, is_open: bool | None = None, only_filled: bool = False
    ) -> Order | None:
        """The newest order of a side that is open, or has ended (with a fill, where ``only_filled``)."""
        for order in reversed(self.orders):
            if (order_side and order.ft_order_side != order_side) or (
                is_open is not None and order.ft_is_open != is_open
            ):
                continue
            if is_open is False and only_filled and (not order.filled or order.status not in CLOSED):
                continue
            return order
        return None

    def select_filled_orders(self, order_side: str | None = None) -> list[Order]:
        """Orders of a side (None: any) that have ended with a fill."""
        return [
            order
            for order in self.orders
            if order_side in (None, order.ft_order_side) and not order.ft_is_open and order.filled
        ]

    def select_filled_or_open_orders(self) -> list[Order]:
        """Orders that are open, or have ended with a fill."""
        return [order for order in self.orders if order.ft_is_open or order.filled]

    @property
    def nr_of_successful_entries(self) -> int:
        """How many entries have ended with a fill."""
        return len(self.select_filled_orders(self.entry_side))

    @property
    def nr_of_successful_exits(self) -> int:
        """How many exits have ended with a fill."""
        return len(self.select_filled_orders(self.exit_side))

    @property
    def nr_of_successful_buys(self) -> int:
        """How many buys have ended with a fill."""
        return len(self.select_filled_orders("buy"))

    @property
    def nr_of_successful_sells(self) -> int:
        """How many sells have ended with a fill."""
        return len(self.select_filled_orders("sell"))

    @property
    def fully_canceled_entry_order_count(self) -> int:
        """How many entries were cancelled without a fill."""
        return sum(not order.filled for order in self._cancelled(self.entry_side))

    @property
    def canceled_exit_order_count(self) -> int:
        """How many exits were cancelled."""
        return len(self._cancelled(self.exit_side))

    def get_canceled_exit_order_count(self) -> int:
        """How many exits were cancelled."""
        return self.canceled_exit_order_count

    def _cancelled(self, side: str) -> list[Order]:
        ended = ("cancelled", "canceled", "expired", "rejected")
        return [order for order in self.orders if order.ft_order_side == side and order.status in ended]

    # profit

    def open_value(self, amount: float, open_rate: float) -> float:
        """What an amount has cost, fee included."""
        return float(_exact(amount) * _exact(open_rate) * (_ONE + _exact(self.fee_open)))

    def calc_close_trade_value(self, rate: float, amount: float | None = None) -> float:
        """What an amount (None: all that is held) would bring at a price, after the fee."""
        return float(_exact(amount or self.amount) * _exact(rate) * (_ONE - _exact(self.fee_close)))

    def calc_profit_ratio(
        self, rate: float, amount: float | None = None, open_rate: float | None = None
    ) -> float:
        """Profit of what is held at a price, fees included, as a ratio of its cost."""
        cost = self.open_trade_value
        if amount is not None or open_rate is not None:
            cost = self.open_value(amount or self.amount, open_rate or self.open_rate)
        return 0.0 if not cost else round(self.calc_close_trade_value(rate, amount) / cost - 1, 8)

    def calc_profit(self, rate: float, amount: float | None = None, open_rate: float | None = None) -> float:
        """Profit of what is held at a price, fees included, stake currency."""
        return self.calculate_profit(rate, amount, open_rate).profit_abs

    def calculate_profit(
        self, rate: float, amount: float | None = None, open_rate: float | None = None
    ) -> ProfitStruct:
        """Profit of what is held at a price, and of the whole trade."""
        value = self.calc_close_trade_value(rate, amount)
        cost = self.open_trade_value
        if amount is not None and open_rate is not None:
            cost = self.open_value(amount, open_rate)
        profit = value - cost
        total = profit + self.realized_profit
        most = self.max_stake_amount * (1 + self.fee_open)
        return ProfitStruct(
            profit_abs=round(profit, 8),
            profit_ratio=round(value / cost - 1, 8) if cost else 0.0,
            total_profit=round(total, 8),
            total_profit_ratio=round(total / most, 8) if most else 0.0,
        )

    def calc_close_rate_for_roi(self, target_roi: float) -> float:
        """Price at which what is held has a profit ratio."""
        return (
            (1 + target_roi) * self.open_value(self.amount, self.open_rate) / self.calc_close_trade_value(1.0)
        )


def _exact(value: float) -> Decimal:
    return Decimal(str(value))
