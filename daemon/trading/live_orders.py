"""How ccxt is told of an order: with the very figures that are in the ledger, or not at all. Asks nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from daemon.core.errors import Refused
from daemon.market.ccxt_errors import FOREIGN
from daemon.trading.orders import OrderType

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from daemon.trading.broker import MarketRules
    from daemon.trading.orders import Intent


def order_arguments(ccxt: Any, intent: Intent, rules: MarketRules, what: str) -> tuple[Any, ...]:
    """The arguments of ccxt's ``create_order``.

    Args:
        ccxt: the client, with its markets.
        intent: the order.
        rules: the exchange's filters for its pair.
        what: it is called, as a message begins with it.

    Raises:
        Refused: the filters forbid it, or ccxt would send other figures than these.
    """
    price = intent.price or intent.stop_price
    if price is not None:
        try:
            rules.check(intent.amount, price)
        except Refused as exc:
            raise Refused(f"{what}: {exc}") from exc
    name = str(intent.pair)
    _check_exact(ccxt.amount_to_precision, name, intent.amount, what)
    for figure in (intent.price, intent.stop_price):
        if figure is not None:
            _check_exact(ccxt.price_to_precision, name, figure, what)
    params: dict[str, Any] = {"clientOrderId": intent.client_id}
    if intent.stop_price is not None:
        params["stopLossPrice"] = f"{intent.stop_price:f}"
    if intent.time_in_force == "PO":
        params["postOnly"] = True
    elif intent.type in (OrderType.LIMIT, OrderType.STOP_LIMIT):
        params["timeInForce"] = intent.time_in_force
    kind = "limit" if intent.price is not None else "market"
    sent_price = None if intent.price is None else f"{intent.price:f}"
    return name, kind, intent.side.value, f"{intent.amount:f}", sent_price, params


def _check_exact(rounded: Callable[[str, str], str], name: str, figure: Decimal, what: str) -> None:
    """Whether ccxt sends a figure as it is: what was committed to the ledger is what must be ordered."""
    try:
        sent = rounded(name, f"{figure:f}")
    except FOREIGN as exc:  # a figure that is rounded to nothing
        raise Refused(f"{what}: {figure} cannot be ordered: {exc}") from exc
    if type(figure)(sent) != figure:
        raise Refused(f"{what}: {figure} is no figure that the exchange takes; the nearest is {sent}")
