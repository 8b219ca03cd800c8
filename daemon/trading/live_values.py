"""From ccxt's unified structures to ours; what is not as documented is a malformed answer."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from daemon.core.errors import ConfigError, Retryable
from daemon.trading.broker import Balance, MarketRules, Quote
from daemon.trading.orders import ZERO, Fill, OrderReport, OrderState, Side
from daemon.trading.prices import Book

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daemon.core.pair import Pair

# ccxt's `precisionMode`.
DECIMAL_PLACES, SIGNIFICANT_DIGITS, TICK_SIZE = 2, 3, 4

_STATES = MappingProxyType(
    {
        "open": OrderState.OPEN,
        "closed": OrderState.FILLED,
        "canceled": OrderState.CANCELLED,
        "canceling": OrderState.CANCELLING,
        "expired": OrderState.EXPIRED,
        "rejected": OrderState.REJECTED,
    }
)


def rules_of(pair: Pair, market: Mapping[str, Any], mode: int) -> MarketRules:
    """The filters of a pair.

    Args:
        pair: which.
        market: ccxt's market structure.
        mode: ccxt's ``precisionMode``.

    Raises:
        ConfigError: the exchange's prices have a number of digits instead of a smallest step.
    """
    limits, what = market["limits"], f"market {pair}"
    cost, amount, at_market = (limits.get(name) or {} for name in ("cost", "amount", "market"))
    return MarketRules(
        amount_step=_step(market["precision"].get("amount"), mode, f"{what}: amount"),
        price_step=_step(market["precision"].get("price"), mode, f"{what}: price"),
        min_amount=_number(amount.get("min"), what) or ZERO,
        max_amount=_number(amount.get("max"), what) or None,
        max_market_amount=_number(at_market.get("max"), what) or None,
        min_cost=_number(cost.get("min"), what) or ZERO,
        max_cost=_number(cost.get("max"), what) or None,
        maker_fee=_number(market.get("maker"), what) or ZERO,
        taker_fee=_number(market.get("taker"), what) or ZERO,
    )


def _step(precision: Any, mode: int, what: str) -> Decimal:
    if mode == SIGNIFICANT_DIGITS:
        raise ConfigError(f"{what} is given in significant digits: such exchanges are not traded on live")
    value = _number(precision, what)
    if value is None or (mode == TICK_SIZE and not value > 0):
        raise ConfigError(f"{what} has no precision ({precision!r}): it cannot be traded")
    return Decimal(1).scaleb(-int(value)) if mode == DECIMAL_PLACES else plain(value)


def quote_of(ticker: Mapping[str, Any], now_ms: int) -> Quote | None:
    """Prices of a ticker; None if one is missing.

    Args:
        ticker: ccxt's structure.
        now_ms: stands in where the exchange does not say when.
    """
    what = f"ticker of {ticker.get('symbol')}"
    bid, ask, last = (_number(ticker.get(name), what) for name in ("bid", "ask", "last"))
    if not bid or not ask or not last or bid < 0 or ask < bid:
        return None
    return Quote(bid=bid, ask=ask, last=last, at_ms=int(ticker.get("timestamp") or now_ms))


def book_of(answer: Mapping[str, Any], now_ms: int, what: str) -> Book:
    """An order book, best first, as ccxt has sorted it.

    Raises:
        Retryable: malformed.
    """
    sides = []
    for name in ("bids", "asks"):
        rows = [
            (_number(row[0], what), _number(row[1], what)) for row in answer.get(name) or () if len(row) >= 2
        ]
        places = [(price, amount) for price, amount in rows if price and amount is not None]
        sides.append(tuple(places))
    return Book(bids=sides[0], asks=sides[1], at_ms=int(answer.get("timestamp") or now_ms))


def opening_price(rows: Any, at_ms: int, what: str) -> Decimal | None:
    """The price at which the newest candle began that had begun at a moment; None without any.

    Args:
        rows: candles as ccxt gives them, None where one cannot be read.
        at_ms: ms UTC.
        what: is asked for, as a message begins with it.

    Raises:
        Retryable: malformed.
    """
    if not isinstance(rows, list):
        raise Retryable(f"{what}: malformed answer: {type(rows).__name__} where a list of candles belongs")
    begun = [row for row in rows if row and row[0] <= at_ms and row[1]]
    newest = max(begun, key=lambda row: row[0], default=None)
    return None if newest is None else plain(Decimal(repr(newest[1])))


def report_of(
    order: Mapping[str, Any], pair: Pair, now_ms: int, *, client_id: str | None = None, amount: Decimal = ZERO
) -> OrderReport:
    """What an exchange says of an order. Its fills are left to `fill_of`: only a list of executions tells all of each.

    Args:
        order: ccxt's structure.
        pair: of which it must be.
        now_ms: stands in where the exchange does not say when.
        client_id: under which it was asked for, which stands over what the answer says: an answer to a cancellation
            may carry the id of the cancellation.
        amount: ordered, where the answer does not repeat it.

    Raises:
        Retryable: malformed.
    """
    what = f"order of {pair}"
    if str(order.get("symbol") or pair) != str(pair):
        raise Retryable(f"{what}: the answer is about {order.get('symbol')}")
    state = _STATES.get(order.get("status") or "")
    amount = _number(order.get("amount"), what) or amount
    if state is None or not amount > 0:
        raise Retryable(
            f"{what}: malformed answer: status {order.get('status')!r}, amount {order.get('amount')!r}"
        )
    filled = _number(order.get("filled"), what) or ZERO
    if state is OrderState.FILLED and filled < amount:
        state = OrderState.CANCELLED  # some exchanges call every order that has ended closed
    times = (order.get(name) for name in ("lastUpdateTimestamp", "lastTradeTimestamp", "timestamp"))
    return OrderReport(
        client_id=str(order.get("clientOrderId") or "") if client_id is None else client_id,
        exchange_id=str(order.get("id") or ""),
        pair=pair,
        state=state,
        filled=filled,
        amount=amount,
        at_ms=next((int(at_ms) for at_ms in times if at_ms), now_ms),
        side=Side(order["side"]) if order.get("side") in {"buy", "sell"} else None,
        price=_number(order.get("price"), what) or None,
    )


def fill_of(trade: Mapping[str, Any], pair: Pair) -> Fill:
    """One execution, as the account's list of trades tells it.

    Raises:
        Retryable: malformed.
    """
    what = f"trade {trade.get('id')} of {pair}"
    amount, price = (_number(trade.get(name), what) for name in ("amount", "price"))
    side, at_ms, maker = trade.get("side"), trade.get("timestamp"), trade.get("takerOrMaker")
    if not trade.get("id") or not amount or not price or side not in {"buy", "sell"} or not at_ms:
        raise Retryable(f"{what}: malformed answer: it lacks an id, amount, price, side or time")
    fee, currency = _fee(trade, what)
    return Fill(
        fill_id=str(trade["id"]),
        client_id=str(trade.get("clientOrderId") or ""),
        exchange_id=str(trade.get("order") or ""),
        pair=pair,
        side=Side(side),
        amount=amount,
        price=price,
        at_ms=int(at_ms),
        fee=fee,
        fee_currency=currency,
        maker=None if maker is None else maker == "maker",
    )


def _fee(trade: Mapping[str, Any], what: str) -> tuple[Decimal, str]:
    fees = [fee for fee in trade.get("fees") or [trade.get("fee")] if fee and fee.get("cost") is not None]
    paid = {str(fee.get("currency") or "") for fee in fees}
    if len(paid) > 1:
        raise Retryable(f"{what}: malformed answer: one execution with fees in {', '.join(sorted(paid))}")
    return sum((_number(fee["cost"], what) or ZERO for fee in fees), ZERO), next(iter(paid), "")


def balances_of(answer: Mapping[str, Any]) -> Mapping[str, Balance]:
    """Every currency of which there is some."""
    free, used = (answer.get(name) or {} for name in ("free", "used"))
    found = {
        currency: Balance(
            free=_number(free.get(currency), currency) or ZERO,
            used=_number(used.get(currency), currency) or ZERO,
        )
        for currency in sorted({*free, *used})
    }
    return MappingProxyType({currency: held for currency, held in found.items() if held.total})


def plain(value: Decimal) -> Decimal:
    """The same number without trailing zeros and without an exponent."""
    return Decimal(f"{value.normalize():f}")


def _number(value: Any, what: str) -> Decimal | None:
    """An exact number of one that ccxt hands on as text.

    Raises:
        Retryable: it is none.
    """
    if value is None:
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise Retryable(f"{what}: malformed answer: {value!r} where a number belongs") from None
    if not number.is_finite():
        raise Retryable(f"{what}: malformed answer: {value!r} where a number belongs")
    return number
