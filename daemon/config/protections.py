"""freqtrade's protections."""

import datetime as dt
from typing import Literal, Self

from pydantic import model_validator

from daemon.config.fields import Section, described

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
