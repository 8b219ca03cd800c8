"""Prices of orders: from the market by ``entry_pricing`` and ``exit_pricing``, and within bounds by the strategy. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from typing import TYPE_CHECKING

from daemon.core.errors import Retryable
from daemon.trading.orders import Side

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.config.orders import DepthOfMarket, ExitPricing
    from daemon.trading.broker import MarketRules, Quote

_SIDES = {(Side.BUY, "same"): "bid", (Side.BUY, "other"): "ask", (Side.SELL, "same"): "ask", (Side.SELL, "other"): "bid"}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """An order book at one moment: (price, amount), best first.

    Attributes:
        bids: who buys.
        asks: who sells.
        at_ms: when, ms UTC.
    """

    bids: tuple[tuple[Decimal, Decimal], ...] = ()
    asks: tuple[tuple[Decimal, Decimal], ...] = ()
    at_ms: int = 0


def market_price(side: Side, pricing: ExitPricing, quote: Quote, book: Book | None = None) -> Decimal:
    """The price that an order would have, as freqtrade finds it.

    Args:
        side: of the order.
        pricing: ``entry_pricing`` or ``exit_pricing``.
        quote: prices now.
        book: the order book, where ``use_order_book`` asks for it.

    Raises:
        Retryable: the market has no such price now.
    """
    place = _SIDES.get((side, pricing.price_side), pricing.price_side)
    if pricing.use_order_book:
        levels: Sequence[tuple[Decimal, Decimal]] = ()
        if book is not None:
            levels = book.bids if place == "bid" else book.asks
        if len(levels) < pricing.order_book_top:
            raise Retryable(
                f"the order book has {len(levels)} {place}s, none at place {pricing.order_book_top}"
            )
        return levels[pricing.order_book_top - 1][0]
    price, last = (quote.bid if place == "bid" else quote.ask), quote.last
    if not price > 0:
        raise Retryable(f"the market has no {place} price now")
    toward_last = price > last > 0 if side is Side.BUY else 0 < price < last
    return price + Decimal(str(pricing.price_last_balance)) * (last - price) if toward_last else price


def deep_enough(condition: DepthOfMarket, book: Book | None) -> bool:
    """Whether the order book's bids outweigh its asks as ``check_depth_of_market`` wants it."""
    if not condition.enabled or not condition.bids_to_ask_delta > 0:
        return True
    if book is None:
        return False
    bids, asks = (sum((amount for _, amount in levels), Decimal(0)) for levels in (book.bids, book.asks))
    return asks > 0 and bids / asks >= Decimal(str(condition.bids_to_ask_delta))


def bounded_price(custom: float, proposed: Decimal, max_distance: float) -> Decimal:
    """A strategy's own price, at most ``custom_price_max_distance_ratio`` away from the proposed one."""
    distance = proposed * Decimal(str(max_distance))
    return max(min(Decimal(str(custom)), proposed + distance), proposed - distance)


def order_price(side: Side, price: Decimal, rules: MarketRules) -> Decimal:
    """The price in the exchange's precision, never worse for us than wanted: a buy is rounded down, a sell up."""
    return rules.price(price, ROUND_DOWN if side is Side.BUY else ROUND_UP)
