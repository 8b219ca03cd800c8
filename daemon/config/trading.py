"""freqtrade's keys for trading: the account, orders, exits, protections.

Where a key says "the strategy's own", the strategy may have an attribute of that name; what the configuration says
wins over it, as in freqtrade.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from daemon.config.fields import Section, described

UNLIMITED = "unlimited"
OrderKind = Literal["limit", "market"]
PriceSide = Literal["same", "other", "bid", "ask"]

_OWN = "Left out: the strategy's own"


def _open_trades(value: object) -> object:
    """Without limit is written as -1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value) or value < -1:
        raise ValueError("must be a whole number, or -1 for no limit")
    return int(value)


def _stake(value: object) -> object:
    if value == UNLIMITED:
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise ValueError('must be a number above 0 (stake currency), or "unlimited"')
    return float(value)


def _roi(value: object) -> object:
    """Minutes are texts, because the keys of a JSON object are; strategies may write numbers."""
    if not isinstance(value, Mapping):
        raise ValueError('must be an object of minutes and profits, such as {"0": 0.04, "60": 0.01}')  # noqa: TRY004 - pydantic's protocol
    table = {}
    for minutes, profit in value.items():
        try:
            table[int(minutes)] = float(profit)
        except (TypeError, ValueError):
            raise ValueError(
                f"{minutes!r}: {profit!r} must be minutes and a profit, such as {{'60': 0.01}}"
            ) from None
    return dict(sorted(table.items()))


def _wallet(value: object) -> object:
    amounts = value.values() if isinstance(value, Mapping) else [value]
    if any(isinstance(a, bool) or not isinstance(a, int | float) or a < 0 for a in amounts):
        raise ValueError(
            'must be an amount of the stake currency, or amounts such as {"USDT": 1000, "BTC": 0.1}'
        )
    return dict(value) if isinstance(value, Mapping) else value


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


OpenTrades = Annotated[int, BeforeValidator(_open_trades), WithJsonSchema({"type": "integer", "minimum": -1})]
Stake = Annotated[
    float | Literal["unlimited"],
    BeforeValidator(_stake),
    WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"const": UNLIMITED}]}),
]
Roi = Annotated[
    dict[int, float],
    BeforeValidator(_roi),
    PlainSerializer(lambda table: {str(minutes): profit for minutes, profit in table.items()}),
    WithJsonSchema({"type": "object", "additionalProperties": {"type": "number"}}),
]
Wallet = Annotated[
    float | dict[str, float],
    BeforeValidator(_wallet),
    WithJsonSchema(
        {"anyOf": [{"type": "number"}, {"type": "object", "additionalProperties": {"type": "number"}}]}
    ),
]
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


class Internals(Section):
    """The pace of the daemon."""

    process_throttle_secs: float = described(
        5.0, "Longest time between two looks at open trades and orders.", unit="market s", gt=0
    )
    heartbeat_interval: float = described(60.0, "freqtrade's log line.", ge=0)
    sd_notify: bool = described(True, "freqtrade's switch for systemd.")


_STOP_KEYS = ("stop_duration", "stop_duration_candles", "unlock_at")
_METHOD_KEYS = {
    "CooldownPeriod": (),
    "StoplossGuard": ("trade_limit", "required_profit", "only_per_pair", "only_per_side"),
    "MaxDrawdown": ("trade_limit", "max_allowed_drawdown", "calculation_mode"),
    "LowProfitPairs": ("trade_limit", "required_profit", "only_per_side"),
}


