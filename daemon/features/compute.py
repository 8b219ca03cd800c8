"""From candles to the rows of a block, by the strategy's hooks.

A row must not depend on when it was computed: in one sweep over a month when a model is trained, or
alone when its candle closed. Indicators with a memory (EMA, Wilder's RSI) and running sums depend,
in their last digits, on the candle that the computation starts at. So the start is fixed by the row's
own time: candles are cut into spans of `SPAN` candles counted from the epoch, and every row of a span
is computed from the candles that begin `warm_up` candles before the span. A sweep over history and a
tail computed live then start at the same candle, and give the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from daemon.core.candles import CandleFrame
from daemon.core.errors import StrategyError
from daemon.features.columns import ReadColumns
from daemon.features.plan import FEATURE, BlockKey, Hook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pandas as pd
    from numpy.typing import NDArray

    from daemon.features.plan import FeaturePlan
    from daemon.strategy.hooks import Hooks

SPAN = 1024
"""Candles in a span. A hook call costs much the same on 500 and on 2,000 candles, so long spans are cheap."""


@dataclass(frozen=True, slots=True)
class BlockRows:
    """Rows of a block, one per candle.

    Attributes:
        names: columns, in the order in which the hooks made them.
        values: float32[n, columns], float64 where a hook reads them; NaN where an indicator has no value (yet).
    """

    names: tuple[str, ...]
    values: NDArray[np.floating[Any]]


class BlockComputer:
    """Calls the hooks.

    Args:
        hooks: the strategy.
        plan: periods and shifts.
        warm_up: candles before a span that the computation starts at.
        reads: which hooks read columns that other hooks made. Where one does, rows are float64: a difference of
            two prices that were rounded to float32 would have lost its digits.
    """

    def __init__(
        self, hooks: Hooks, plan: FeaturePlan, warm_up: int, reads: ReadColumns | None = None
    ) -> None:
        self._hooks = hooks
        self._plan = plan
        self.warm_up = warm_up
        self.reads = reads or ReadColumns()

    def oldest_needed_ms(self, key: BlockKey, open_ms: int) -> int:
        """Open time of the first candle that the row of candle ``open_ms`` is computed from."""
        return self._span_start(key, open_ms) - self.warm_up * key.timeframe.ms

    def rows(
        self,
        key: BlockKey,
        frame: CandleFrame,
        first: int,
        stop: int,
        give_way: Callable[[], None] = lambda: None,
        *,
        shown: Callable[[CandleFrame], pd.DataFrame] = CandleFrame.to_pandas,
    ) -> BlockRows:
        """Rows ``first`` to ``stop`` (exclusive) of ``frame``.

        A row that has fewer than `warm_up` candles before it is all NaN.

        Args:
            key: the block.
            frame: its candles, at least `warm_up` of them before row ``first`` if the row is to have values.
            first: index of the first row.
            stop: index behind the last row.
            give_way: called before each span.
            shown: what a hook is given for candles; see `call`.

        Raises:
            StrategyError: a hook raised, or makes other columns than it made before.
        """
        names: tuple[str, ...] | None = None
        parts: list[NDArray[np.floating[Any]]] = []
        for low, high in self._spans(key, frame, first, stop):
            give_way()
            start_ms = self.oldest_needed_ms(key, int(frame.open_ms[low]))
            start = int(np.searchsorted(frame.open_ms, start_ms))
            part = self.call(key, frame[start:high], shown, first=low - start)
            if names is not None and part.names != names:
                raise StrategyError(_unsteady(key, names, part.names))
            names, values = part.names, part.values
            if frame.open_ms[start] > start_ms:  # history begins later than the span wants
                values[: max(0, self.warm_up - (low - start))] = np.nan
            parts.append(values)
        return BlockRows(names or (), np.concatenate(parts) if parts else np.empty((0, 0), np.float32))

    def call(
        self,
        key: BlockKey,
        frame: CandleFrame,
        shown: Callable[[CandleFrame], pd.DataFrame] = CandleFrame.to_pandas,
        first: int = 0,
    ) -> BlockRows:
        """Rows of ``frame`` from ``first`` on, computed from its first candle on.

        Args:
            key: the block.
            frame: its candles.
            shown: the frame that the hook is given for them, which may hold expanded columns as well
                (`daemon.features.columns.widened`); those that it leaves alone are no columns of this block.
            first: index of the first row that is wanted.
        """
        candles = shown(frame)
        if key.hook is Hook.STANDARD:
            known = frozenset(candles.columns)
            standard = self._hooks.standard(candles, {"pair": str(key.pair)})
            _refuse_losses(key, known, standard)
            return self._features(key, [(standard, "")], first, known)
        metadata = {"pair": str(key.pair), "tf": str(key.timeframe)}
        made = [
            (self._hooks.expand_all(candles.copy(), period, metadata), f"_{period}")
            for period in self._plan.periods
        ]
        made.append((self._hooks.expand_basic(candles, metadata), "_gen"))
        return self._features(key, made, first)

    def _features(
        self,
        key: BlockKey,
        made: list[tuple[pd.DataFrame, str]],
        first: int,
        known: frozenset[str] = frozenset(),
    ) -> BlockRows:
        """The columns with ``%`` of the hooks' frames but for ``known`` ones, each name with its suffix."""
        dtype = np.float64 if self.reads.any else np.float32
        names: list[str] = []
        columns: list[NDArray[np.floating[Any]]] = []
        for frame, suffix in made:
            if not frame.columns.is_unique:
                _refuse_doubles(key, frame)
            for name in frame.columns:
                if FEATURE in str(name) and name not in known:
                    names.append(name + suffix)
                    columns.append(_numbers(key, frame[name], first))
        values = np.empty((len(made[0][0]) - first, len(columns)))
        for i, column in enumerate(columns):
            values[:, i] = column
        return BlockRows(tuple(names), _finite(values, dtype))

    def _span_start(self, key: BlockKey, open_ms: int) -> int:
        span_ms = SPAN * key.timeframe.ms
        return open_ms // span_ms * span_ms

    def _spans(self, key: BlockKey, frame: CandleFrame, first: int, stop: int) -> Iterator[tuple[int, int]]:
        span_ms = SPAN * key.timeframe.ms
        while first < stop:
            end_ms = self._span_start(key, int(frame.open_ms[first])) + span_ms
            high = min(stop, int(np.searchsorted(frame.open_ms, end_ms)))
            yield first, high
            first = high


