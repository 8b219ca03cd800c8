"""Limits that no strategy can move (``candled.risk``). Pure: the state is kept in the ledger, so a restart changes nothing."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from daemon.trading.orders import ZERO

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from daemon.config.own import RiskSettings
    from daemon.core.pair import Pair
    from daemon.trading.account import Account
    from daemon.trading.broker import Balance

DAY_MS = 86_400_000
_MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskState:
    """What the limits have seen. Worths are in stake currency.

    Attributes:
        day_ms: start of the day (UTC) that is watched, ms UTC.
        day_worth: what the account was worth at its start.
        peak_worth: the most that it has been worth since the last reset.
        put_in: what was put into the account when it was looked at last; None for unknown.
        day_breach: why the day's loss is too great; empty if it is not. It ends with the day.
        drawdown_breach: why the drawdown is too great; empty if it is not. It stays until it is reset.
    """

    day_ms: int
    day_worth: Decimal
    peak_worth: Decimal
    put_in: Decimal | None = None
    day_breach: str = ""
    drawdown_breach: str = ""

    def stored(self) -> dict[str, Any]:
        """As JSON values, for the ledger."""
        return {
            key: str(value) if isinstance(value, Decimal) else value for key, value in asdict(self).items()
        }

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> RiskState:
        """Back from JSON values."""
        names = ("day_worth", "peak_worth", "put_in")
        worths = {key: Decimal(stored[key]) for key in names if stored.get(key) is not None}
        return cls(**{**stored, **worths})


def worth_of(
    stake_currency: str, balances: Mapping[str, Balance], held: Iterable[tuple[Decimal, Decimal]]
) -> Decimal:
    """What the account is worth: its stake currency, and what the open trades hold at a price.

    Args:
        stake_currency: of the configuration.
        balances: of the account.
        held: amount and price of each position.
    """
    cash = balances[stake_currency].total if stake_currency in balances else ZERO
    return cash + sum((amount * price for amount, price in held), ZERO)


def observed(
    state: RiskState | None, worth: Decimal, now_ms: int, limits: RiskSettings, put_in: Decimal = ZERO
) -> RiskState:
    """The state after a look at what the account is worth; a breach stays even if the worth recovers.

    Args:
        state: as it was; None at the very first look.
        worth: see `worth_of`, now.
        now_ms: market time, ms UTC.
        limits: of the configuration.
        put_in: what was put into the account in all, less what was taken out: that is neither won nor lost.
    """
    day_ms = now_ms // DAY_MS * DAY_MS
    if state is None:
        state = RiskState(day_ms=day_ms, day_worth=worth, peak_worth=worth)
    if state.put_in is not None:
        state = moved(state, put_in - state.put_in)
    if day_ms > state.day_ms:
        state = replace(state, day_ms=day_ms, day_worth=worth, day_breach="")
    state = replace(state, peak_worth=max(state.peak_worth, worth), put_in=put_in)
    day, drawdown = state.day_breach, state.drawdown_breach
    if not day and _too_much(state.day_worth, worth, limits.max_daily_loss):
        day = f"max_daily_loss {limits.max_daily_loss:.2%}: worth {worth:f}, {state.day_worth:f} at the day's start"
    if not drawdown and _too_much(state.peak_worth, worth, limits.max_drawdown):
        drawdown = f"max_drawdown {limits.max_drawdown:.2%}: worth {worth:f}, once {state.peak_worth:f}"
    return replace(state, day_breach=day, drawdown_breach=drawdown)


def moved(state: RiskState, amount: Decimal) -> RiskState:
    """The state after money came in (or, below zero, went out) that was neither won nor lost."""
    return replace(state, day_worth=state.day_worth + amount, peak_worth=state.peak_worth + amount)


def breaches(state: RiskState | None, limits: RiskSettings) -> tuple[str, ...]:
    """What bars entries now. A limit that was taken out of the configuration bars nothing."""
    if state is None:
        return ()
    found = (
        state.day_breach if limits.max_daily_loss is not None else "",
        state.drawdown_breach if limits.max_drawdown is not None else "",
    )
    return tuple(filter(None, found))


def room(limits: RiskSettings, account: Account, pair: Pair) -> Decimal | None:
    """The most that may still be bound in a pair, stake currency; None: there is no limit."""
    left = []
    if limits.max_stake_per_pair is not None:
        left.append(Decimal(str(limits.max_stake_per_pair)) - account.by_pair.get(pair, ZERO))
    if limits.max_stake is not None:
        left.append(Decimal(str(limits.max_stake)) - account.tied_up)
    return max(min(left), ZERO) if left else None


def too_many_orders(limits: RiskSettings, sent_ms: Iterable[int], now_ms: int) -> str:
    """Why no further entry may be sent now; empty if one may.

    Args:
        limits: ``max_orders_per_minute``.
        sent_ms: when the newest orders were sent, by the ledger, ms UTC.
        now_ms: market time, ms UTC.
    """
    most = limits.max_orders_per_minute
    count = sum(now_ms - _MINUTE_MS < at_ms <= now_ms for at_ms in sent_ms)
    return f"max_orders_per_minute {most}: {count} in the last minute" if most and count >= most else ""


def _too_much(before: Decimal, now: Decimal, limit: float | None) -> bool:
    return limit is not None and before > 0 and (before - now) / before >= Decimal(str(limit))