class ProtectionSettings(Section):
    """One of freqtrade's protections: what allows no entry for some time after trades went badly."""

    method: Literal["CooldownPeriod", "StoplossGuard", "MaxDrawdown", "LowProfitPairs"] = described(
        ..., "Which protection."
    )
    lookback_period: int | None = described(
        None, "Closed trades that count. Left out: 60.", unit="market min", ge=1
    )
    lookback_period_candles: int | None = described(None, "The same in candles.", unit="candles", ge=1)
    stop_duration: int | None = described(
        None,
        "Length of the lock, from the close of the last trade that counted. Left out: 60.",
        unit="market min",
        ge=1,
    )
    stop_duration_candles: int | None = described(None, "The same in candles.", unit="candles", ge=1)
    unlock_at: str | None = described(
        None,
        "End of the lock as a time of the day, UTC, such as `07:30`.",
        pattern=r"^([01]?\d|2[0-3]):[0-5]?\d$",
    )
    trade_limit: int | None = described(
        None,
        "Least number of trades before it acts. Left out: 10 for StoplossGuard, else 1.",
        unit="trades",
        ge=1,
    )
    required_profit: float = described(
        0.0, "StoplossGuard counts trades below it, LowProfitPairs wants the sum to reach it. A ratio."
    )
    only_per_pair: bool = described(False, "StoplossGuard: lock pairs one by one, never all at once.")
    only_per_side: bool = described(False, "Lock the side that lost, long or short, alone.")
    max_allowed_drawdown: float = described(0.0, "MaxDrawdown: largest drawdown, a ratio.", ge=0)
    calculation_mode: Literal["ratios", "equity"] = described(
        "ratios", "MaxDrawdown: of the sum of the trades' profit ratios, or of the account."
    )

    @model_validator(mode="after")
    def _fits_its_method(self) -> Self:
        known = {
            "method",
            "lookback_period",
            "lookback_period_candles",
            *_STOP_KEYS,
            *_METHOD_KEYS[self.method],
        }
        alien = sorted(self.model_fields_set - known)
        if alien:
            raise ValueError(f"{self.method} has no {alien[0]!r}; it has {', '.join(sorted(known))}")
        for names in (_STOP_KEYS, ("lookback_period", "lookback_period_candles")):
            given = [name for name in names if getattr(self, name) is not None]
            if len(given) > 1:
                raise ValueError(f"{self.method}: write {given[0]} or {given[1]}, not both")
        return self

    @property
    def unlock_time(self) -> dt.time | None:
        """``unlock_at`` as a time of the day, UTC."""
        if self.unlock_at is None:
            return None
        hour, minute = self.unlock_at.split(":")
        return dt.time(int(hour), int(minute))


