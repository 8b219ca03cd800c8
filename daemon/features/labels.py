"""The strategy's targets: what a model is to learn."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from daemon.core.candles import CandleFrame
from daemon.core.errors import StrategyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from daemon.core.pair import Pair
    from daemon.features.store import FeatureStore
    from daemon.strategy.hooks import Hooks


class LabelKind(enum.StrEnum):
    """What a label's values are."""

    NUMBER = "number"
    """Regression: a float per candle."""
    CLASS = "class"
    """Classification: a class name per candle."""


@dataclass(frozen=True, slots=True)
class LabelColumn:
    """One target over a stretch of candles.

    Attributes:
        name: the column, ``&-s_close``.
        kind: numbers or classes.
        numbers: float64[n]; NaN where the target is not known (the last candles). Empty for classes.
        classes: str[n]; empty text where the target is not known. Empty for numbers.
    """

    name: str
    kind: LabelKind
    numbers: NDArray[np.float64]
    classes: NDArray[np.str_]

    @property
    def known(self) -> NDArray[np.bool_]:
        """bool[n], where the target has a value."""
        return np.isfinite(self.numbers) if self.kind is LabelKind.NUMBER else self.classes != ""

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes that occur, sorted; none for numbers."""
        if self.kind is LabelKind.NUMBER:
            return ()
        return tuple(sorted({str(name) for name in self.classes[self.known]}))

    def newest(self, rows: int) -> LabelColumn:
        """The same target over the newest ``rows`` candles."""
        kept = slice(max(0, len(self.known) - rows), None)
        return replace(self, numbers=self.numbers[kept], classes=self.classes[kept])


def label_columns(
    hooks: Hooks,
    pair: Pair,
    frame: CandleFrame,
    shown: Callable[[CandleFrame], pd.DataFrame] = CandleFrame.to_pandas,
) -> list[LabelColumn]:
    """The targets that the strategy sets on a stretch of candles.

    Args:
        hooks: the strategy.
        pair: whose candles these are.
        frame: base candles; targets look ahead within them, so the last ones have no value.
        shown: what the hook is given for candles; with features beside them where it reads those.

    Raises:
        StrategyError: the hook raised, or made no target.
    """
    made = hooks.targets(shown(frame), {"pair": str(pair)})
    names = [name for name in made.columns if str(name).startswith("&")]
    if len(set(names)) < len(names):
        raise StrategyError(f"{pair}: set_freqai_targets makes two columns of one name: {', '.join(names)}")
    return [_column(made[name], name) for name in names]


def window_labels(
    hooks: Hooks, store: FeatureStore, pair: Pair, window: CandleFrame, give_way: Callable[[], None]
) -> list[LabelColumn]:
    """The targets over a training window.

    The hook is given earlier candles as well, as FreqAI does: a target that is smoothed or normalised over the
    candles before it has a value from the first row on.

    Args:
        hooks: the strategy.
        store: features, for a hook that reads them, and the candles before the window.
        pair: whose candles these are.
        window: base candles, at least one; nothing later is read.
        give_way: called before work that takes more than a few milliseconds.

    Raises:
        StrategyError: the hook raised, or made no target.
        Refused: the hook reads features, and a series has no candle in all that time.
    """
    frame = store.with_lead(pair, window)
    give_way()
    shown = partial(store.widened, pair, give_way=give_way) if store.reads.targets else CandleFrame.to_pandas
    return [column.newest(len(window)) for column in label_columns(hooks, pair, frame, shown)]


def _column(values: pd.Series, name: str) -> LabelColumn:
    # Numbers that stood beside None once are objects still: each would be a class of its own.
    values = values.infer_objects()
    if pd.api.types.is_numeric_dtype(values.dtype) or pd.api.types.is_bool_dtype(values.dtype):
        numbers = values.to_numpy(np.float64, na_value=np.nan)
        return LabelColumn(
            name, LabelKind.NUMBER, np.where(np.isfinite(numbers), numbers, np.nan), np.empty(0, "U1")
        )
    text = values.astype("object").where(values.notna(), "").to_numpy()
    classes = np.array([value if isinstance(value, str) else str(value) for value in text], dtype=np.str_)
    # numpy turns a missing value into the word "nan" when it stands beside texts (np.where with NaN).
    return LabelColumn(name, LabelKind.CLASS, np.empty(0), np.where(classes == "nan", "", classes))
