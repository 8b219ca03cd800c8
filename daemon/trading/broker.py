"""The port through which orders go out: the same for paper and for an exchange."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_UP, ROUND_UP, Decimal, InvalidOperation
from typing import TYPE_CHECKING, Protocol

from daemon.core.errors import Refused, Retryable
from daemon.trading.orders import ZERO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from daemon.core.pair import Pair
    from daemon.trading.orders import Fill, Intent, OrderReport


class AnswerLost(Retryable):
    """A request left and its answer did not come: the exchange may have acted on it or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """Prices at one moment, quote currency.

    Attributes:
        bid: best price at which somebody buys.
        ask: best price at which somebody sells.
        last: of the newest trade.
        at_ms: when, ms UTC.
    """

    bid: Decimal
    ask: Decimal
    last: Decimal
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """One currency of the account.

    Attributes:
        free: may be used.
        used: bound in open orders.
    """

    free: Decimal = ZERO
    used: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        """Free or bound."""
        return self.free + self.used


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketRules:
    """What the exchange demands of an order of one pair, its filters.

    Attributes:
        amount_step: amounts are whole multiples of it, base currency.
        price_step: prices are whole multiples of it, quote currency.
        min_amount: smallest amount; 0: none.
        max_amount: largest amount; None: none.
        max_market_amount: largest amount of a market order; None: as ``max_amount``.
        min_cost: smallest amount times price, quote currency; 0: none.
        max_cost: largest; None: none.
        maker_fee: share of the value, 0.001 is 0.1 %.
        taker_fee: the same.
    """

    amount_step: Decimal
    price_step: Decimal
    min_amount: Decimal = ZERO
    max_amount: Decimal | None = None
    max_market_amount: Decimal | None = None
    min_cost: Decimal = ZERO
    max_cost: Decimal | None = None
    maker_fee: Decimal = ZERO
    taker_fee: Decimal = ZERO

    def amount(self, wanted: Decimal) -> Decimal:
        """The largest amount of the exchange's precision that is not above the wanted one."""
        return (wanted / self.amount_step).to_integral_value(ROUND_DOWN) * self.amount_step

    def price(self, wanted: Decimal, rounding: str = ROUND_HALF_UP) -> Decimal:
        """The nearest price of the exchange's precision; ``rounding`` as in `decimal` (`ROUND_UP`, `ROUND_DOWN`)."""
        return (wanted / self.price_step).to_integral_value(rounding) * self.price_step

    def least_amount(self, price: Decimal) -> Decimal:
        """The smallest amount that may be ordered at a price."""
        by_cost = (self.min_cost / price / self.amount_step).to_integral_value(ROUND_UP) * self.amount_step
        by_amount = (self.min_amount / self.amount_step).to_integral_value(ROUND_UP) * self.amount_step
        return max(by_cost, by_amount, self.amount_step)

    def largest(self, *, market: bool) -> Decimal | None:
        """The largest amount of one order, at the market or with a limit; None: any."""
        return self.max_market_amount if market and self.max_market_amount is not None else self.max_amount

    def at_once(self, wanted: Decimal, *, market: bool) -> Decimal:
        """What one order may be of: the wanted amount in the exchange's precision, or the largest one."""
        most = self.largest(market=market)
        return self.amount(wanted if most is None else min(wanted, most))

    def check(self, amount: Decimal, price: Decimal, *, market: bool = False) -> None:
        """Refuse what the exchange would refuse.

        Args:
            amount: base currency.
            price: limit price, or the price that a market order is expected to get.
            market: whether it is a market order.

        Raises:
            Refused: with the limit that is broken and its value.
        """
        if not (amount > 0 and price > 0):
            raise Refused(f"an order of {amount} at {price} is none")
        most = self.largest(market=market)
        for broken, words in (
            (not _whole(amount, self.amount_step), f"amount {amount} is no multiple of {self.amount_step}"),
            (
                not market and not _whole(price, self.price_step),
                f"price {price} is no multiple of {self.price_step}",
            ),
            (amount < self.min_amount, f"amount {amount} is below the least amount {self.min_amount}"),
            (most is not None and amount > most, f"amount {amount} is above the largest amount {most}"),
            (
                amount * price < self.min_cost,
                f"value {amount * price} is below the least value {self.min_cost}",
            ),
            (
                self.max_cost is not None and amount * price > self.max_cost,
                f"value {amount * price} is above the largest value {self.max_cost}",
            ),
        ):
            if broken:
                raise Refused(words)


_NO_RULES = MarketRules(amount_step=Decimal("1e-8"), price_step=Decimal("1e-8"))


def rules_to_show(rules: Callable[[Pair], MarketRules], pair: Pair) -> MarketRules:
    """The filters of a pair for whoever shows a trade of it, also where the exchange has it no more: nothing is ordered by them."""
    try:
        return rules(pair)
    except Refused:
        return _NO_RULES


def _whole(value: Decimal, step: Decimal) -> bool:
    """Whether a value is a multiple of a step; one with more digits than can be counted is taken for none."""
    try:
        return value % step == 0
    except InvalidOperation:
        return False


class Broker(Protocol):
    """Where orders are sent, on paper or on an exchange.

    Rules: every call answers within its own time limit. `Refused` means that the exchange said no and nothing has
    happened; `AnswerLost` that something may have happened; any other `Retryable` that nothing has left. No request
    is sent while the exchange asks for silence. All methods may be called from any thread. Nothing is retried
    inside `send`: whether an order is sent again is decided by who knows the ledger.
    """

    name: str

    def rules(self, pair: Pair) -> MarketRules:
        """The exchange's filters for a pair."""
        ...

    def unlisted(self, pairs: Iterable[Pair]) -> frozenset[Pair]:
        """Those of these pairs that the exchange has no market for, not even one that stands still.

        About them it answers nothing: whoever names one in a question is refused the whole answer.
        """
        ...

    def quotes(self, pairs: Sequence[Pair]) -> Mapping[Pair, Quote]:
        """Prices now; a pair without any is left out."""
        ...

    def send(self, intent: Intent) -> OrderReport:
        """Place an order."""
        ...

    def cancel(self, pair: Pair, client_id: str, exchange_id: str) -> OrderReport | None:
        """Ask for the end of an order; None if the exchange does not know it as open (it ended before)."""
        ...

    def order(self, pair: Pair, client_id: str, exchange_id: str) -> OrderReport | None:
        """How an order stands; None if the exchange does not know it."""
        ...

    def open_orders(self, pairs: Sequence[Pair]) -> Sequence[OrderReport]:
        """Every open order of the account in these pairs, ours or not."""
        ...

    def fills(self, pair: Pair, since_ms: int) -> Sequence[Fill]:
        """Every execution of the account in a pair at or after a time, oldest first."""
        ...

    def balances(self) -> Mapping[str, Balance]:
        """Every currency that the account holds."""
        ...

    def news(self) -> Sequence[OrderReport]:
        """What the exchange has pushed since the last call; never the only source of truth, and often empty."""
        ...

    def clock_off_ms(self) -> int:
        """By how much our clock is ahead of the exchange's."""
        ...

    def close(self) -> None:
        """Let go of connections; requests under way end."""
        ...
