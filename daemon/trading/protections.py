"""freqtrade's protections: which locks follow from trades that went badly. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from daemon.strategy.locks import PairLock

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from daemon.config.protections import ProtectionSettings
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
    earned: float,
    locks: Iterable[PairLock],
    side: str = "long",
) -> list[PairLock]:
    """The locks that follow when a trade of a pair has been closed, freqtrade's "Auto lock" of a candle among them.

    Args:
        pair: of the trade.
        closed: trades that were closed within the `longest_look_back_ms`, the new one included, as strategies see them;
            older ones do no harm.
        now_ms: market time, ms UTC.
        rules: ``protections`` and the timeframe, at whose candles locks end.
        starting_balance: what the account began with, stake currency.
        earned: by all closed trades, ever, stake currency.
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
        for settings in rules.protections:
            look = _Look(
                settings=settings,
                timeframe=rules.timeframe,
                pair=protected,
                closed=closed,
                now=now,
                starting_balance=starting_balance,
                earned=earned,
                side=side,
            )
            verdict = _METHODS[settings.method](look)
            if verdict is not None and not locked(name, verdict.until, verdict.side):
                lock(name, verdict.until, verdict.reason, verdict.side)
    return found


def longest_look_back_ms(rules: TradeRules) -> int:
    """How far back the protections look, ms; 0 without any."""
    return max((_lookback_min(each, rules.timeframe) * 60_000 for each in rules.protections), default=0)


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


@dataclass(frozen=True, kw_only=True)
class _Look:
    """What a protection looks at: the trades of one pair (None: of all), closed within its look-back."""

    settings: ProtectionSettings
    timeframe: Timeframe
    pair: str | None
    closed: Sequence[Trade]
    now: datetime
    starting_balance: float
    earned: float
    side: str

    @property
    def lookback_min(self) -> int:
        """Length of the look-back, minutes."""
        return _lookback_min(self.settings, self.timeframe)

    @property
    def since(self) -> datetime:
        """Start of the look-back."""
        return self.now - timedelta(minutes=self.lookback_min)

    @property
    def recent(self) -> list[Trade]:
        """Trades that count, oldest close first."""
        found = (
            trade for trade in self.closed if self.pair in (None, trade.pair) and _close(trade) > self.since
        )
        return sorted(found, key=_close)

    @property
    def locked_side(self) -> str:
        """Side that a lock is of."""
        return self.side if self.settings.only_per_side else "*"

    def own(self, trades: Iterable[Trade]) -> list[Trade]:
        """Those of the side alone, where it asks for that."""
        return [trade for trade in trades if self.locked_side in ("*", trade.trade_direction)]

    def lock(self, trades: Sequence[Trade], words: str) -> _Verdict:
        """The lock that counts from the last close of these trades."""
        settings, last = self.settings, max(_close(trade) for trade in trades)
        at = settings.unlock_time
        if at is not None:
            until = last.replace(hour=at.hour, minute=at.minute)
            until += timedelta(days=1) if until < last else timedelta(0)
        elif settings.stop_duration_candles is not None:
            until = last + timedelta(milliseconds=settings.stop_duration_candles * self.timeframe.ms)
        else:
            until = last + timedelta(minutes=settings.stop_duration or 60)
        reason = f"{settings.method}: {words}, locked until {until:%Y-%m-%d %H:%M}"
        return _Verdict(until=until, reason=reason, side=self.locked_side)


def _cooldown(look: _Look) -> _Verdict | None:
    recent = look.recent
    return look.lock(recent, "a trade was closed") if recent and look.pair is not None else None


def _stoploss_guard(look: _Look) -> _Verdict | None:
    settings, limit = look.settings, look.settings.trade_limit or 10
    counted = look.own(trade for trade in look.recent if _is_loss_by_stop(trade, settings.required_profit))
    if len(counted) < limit or (look.pair is None and settings.only_per_pair):
        return None
    return look.lock(counted, f"{limit} stoplosses in {look.lookback_min} min")


def _low_profit_pairs(look: _Look) -> _Verdict | None:
    recent, wanted = look.recent, look.settings.required_profit
    profit = sum(trade.close_profit or 0.0 for trade in look.own(recent))
    if look.pair is None or len(recent) < (look.settings.trade_limit or 1) or profit >= wanted:
        return None
    return look.lock(recent, f"profit {profit:g} < {wanted} in {look.lookback_min} min")


def _max_drawdown(look: _Look) -> _Verdict | None:
    recent, most = look.recent, look.settings.max_allowed_drawdown
    if look.pair is not None or len(recent) < (look.settings.trade_limit or 1):
        return None
    if look.settings.calculation_mode == "equity":
        profits = [trade.close_profit_abs or 0.0 for trade in recent]
        before = look.earned - sum(profits)
        found = drawdown(profits, look.starting_balance + before, relative=True)
    else:
        found = drawdown(trade.close_profit or 0.0 for trade in recent)
    return (
        look.lock(recent, f"drawdown {found:g} > {most} in {look.lookback_min} min") if found > most else None
    )


_METHODS = {
    "CooldownPeriod": _cooldown,
    "StoplossGuard": _stoploss_guard,
    "LowProfitPairs": _low_profit_pairs,
    "MaxDrawdown": _max_drawdown,
}


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
