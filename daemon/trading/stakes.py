"""How much a trade may bind: freqtrade's sizing. Pure; stake currency, exact."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from daemon.core.errors import Refused
from daemon.trading.orders import ZERO

if TYPE_CHECKING:
    from daemon.trading.account import Account
    from daemon.trading.broker import MarketRules
    from daemon.trading.rules import TradeRules

_MOST_RESERVE = Decimal("1.5")
_MOST_RAISE = Decimal("1.3")


def proposed_stake(account: Account, rules: TradeRules) -> Decimal:
    """The stake of a new trade by ``stake_amount``, before the strategy is asked.

    Raises:
        Refused: the account does not have it.
    """
    available = account.available_stake(rules)
    stake = rules.stake_amount
    if stake is None:
        most = rules.most_trades
        if not most:
            return ZERO
        stake = min((available + account.tied_up) / most, available)
    if rules.amend_last_stake_amount:
        least = stake * rules.last_stake_amount_min_ratio
        stake = min(stake, available) if available > least else ZERO
    if available < stake:
        raise Refused(
            f"stake {stake:f} {rules.stake_currency} is more than the {max(available, ZERO):f} that are available"
        )
    return max(stake, ZERO)


def least_stake(market: MarketRules, price: Decimal, stoploss: float, rules: TradeRules) -> Decimal:
    """The smallest stake whose coins can still be sold after the stop-loss: the exchange's least order and a reserve.

    Args:
        market: the exchange's rules for the pair.
        price: of the entry.
        stoploss: below zero; 0 where the trade is open already.
        rules: ``amount_reserve_percent``.

    Returns:
        0 if the exchange has no least order.
    """
    margin = 1 + rules.amount_reserve_percent
    loss = abs(Decimal(str(stoploss)))
    reserve = _MOST_RESERVE if loss == 1 else margin / (1 - loss)
    reserve = max(min(reserve, _MOST_RESERVE), Decimal(1))
    return max(market.min_cost * reserve, market.min_amount * price * margin)


def most_stake(market: MarketRules, price: Decimal) -> Decimal | None:
    """The largest stake that the exchange takes in one order, at the market too, where it may have to be sold; None: any."""
    amounts = (market.max_amount, market.max_market_amount)
    limits = [market.max_cost, *(amount * price for amount in amounts if amount is not None)]
    return min((limit for limit in limits if limit is not None), default=None)


def bounded_stake(
    wanted: Decimal, *, least: Decimal, most: Decimal | None, available: Decimal, already: Decimal = ZERO
) -> Decimal:
    """The wanted stake within its bounds, as freqtrade fits it.

    Args:
        wanted: by ``stake_amount`` or the strategy.
        least: see `least_stake`; a stake that is less than 30 % below it is raised to it.
        most: see `most_stake`; what is above is cut.
        available: what the account has; what is above is cut.
        already: stake of the trade that is added to; it may not outgrow ``most``, or it could not be sold at once.

    Raises:
        Refused: with the bound that it cannot meet.
    """
    if not wanted > 0:
        raise Refused(f"the stake is {wanted:f}")
    allowed = available if most is None else min(available, most, most - already)
    if least > allowed:
        raise Refused(
            f"the least stake {_shown(least)} is more than the {_shown(max(allowed, ZERO))} that are available"
        )
    if wanted < least:
        if wanted * _MOST_RAISE < least:
            raise Refused(f"stake {_shown(wanted)} is more than 30 % below the least stake {_shown(least)}")
        wanted = least
    return min(wanted, allowed)


def _shown(amount: Decimal) -> str:
    return f"{amount:.8g}"
