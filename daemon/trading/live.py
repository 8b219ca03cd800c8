"""Orders on a real exchange, through the same ccxt client, pace and silence as its candles."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from daemon.core.errors import Refused, Retryable
from daemon.market.ccxt_client import CREDENTIALS
from daemon.trading.live_calls import LiveCalls
from daemon.trading.live_errors import is_unknown_order
from daemon.trading.live_fills import pages
from daemon.trading.live_orders import order_arguments
from daemon.trading.live_stream import LiveStream
from daemon.trading.live_values import balances_of, book_of, opening_price, quote_of, report_of, rules_of
from daemon.trading.orders import ZERO

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from decimal import Decimal

    from daemon.core.pair import Pair
    from daemon.market.ccxt_market import CcxtMarket
    from daemon.trading.broker import Balance, MarketRules, Quote
    from daemon.trading.orders import Fill, Intent, OrderReport
    from daemon.trading.prices import Book

# Real seconds for a question, which is asked again within them.
_ASK_S, _LIST_S = 15.0, 60.0
_LISTED_AGAIN_S = 600.0
"""From one look whether a pair that was gone is back to the next: the list of all markets is long."""
# More pairs than this, and one question for all orders of the account is cheaper than one for each pair.
_PAIRS_ONE_BY_ONE = 12
# How far back a price is still the one of a moment.
_MINUTES_BACK, _MINUTE_MS = 5, 60_000
# What Binance allows (security of signed requests), and what it takes for a window where ccxt asks for none.
_AHEAD_MS, _WINDOW_MS = 1000, 5000


class LiveBroker:
    """A `Broker` on an exchange of ccxt's.

    Args:
        market: the exchange's connection, which its owner closes.
    """

    def __init__(self, market: CcxtMarket) -> None:
        self.name = market.name
        self._market = market
        self._ccxt = market.client.ccxt
        self._ccxt.options["warnOnFetchOpenOrdersWithoutSymbol"] = False  # it raises instead of warning
        self._calls = LiveCalls(market)
        self._stream = LiveStream(market) if self._ccxt.has.get("watchOrders") is True else None

    def rules(self, pair: Pair) -> MarketRules:
        """See `Broker`."""
        market = (self._ccxt.markets or {}).get(str(pair))
        if market is None:
            self._market.pairs()  # loads them
            market = (self._ccxt.markets or {}).get(str(pair))
        if market is None:
            raise Refused(f"{self.name} does not trade {pair}")
        return rules_of(pair, market, self._ccxt.precisionMode)

    def unlisted(self, pairs: Iterable[Pair]) -> frozenset[Pair]:
        """See `Broker`."""
        gone = frozenset(pairs) - self._market.pairs()
        if gone:
            self._market.doubt_pairs(_LISTED_AGAIN_S)
        return gone

    def quotes(self, pairs: Sequence[Pair]) -> Mapping[Pair, Quote]:
        """See `Broker`; best bid and ask and the newest trade."""
        known = self._market.pairs()  # one that is not there, or not now, would spoil the answer for all
        names = [str(pair) for pair in pairs if pair in known and str(pair) in (self._ccxt.markets or {})]
        if not names:
            return {}
        answer = self._calls.asked(lambda ccxt: ccxt.fetch_tickers(names), f"prices on {self.name}", _ASK_S)
        now_ms = self._market.exchange_ms()
        found = {pair: quote_of(answer[str(pair)], now_ms) for pair in pairs if str(pair) in answer}
        return {pair: quote for pair, quote in found.items() if quote is not None}

    def order_book(self, pair: Pair, places: int = 50) -> Book:
        """Who buys and who sells at which price, best first.

        Raises:
            Retryable: the exchange does not answer.
        """
        what = f"order book of {pair} on {self.name}"
        answer = self._calls.asked(lambda ccxt: ccxt.fetch_order_book(str(pair), places), what, _ASK_S)
        return book_of(answer, self._market.exchange_ms(), what)

    def price_at(self, pair: Pair, at_ms: int) -> Decimal | None:
        """What a pair cost at a moment, to the minute; None if the market showed no price in the minutes before.

        Raises:
            Retryable: the exchange does not answer.
        """
        if pair not in self._market.pairs():
            return None
        since_ms = (at_ms // _MINUTE_MS - _MINUTES_BACK) * _MINUTE_MS
        what = f"price of {pair} at {at_ms} on {self.name}"
        rows = self._calls.asked(
            lambda ccxt: ccxt.fetch_ohlcv(str(pair), "1m", since_ms, _MINUTES_BACK + 1), what, _ASK_S
        )
        return opening_price(rows, at_ms, what)

    def send(self, intent: Intent) -> OrderReport:
        """See `Broker`."""
        what = f"order {intent.client_id} of {intent.pair} on {self.name}"
        arguments = order_arguments(self._ccxt, intent, self.rules(intent.pair), what)
        return self._calls.changed(
            lambda ccxt: ccxt.create_order(*arguments),
            what,
            lambda answer: self._report(
                # Who says nothing of the order's state has taken it, no more.
                {**answer, "status": answer.get("status") or "open"},
                intent.pair,
                intent.client_id,
                "",
                intent.amount,
            ),
        )

    def cancel(self, pair: Pair, client_id: str, exchange_id: str) -> OrderReport | None:
        """See `Broker`."""
        what = f"cancellation of order {client_id} of {pair} on {self.name}"
        number, params = _ids(client_id, exchange_id)
        try:
            return self._calls.changed(
                lambda ccxt: ccxt.cancel_order(number, str(pair), params),
                what,
                lambda answer: self._report(
                    {**answer, "status": answer.get("status") or "canceling"},
                    pair,
                    client_id,
                    exchange_id,
                ),
            )
        except Refused as exc:
            if is_unknown_order(exc):
                return None
            raise

    def order(self, pair: Pair, client_id: str, exchange_id: str) -> OrderReport | None:
        """See `Broker`."""
        what = f"order {client_id} of {pair} on {self.name}"
        number, params = _ids(client_id, exchange_id)
        try:
            answer = self._calls.asked(lambda ccxt: ccxt.fetch_order(number, str(pair), params), what, _ASK_S)
        except Refused as exc:
            if is_unknown_order(exc):
                return None
            raise
        return self._report(answer, pair, client_id, exchange_id)

    def open_orders(self, pairs: Sequence[Pair]) -> Sequence[OrderReport]:
        """See `Broker`."""
        what, wanted = f"open orders on {self.name}", {str(pair): pair for pair in pairs}
        # Without a pair, Binance counts the question as 80 of the cheapest ones instead of 6.
        names: list[str | None] = list(wanted) if len(wanted) <= _PAIRS_ONE_BY_ONE else [None]
        found: dict[tuple[Pair, str], OrderReport] = {}
        for name in names:
            for order in self._calls.asked(partial(_open_orders, name=name), what, _ASK_S):
                pair = wanted.get(order.get("symbol"))
                if pair is not None:
                    report = report_of(order, pair, self._market.exchange_ms())
                    found[pair, report.exchange_id] = report
        return tuple(found.values())

    def fills(self, pair: Pair, since_ms: int) -> Sequence[Fill]:
        """See `Broker`; goes through as many pages as it takes."""
        what = f"fills of {pair} on {self.name}"

        async def all_pages(deadline_s: float) -> Sequence[Fill]:
            async def page(since_ms: int, limit: int, params: dict[str, Any]) -> Any:
                trip = self._market.client.trip(deadline_s)
                return await self._market.client.asked(
                    lambda ccxt: ccxt.fetch_my_trades(str(pair), since_ms, limit, params), trip, what
                )

            return await pages(page, pair, since_ms, self._market.exchange_ms, self._ccxt.features)

        return self._calls.run(all_pages, _LIST_S, again=True)

    def balances(self) -> Mapping[str, Balance]:
        """See `Broker`."""
        answer = self._calls.asked(lambda ccxt: ccxt.fetch_balance(), f"balances on {self.name}", _ASK_S)
        return balances_of(answer)

    def news(self) -> Sequence[OrderReport]:
        """See `Broker`; nothing where the exchange has no stream, or the market was built without one."""
        return () if self._stream is None else self._stream.take()

    def clock_off_ms(self) -> int:
        """See `Broker`."""
        return self._market.clock_off_ms()

    def trades(self, pair: Pair) -> bool:
        """Whether the pair is on the exchange's spot market now."""
        market = (self._ccxt.markets or {}).get(str(pair)) or {}
        return bool(market.get("spot")) and market.get("active") is not False

    def missing_credentials(self) -> tuple[str, ...]:
        """Keys of the section ``exchange`` that a signed request needs and that are not there."""
        needed = self._ccxt.requiredCredentials
        names = {theirs: ours for ours, theirs in CREDENTIALS.items()}
        return tuple(
            names.get(key, key) for key in needed if needed[key] and not getattr(self._ccxt, key, "")
        )

    def clock_allowance_ms(self) -> tuple[int, int]:
        """By how much a request's stamp may be ahead of the exchange's clock, and behind it."""
        window_ms = int(self._ccxt.options.get("recvWindow") or _WINDOW_MS)
        return min(window_ms, _AHEAD_MS), window_ms

    def look_at_clock(self) -> None:
        """Have the exchange's markets and clock known.

        Raises:
            Retryable: it does not answer.
        """

        async def nothing(_deadline_s: float) -> None:
            """Both are seen to before."""

        self._calls.run(nothing, _LIST_S, again=True)

    def close(self) -> None:
        """See `Broker`; the connection is the market's."""

    def _report(
        self, answer: Mapping[str, Any], pair: Pair, client_id: str, exchange_id: str, amount: Decimal = ZERO
    ) -> OrderReport:
        now_ms = self._market.exchange_ms()
        report = report_of(answer, pair, now_ms, client_id=client_id, amount=amount)
        if exchange_id and report.exchange_id != exchange_id:
            raise Retryable(
                f"order {client_id} of {pair}: malformed answer: it is about order {report.exchange_id!r}"
            )
        return report


async def _open_orders(ccxt: Any, *, name: str | None) -> Any:
    return await ccxt.fetch_open_orders(name)


def _ids(client_id: str, exchange_id: str) -> tuple[str | None, dict[str, str]]:
    """How ccxt is told of an order: by the exchange's id, which is unique; before it is known, by ours."""
    return (exchange_id, {}) if exchange_id else (None, {"clientOrderId": client_id})
