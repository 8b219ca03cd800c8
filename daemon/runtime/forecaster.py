"""What the daemon says about one pair and one closed candle: pure but for the caches it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from daemon.core.errors import Refused, StrategyError
from daemon.core.market import CandleKey
from daemon.core.prediction import Abstention, Prediction, Reason
from daemon.features.rows import NoRow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from daemon.core.candles import CandleFrame
    from daemon.core.pair import Pair
    from daemon.core.prediction import Outcome
    from daemon.features.plan import BlockKey
    from daemon.features.store import FeatureStore
    from daemon.learning.live import LiveModel


class Forecaster:
    """Predicts, or says why not.

    Args:
        features: feature blocks.
        models: the live model of each pair; the trainer replaces entries between two candles.
        frame_of: candles in memory.
        expiration_ms: age at which a model predicts no more, market milliseconds; None: never.
        beat: called when a feature block has its newest rows: the first ones of many pairs may take minutes.
    """

    def __init__(
        self,
        *,
        features: FeatureStore,
        models: Mapping[Pair, LiveModel],
        frame_of: Callable[[CandleKey], CandleFrame],
        expiration_ms: int | None,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._features = features
        self._beat = beat
        self._models = models
        self._frame_of = frame_of
        self.expiration_ms = expiration_ms
        self._faults: dict[BlockKey, str] = {}

    def advance(self, pairs: list[Pair], close_ms: int) -> dict[BlockKey, str]:
        """Bring the feature blocks of ``pairs`` up to a close.

        A hook that raises stops only the pairs that need its block.

        Returns:
            The blocks whose hooks raised, with the message.
        """
        plan = self._features.plan
        keys = dict.fromkeys(key for pair in pairs for key in plan.blocks(pair))
        self._faults = {}
        for key in keys:
            try:
                self._features.advance(key, close_ms)
            except StrategyError as exc:
                self._faults[key] = str(exc)
            self._beat()
        return self._faults

    def forget_before(self, base_ms: int) -> None:
        """Drop feature rows that no training will ask for: memory stays level for months."""
        self._features.forget_before(base_ms)

    def outcome(self, pair: Pair, close_ms: int, *, late: bool) -> Outcome:
        """The prediction for the base candle that closed at ``close_ms``, or an abstention."""
        candle_ms = close_ms - self._features.plan.base.ms
        model = self._models.get(pair)
        reason, detail = self._obstacle(pair, model, candle_ms, close_ms)
        if reason is None and model is not None:
            row = self._features.live_row(pair, close_ms)
            if isinstance(row, NoRow):
                reason, detail = row.reason, row.detail
            elif row.schema != model.schema:
                reason, detail = Reason.SCHEMA, model.schema.difference(row.schema)
            elif np.isnan(row.values).any():
                reason, detail = _missing_values(row.values, row.schema.names)
            else:
                try:
                    return _answered(model, row.values, candle_ms, late=late)
                except Refused as exc:  # a finite feature may still be beyond what scaling can hold
                    reason, detail = Reason.NAN_FEATURE, str(exc)
                except StrategyError as exc:  # the user's own model class raised, or gave no answer
                    reason, detail = Reason.STRATEGY, str(exc)
        return Abstention(
            pair=pair, candle_ms=candle_ms, reason=reason or Reason.NO_MODEL, detail=detail, late=late
        )

    def _obstacle(
        self, pair: Pair, model: LiveModel | None, candle_ms: int, close_ms: int
    ) -> tuple[Reason | None, str]:
        """What forbids a prediction before any feature is looked at."""
        times = self._frame_of(CandleKey(pair, self._features.plan.base)).open_ms
        i = int(np.searchsorted(times, candle_ms))
        if i == len(times) or times[i] != candle_ms:
            return Reason.MISSING_CANDLE, ""
        fault = next(
            (self._faults[key] for key in self._features.plan.blocks(pair) if key in self._faults), None
        )
        if fault is not None:
            return Reason.STRATEGY, fault
        if model is None:
            return Reason.NO_MODEL, ""
        if model.window_end_ms > close_ms:
            # Its training window holds this candle and later ones: that would be no prediction.
            return Reason.LATE, "the model was trained on later candles"
        age_ms = close_ms - model.window_end_ms
        if self.expiration_ms is not None and age_ms > self.expiration_ms:
            return Reason.EXPIRED, f"{age_ms / 3_600_000:.1f} hours old"
        return None, ""


def _answered(model: LiveModel, row: NDArray[np.float32], candle_ms: int, *, late: bool) -> Outcome:
    answer = model.answer(row)
    if answer.outlier_of:
        return Abstention(
            pair=model.pair,
            candle_ms=candle_ms,
            reason=Reason.OUTLIER,
            detail=", ".join(answer.outlier_of),
            late=late,
            values=answer.values,
            di=answer.di,
            objections=len(answer.outlier_of),
        )
    return Prediction(
        pair=model.pair,
        candle_ms=candle_ms,
        values=answer.values,
        model=model.name,
        late=late,
        di=answer.di,
        doubt=model.doubt,
    )


def _missing_values(row: np.ndarray, names: tuple[str, ...]) -> tuple[Reason, str]:
    missing = np.flatnonzero(np.isnan(row))
    detail = f"{names[int(missing[0])]}" + (f" and {len(missing) - 1} more" if len(missing) > 1 else "")
    return (Reason.WARM_UP if len(missing) == len(row) else Reason.NAN_FEATURE), detail
