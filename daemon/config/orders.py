"""Sections about orders: their kinds, their prices, their waits."""

from typing import Annotated, Literal

from pydantic import BeforeValidator

from daemon.config.fields import Section, described

OrderKind = Literal["limit", "market"]
PriceSide = Literal["same", "other", "bid", "ask"]


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


TimeInForce = Annotated[Literal["GTC", "FOK", "IOC", "PO"], BeforeValidator(_upper)]


class UnfilledTimeout(Section):
    """How long orders wait for their fill."""

    entry: float | None = described(10.0, "Longest wait of an entry order, in `unit`s.", ge=1)
    exit: float | None = described(10.0, "Longest wait of an exit order, in `unit`s.", ge=1)
    exit_timeout_count: int = described(
        0,
        "After so many exit orders in a row that timed out, the trade is closed at the market. 0: never.",
        ge=0,
    )
    unit: Literal["minutes", "seconds"] = described("minutes", "Unit of `entry` and `exit`, market time.")

    def wait_ms(self, *, entry: bool) -> float | None:
        """Longest wait of an order, ms; None: without end."""
        wait = self.entry if entry else self.exit
        return None if wait is None else wait * (60_000 if self.unit == "minutes" else 1_000)


class DepthOfMarket(Section):
    """A condition on the order book before an entry."""

    enabled: bool = described(False, "Whether the order book is looked at before an entry.")
    bids_to_ask_delta: float = described(
        0.0, "Least ratio of the amounts of all bids and all asks. 0: any.", ge=0
    )


class ExitPricing(Section):
    """Where the price of an exit order comes from."""

    price_side: PriceSide = described(
        "same", "`same` side of the order book as the order's own, the `other` side, `bid` or `ask`."
    )
    price_last_balance: float = described(
        0.0,
        "0 is the side's price, 1 the last price, if that is better for the market; between: between.",
        ge=0,
        le=1,
    )
    use_order_book: bool = described(False, "Whether the price is taken from a place in the order book.")
    order_book_top: int = described(1, "Which place of the order book, 1 is the best price.", ge=1, le=50)


class EntryPricing(ExitPricing):
    """Where the price of an entry order comes from."""

    check_depth_of_market: DepthOfMarket = described(
        DepthOfMarket(), "A condition on the order book before an entry."
    )


class OrderTypes(Section):
    """Which kinds of orders are used for what."""

    entry: OrderKind = described("limit", "Entries.")
    exit: OrderKind = described("limit", "Exits by ROI, by signal and by the strategy.")
    stoploss: OrderKind = described(
        "limit", "Exits by the stop-loss; also the kind of stop order at the exchange."
    )
    emergency_exit: OrderKind = described(
        "market", "Exits after timed-out exit orders, or without a stop order."
    )
    force_entry: OrderKind | None = described(None, "Entries by command. Left out: as `entry`.")
    force_exit: OrderKind | None = described(None, "Exits by command. Left out: as `exit`.")
    stoploss_on_exchange: bool = described(
        False, "Whether a stop order lies at the exchange while a trade is open."
    )
    stoploss_on_exchange_interval: float = described(
        60.0, "Least time between two moves of the stop order.", unit="market s", ge=0
    )
    stoploss_on_exchange_limit_ratio: float = described(
        0.99, "Limit price of a stop order of kind `limit`, as a share of its stop price.", gt=0, le=1
    )
    stoploss_price_type: str | None = described(None, "Futures only.")


class OrderTimeInForce(Section):
    """How long orders stay in the order book."""

    entry: TimeInForce = described("GTC", "Entries: `GTC` until cancelled, `IOC`, `FOK`, `PO` post only.")
    exit: TimeInForce = described("GTC", "Exits: `GTC` until cancelled, `IOC`, `FOK`, `PO` post only.")
