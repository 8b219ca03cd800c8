"""What the daemon says about a closed candle: a prediction, or why there is none."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daemon.core.pair import Pair

RECORD_COLUMNS = frozenset(
    [
        *("do_predict", "DI_values", "high_price", "low_price", "close_price", "date_pred"),
        *("late", "model", "abstention"),
    ]
)
"""Columns that the record of a prediction has beside those of its model: FreqAI's, then ours."""
CANDLE_COLUMNS = frozenset(("date", "open", "high", "low", "close", "volume"))
"""Columns of the candles in a strategy's frame."""
_NOTHING: Mapping[str, float | str] = MappingProxyType({})


class Reason(enum.StrEnum):
    """Why there is no prediction for a candle."""

    NO_MODEL = "no model"
    """The pair was never trained."""
    EXPIRED = "expired"
    """The model is older than ``expiration_hours``."""
    SCHEMA = "schema"
    """The strategy makes other features than the model was trained on."""
    WARM_UP = "warm-up"
    """Too few candles before this one for the longest indicator."""
    NAN_FEATURE = "nan feature"
    """A feature is not a finite number; the detail names it."""
    OUTLIER = "outlier"
    """The row is unlike the rows that the model was trained on."""
    MISSING_CANDLE = "missing candle"
    """The exchange has not served this pair's candle."""
    MISSING_CORRELATED = "missing correlated candle"
    """The exchange has not served a correlated pair's candle; the detail names it."""
    LATE = "late"
    """The candle came in after a model that was trained on later candles, or far too late."""
    STRATEGY = "strategy"
    """A hook of the strategy, or the user's own model class, raised; the detail names the place."""


# FreqAI's codes in the column do_predict, which strategies compare with.
_DO_PREDICT = {Reason.EXPIRED: 2.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """A model's answer for one pair and one closed candle.

    Attributes:
        pair: the pair.
        candle_ms: open time of the candle, ms UTC.
        values: label -> predicted value (regression, in the label's own unit) or class name; class
            name -> probability; ``<label>_mean`` and ``<label>_std`` of the labels of the training; extra
            returns of the training.
        model: name of the artifact that predicted.
        late: the candle was older than one timeframe when it was handled; it may not trade.
        di: dissimilarity index of the row; NaN where it is off.
        doubt: why nothing may be entered on it; empty if nothing speaks against that.
    """

    pair: Pair
    candle_ms: int
    values: Mapping[str, float | str]
    model: str
    late: bool = False
    di: float = float("nan")
    doubt: str = ""

    @property
    def do_predict(self) -> float:
        """FreqAI's code: 1, the prediction may be used."""
        return 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Abstention:
    """No prediction for one pair and one closed candle, and the reason.

    Attributes:
        values: what is known all the same (for an outlier, the prediction that is not to be trusted).
        di: dissimilarity index of the row; NaN where it is off or was not computed.
        objections: how many outlier methods the row does not pass.
    """

    pair: Pair
    candle_ms: int
    reason: Reason
    detail: str = ""
    late: bool = False
    # mappingproxy is unhashable on Python 3.11, where dataclasses refuse it as a plain default
    values: Mapping[str, float | str] = field(default_factory=lambda: _NOTHING)
    di: float = float("nan")
    objections: int = 0

    @property
    def do_predict(self) -> float:
        """FreqAI's code: 2 for an expired model, 1 less each objection for an outlier (0, -1, -2), else 0."""
        if self.reason is Reason.OUTLIER:
            return 1.0 - max(self.objections, 1)
        return _DO_PREDICT.get(self.reason, 0.0)


Outcome = Prediction | Abstention


def name_fault(name: str) -> str:
    """Why no value of a user's own may stand under a name beside the predictions; empty if it may."""
    if name in RECORD_COLUMNS | CANDLE_COLUMNS:
        return f"{name!r} is a column of the record or of the candles: give the value another name"
    return "" if name else "a value needs a name"
