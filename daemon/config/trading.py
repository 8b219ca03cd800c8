"""freqtrade's keys for trading: the account, orders, exits, protections.

Where a key says "the strategy's own", the strategy may have an attribute of that name; what the configuration says
wins over it, as in freqtrade.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from daemon.config.fields import Section, described
from daemon.config.orders import EntryPricing, ExitPricing, OrderTimeInForce, OrderTypes, UnfilledTimeout
from daemon.config.protections import ProtectionSettings

__all__ = [
    "UNLIMITED",
    "EntryPricing",
    "ExitPricing",
    "Internals",
    "OrderTimeInForce",
    "OrderTypes",
    "ProtectionSettings",
    "TradingSettings",
    "UnfilledTimeout",
]

UNLIMITED = "unlimited"

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


class Internals(Section):
    """The pace of the daemon."""

    process_throttle_secs: float = described(
        5.0, "Longest time between two looks at open trades and orders.", unit="market s", gt=0
    )
    heartbeat_interval: float = described(60.0, "freqtrade's log line.", ge=0)
    sd_notify: bool = described(True, "freqtrade's switch for systemd.")


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
