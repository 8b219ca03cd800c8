"""All blocks of the daemon; live rows and training matrices gathered from them by index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from daemon.core.errors import Refused
from daemon.core.prediction import Reason
from daemon.features.block import Block

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from daemon.core.candles import CandleFrame
    from daemon.core.market import CandleKey
    from daemon.core.pair import Pair
    from daemon.core.schema import FeatureSchema
    from daemon.features.block import BlockView
    from daemon.features.compute import BlockComputer
    from daemon.features.plan import BlockKey, FeaturePlan


@dataclass(frozen=True, slots=True)
class LiveRow:
    """Features of one pair as of one candle's close: float32[features] in the schema's order."""

    values: NDArray[np.float32]
    schema: FeatureSchema


@dataclass(frozen=True, slots=True)
class NoRow:
    """Why there are no features for a candle."""

    reason: Reason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class TrainingMatrix:
    """Features of many candles.

    Attributes:
        open_ms: int64[n], base candles.
        values: float32[n, features], C-ordered; NaN where a block has no row or a hook no value.
        schema: names of the columns.
    """

    open_ms: NDArray[np.int64]
    values: NDArray[np.float32]
    schema: FeatureSchema


class FeatureStore:
    """Feature blocks of every pair and timeframe, shared by all pairs that use them.

    The engine's thread calls `advance` and `live_row`; the trainer's thread `matrix`.

    Args:
        plan: which blocks there are.
        computer: how rows are computed.
        frame_of: the candles of a series, all that are in memory.
    """

    def __init__(
        self, plan: FeaturePlan, computer: BlockComputer, frame_of: Callable[[CandleKey], CandleFrame]
    ) -> None:
        self.plan = plan
        self._computer = computer
        self._frame_of = frame_of
        self._blocks: dict[BlockKey, Block] = {}
        self._schemas: dict[Pair, tuple[tuple[tuple[str, ...], ...], FeatureSchema]] = {}

    def oldest_needed_ms(self, key: BlockKey, close_ms: int) -> int:
        """First candle that a row visible at ``close_ms`` needs, shifts included."""
        open_ms = key.timeframe.newest_closed(close_ms) - self.plan.shifts_of(key) * key.timeframe.ms
        return self._computer.oldest_needed_ms(key, open_ms)

    def advance(self, key: BlockKey, close_ms: int) -> None:
        """Compute the rows of candles that have closed, back to what the row at ``close_ms`` shifts to.

        Raises:
            StrategyError: a hook raised.
        """
        newest = key.timeframe.newest_closed(close_ms)
        self._block(key).extend(
            self._frame_of(key.candles), newest - self.plan.shifts_of(key) * key.timeframe.ms
        )

    @property
    def warm_up(self) -> int:
        """Candles before a span that rows are computed from; rows of another warm-up differ in their last digits."""
        return self._computer.warm_up

    def live_row(self, pair: Pair, close_ms: int) -> LiveRow | NoRow:
        """Features of ``pair`` as of the base candle that closed at ``close_ms``.

        A higher timeframe's row is visible from its own close on. A candle that is not there makes no
        row: an old value is never shown in the place of a missing one.
        """
        parts: list[NDArray[np.float32]] = []
        views: list[BlockView] = []
        for key in self.plan.blocks(pair):
            view = self._block(key).view
            i = view.at(key.timeframe.newest_closed(close_ms))
            if i is None:
                own = key.pair == pair
                return NoRow(
                    Reason.MISSING_CANDLE if own else Reason.MISSING_CORRELATED, f"{key.pair} {key.timeframe}"
                )
            shifts = self.plan.shifts_of(key)
            rows = view.values[max(0, i - shifts) : i + 1]
            if len(rows) <= shifts or (rows.size and np.isnan(rows).all(axis=1).any()):
                return NoRow(Reason.WARM_UP, f"{key.pair} {key.timeframe}: too few earlier candles")
            parts.append(rows[::-1].ravel())
            views.append(view)
        return LiveRow(np.concatenate(parts), self._schema(pair, views))

    def matrix(
        self, pair: Pair, open_ms: NDArray[np.int64], give_way: Callable[[], None] = lambda: None
    ) -> TrainingMatrix:
        """Features of ``pair`` for many base candles, the same rows that `live_row` gives one by one.

        Args:
            pair: the pair.
            open_ms: int64[n], base candles, increasing.
            give_way: called before each hook call and each gathering, so that a more urgent thread may go first.

        Raises:
            StrategyError: a hook raised.
            Refused: a series has no candle in all that time, so that not even its columns are known.
        """
        close_ms = open_ms + self.plan.base.ms
        keys = self.plan.blocks(pair)
        views = [self._reach_back(key, int(close_ms[0]), give_way) for key in keys]
        for key, view in zip(keys, views, strict=True):
            if not len(view):
                raise Refused(f"{key.pair} {key.timeframe} has no candles in the training window of {pair}")
        schema = self._schema(pair, views)
        out = np.empty((len(open_ms), len(schema)), np.float32)
        column = 0
        for key, view in zip(keys, views, strict=True):
            wanted = key.timeframe.newest_closed(close_ms)
            at = np.searchsorted(view.open_ms, wanted)
            absent = (at == len(view)) | (view.open_ms[np.minimum(at, len(view) - 1)] != wanted)
            for shift in range(self.plan.shifts_of(key) + 1):
                give_way()
                width = len(view.names)
                part = out[:, column : column + width]
                part[:] = view.values[np.clip(at - shift, 0, len(view) - 1)]
                part[absent | (at < shift)] = np.nan
                column += width
        return TrainingMatrix(open_ms, out, schema)

    def forget_before(self, base_ms: int) -> None:
        """Drop rows older than the oldest training window needs."""
        for key, block in list(self._blocks.items()):
            # At a base candle's close, the newest closed candle of a block opened up to two of its lengths before.
            before_ms = (self.plan.shifts_of(key) + 2) * key.timeframe.ms
            block.forget_before(base_ms - before_ms)

    def names(self, key: BlockKey) -> tuple[str, ...]:
        """Columns of a block; empty while it has no row."""
        return self._block(key).view.names

    def _block(self, key: BlockKey) -> Block:
        block = self._blocks.get(key)
        if block is None:
            # Two threads may race here; setdefault lets one of their blocks win for both.
            block = self._blocks.setdefault(key, Block(key, self._computer))
        return block

    def _reach_back(self, key: BlockKey, close_ms: int, give_way: Callable[[], None]) -> BlockView:
        oldest = key.timeframe.newest_closed(close_ms) - self.plan.shifts_of(key) * key.timeframe.ms
        return self._block(key).reach_back(self._frame_of(key.candles), oldest, give_way)

    def _schema(self, pair: Pair, views: Sequence[BlockView]) -> FeatureSchema:
        names = tuple(view.names for view in views)
        known = self._schemas.get(pair)
        if known is not None and known[0] == names:
            return known[1]
        by_key = dict(zip(self.plan.blocks(pair), names, strict=True))
        schema = self.plan.schema(pair, by_key.__getitem__)
        self._schemas[pair] = (names, schema)
        return schema
