"""The present market as ``self.dp.orderbook``, ``ticker`` and ``market`` tell it to strategies, in ccxt's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from daemon.core.errors import Refused, Retryable
from daemon.core.pair import Pair

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from decimal import Decimal

    from daemon.trading.broker import Broker
    from daemon.trading.prices import Book


class StrategyMarket:
    """A `MarketSource` of a broker; what the exchange does not answer is empty.

    Args:
        broker: prices and filters.
        order_book: of a pair, where somebody knows it.
    """

    def __init__(self, broker: Broker, order_book: Callable[[Pair], Book | None]) -> None:
        self._broker = broker
        self._order_book = order_book

    def order_book(self, pair: str, places: int) -> Mapping[str, Any]:
        """See `MarketSource`."""
        try:
            book = self._order_book(Pair(pair))
        except (Retryable, Refused, ValueError):
            book = None
        if book is None:
            return {"symbol": pair, "bids": [], "asks": []}
        sides = {"bids": book.bids, "asks": book.asks}
        return {
            "symbol": pair,
            "timestamp": book.at_ms,
            **{name: [[float(p), float(a)] for p, a in side[:places]] for name, side in sides.items()},
        }

    def ticker(self, pair: str) -> Mapping[str, Any]:
        """See `MarketSource`."""
        try:
            quote = self._broker.quotes([Pair(pair)]).get(Pair(pair))
        except (Retryable, Refused, ValueError):
            quote = None
        if quote is None:
            return {}
        prices = {"bid": quote.bid, "ask": quote.ask, "last": quote.last}
        return {"symbol": pair, "timestamp": quote.at_ms, **{name: float(p) for name, p in prices.items()}}

    def market(self, pair: str) -> Mapping[str, Any] | None:
        """See `MarketSource`."""
        try:
            rules = self._broker.rules(Pair(pair))
        except (Retryable, Refused, ValueError):
            return None
        return {
            "symbol": pair,
            "base": Pair(pair).base,
            "quote": Pair(pair).quote,
            "spot": True,
            "precision": {"amount": float(rules.amount_step), "price": float(rules.price_step)},
            "limits": {
                "amount": {"min": float(rules.min_amount), "max": _number(rules.max_amount)},
                "cost": {"min": float(rules.min_cost), "max": _number(rules.max_cost)},
            },
            "maker": float(rules.maker_fee),
            "taker": float(rules.taker_fee),
        }


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