def _refuse_doubles(key: BlockKey, frame: pd.DataFrame) -> None:
    doubled = frame.columns[frame.columns.duplicated()]
    features = [str(name) for name in doubled if FEATURE in str(name)]
    if features:
        raise StrategyError(
            f"{key.pair} {key.timeframe}: the hooks make two columns named {features[0]!r}: "
            "give each feature a name of its own"
        )


def _refuse_losses(key: BlockKey, known: frozenset[str], made: pd.DataFrame) -> None:
    lost = [name for name in sorted(known.difference(made.columns)) if FEATURE in name]
    if lost:
        raise StrategyError(
            f"{key.pair} {key.timeframe}: feature_engineering_standard drops {lost[0]!r}"
            f"{f' and {len(lost) - 1} more' if len(lost) > 1 else ''}: a feature that is not wanted must not be made "
            "(by the feature_engineering_expand hooks)"
        )


def _numbers(key: BlockKey, column: pd.Series, first: int) -> NDArray[np.float64]:
    if column.dtype == np.float64:  # the usual case, without the search for missing values
        return column.to_numpy()[first:]
    try:
        return column.to_numpy(np.float64, na_value=np.nan)[first:]
    except (TypeError, ValueError) as exc:
        raise StrategyError(
            f"{key.pair} {key.timeframe}: feature {column.name!r} holds values that are no numbers ({column.dtype}): "
            "a feature column must be numeric"
        ) from exc


def _finite(values: NDArray[np.float64], dtype: type[np.float32 | np.float64]) -> NDArray[np.floating[Any]]:
    """Numbers as a block keeps them: NaN where a model, which gets them in 32 bits, would see none."""
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32)
    kept: NDArray[np.floating[Any]] = narrow if dtype is np.float32 else values
    # An infinite value is a division by zero in the strategy; FreqAI treats it as missing, so do we.
    kept[~np.isfinite(narrow)] = np.nan
    return kept


def _unsteady(key: BlockKey, before: tuple[str, ...], now: tuple[str, ...]) -> str:
    changed = sorted(set(before) ^ set(now))[:5]
    return (
        f"the features of {key.pair} {key.timeframe} change from one stretch of candles to the next "
        f"({changed or 'their order'}): hooks must make the same columns whatever the candles are"
    )
