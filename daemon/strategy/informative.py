"""Columns of other timeframes and other pairs in a strategy's frame, without look-ahead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd

from daemon.core.errors import StrategyError
from daemon.core.pair import Pair
from daemon.strategy.compat.timeframes import timeframe_to_minutes

if TYPE_CHECKING:
    from daemon.strategy.interface import IStrategy

__all__ = ["informative", "merge_informative_pair"]

_MARK = "_candled_informative"
_F = TypeVar("_F", bound=Callable[..., pd.DataFrame])


def merge_informative_pair(  # noqa: PLR0917 - freqtrade's interface
    dataframe: pd.DataFrame,
    informative: pd.DataFrame,
    timeframe: str,
    timeframe_inf: str,
    ffill: bool = True,
    append_timeframe: bool = True,
    date_column: str = "date",
    suffix: str | None = None,
) -> pd.DataFrame:
    """A frame with the columns of another, each row seeing the newest candle that was closed then.

    A candle of one hour that opens at 14:00 is seen from the five-minute candle on that closes at 15:00.
    Where the other frame has no candle for a moment, the one before is kept (``ffill``).

    Args:
        dataframe: base candles, sorted by ``date``.
        informative: candles of the other timeframe with their indicators, sorted by date.
        timeframe: base timeframe.
        timeframe_inf: the other timeframe, not shorter.
        ffill: fill rows between two candles.
        append_timeframe: name the columns ``<column>_<timeframe_inf>``.
        date_column: open times in ``informative``.
        suffix: name the columns ``<column>_<suffix>`` instead.

    Raises:
        ValueError: the other timeframe is shorter, or both ways of naming are asked for.
    """
    if suffix and append_timeframe:
        raise ValueError("You can not specify `append_timeframe` as True and a `suffix`.")
    visible = pd.Index(_visible_from(informative[date_column], timeframe, timeframe_inf))
    ending = timeframe_inf if append_timeframe else suffix
    other = informative.set_axis(pd.RangeIndex(len(informative)))
    if ending:
        other = other.set_axis([f"{column}_{ending}" for column in other.columns], axis=1)
    rows = visible.get_indexer(pd.Index(dataframe["date"]))  # -1: no candle becomes visible then
    if ffill:
        rows = _filled(rows)
    base = dataframe.set_axis(pd.RangeIndex(len(dataframe)))
    same = base.columns.intersection(other.columns)
    base = base.rename(columns={name: f"{name}_x" for name in same})
    other = other.rename(columns={name: f"{name}_y" for name in same})
    return pd.concat([base, other.reindex(rows).set_axis(base.index)], axis=1)


def _visible_from(opened: pd.Series, timeframe: str, timeframe_inf: str) -> pd.Series:
    """Open time of the base candle at whose close a candle of the other timeframe is closed too."""
    minutes, minutes_inf = timeframe_to_minutes(timeframe), timeframe_to_minutes(timeframe_inf)
    if minutes_inf < minutes:
        raise ValueError(
            f"cannot merge {timeframe_inf} into {timeframe}: a faster timeframe would make new rows; "
            "the other timeframe must be the longer one"
        )
    if minutes_inf == minutes or opened.empty:
        return opened
    if timeframe_inf == "1M":
        return opened + pd.offsets.MonthBegin(1) - pd.Timedelta(minutes=minutes)
    return opened + pd.Timedelta(minutes=minutes_inf - minutes)


def _filled(rows: np.ndarray[tuple[int], np.dtype[np.intp]]) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Positions with each gap taken from the row before it, and the start from the candle before the first."""
    hits = np.flatnonzero(rows >= 0)
    if not len(hits):
        return rows
    last_hit = np.maximum.accumulate(np.where(rows >= 0, np.arange(len(rows)), -1))
    filled = rows[np.maximum(last_hit, 0)]
    filled[: hits[0]] = rows[hits[0]] - 1
    return filled


@dataclass(frozen=True, slots=True)
class Informative:
    """What `informative` was told about one method.

    Attributes:
        method: makes the indicators of the other frame.
        timeframe: its candles.
        asset: its pair, or a pattern such as ``BTC/{stake}``; empty for the pair at hand.
        fmt: names of the columns: a pattern, a function, or empty for the default.
        ffill: fill rows between two candles.
        cache: whether its frame may be kept until its next candle.
    """

    method: Callable[..., pd.DataFrame] | None
    timeframe: str
    asset: str
    fmt: str | Callable[..., str]
    ffill: bool
    cache: bool


