"""Adding to a trade or taking some of it out: ``adjust_trade_position``. Pure but for the callback."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from daemon.trading.exits import ExitDecision, ExitKind
from daemon.trading.orders import ZERO
from daemon.trading.stakes import least_stake, most_stake

if TYPE_CHECKING:
    from daemon.strategy.persistence import Trade
    from daemon.trading.account import Account
    from daemon.trading.terms import Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """What the strategy wants to change about a position.

    Attributes:
        stake: to add, stake currency; 0 where some is taken out.
        amount: to take out, base currency, of the exchange's precision; 0 where some is added.
        tag: the strategy's, empty if none.
        decision: why, where some is taken out.
    """

    stake: Decimal = ZERO
    amount: Decimal = ZERO
    tag: str = ""
    decision: ExitDecision | None = None


def adjustment(
    trade: Trade,
    *,
    entry_rate: Decimal,
    exit_rate: Decimal,
    now_ms: int,
    account: Account,
    terms: Terms,
) -> tuple[Adjustment | None, str]:
    """Ask the strategy about an open trade.

    Args:
        trade: as strategies see it.
        entry_rate: by ``entry_pricing``, quote currency.
        exit_rate: by ``exit_pricing``.
        now_ms: market time, ms UTC.
        account: what is available.
        terms: ``position_adjustment_enable``, ``max_entry_position_adjustment``, ``adjust_trade_position``.

    Returns:
        What is wanted and possible, else None; and why what is wanted is not possible (empty if nothing was wanted).

    Raises:
        StrategyError: the callback raised; nothing is changed then.
    """
    rules = terms.rules
    if not rules.position_adjustment_enable or not (trade.has_open_position or trade.has_open_orders):
        return None, ""
    stake, tag = terms.callbacks.adjust_trade_position(
        trade, now_ms=now_ms, **_named(trade, entry_rate, exit_rate, account, terms)
    )
    most = rules.max_entry_position_adjustment
    if stake > 0:
        if -1 < most < trade.nr_of_successful_entries:
            return None, f"{trade.pair}: the trade has its {most} further entries already"
        return Adjustment(stake=Decimal(str(stake)), tag=tag), ""
    if stake < 0 and trade.has_open_position:
        return _reduction(trade, Decimal(str(-stake)), tag, exit_rate, terms)
    return None, ""


def _named(
    trade: Trade,
    entry_rate: Decimal,
    exit_rate: Decimal,
    account: Account,
    terms: Terms,
) -> dict[str, float | None]:
    rules, market = terms.rules, terms.market
    available, most = account.available_stake(rules), most_stake(market, entry_rate)
    entry_profit = trade.calc_profit_ratio(float(entry_rate))
    return {
        "current_rate": float(entry_rate),
        "current_profit": entry_profit,
        "min_stake": float(least_stake(market, entry_rate, 0.0, rules)) or None,
        "max_stake": float(available if most is None else min(most, available)),
        "current_entry_rate": float(entry_rate),
        "current_exit_rate": float(exit_rate),
        "current_entry_profit": entry_profit,
        "current_exit_profit": trade.calc_profit_ratio(float(exit_rate)),
    }


def _reduction(
    trade: Trade, stake: Decimal, tag: str, exit_rate: Decimal, terms: Terms
) -> tuple[Adjustment | None, str]:
    rules, market = terms.rules, terms.market
    held = Decimal(str(trade.amount))
    amount = market.amount(min(stake * held / Decimal(str(trade.stake_amount)), held))
    if not amount > 0:
        return None, f"{trade.pair}: {stake:f} is less than the exchange's least amount"
    left = (held - amount) * exit_rate
    least = least_stake(market, exit_rate, rules.stoploss, rules)
    if left and left < least:
        return None, f"{trade.pair}: what would be left ({left:f}) is less than the least stake {least:f}"
    decision = ExitDecision(
        kind=ExitKind.PARTIAL_EXIT,
        reason=tag or ExitKind.PARTIAL_EXIT.value,
        detail=f"partial_exit: adjust_trade_position took out {stake:f} of {trade.stake_amount:g}",
    )
    return Adjustment(amount=amount, tag=tag, decision=decision), ""
