"""An entry: its price, its stake, and whether the strategy confirms it. Pure but for the callbacks."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from daemon.core.errors import Refused
from daemon.trading.orders import ZERO, Leg, OrderType, Side
from daemon.trading.plans import OrderPlan, order_type
from daemon.trading.prices import bounded_price, order_price
from daemon.trading.stakes import bounded_stake, least_stake, most_stake, proposed_stake

if TYPE_CHECKING:
    from daemon.core.pair import Pair
    from daemon.strategy.persistence import Trade
    from daemon.trading.account import Account
    from daemon.trading.terms import Terms


class EntryMode(enum.StrEnum):
    """What an entry order is for; it decides which callbacks are asked."""

    SIGNAL = "signal"
    """Opens a trade because the strategy's entry signal stands."""
    FORCED = "forced"
    """Opens a trade by command."""
    ADD = "add"
    """Adds to a trade because `adjust_trade_position` says so."""
    REPLACE = "replace"
    """Takes the place of an entry order that was cancelled for a new price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryWish:
    """What is to be entered.

    Attributes:
        pair: what is bought.
        price: by ``entry_pricing``, or the new price where the mode is `EntryMode.REPLACE`; quote currency.
        now_ms: market time, ms UTC.
        mode: what it is for.
        tag: the strategy's, empty if none.
        stake: wanted stake; None: by ``stake_amount``.
        trade: the trade that is added to, as strategies see it; None opens one.
        room: most that the limits of risk leave, stake currency; None: no limit.
    """

    pair: Pair
    price: Decimal
    now_ms: int
    mode: EntryMode = EntryMode.SIGNAL
    tag: str = ""
    stake: Decimal | None = None
    trade: Trade | None = None
    room: Decimal | None = None


def plan_entry(wish: EntryWish, account: Account, terms: Terms) -> OrderPlan:
    """The entry order that follows from a wish.

    Raises:
        Refused: no such order may be sent: with the bound that it does not meet, or that the strategy denies it.
        StrategyError: a callback raised; there is no order then.
    """
    rules, market = terms.rules, terms.market
    price = _price(wish, terms)
    stake = _stake(wish, price, account, terms)
    kinds = rules.order_types
    kind = (kinds.force_entry or kinds.entry) if wish.mode is EntryMode.FORCED else kinds.entry
    kind = "limit" if wish.mode is EntryMode.REPLACE else kind
    price = order_price(Side.BUY, price, market)
    if not price > 0:
        raise Refused(f"{wish.pair}: no price above 0 for an entry")
    amount = market.amount(stake / price)
    market.check(amount, price, market=kind == "market")
    tif = rules.time_in_force.entry
    if wish.mode in (EntryMode.SIGNAL, EntryMode.FORCED) and not terms.callbacks.confirm_trade_entry(
        wish.pair,
        now_ms=wish.now_ms,
        order_type=kind,
        amount=float(amount),
        rate=float(price),
        time_in_force=tif,
        entry_tag=wish.tag or None,
        side="long",
    ):
        raise Refused(f"{wish.pair}: confirm_trade_entry denied the entry")
    limit = order_type(kind) is OrderType.LIMIT
    return OrderPlan(
        pair=wish.pair,
        leg=Leg.ENTRY,
        side=Side.BUY,
        type=order_type(kind),
        amount=amount,
        expected=price,
        price=price if limit else None,
        time_in_force=tif if limit else "GTC",
        reason=wish.tag,
        detail=f"{wish.mode}: stake {amount * price:f} {rules.stake_currency} at {price:f}",
    )


def _price(wish: EntryWish, terms: Terms) -> Decimal:
    if wish.mode is EntryMode.REPLACE:  # the strategy has just named this price
        return wish.price
    custom = terms.callbacks.custom_entry_price(
        wish.pair,
        wish.trade,
        now_ms=wish.now_ms,
        proposed_rate=float(wish.price),
        entry_tag=wish.tag or None,
        side="long",
    )
    if custom == float(wish.price):
        return wish.price
    return bounded_price(custom, wish.price, terms.rules.custom_price_max_distance_ratio)


def _stake(wish: EntryWish, price: Decimal, account: Account, terms: Terms) -> Decimal:
    rules, market = terms.rules, terms.market
    available = account.available_stake(rules)
    if wish.room is not None:
        available = min(available, wish.room)
    adding = wish.mode is EntryMode.ADD
    least = least_stake(market, price, 0.0 if adding else rules.stoploss, rules)
    most = most_stake(market, price)
    wanted = proposed_stake(account, rules) if wish.stake is None else wish.stake
    if wish.trade is None:
        wanted = _exact(
            terms.callbacks.custom_stake_amount(
                wish.pair,
                now_ms=wish.now_ms,
                proposed_stake=float(wanted),
                current_rate=float(price),
                min_stake=float(least) or None,
                max_stake=float(available if most is None else min(most, available)),
                leverage=1.0,
                entry_tag=wish.tag or None,
                side="long",
            ),
            wanted,
        )
    already = _exact(wish.trade.stake_amount) if wish.trade is not None else ZERO
    try:
        return bounded_stake(wanted, least=least, most=most, available=available, already=already)
    except Refused as exc:
        raise Refused(f"{wish.pair}: {exc}") from None


def _exact(value: float, same: Decimal | None = None) -> Decimal:
    """The number exactly; the exact one that it came from, if it is that."""
    return same if same is not None and value == float(same) else Decimal(str(value))
