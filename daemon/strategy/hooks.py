"""The boundary to a strategy's code: what it raises or returns wrongly becomes a `StrategyError`."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pandas import DataFrame, Series

from daemon.core.errors import StrategyError
from daemon.strategy.faults import describe_fault
from daemon.strategy.informative import InformativeMerger
from daemon.strategy.loader import overrides
from daemon.strategy.provider import feature_hook

if TYPE_CHECKING:
    from datetime import datetime

    from pandas.api.extensions import ExtensionArray

    from daemon.strategy.loader import LoadedStrategy

__all__ = ["Hooks"]

_Hook = Callable[..., object]


class Hooks:
    """Calls the hooks of one strategy.

    A frame that is passed in belongs to the hook, which may write into it and return it: pass one that
    nobody else reads. Calls for different pairs may run in different threads.

    Every method raises `StrategyError`, whose message names file and line, the hook, pair, timeframe and
    what happened.

    Attributes:
        strategy: whose hooks they are.
    """

    def __init__(self, strategy: LoadedStrategy) -> None:
        self.strategy = strategy
        instance = strategy.instance
        self._informative = InformativeMerger(instance)
        self._expand_all = instance.feature_engineering_expand_all
        self._expand_basic = instance.feature_engineering_expand_basic
        self._standard = instance.feature_engineering_standard
        self._targets = instance.set_freqai_targets

    def expand_all(self, frame: DataFrame, period: int, metadata: dict[str, Any]) -> DataFrame:
        """``feature_engineering_expand_all`` for one period; ``metadata`` has ``pair``, ``tf`` and ``period``."""
        known = {**metadata, "period": period}
        return self._feature("feature_engineering_expand_all", self._expand_all, frame, known, period)

    def expand_basic(self, frame: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """``feature_engineering_expand_basic``; ``metadata`` has ``pair`` and ``tf``."""
        return self._feature("feature_engineering_expand_basic", self._expand_basic, frame, metadata)

    def standard(self, frame: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """``feature_engineering_standard``; ``metadata`` has ``pair``."""
        return self._feature("feature_engineering_standard", self._standard, frame, metadata)

    def targets(self, frame: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """``set_freqai_targets``; the frame returned has at least one column that begins with ``&``."""
        name, rows = "set_freqai_targets", len(frame)
        made = self._run(name, self._targets, metadata, frame, metadata=metadata)
        made = self._checked(name, self._targets, metadata, made, rows)
        if not any(str(column).startswith("&") for column in made.columns):
            raise self._complaint(
                name,
                self._targets,
                metadata,
                "made no target: a column whose name begins with '&', as '&-s_close'",
            )
        return made

    def populate(self, frame: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Indicators, then entries, then exits, of one pair.

        Args:
            frame: closed candles, oldest first.
            metadata: ``pair``.

        Returns:
            The frame with the predictions and with what the strategy set of ``enter_long``, ``exit_long``,
            ``enter_short``, ``exit_short`` (1 is a signal; absent, 0 and NaN are none), ``enter_tag`` and
            ``exit_tag``.
        """
        instance = self.strategy.instance
        if self._informative.informatives:
            frame = self._signal("@informative", self._informative.merged, frame, metadata)
        frame = self._signal("populate_indicators", instance.populate_indicators, frame, metadata)
        # freqtrade sets the tags beforehand too: pandas would make a text column of NaN by a masked write.
        frame["enter_tag"] = _no_tags(len(frame))
        frame = self._signal("populate_entry_trend", instance.populate_entry_trend, frame, metadata)
        if "buy" in frame.columns and "enter_long" not in frame.columns:
            frame = frame.drop(columns="enter_tag") if "buy_tag" in frame.columns else frame
            frame = frame.rename(columns={"buy": "enter_long", "buy_tag": "enter_tag"})
        frame["exit_tag"] = _no_tags(len(frame))
        frame = self._signal("populate_exit_trend", instance.populate_exit_trend, frame, metadata)
        if "sell" in frame.columns and "exit_long" not in frame.columns:
            frame = frame.rename(columns={"sell": "exit_long"})
        return frame

    def bot_start(self) -> None:
        """The strategy's ``bot_start``; call it once, after `bind`."""
        self._run("bot_start", self.strategy.instance.bot_start, {})

    def bot_loop_start(self, now: datetime) -> None:
        """The strategy's ``bot_loop_start``; call it at every tick, with the time of the candle's close (UTC)."""
        self._run("bot_loop_start", self.strategy.instance.bot_loop_start, {}, current_time=now)

    def candles_read(self, whitelist: list[str]) -> list[tuple[str, str]]:
        """Pairs and timeframes that the strategy reads by ``self.dp`` or ``@informative``; call after `bind`."""
        listed: Any = self._run("informative_pairs", self.strategy.instance.informative_pairs, {})
        named = {(str(entry[0]), str(entry[1])) for entry in listed or ()}
        return sorted(named | self._informative.candles_read(whitelist))

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes, if the strategy named them by ``self.freqai.class_names``; known after `targets`."""
        return tuple(self.strategy.instance.freqai.class_names)

    def overrides(self, hook: str) -> bool:
        """Whether the strategy has its own version of a hook, ``feature_engineering_expand_all`` for example."""
        return overrides(self.strategy.instance, hook)

    def _feature(
        self, name: str, hook: _Hook, frame: DataFrame, metadata: dict[str, Any], *period: int
    ) -> DataFrame:
        rows = len(frame)
        feature_hook.name = name
        try:
            made = self._run(name, hook, metadata, frame, *period, metadata=metadata)
        finally:
            feature_hook.name = ""
        return self._checked(name, hook, metadata, made, rows)

    def _signal(self, name: str, hook: _Hook, frame: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        rows = len(frame)
        made = self._run(name, hook, metadata, frame, metadata)
        return self._checked(name, hook, metadata, made, rows)

    def _run(
        self, name: str, hook: _Hook, context: dict[str, Any], *arguments: object, **named: object
    ) -> object:
        try:
            return hook(*arguments, **named)
        except (Exception, SystemExit) as exc:  # a user's code may raise anything; it becomes our error
            fault = describe_fault(exc, self.strategy.files, self._place(hook))
            raise StrategyError(f"{fault} [{_context(name, context)}]") from exc

    def _checked(
        self, name: str, hook: _Hook, metadata: dict[str, Any], made: object, rows: int
    ) -> DataFrame:
        if isinstance(made, DataFrame) and len(made) == rows:
            return made
        if made is None:
            fault = "returned nothing: end it with `return dataframe`"
        elif isinstance(made, DataFrame):
            fault = f"returned {len(made)} rows for {rows} candles: it must keep every row"
        else:
            fault = f"returned {type(made).__name__} instead of a DataFrame"
        raise self._complaint(name, hook, metadata, fault)

    def _complaint(self, name: str, hook: _Hook, metadata: dict[str, Any], fault: str) -> StrategyError:
        return StrategyError(f"{self._place(hook)}: {_context(name, metadata)}: {fault}")

    def _place(self, hook: _Hook) -> str:
        code = getattr(hook, "__code__", None)
        if code is None or code.co_filename != str(self.strategy.file):
            return str(self.strategy.file)
        return f"{code.co_filename}:{code.co_firstlineno}"


@lru_cache(maxsize=4)
def _no_tags(rows: int) -> ExtensionArray:
    """A column of empty texts, which costs more to make than many an indicator; a frame takes a copy of it."""
    return Series("", index=range(rows)).array


def _context(name: str, metadata: dict[str, Any]) -> str:
    return " ".join(str(word) for word in (name, metadata.get("pair"), metadata.get("tf")) if word)
