"""What the paper broker knows of a market: prices, depth, the way the price took, and the exchange's filters."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from typing import TYPE_CHECKING, Protocol

from daemon.core.errors import Refused, Retryable
from daemon.trading.broker import MarketRules, Quote
from daemon.trading.orders import ZERO

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from daemon.core.clock import Clock
    from daemon.core.pair import Pair
    from daemon.market.path import Piece, Standing

HALF_SPREAD = Decimal("0.0001")
"""Distance of the best bid and of the best ask from the price, where only candles are known."""
VOLUME_SHARE = Decimal("0.1")
"""Of what the market trades in a stretch of time, the most that one order of ours may be."""
DEFAULT_FEE = Decimal("0.001")
LEAST_VALUE = Decimal(5)
"""Of an order on a market made of candles, quote currency; as exchanges demand it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """A quote and what may be had at it.

    Attributes:
        quote: prices.
        asks: (price, amount in base currency), best first; an amount of None is as much as one likes.
        bids: the same.
    """

    quote: Quote
    asks: tuple[tuple[Decimal, Decimal | None], ...]
    bids: tuple[tuple[Decimal, Decimal | None], ...]


class PaperMarket(Protocol):
    """A market as paper orders meet it.

    Rules: no price is told that the market did not show, and none of the future. May be called from any thread.
    """

    name: str

    def rules(self, pair: Pair) -> MarketRules:
        """Filters and fees."""
        ...

    def quotes(self, pairs: Sequence[Pair]) -> Mapping[Pair, Quote]:
        """Prices now; a pair without any is left out."""
        ...

    def depth(self, pair: Pair) -> Depth:
        """What an order that comes now meets.

        Raises:
            Retryable: nobody knows.
        """
        ...

    def path(self, pair: Pair, after_ms: int, *, at_or_below: Decimal | None = None) -> Iterator[Piece]:
        """Pieces that ended after a moment, oldest first; stretches that never came down so far may be left out."""
        ...

    def close(self) -> None:
        """Let go of what was opened for it."""
        ...


class CandleSource(Protocol):
    """A market whose every candle is known: the simulated exchange, or a recording."""

    name: str

    def path(
        self, pair: Pair, after_ms: int, until_ms: int, *, at_or_below: Decimal | None = None
    ) -> Iterator[Piece]:
        """See `daemon.market.path.pieces`."""
        ...

    def standing(self, pair: Pair, at_ms: int) -> Standing | None:
        """The candle in progress at a moment; None before the first."""
        ...

    def steps(self, pair: Pair) -> tuple[Decimal, Decimal]:
        """Smallest steps of an amount and of a price."""
        ...


class CandleMarket:
    """A `PaperMarket` made of candles: what it tells is a function of them and of the moment, and of nothing else.

    Bid and ask lie `HALF_SPREAD` beside the price, but within the range that the candle has shown so far.

    Args:
        source: the candles.
        clock: decides what has happened.
        fee: share of an order's value; None: `DEFAULT_FEE`.
    """

    def __init__(self, source: CandleSource, *, clock: Clock, fee: Decimal | None = None) -> None:
        self.name = source.name
        self._source = source
        self._clock = clock
        self._fee = DEFAULT_FEE if fee is None else fee

    def rules(self, pair: Pair) -> MarketRules:
        """See `PaperMarket`."""
        try:
            amount, price = self._source.steps(pair)
        except KeyError as exc:
            raise Refused(f"{self.name} has no pair {pair}") from exc
        return MarketRules(
            amount_step=amount,
            price_step=price,
            min_amount=amount,
            min_cost=LEAST_VALUE,
            maker_fee=self._fee,
            taker_fee=self._fee,
        )

    def quotes(self, pairs: Sequence[Pair]) -> Mapping[Pair, Quote]:
        """See `PaperMarket`."""
        now_ms = self._clock.now_ms()
        found = {pair: self._source.standing(pair, now_ms) for pair in pairs}
        return {pair: self._quote(pair, shown, now_ms) for pair, shown in found.items() if shown is not None}

    def depth(self, pair: Pair) -> Depth:
        """See `PaperMarket`: one level, `VOLUME_SHARE` of what is traded in a piece."""
        now_ms = self._clock.now_ms()
        shown = self._source.standing(pair, now_ms)
        if shown is None:
            raise Retryable(f"{self.name} has no price of {pair} yet")
        quote, amount = self._quote(pair, shown, now_ms), shown.volume * VOLUME_SHARE
        return Depth(quote=quote, asks=((quote.ask, amount),), bids=((quote.bid, amount),))

    def path(self, pair: Pair, after_ms: int, *, at_or_below: Decimal | None = None) -> Iterator[Piece]:
        """See `PaperMarket`."""
        return self._source.path(pair, after_ms, self._clock.now_ms(), at_or_below=at_or_below)

    def close(self) -> None:
        """See `PaperMarket`; there is nothing to let go of."""

    def _quote(self, pair: Pair, shown: Standing, now_ms: int) -> Quote:
        _, step = self._source.steps(pair)
        return Quote(
            bid=max(shown.low, below(shown.last, step)),
            ask=min(shown.high, above(shown.last, step)),
            last=shown.last,
            at_ms=now_ms,
        )


def below(price: Decimal, step: Decimal) -> Decimal:
    """The bid beside a price, before it is held to what the market has shown."""
    return (price * (1 - HALF_SPREAD) / step).to_integral_value(ROUND_DOWN) * step


def above(price: Decimal, step: Decimal) -> Decimal:
    """The ask beside a price, before it is held to what the market has shown."""
    return (price * (1 + HALF_SPREAD) / step).to_integral_value(ROUND_UP) * step


def share_of(piece: Piece) -> Decimal | None:
    """The most that one order may be of what was traded in a piece; None: no limit is known."""
    return None if piece.volume is None else max(piece.volume * VOLUME_SHARE, ZERO)
