"""freqtrade's protections: which locks follow from trades that went badly. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from daemon.strategy.locks import PairLock

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from daemon.config.trading import ProtectionSettings
    from daemon.core.timeframe import Timeframe
    from daemon.strategy.persistence import Trade
    from daemon.trading.rules import TradeRules

ALL_PAIRS = "*"
_STOPS = ("stop_loss", "trailing_stop_loss", "stoploss_on_exchange", "liquidation")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verdict:
    """What a protection found: until when nothing is entered, and why."""

    until: datetime
    reason: str
    side: str = "*"


def locks_after_close(
    pair: str,
    closed: Sequence[Trade],
    *,
    now_ms: int,
    rules: TradeRules,
    starting_balance: float,
    locks: Iterable[PairLock],
    side: str = "long",
) -> list[PairLock]:
    """The locks that follow when a trade of a pair has been closed, freqtrade's "Auto lock" of a candle among them.

    Args:
        pair: of the trade.
        closed: every closed trade, the new one included, as strategies see them.
        now_ms: market time, ms UTC.
        rules: ``protections`` and the timeframe, at whose candles locks end.
        starting_balance: what the account began with, stake currency.
        locks: those that there are; one that lasts longer is not set again.
        side: of the trade.
    """
    now = datetime.fromtimestamp(now_ms / 1000, tz=UTC)
    there = [lock for lock in locks if lock.active]
    found: list[PairLock] = []

    def lock(name: str, until: datetime, reason: str, on: str) -> None:
        end = _next_candle(rules.timeframe, until)
        found.append(PairLock(pair=name, lock_time=now, lock_end_time=end, reason=reason, side=on))

    def locked(name: str, at: datetime, on: str) -> bool:
        names = (name, ALL_PAIRS)
        return any(held.pair in names and held.covers(None, at, on) for held in (*there, *found))

    lock(pair, now, "Auto lock", side)
    for name, protected in ((pair, pair), (ALL_PAIRS, None)):
        for protection in rules.protections:
            verdict = _verdict(protection, protected, closed, now, rules, starting_balance, side)
            if verdict is not None and not locked(name, verdict.until, verdict.side):
                lock(name, verdict.until, verdict.reason, verdict.side)
    return found


def drawdown(profits: Iterable[float], starting_balance: float = 0.0, *, relative: bool = False) -> float:
    """Largest fall of the sum of profits below its highest value so far, which is at least 0.

    Args:
        profits: in the order of time.
        starting_balance: what they are added to, where ``relative``.
        relative: whether the fall is a share of the highest value.
    """
    total = highest = worst = 0.0
    for profit in profits:
        total += profit
        highest = max(highest, total)
        fall, most = highest - total, starting_balance + highest
        if relative:
            fall = fall / most if most else (math.inf if fall else 0.0)
        worst = max(worst, fall)
    return worst


def _verdict(  # noqa: PLR0917 - one table of what every protection may look at
    settings: ProtectionSettings,
    pair: str | None,
    closed: Sequence[Trade],
    now: datetime,
    rules: TradeRules,
    starting_balance: float,
    side: str,
) -> _Verdict | None:
    """What a protection says of a pair (None: of all at once)."""
    since = now - timedelta(minutes=_lookback_min(settings, rules.timeframe))
    recent = [
        trade
        for trade in closed
        if trade.close_date_utc is not None and trade.close_date_utc > since and pair in (None, trade.pair)
    ]
    own = settings.only_per_side
    match settings.method:
        case "CooldownPeriod" if pair is not None:
            counted = sorted(recent, key=_close)[-1:]
            return _locked(settings, rules, counted, "Cooldown period")
        case "StoplossGuard" if pair is not None or not settings.only_per_pair:
            counted = [trade for trade in recent if _is_loss_by_stop(trade, settings.required_profit)]
            counted = [trade for trade in counted if not own or trade.trade_direction == side]
            limit = settings.trade_limit or 10
            if len(counted) < limit:
                return None
            words = f"{limit} stoplosses in {_lookback_min(settings, rules.timeframe)} min"
            return _locked(settings, rules, counted, words, side if own else "*")
        case "LowProfitPairs" if pair is not None:
            if len(recent) < (settings.trade_limit or 1):
                return None
            profit = sum(
                trade.close_profit or 0.0 for trade in recent if not own or trade.trade_direction == side
            )
            if profit >= settings.required_profit:
                return None
            words = (
                f"{profit:g} < {settings.required_profit} in {_lookback_min(settings, rules.timeframe)} min"
            )
            return _locked(settings, rules, recent, words, side if own else "*")
        case "MaxDrawdown" if pair is None:
            return _drawdown_verdict(settings, rules, closed, recent, since, starting_balance)
        case _:
            return None


def _drawdown_verdict(  # noqa: PLR0917 - the same table
    settings: ProtectionSettings,
    rules: TradeRules,
    closed: Sequence[Trade],
    recent: Sequence[Trade],
    since: datetime,
    starting_balance: float,
) -> _Verdict | None:
    if not recent or len(recent) < (settings.trade_limit or 1):
        return None
    ordered = sorted(recent, key=_close)
    if settings.calculation_mode == "equity":
        before = sum(trade.close_profit_abs or 0.0 for trade in closed if _close(trade) <= since)
        profits = [trade.close_profit_abs or 0.0 for trade in ordered]
        found = drawdown(profits, starting_balance + before, relative=True)
    else:
        found = drawdown(trade.close_profit or 0.0 for trade in ordered)
    if not found > settings.max_allowed_drawdown:
        return None
    words = f"drawdown {found:g} > {settings.max_allowed_drawdown} in {_lookback_min(settings, rules.timeframe)} min"
    return _locked(settings, rules, recent, words)


def _locked(
    settings: ProtectionSettings, rules: TradeRules, trades: Sequence[Trade], words: str, side: str = "*"
) -> _Verdict | None:
    if not trades:
        return None
    last = max(_close(trade) for trade in trades)
    at = settings.unlock_time
    if at is not None:
        until = last.replace(hour=at.hour, minute=at.minute)
        until += timedelta(days=1) if until < last else timedelta(0)
    elif settings.stop_duration_candles is not None:
        until = last + timedelta(milliseconds=settings.stop_duration_candles * rules.timeframe.ms)
    else:
        until = last + timedelta(minutes=settings.stop_duration or 60)
    reason = f"{settings.method}: {words}, locked until {until:%Y-%m-%d %H:%M}"
    return _Verdict(until=until, reason=reason, side=side)


def _lookback_min(settings: ProtectionSettings, timeframe: Timeframe) -> int:
    if settings.lookback_period_candles is not None:
        return settings.lookback_period_candles * timeframe.ms // 60_000
    return settings.lookback_period or 60


def _is_loss_by_stop(trade: Trade, limit: float) -> bool:
    return trade.exit_reason in _STOPS and bool(trade.close_profit) and (trade.close_profit or 0.0) < limit


def _close(trade: Trade) -> datetime:
    return trade.close_date_utc or datetime.fromtimestamp(0, UTC)


def _next_candle(timeframe: Timeframe, moment: datetime) -> datetime:
    """The first candle that opens after a moment: a lock ends with a candle."""
    opened_ms = timeframe.floor(int(moment.timestamp() * 1000)) + timeframe.ms
    return datetime.fromtimestamp(opened_ms / 1000, tz=UTC)
