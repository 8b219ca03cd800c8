"""What must hold before a daemon trades with somebody's money: each with its own message."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from daemon.core.errors import ConfigError, Refused, Retryable
from daemon.trading.reconcile import GRACE_MS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daemon.core.pair import Pair
    from daemon.trading.broker import MarketRules, Quote
    from daemon.trading.live import LiveBroker

log = logging.getLogger(__name__)

PROVED = frozenset({"binance", "binanceus"})
"""Exchanges whose ways the tests play through, with ccxt's own client."""
READ = frozenset({"bitget", "htx", "kucoin", "mexc", "okx"})
"""Exchanges that ccxt asks for an order by our client id, without which a lost answer could not be cleared up."""

_LAG_MS = 4000
"""Longest time until a server that answers questions knows of what the one that matches orders has taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is going to be traded.

    Attributes:
        pairs: the whitelist.
        stake: of one trade, stake currency; None: a share of what the account has.
        trades: into how many shares that is divided; None: without limit.
        stake_currency: of the account.
        tied_up: what open trades hold of it: a share is one of all that there is.
        tradable: share of the account that may be used, 0.99 is 99 %.
        reserve: what an entry must be larger than the exchange's least order, 0.05 is 5 %.
        stoploss: the strategy's, below zero: after it, the rest must still be large enough to be sold.
    """

    pairs: tuple[Pair, ...]
    stake: Decimal | None
    trades: int | None
    stake_currency: str
    tied_up: Decimal = Decimal(0)
    tradable: Decimal = Decimal(1)
    reserve: Decimal = Decimal("0.05")
    stoploss: Decimal = Decimal(0)


def check_start(broker: LiveBroker, plan: Plan) -> None:
    """Ask the exchange whether all that is planned can be done.

    Raises:
        ConfigError: what cannot, and what to do about it.
        Retryable: the exchange does not answer, or this machine's clock is off; to be tried again.
    """
    check_exchange(broker)
    check_clock(broker)
    balances = broker.balances()  # refused keys are told here
    check_pairs(broker, plan)
    free = balances[plan.stake_currency].free if plan.stake_currency in balances else Decimal(0)
    check_stake(plan, {pair: broker.rules(pair) for pair in plan.pairs}, broker.quotes(plan.pairs), free)


def check_supported(exchange: str) -> None:
    """Whether this exchange is one to trade on; nobody has to be asked for that.

    Raises:
        ConfigError: which exchanges are.
    """
    if exchange not in PROVED | READ:
        raise ConfigError(
            f"exchange.name: live trading on {exchange} is not supported, because there an order whose answer was "
            f"lost cannot be asked for by our own id; supported: {', '.join(sorted(PROVED | READ))}"
        )


def check_exchange(broker: LiveBroker) -> None:
    """Whether this exchange is one to trade on, and all keys that it wants are there.

    Raises:
        ConfigError: which exchanges are, or which keys are missing.
    """
    check_supported(broker.name)
    missing = broker.missing_credentials()
    if missing:
        keys = ", ".join(f"exchange.{name}" for name in missing)
        raise ConfigError(
            f"{keys}: live trading on {broker.name} needs {'it' if len(missing) == 1 else 'them'}"
        )
    if broker.name in READ:
        fields = {"exchange": broker.name, "proved": sorted(PROVED)}
        log.warning("exchange_not_proved", extra={"fields": fields})


def check_clock(broker: LiveBroker) -> None:
    """Whether the exchange would take requests that are stamped by this machine's clock.

    They are stamped by the exchange's, as far as that is known; but who is so far off is wrong about candles, too.
    No `ConfigError`: a machine that has just started may set its clock yet, and its open trades need the daemon.

    Raises:
        Retryable: by how much it is off; or the exchange does not answer.
    """
    broker.look_at_clock()
    off_ms, (ahead_ms, behind_ms) = broker.clock_off_ms(), broker.clock_allowance_ms()
    if -behind_ms <= off_ms <= ahead_ms:
        return
    word, allowed_ms = ("ahead of", ahead_ms) if off_ms > 0 else ("behind", behind_ms)
    raise Retryable(
        f"this machine's clock is {abs(off_ms) / 1000:.1f} s {word} {broker.name}'s, which allows "
        f"{allowed_ms / 1000:.1f} s: set it (timedatectl set-ntp true)"
    )


def late_ms(broker: LiveBroker) -> int:
    """How long after its answer was lost an order may still turn up.

    Binance refuses what is stamped longer ago than its window, at the door and once more before it is matched; the
    stamp is at most so much ahead as the exchange allows. Of the others nobody has proved it.
    """
    if broker.name not in PROVED:
        return GRACE_MS
    return sum(broker.clock_allowance_ms()) + _LAG_MS


def check_pairs(broker: LiveBroker, plan: Plan) -> None:
    """Whether every pair of the whitelist is traded there.

    Raises:
        ConfigError: those that are not.
    """
    unknown = [pair for pair in plan.pairs if not broker.trades(pair)]
    if unknown:
        raise ConfigError(
            f"exchange.pair_whitelist: {broker.name} does not trade {', '.join(unknown)} on its spot market; "
            "take them out"
        )


def check_stake(
    plan: Plan, rules: Mapping[Pair, MarketRules], quotes: Mapping[Pair, Quote], free: Decimal
) -> None:
    """Whether a stake is at least the exchange's least order, for every pair of ``rules``.

    Raises:
        ConfigError: the pairs for which it is not, with their least stakes.
        Refused: a pair has no price.
    """
    stake = plan.stake
    if stake is not None:
        words = f"stake_amount {stake.normalize():f}"
    else:
        account = free + plan.tied_up
        stake = account * plan.tradable / (plan.trades or len(plan.pairs))
        words = f'stake_amount "unlimited" ({stake:.8f} of {account} {plan.stake_currency})'
    too_small = []
    for pair in rules:
        if pair not in quotes:
            raise Refused(f"{pair} has no price now")
        least = least_stake(rules[pair], quotes[pair].ask, plan)
        if stake < least:
            too_small.append(f"{pair} {least:.8f}".rstrip("0").rstrip("."))
    if too_small:
        raise ConfigError(
            f"{words} is below the exchange's least order, which is, with the reserve for the stop-loss, in "
            f"{plan.stake_currency}: {', '.join(too_small)}"
        )


def least_stake(rules: MarketRules, price: Decimal, plan: Plan) -> Decimal:
    """The smallest stake of which the rest can be sold after the stop-loss (freqtrade's rule: half as much again at most)."""
    loss = min(abs(plan.stoploss), Decimal("0.99"))
    factor = min((1 + plan.reserve) / (1 - loss), Decimal("1.5"))
    return rules.least_amount(price) * price * max(factor, Decimal(1))