class TradingSettings(Section):
    """freqtrade's keys of the outermost object that are about trading."""

    max_open_trades: OpenTrades | None = described(
        None, f"Most trades that are open at once; -1: no limit. {_OWN}, else 3."
    )
    stake_amount: Stake | None = described(
        None,
        'Stake of a trade in stake currency, or `"unlimited"`: what may be traded with, divided by `max_open_trades`. '
        f'{_OWN}, else `"unlimited"`.',
    )
    tradable_balance_ratio: float = described(
        0.99, "Share of the account that may be traded with.", gt=0, le=1
    )
    available_capital: float | None = described(
        None,
        "Capital that this daemon began with, if others trade on the same account. Stake currency.",
        gt=0,
    )
    amend_last_stake_amount: bool = described(
        False, "Whether the last trade may have a smaller stake than `stake_amount`."
    )
    last_stake_amount_min_ratio: float = described(
        0.5, "Least such stake, as a share of `stake_amount`.", ge=0, le=1
    )
    amount_reserve_percent: float = described(
        0.05,
        "Reserve on the exchange's least amounts, so that what was bought can be sold again. A ratio.",
        ge=0,
        le=0.5,
    )
    dry_run_wallet: Wallet = described(
        1000.0,
        "What the account of the dry run begins with: an amount of the stake currency, or amounts by currency.",
    )
    fee: float | None = described(
        None, "Fee of every order of the dry run, a ratio. Left out: the exchange's own.", ge=0, le=0.1
    )
    minimal_roi: Roi | None = described(
        None, f"Profit at which a trade is closed, by the minutes since it was opened. {_OWN}."
    )
    stoploss: float | None = described(
        None,
        f"A trade is closed when it has lost that much of its entry price: -0.1 is 10 %. {_OWN}.",
        lt=0,
        ge=-1,
    )
    trailing_stop: bool | None = described(
        None, f"Whether the stop-loss follows the price up. {_OWN}, else `false`."
    )
    trailing_stop_positive: float | None = described(
        None,
        f"Distance at which it follows once the trade is in profit. {_OWN}, else as `stoploss`.",
        gt=0,
        le=1,
    )
    trailing_stop_positive_offset: float | None = described(
        None, f"Profit from which `trailing_stop_positive` counts. {_OWN}, else 0.", ge=0, le=1
    )
    trailing_only_offset_is_reached: bool | None = described(
        None, f"Whether the stop-loss does not follow before that profit. {_OWN}, else `false`."
    )
    use_custom_stoploss: bool | None = described(
        None, f"Whether the strategy's `custom_stoploss` is asked. {_OWN}, else `false`."
    )
    use_exit_signal: bool | None = described(
        None, f"Whether exit signals and `custom_exit` count. {_OWN}, else `true`."
    )
    exit_profit_only: bool | None = described(
        None, f"Whether exit signals count above `exit_profit_offset` only. {_OWN}, else `false`."
    )
    exit_profit_offset: float | None = described(
        None, f"Profit for `exit_profit_only`, a ratio. {_OWN}, else 0."
    )
    ignore_roi_if_entry_signal: bool | None = described(
        None, f"Whether ROI does not count while the entry signal stands. {_OWN}, else `false`."
    )
    ignore_buying_expired_candle_after: float | None = described(
        None, f"Age of a candle, from its close, at which its entry signal is over. {_OWN}, else 0: a whole candle.",
        unit="market s", ge=0,
    )  # fmt: skip
    position_adjustment_enable: bool | None = described(
        None, f"Whether `adjust_trade_position` is asked. {_OWN}, else `false`."
    )
    max_entry_position_adjustment: int | None = described(
        None, f"Most entries of a trade beyond its first; -1: no limit. {_OWN}, else -1.", ge=-1
    )
    unfilledtimeout: UnfilledTimeout | None = described(
        None, f"How long orders wait for their fill. {_OWN}, else as below."
    )
    order_types: OrderTypes | None = described(
        None, f"Which kinds of orders are used for what. {_OWN}, else as below."
    )
    order_time_in_force: OrderTimeInForce | None = described(
        None, f"How long orders stay in the order book. {_OWN}, else as below."
    )
    entry_pricing: EntryPricing = described(EntryPricing(), "Where the price of an entry order comes from.")
    exit_pricing: ExitPricing = described(ExitPricing(), "Where the price of an exit order comes from.")
    custom_price_max_distance_ratio: float = described(
        0.02, "Farthest that a strategy's own price may be from the proposed one.", ge=0, le=1
    )
    protections: Annotated[tuple[ProtectionSettings, ...] | None, Field(strict=False)] = described(
        None, f"What allows no entry for some time after trades went badly. {_OWN}."
    )
    cancel_open_orders_on_exit: bool = described(
        False, "Whether open entry and exit orders are cancelled when the daemon stops."
    )
    initial_state: Literal["running", "paused", "stopped"] = described(
        "running",
        "`paused`: no entries until `candled resume`. `stopped`: the same, and no exits by the daemon either.",
    )
    force_entry_enable: bool = described(False, "Whether `candled enter` is allowed.")
    db_url: str | None = described(
        None,
        "File of the trades as `sqlite:///path`. Left out: `<user_data_dir>/<identifier>.sqlite`, with `.dryrun` before "
        "the ending in a dry run.",
        pattern=r"^sqlite:///.+$",
    )
    internals: Internals = described(Internals(), "The pace of the daemon.")
