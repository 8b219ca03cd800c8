"""Which blocks make up a pair's features, in which order, and what the columns are called."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from daemon.core.market import CandleKey
from daemon.core.schema import FeatureSchema

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from daemon.core.pair import Pair
    from daemon.core.timeframe import Timeframe


FEATURE = "%"
"""A column whose name holds it is a feature; one whose name begins with it is shifted, too. As in FreqAI."""
HANDED_ON = "%%"
"""A feature whose name begins with it also stands in the frame that ``populate_*`` see. As in FreqAI."""


class Hook(enum.StrEnum):
    """Which of the strategy's hooks fill a block."""

    EXPAND = "expand"
    """feature_engineering_expand_all (per period) and expand_basic: on every timeframe, shifted."""
    STANDARD = "standard"
    """feature_engineering_standard: on the base timeframe, not shifted."""


class BlockKey(NamedTuple):
    """What a block is named by."""

    pair: Pair
    timeframe: Timeframe
    hook: Hook

    @property
    def candles(self) -> CandleKey:
        """The candles that the block is computed on."""
        return CandleKey(self.pair, self.timeframe)

    def column_names(self, names: Sequence[str], shifts: int) -> list[str]:
        """Full names of the block's columns, shift by shift, as FreqAI shows them to hooks (with colons).

        Args:
            names: of the block's columns, without pair, timeframe and shift.
            shifts: how many earlier rows go into one row of features.
        """
        end = f"_{self.pair}_{self.timeframe}" if self.hook is Hook.EXPAND else ""
        middles = ("", *(f"_shift-{shift}" for shift in range(1, shifts + 1)))
        return [
            f"{name}{middle}{end}"
            for middle in middles
            for name in names
            if not middle or name.startswith(FEATURE)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeaturePlan:
    """The part of the configuration that decides which features there are.

    Attributes:
        base: timeframe on which predictions are made.
        timeframes: timeframes of the expanded features, in the configured order.
        correlated: pairs whose expanded features every pair gets as well, in the configured order.
        periods: arguments of feature_engineering_expand_all.
        shifts: how many earlier candles' features are added to each row.
    """

    base: Timeframe
    timeframes: tuple[Timeframe, ...]
    correlated: tuple[Pair, ...]
    periods: tuple[int, ...]
    shifts: int

    def blocks(self, pair: Pair) -> list[BlockKey]:
        """Blocks of one pair's row in FreqAI's column order: own, standard, then correlated pairs."""
        own = self.expanded(pair)
        others = [
            BlockKey(other, timeframe, Hook.EXPAND)
            for other in self.correlated
            if other != pair
            for timeframe in self.timeframes
        ]
        return [*own, BlockKey(pair, self.base, Hook.STANDARD), *others]

    def expanded(self, pair: Pair) -> list[BlockKey]:
        """The blocks of one pair's expanded features, in the configured order of timeframes."""
        return [BlockKey(pair, timeframe, Hook.EXPAND) for timeframe in self.timeframes]

    def candle_keys(self, pairs: Sequence[Pair]) -> list[CandleKey]:
        """Every candle series that predictions for ``pairs`` need, each once."""
        keys = [block.candles for pair in pairs for block in self.blocks(pair)]
        return list(dict.fromkeys([*(CandleKey(pair, self.base) for pair in pairs), *keys]))

    def shifts_of(self, block: BlockKey) -> int:
        """How many earlier rows of a block go into one row of features."""
        return self.shifts if block.hook is Hook.EXPAND else 0

    def schema(self, pair: Pair, names_of: Callable[[BlockKey], tuple[str, ...]]) -> FeatureSchema:
        """Names of a pair's features, as FreqAI forms them.

        Args:
            pair: the pair.
            names_of: names of a block's columns, without pair, timeframe and shift.

        Returns:
            For example ``%-rsi-period_10_shift-1_ADA/USDT_5m``; colons are dropped, as FreqAI does.
        """
        names = [
            name.replace(":", "")
            for block in self.blocks(pair)
            for name in block.column_names(names_of(block), self.shifts_of(block))
        ]
        return FeatureSchema(tuple(names))
