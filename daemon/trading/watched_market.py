"""A real exchange as paper orders meet it: its prices as they are seen, and its candles for the time before."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

from daemon.core.errors import Retryable
from daemon.market.path import Piece
from daemon.trading.paper_market import Depth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from daemon.core.candles import CandleFrame
    from daemon.core.pair import Pair
    from daemon.core.timeframe import Timeframe
    from daemon.trading.broker import MarketRules, Quote

KEPT = 2000
"""Looks at a pair's price that are remembered."""


class Prices(Protocol):
    """The public part of a `Broker`."""

    name: str

    def rules(self, pair: Pair) -> MarketRules:
        """See `Broker`."""
        ...

    def quotes(self, pairs: Sequence[Pair]) -> Mapping[Pair, Quote]:
        """See `Broker`."""
        ...


class WatchedMarket:
    """A `PaperMarket` on an exchange. Between two looks the price is taken to have gone straight.

    The time before the first look (the daemon was down) is told by closed candles. How much was traded between two
    looks nobody knows: what is filled there is filled as a whole.

    Args:
        prices: of the exchange.
        frame_of: closed candles of a pair.
        base: their length.
        fee: share of an order's value; None: the exchange's.
    """

    def __init__(
        self,
        prices: Prices,
        *,
        frame_of: Callable[[Pair], CandleFrame],
        base: Timeframe,
        fee: Decimal | None = None,
    ) -> None:
        self.name = prices.name
        self._prices = prices
        self._frame_of = frame_of
        self._base = base
        self._fee = fee
        self._lock = threading.Lock()
        self._last: dict[Pair, Quote] = {}
        self._first_ms: dict[Pair, int] = {}
        self._pieces: dict[Pair, deque[Piece]] = {}

    def rules(self, pair: Pair) -> MarketRules:
        """See `PaperMarket`."""
        rules = self._prices.rules(pair)
        return rules if self._fee is None else replace(rules, maker_fee=self._fee, taker_fee=self._fee)

    def quotes(self, pairs: Sequence[Pair]) -> Mapping[Pair, Quote]:
        """See `PaperMarket`."""
        found = self._prices.quotes(pairs)
        with self._lock:
            for pair, quote in found.items():
                self._see(pair, quote)
        return found

    def depth(self, pair: Pair) -> Depth:
        """See `PaperMarket`: best bid and best ask, as much as one likes."""
        quote = self.quotes([pair]).get(pair)
        if quote is None:
            raise Retryable(f"{self.name} has no price of {pair} now")
        return Depth(quote=quote, asks=((quote.ask, None),), bids=((quote.bid, None),))

    def path(self, pair: Pair, after_ms: int, *, at_or_below: Decimal | None = None) -> Iterator[Piece]:
        """See `PaperMarket`."""
        with self._lock:
            seen = list(self._pieces.get(pair, ()))
            first_ms = self._first_ms.get(pair, 0)
        pieces = [*self._before(pair, after_ms, first_ms), *(each for each in seen if each.end_ms > after_ms)]
        return (each for each in pieces if at_or_below is None or each.low <= at_or_below)

    def close(self) -> None:
        """See `PaperMarket`; who opened the connection closes it."""

    def _see(self, pair: Pair, quote: Quote) -> None:
        before = self._last.get(pair)
        self._last[pair] = quote
        self._first_ms.setdefault(pair, quote.at_ms)
        if before is None or quote.at_ms <= before.at_ms:
            return
        piece = Piece(
            start_ms=before.at_ms,
            end_ms=quote.at_ms,
            high=max(before.last, quote.last),
            low=min(before.last, quote.last),
            last=quote.last,
            volume=None,
        )
        self._pieces.setdefault(pair, deque(maxlen=KEPT)).append(piece)

    def _before(self, pair: Pair, after_ms: int, first_ms: int) -> list[Piece]:
        """Closed candles between a moment and the first look."""
        try:
            frame = self._frame_of(pair).between(after_ms, first_ms - self._base.ms)
        except KeyError:  # a pair that is no longer fetched
            return []
        return [
            Piece(
                start_ms=opened_ms,
                end_ms=opened_ms + self._base.ms,
                high=_exact(candle[1]),
                low=_exact(candle[2]),
                last=_exact(candle[3]),
                volume=_exact(candle[4]),
            )
            for opened_ms, candle in zip(frame.open_ms.tolist(), frame.values.tolist(), strict=True)
        ]


def _exact(value: float) -> Decimal:
    return Decimal(repr(value))
