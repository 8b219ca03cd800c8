"""An order of a trade, as strategies see it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from daemon.strategy.persistence import Trade

__all__ = ["Order"]

CLOSED = ("cancelled", "canceled", "expired", "closed", "rejected")
"""freqtrade's words for an order that has ended, in ``Order.status``."""


class Order:
    """An order with freqtrade's fields; amounts in base currency, prices in quote currency.

    What a strategy changes in it changes nothing else.

    Attributes:
        ft_order_side: ``buy``, ``sell`` or ``stoploss``.
        ft_is_open: whether the exchange has it, or may have it.
        status: ``open``, ``closed`` (filled as a whole), ``canceled``, ``expired`` or ``rejected``.
        ft_order_tag: tag of the entry, or reason of the exit.
    """

    id: str
    order_id: str
    ft_trade_id: int
    ft_pair: str
    ft_order_side: str
    ft_is_open: bool
    ft_amount: float
    ft_price: float
    ft_order_tag: str | None
    ft_cancel_reason: str | None
    ft_fee_base: float | None
    status: str
    symbol: str
    order_type: str
    side: str
    price: float | None
    average: float | None
    amount: float
    filled: float
    remaining: float
    cost: float
    stop_price: float | None
    order_date: datetime
    order_filled_date: datetime | None
    order_update_date: datetime | None
    funding_fee: float
    trade: Trade

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)

    def __repr__(self) -> str:
        return (
            f"Order(id={self.id}, trade={self.ft_trade_id}, side={self.ft_order_side}, filled={self.safe_filled}, "
            f"price={self.safe_price}, amount={self.amount}, status={self.status}, date={self.order_date_utc})"
        )

    @property
    def order_date_utc(self) -> datetime:
        """When it was placed, UTC."""
        return self.order_date.replace(tzinfo=UTC)

    @property
    def order_filled_utc(self) -> datetime | None:
        """When its last fill was, UTC; None while it is open or without any."""
        return self.order_filled_date.replace(tzinfo=UTC) if self.order_filled_date else None

    @property
    def safe_amount(self) -> float:
        """Amount that was ordered."""
        return self.amount or self.ft_amount

    @property
    def safe_placement_price(self) -> float:
        """Price at which it was placed."""
        return self.price or self.stop_price or self.ft_price

    @property
    def safe_price(self) -> float:
        """Average price of the fills, else the price at which it was placed."""
        return self.average or self.price or self.stop_price or self.ft_price

    @property
    def safe_filled(self) -> float:
        """Amount that is filled."""
        return self.filled or 0.0

    @property
    def safe_cost(self) -> float:
        """Value of the fills, quote currency, without fees."""
        return self.cost or 0.0

    @property
    def safe_remaining(self) -> float:
        """Amount that is not filled."""
        return self.remaining

    @property
    def safe_fee_base(self) -> float:
        """Fee that was paid in the base currency."""
        return self.ft_fee_base or 0.0

    @property
    def safe_amount_after_fee(self) -> float:
        """Amount that is filled, less the fee in the base currency."""
        return self.safe_filled - self.safe_fee_base

    @property
    def stake_amount(self) -> float:
        """Stake of the whole order, stake currency."""
        return self.safe_amount * self.safe_price

    @property
    def stake_amount_filled(self) -> float:
        """Stake of what is filled, stake currency."""
        return self.safe_filled * self.safe_price

    @staticmethod
    def get_open_orders() -> list[Order]:
        """Orders of open trades that have not ended."""
        from daemon.strategy.persistence import Trade  # noqa: PLC0415 - a trade is made of orders

        return [order for trade in Trade.get_open_trades() for order in trade.orders if order.ft_is_open]
