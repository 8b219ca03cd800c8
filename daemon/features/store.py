"""All blocks of the daemon; live rows and training matrices gathered from them by index."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from daemon.core.errors import Refused
from daemon.core.market import CandleKey
from daemon.core.prediction import Reason
from daemon.features.block import EMPTY_VIEW, Block, BlockView
from daemon.features.columns import Part, gathering, handed_on, shifted, widened
from daemon.features.compute import SPAN
from daemon.features.plan import HANDED_ON, Hook
from daemon.features.rows import LiveRow, NoRow, TrainingMatrix

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from daemon.core.candles import CandleFrame
    from daemon.core.pair import Pair
    from daemon.core.schema import FeatureSchema
    from daemon.features.columns import ReadColumns
    from daemon.features.compute import BlockComputer
    from daemon.features.gathering import Gathering
    from daemon.features.plan import BlockKey, FeaturePlan


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
        self._newest: dict[BlockKey, BlockView] = {}
        self._schemas: dict[Pair, tuple[tuple[tuple[str, ...], ...], FeatureSchema]] = {}

    def oldest_needed_ms(self, key: BlockKey, close_ms: int) -> int:
        """First candle that a row visible at ``close_ms`` needs, shifts included."""
        open_ms = key.timeframe.newest_closed(close_ms) - self.plan.shifts_of(key) * key.timeframe.ms
        return self._computer.oldest_needed_ms(key, open_ms)

    @property
    def reads(self) -> ReadColumns:
        """Which hooks read columns that other hooks made."""
        return self._computer.reads

    def advance(self, key: BlockKey, close_ms: int) -> None:
        """Compute the rows of candles that have closed, back to what the row at ``close_ms`` shifts to.

        Raises:
            StrategyError: a hook raised.
        """
        newest = key.timeframe.newest_closed(close_ms)
        if self._on_demand(key):
            self._newest[key] = self._computed(key, newest, newest)
            return
        self._block(key).extend(
            self._frame_of(key.candles), newest - self.plan.shifts_of(key) * key.timeframe.ms
        )

    @property
    def warm_up(self) -> int:
        """Candles before a span that rows are computed from; rows of another warm-up differ in their last digits."""
        return self._computer.warm_up

    def prepare(
        self,
        pair: Pair,
        close_ms: int,
        frame_of: Callable[[CandleKey], CandleFrame],
        give_way: Callable[[], None] = lambda: None,
    ) -> None:
        """Compute the rows that the live row of a new pair needs, in any thread, so that its first candle costs as little as the next.

        Args:
            pair: one that nobody else asks for yet.
            close_ms: of its newest candle.
            frame_of: candles, those of the new pair included.
            give_way: called before each hook call.

        Raises:
            StrategyError: a hook raised.
        """
        for key in self.plan.blocks(pair):
            if key.pair == pair and not self._on_demand(key):
                oldest_ms = (
                    key.timeframe.newest_closed(close_ms) - self.plan.shifts_of(key) * key.timeframe.ms
                )
                self._block(key).extend(frame_of(key.candles), oldest_ms, give_way)

    def live_row(self, pair: Pair, close_ms: int) -> LiveRow | NoRow:
        """Features of ``pair`` as of the base candle that closed at ``close_ms``.

        A higher timeframe's row is visible from its own close on. A candle that is not there makes no
        row: an old value is never shown in the place of a missing one.
        """
        parts: list[NDArray[np.floating[Any]]] = []
        views: list[BlockView] = []
        for key in self.plan.blocks(pair):
            view = self._newest.get(key, EMPTY_VIEW) if self._on_demand(key) else self._block(key).view
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
            chosen = shifted(view.names)
            if chosen is None:
                parts.append(rows[::-1].ravel())
            else:
                parts += [rows[-1], rows[-2::-1, chosen].ravel()] if shifts else [rows[-1]]
            views.append(view)
        values = np.concatenate(parts).astype(np.float32, copy=False)
        return LiveRow(values, self._schema(pair, views))

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
        found, schema = self.gathering(pair, open_ms, give_way)
        return TrainingMatrix(open_ms, found.matrix(give_way), schema)

    def gathering(
        self, pair: Pair, open_ms: NDArray[np.int64], give_way: Callable[[], None] = lambda: None
    ) -> tuple[Gathering, FeatureSchema]:
        """`matrix`'s values, not laid out yet, and its schema."""
        parts = self._parts(pair, open_ms, give_way)
        give_way()
        schema = self._schema(pair, [part.view for part in parts])
        return gathering(parts, open_ms + self.plan.base.ms).trimmed(), schema

    def with_lead(self, pair: Pair, window: CandleFrame) -> CandleFrame:
        """Base candles with those before them that every feature has in memory, too: a span and the warm-up."""
        frame = self._frame_of(CandleKey(pair, self.plan.base))
        lead_ms = (SPAN + self._computer.warm_up) * self.plan.base.ms
        return frame.between(int(window.open_ms[0]) - lead_ms, int(window.open_ms[-1]))

    def widened(
        self, pair: Pair, frame: CandleFrame, give_way: Callable[[], None] = lambda: None
    ) -> pd.DataFrame:
        """Base candles of ``pair`` with every feature beside them, for a targets hook that reads those.

        Raises:
            StrategyError: a hook raised.
            Refused: a series has no candle in all that time.
        """
        return widened(self._parts(pair, frame.open_ms, give_way), self.plan.base, frame)

    def handed_on(self, pair: Pair, open_ms: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
        """Features that the strategy wants to see in ``populate_*``: those whose names begin with ``%%``.

        Args:
            pair: the pair.
            open_ms: int64[n], base candles, increasing, at least one.

        Returns:
            float64[n] by full name; NaN where a feature has no value.

        Raises:
            StrategyError: a hook raised.
        """
        found: dict[str, NDArray[np.float64]] = {}
        for key in self.plan.blocks(pair):
            names = self.names(key)
            if any(name.startswith(HANDED_ON) for name in names):
                part = Part(key, self._view(key, open_ms, lambda: None), self.plan.shifts_of(key))
                found |= handed_on(part, names, self.plan.base, open_ms)
        return found

    def forget_before(self, base_ms: int) -> None:
        """Drop rows older than the oldest training window needs."""
        for key, block in list(self._blocks.items()):
            # At a base candle's close, the newest closed candle of a block opened up to two of its lengths before.
            before_ms = (self.plan.shifts_of(key) + 2) * key.timeframe.ms
            if self.reads.standard:  # its hook looks as far back as its computation starts
                before_ms += (SPAN + self._computer.warm_up) * self.plan.base.ms
            block.forget_before(base_ms - before_ms)

    def names(self, key: BlockKey) -> tuple[str, ...]:
        """Columns of a block; empty while it has no row."""
        view = self._newest.get(key, EMPTY_VIEW) if self._on_demand(key) else self._block(key).view
        return view.names

    def _on_demand(self, key: BlockKey) -> bool:
        """Whether a block's rows depend on other blocks: then they are made anew for every use, from what those hold.

        Kept, they would have to be watched: a candle of a higher timeframe that comes in late changes them.
        """
        return key.hook is Hook.STANDARD and self.reads.standard

    def _computed(
        self, key: BlockKey, first_ms: int, last_ms: int, give_way: Callable[[], None] = lambda: None
    ) -> BlockView:
        """Rows of a block that depends on others, from candle ``first_ms`` to candle ``last_ms``."""
        base, oldest_ms = self.plan.base, self._computer.oldest_needed_ms(key, first_ms)
        parts, begin_ms = [], oldest_ms
        for source in self.plan.expanded(key.pair):
            view = self._reach_back(source, oldest_ms + base.ms, give_way)
            part = Part(source, view, self.plan.shifts_of(source))
            parts.append(part)
            candles = self._frame_of(source.candles).open_ms
            if not len(candles) or candles[0] > self.oldest_needed_ms(source, oldest_ms + base.ms):
                # Rows without their warm-up are as good as none: the computer wants its own behind those.
                begin_ms = max(begin_ms, part.settled_ms(oldest_ms) - base.ms)
        frame = self._frame_of(key.candles).between(begin_ms, last_ms)
        first = int(np.searchsorted(frame.open_ms, first_ms))
        if first == len(frame):
            return EMPTY_VIEW
        rows = self._computer.rows(
            key, frame, first, len(frame), give_way, shown=partial(widened, parts, base)
        )
        return BlockView(rows.names, frame.open_ms[first:], rows.values)

    def _view(self, key: BlockKey, open_ms: NDArray[np.int64], give_way: Callable[[], None]) -> BlockView:
        """A block with at least the rows that base candles need."""
        if self._on_demand(key):
            return self._computed(key, int(open_ms[0]), int(open_ms[-1]), give_way)
        return self._reach_back(key, int(open_ms[0]) + self.plan.base.ms, give_way)

    def _parts(self, pair: Pair, open_ms: NDArray[np.int64], give_way: Callable[[], None]) -> list[Part]:
        """The blocks of a pair with the rows that base candles need."""
        parts = []
        for key in self.plan.blocks(pair):
            view = self._view(key, open_ms, give_way)
            if not len(view):
                raise Refused(f"{key.pair} {key.timeframe} has no candles in the training window of {pair}")
            parts.append(Part(key, view, self.plan.shifts_of(key)))
        return parts

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
