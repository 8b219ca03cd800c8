"""What trading has earned: sums over trades, for `candled profit` and for whoever reads figures. Pure."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from decimal import localcontext
from itertools import accumulate
from types import MappingProxyType
from typing import TYPE_CHECKING

from daemon.trading.orders import EXACT, ZERO
from daemon.trading.positions import added, position_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from decimal import Decimal

    from daemon.core.pair import Pair
    from daemon.trading.positions import Position
    from daemon.trading.records import TradeRecord

_DAY_MS = 86_400_000
_DAYS_A_YEAR = 365


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Closed trades of one kind.

    Attributes:
        name: the pair, or the exit's reason.
        trades: how many.
        wins: how many of them earned something.
        profit: of all, stake currency, fees included.
        mean_ratio: mean of the trades' profits by what each paid, 0.01 is 1 %.
    """

    name: str
    trades: int
    wins: int
    profit: Decimal
    mean_ratio: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawdown:
    """The deepest fall of the profit of closed trades from its highest point before (at first: nothing earned).

    Attributes:
        absolute: stake currency; 0 if it never fell.
        ratio: by the account at the high, 0.1 is 10 %.
        high_ms: when the high was reached, ms UTC; None if it never fell, or fell from the beginning on.
        low_ms: when the low was.
    """

    absolute: Decimal = ZERO
    ratio: Decimal = ZERO
    high_ms: int | None = None
    low_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Profit in one stake currency.

    Attributes:
        currency: the stake currency.
        beginning: what the account began with, stake currency.
        closed: all closed trades that were filled.
        open_trades: how many are open and hold something.
        profit: of the closed trades and of what open ones have sold, stake currency, fees in it and in the pair's base
            included, those in a third currency at their price of then.
        ratio: ``profit`` by ``beginning``, 0.1 is 10 %; 0 if that is not known.
        open_profit: what selling all that is held at the given prices would add; None if a price is missing.
        fees: currency -> paid in it, rebates subtracted, open trades included.
        unvalued: the part of them that is not in ``profit``, because nobody knows its price.
        drawdown: see `Drawdown`.
        sharpe: of the daily profits by ``beginning``, of all days (UTC) from the first fill to the last exit, times the
            root of 365; None for fewer than two days or profits that never differ.
        best: the closed trade that earned most; None without any.
        worst: the one that lost most.
        pairs: by pair, the largest profit first.
        reasons: by reason of the exit, the largest profit first.
        first_ms: first fill, ms UTC; None without any.
        last_ms: last fill.
    """

    currency: str
    beginning: Decimal
    closed: Part
    open_trades: int
    profit: Decimal
    ratio: Decimal
    open_profit: Decimal | None
    fees: Mapping[str, Decimal]
    unvalued: Mapping[str, Decimal]
    drawdown: Drawdown
    sharpe: float | None
    best: TradeRecord | None
    worst: TradeRecord | None
    pairs: tuple[Part, ...]
    reasons: tuple[Part, ...]
    first_ms: int | None
    last_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Result:
    """A trade with what it came to."""

    trade: TradeRecord
    position: Position
    profit: Decimal
    ratio: Decimal


def summary(
    trades: Iterable[TradeRecord],
    *,
    currency: str,
    beginning: Decimal = ZERO,
    prices: Mapping[Pair, Decimal] = MappingProxyType({}),
) -> Summary:
    """Sum up trades.

    Args:
        trades: of the ledger; those in other stake currencies, and those that were never filled, are left out.
        currency: the stake currency.
        beginning: what the account began with, stake currency.
        prices: at which the open ones could be sold now.
    """
    with localcontext(EXACT):
        results = [_result(trade) for trade in trades if trade.stake_currency == currency]
        results = [each for each in results if each.position.bought]
        closed = [each for each in results if not each.trade.is_open]
        closed.sort(key=lambda each: (each.trade.closed_ms or 0, each.trade.trade_id))
        held = [each for each in results if each.trade.is_open]
        profit = sum((each.profit for each in results), ZERO)
        fees: dict[str, Decimal] = {}
        unvalued: dict[str, Decimal] = {}
        for each in results:
            fees = added(fees, each.position.fees)
            unvalued = added(unvalued, each.position.unvalued)
        return Summary(
            currency=currency,
            beginning=beginning,
            closed=_part("all", closed),
            open_trades=len(held),
            profit=profit,
            ratio=profit / beginning if beginning > 0 else ZERO,
            open_profit=_open_profit(held, prices),
            fees=MappingProxyType(fees),
            unvalued=MappingProxyType(unvalued),
            drawdown=drawdown([(each.trade.closed_ms or 0, each.profit) for each in closed], beginning),
            sharpe=_sharpe(closed, beginning),
            best=max(closed, key=lambda each: each.profit).trade if closed else None,
            worst=min(closed, key=lambda each: each.profit).trade if closed else None,
            pairs=_parts(closed, lambda trade: str(trade.pair)),
            reasons=_parts(closed, lambda trade: trade.exit_reason or "unknown"),
            first_ms=min((each.position.first_ms or 0 for each in results), default=None),
            last_ms=max((each.position.last_ms or 0 for each in results), default=None),
        )


def _result(trade: TradeRecord) -> _Result:
    position = position_of(trade)
    # What a closed trade has left is dust: it was paid for and brings nothing.
    profit = position.realized if trade.is_open else position.received - position.paid
    return _Result(
        trade=trade,
        position=position,
        profit=profit,
        ratio=profit / position.paid if position.paid else ZERO,
    )


def _open_profit(held: Iterable[_Result], prices: Mapping[Pair, Decimal]) -> Decimal | None:
    total = ZERO
    for each in held:
        price = prices.get(each.trade.pair)
        if price is None:
            return None
        total += each.position.amount * price - each.position.cost
    return total


def _part(name: str, closed: Sequence[_Result]) -> Part:
    ratios = [each.ratio for each in closed]
    return Part(
        name=name,
        trades=len(closed),
        wins=sum(each.profit > 0 for each in closed),
        profit=sum((each.profit for each in closed), ZERO),
        mean_ratio=sum(ratios, ZERO) / len(ratios) if ratios else ZERO,
    )


def _parts(closed: Iterable[_Result], kind: Callable[[TradeRecord], str]) -> tuple[Part, ...]:
    groups: dict[str, list[_Result]] = {}
    for each in closed:
        groups.setdefault(kind(each.trade), []).append(each)
    parts = (_part(name, group) for name, group in groups.items())
    return tuple(sorted(parts, key=lambda part: (-part.profit, part.name)))


def drawdown(profits: Sequence[tuple[int, Decimal]], beginning: Decimal) -> Drawdown:
    """The deepest fall of an account.

    Args:
        profits: (ms UTC, what was earned then, stake currency), oldest first.
        beginning: what the account began with, stake currency.
    """
    deepest, high, high_ms = Drawdown(), ZERO, None
    sums = accumulate((profit for _, profit in profits), EXACT.add)
    for (at_ms, _), earned in zip(profits, sums, strict=True):
        if earned > high:
            high, high_ms = earned, at_ms
        fall, account = high - earned, beginning + high
        if fall > deepest.absolute:
            ratio = EXACT.divide(fall, account) if account > 0 else ZERO
            deepest = Drawdown(absolute=fall, ratio=ratio, high_ms=high_ms, low_ms=at_ms)
    return deepest


def _sharpe(closed: Sequence[_Result], beginning: Decimal) -> float | None:
    """W. F. Sharpe, "The Sharpe Ratio" (1994), with a riskless return of 0."""
    if not closed or beginning <= 0:
        return None
    first = min(each.position.first_ms or 0 for each in closed) // _DAY_MS
    last = max(each.trade.closed_ms or 0 for each in closed) // _DAY_MS
    days = [0.0] * (last - first + 1)
    for each in closed:
        days[(each.trade.closed_ms or 0) // _DAY_MS - first] += float(each.profit / beginning)
    spread = statistics.stdev(days) if len(days) > 1 else 0.0
    return statistics.fmean(days) / spread * math.sqrt(_DAYS_A_YEAR) if spread else None
