"""What the feature store answers: the row of one candle, why there is none, or the rows of many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from daemon.core.prediction import Reason
    from daemon.core.schema import FeatureSchema


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