def informative(
    timeframe: str,
    asset: str = "",
    fmt: str | Callable[..., str] | None = None,
    *,
    candle_type: str | None = None,
    ffill: bool = True,
    cache: bool = True,
) -> Callable[[_F], _F]:
    """Decorator: the method makes indicators of another timeframe or pair, merged before `populate_indicators`.

    Args:
        timeframe: its candles; not shorter than the strategy's.
        asset: its pair: ``BTC/USDT``, or with ``{stake}``, ``{base}``, ``{quote}``; empty for the pair at hand.
        fmt: names of the merged columns, with ``{column}``, ``{timeframe}``, ``{base}``, ``{BASE}``, ``{quote}``,
            ``{QUOTE}``, ``{asset}``; or a function of these. By default ``{column}_{timeframe}``, behind
            ``{base}_{quote}_`` if there is an ``asset``.
        candle_type: other candles than those traded on are not served.
        ffill: fill rows between two candles.
        cache: keep the result until the next candle; False for methods with side effects.
    """
    if candle_type not in (None, "", "spot", "futures"):
        raise StrategyError(f"@informative: {candle_type!r} candles are not served")

    def mark(method: _F) -> _F:
        names = fmt or ("{base}_{quote}_" if asset else "") + "{column}_{timeframe}"
        told = Informative(None, timeframe, asset, names, ffill, cache)
        setattr(method, _MARK, [*getattr(method, _MARK, []), told])
        return method

    return mark


class InformativeMerger:
    """Merges what the decorated methods of a strategy make."""

    def __init__(self, instance: IStrategy) -> None:
        self._strategy = instance
        self._kept: dict[tuple[int, str], tuple[tuple[Any, ...], pd.DataFrame]] = {}
        self.informatives = tuple(_informatives(type(instance)))
        base = timeframe_to_minutes(instance.timeframe) if self.informatives else 0
        for told in self.informatives:
            if timeframe_to_minutes(told.timeframe) < base:
                raise StrategyError(
                    f"@informative({told.timeframe!r}): shorter than the timeframe {instance.timeframe}"
                )

    def candles_read(self, whitelist: list[str]) -> set[tuple[str, str]]:
        """Pairs and timeframes that the methods read."""
        return {(self._asset(told, pair), told.timeframe) for told in self.informatives for pair in whitelist}

    def merged(self, frame: pd.DataFrame, metadata: dict[str, Any]) -> pd.DataFrame:
        """The frame with the columns of every decorated method, in the order of the methods' names."""
        for number, told in enumerate(self.informatives):
            pair = self._asset(told, metadata["pair"])
            made = self._made(number, told, pair)
            columns = _column_names(made, told, Pair(pair))
            if columns["date"] in frame.columns:
                raise StrategyError(
                    f"@informative: the column {columns['date']!r} is made twice: give one its own fmt"
                )
            frame = merge_informative_pair(
                frame,
                made.rename(columns=columns),
                self._strategy.timeframe,
                told.timeframe,
                ffill=told.ffill,
                append_timeframe=False,
                date_column=columns["date"],
            )
        return frame

    def _asset(self, told: Informative, pair: str) -> str:
        if not told.asset:
            return pair
        stake = self._strategy.config.get("stake_currency", "")
        return told.asset.format(stake=stake, stake_currency=stake, **_coins(Pair(pair))).upper()

    def _made(self, number: int, told: Informative, pair: str) -> pd.DataFrame:
        """The method's frame, computed once per candle of the other timeframe."""
        candles = self._strategy.dp.get_pair_dataframe(pair, told.timeframe)
        if candles.empty:
            raise StrategyError(f"@informative: there are no candles of {pair} {told.timeframe}")
        last = candles.iloc[-1]
        state = (len(candles), *last)
        kept = self._kept.get((number, pair))
        if told.cache and kept is not None and kept[0] == state:
            return kept[1]
        method = told.method
        made = (
            method(self._strategy, candles, {"pair": pair, "timeframe": told.timeframe})
            if method
            else candles
        )
        if not isinstance(made, pd.DataFrame):
            raise StrategyError(
                f"@informative({told.timeframe!r}): the method must return its dataframe, not {made!r}"
            )
        if told.cache:
            self._kept[number, pair] = (state, made)
        return made


def _informatives(strategy: type[IStrategy]) -> list[Informative]:
    """Decorated methods by name; of stacked decorators the innermost first."""
    found: list[Informative] = []
    for name in dir(strategy):
        method = getattr(strategy, name)
        marks: list[Informative] = getattr(method, _MARK, []) if callable(method) else []
        found.extend(replace(told, method=method) for told in marks)
    return found


def _column_names(frame: pd.DataFrame, told: Informative, pair: Pair) -> dict[str, str]:
    name_of = told.fmt if callable(told.fmt) else told.fmt.format
    words = {**_coins(pair), "asset": str(pair), "timeframe": told.timeframe}
    return {column: name_of(column=column, **words) for column in frame.columns}


def _coins(pair: Pair) -> dict[str, str]:
    base, quote = pair.base, pair.quote
    return {"base": base.lower(), "BASE": base.upper(), "quote": quote.lower(), "QUOTE": quote.upper()}
