"""freqtrade's arithmetic of timeframes, as strategies import it.

Unlike `daemon.core.timeframe` it knows months and years: their candles begin with the calendar's, and
count as 30 and 365 days where a length is asked for, as in ccxt.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from daemon.core.clock import SystemClock

__all__ = [
    "date_minus_candles",
    "timeframe_to_minutes",
    "timeframe_to_msecs",
    "timeframe_to_next_date",
    "timeframe_to_prev_date",
    "timeframe_to_resample_freq",
    "timeframe_to_seconds",
]

_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "M": 2_592_000, "y": 31_536_000}
_FIRST_MONDAY_S = 4 * 86_400  # the epoch was a Thursday


def timeframe_to_seconds(timeframe: str) -> int:
    """Length of a candle in seconds.

    Raises:
        ValueError: the text is not a timeframe.
    """
    number, unit = timeframe[:-1], timeframe[-1:]
    if unit not in _UNIT_S or not number.isdecimal():
        raise ValueError(f"{timeframe!r} is not a timeframe: write a number and s, m, h, d, w, M or y")
    return int(number) * _UNIT_S[unit]


def timeframe_to_minutes(timeframe: str) -> int:
    """Length of a candle in whole minutes."""
    return timeframe_to_seconds(timeframe) // 60


def timeframe_to_msecs(timeframe: str) -> int:
    """Length of a candle in milliseconds."""
    return timeframe_to_seconds(timeframe) * 1000


def timeframe_to_resample_freq(timeframe: str) -> str:
    """The frequency by which pandas resamples to that timeframe."""
    minutes = timeframe_to_minutes(timeframe)
    if timeframe == "1y":
        return "1YS"
    if minutes >= 525_600:
        return timeframe
    if minutes >= 43_200:
        return f"{timeframe}S"  # months begin on their first day
    return "1W-MON" if minutes > 10_000 else f"{timeframe_to_seconds(timeframe)}s"


def timeframe_to_prev_date(timeframe: str, date: datetime | None = None) -> datetime:
    """Open time (UTC) of the candle that ``date`` falls into; of the one in progress if none is given."""
    return _boundary(timeframe, date, ahead=0)


def timeframe_to_next_date(timeframe: str, date: datetime | None = None) -> datetime:
    """Open time (UTC) of the candle after the one that ``date`` falls into."""
    return _boundary(timeframe, date, ahead=1)


def date_minus_candles(timeframe: str, candle_count: int, date: datetime | None = None) -> datetime:
    """Open time (UTC) of the candle that opened ``candle_count`` candles before that of ``date``."""
    length = timedelta(minutes=timeframe_to_minutes(timeframe) * candle_count)
    return timeframe_to_prev_date(timeframe, date) - length


def _boundary(timeframe: str, date: datetime | None, ahead: int) -> datetime:
    """Open time of the candle that a moment falls into, or of one ``ahead`` candles later."""
    moment_ms = int(date.timestamp() * 1000) if date else SystemClock().now_ms()
    length_s = timeframe_to_seconds(timeframe)
    if timeframe[-1] in "My":
        day = datetime.fromtimestamp(moment_ms / 1000, tz=UTC)
        months = int(timeframe[:-1]) * (12 if timeframe[-1] == "y" else 1)
        month = ((day.year * 12 + day.month - 1) // months + ahead) * months
        return datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC)
    origin_s = _FIRST_MONDAY_S if timeframe[-1] == "w" else 0
    candles = (moment_ms // 1000 - origin_s) // length_s + ahead
    return datetime.fromtimestamp(origin_s + candles * length_s, tz=UTC)
