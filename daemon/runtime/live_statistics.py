"""``fit_live_predictions_candles``: how high and how scattered the newest predictions of a pair are."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from daemon.core.errors import CandledError, Corrupt
from daemon.core.market import CandleKey

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from daemon.core.candles import CandleFrame
    from daemon.core.pair import Pair
    from daemon.core.prediction import Outcome
    from daemon.features.store import FeatureStore
    from daemon.learning.live import LiveModel
    from daemon.state.history import PredictionHistory

log = logging.getLogger(__name__)

_Recent = dict[str, "deque[float]"]


class LiveStatistics:
    """Mean and standard deviation of a pair's newest predictions, in place of those of the training labels.

    As FreqAI's ``fit_live_predictions``: of each number that is predicted, and of each class's probability, over
    the newest ``candles`` predictions before the one at hand; the standard deviation is the population's. FreqAI
    begins its record with what the first model says of the candles before, and so do we, for as long as there are
    fewer predictions on record; unlike FreqAI's, these are not recorded as if they had been made live.

    The engine's thread alone uses it.

    Args:
        candles: ``fit_live_predictions_candles``, at least 1.
        history: predictions on record.
        features: feature blocks.
        models: the live model of each pair.
        frame_of: candles in memory.
    """

    def __init__(
        self,
        candles: int,
        *,
        history: PredictionHistory,
        features: FeatureStore,
        models: Mapping[Pair, LiveModel],
        frame_of: Callable[[CandleKey], CandleFrame],
    ) -> None:
        self._candles = candles
        self._history = history
        self._features = features
        self._models = models
        self._frame_of = frame_of
        self._recent: dict[Pair, _Recent] = {}

    def added(self, outcome: Outcome) -> Outcome:
        """The outcome with the statistics of the predictions before it; from then on it is one of them.

        An outcome without values is returned as it is, and does not count. (FreqAI counts a zero for a candle that
        it missed or whose model had expired.)
        """
        model = self._models.get(outcome.pair)
        if model is None or not outcome.values:
            return outcome
        predicted = {name: outcome.values[name] for name in model.numbers if name in outcome.values}
        recent = self._recent.get(outcome.pair)
        if recent is None or not predicted.keys() <= recent.keys():
            recent = self._recent[outcome.pair] = self._begun(model, tuple(predicted), outcome.candle_ms)
        statistics: dict[str, float | str] = {}
        for name, value in predicted.items():
            before = np.fromiter(recent[name], np.float64, len(recent[name]))
            if len(before):
                statistics |= {f"{name}_mean": float(before.mean()), f"{name}_std": float(before.std())}
            recent[name].append(float(value))
        # What a model's training returned by the same name stays: in FreqAI, too, it is written last.
        return replace(outcome, values={**outcome.values, **statistics, **model.extra_returns})

    def _begun(self, model: LiveModel, names: tuple[str, ...], candle_ms: int) -> _Recent:
        """The newest predictions on record, behind what the model says of the candles before them."""
        found, first_ms = self._recorded(model.pair, names)
        lacking = self._candles - min(len(values) for values in found.values())
        earlier = self._supposed(model, candle_ms if first_ms is None else first_ms, lacking)
        return {
            name: deque([*earlier.get(name, ()), *values.tolist()], maxlen=self._candles)
            for name, values in found.items()
        }

    def _recorded(
        self, pair: Pair, names: tuple[str, ...]
    ) -> tuple[dict[str, NDArray[np.float64]], int | None]:
        """Newest finite values by column, and the candle of the oldest of them, ms UTC."""
        rows, asked = self._history.rows(pair), self._candles
        nothing: dict[str, NDArray[np.float64]] = {name: np.empty(0) for name in names}
        while rows:
            try:
                frame = self._history.frame(pair, last=asked)
            except Corrupt as exc:
                log.warning("predictions_unreadable", extra={"fields": {"pair": pair, "error": str(exc)}})
                return nothing, None
            known = {name: _numbers(frame, name) for name in names}
            finite = {name: values[np.isfinite(values)][-self._candles :] for name, values in known.items()}
            if asked >= rows or min(len(values) for values in finite.values()) >= self._candles:
                any_finite = np.logical_or.reduce([np.isfinite(values) for values in known.values()])
                if not any_finite.any():
                    return nothing, None
                first = frame["date_pred"].iloc[int(any_finite.argmax())]
                return finite, int(first.timestamp() * 1000)
            asked *= 2
        return nothing, None

    def _supposed(self, model: LiveModel, before_ms: int, count: int) -> dict[str, list[float]]:
        """What the model says of the newest ``count`` candles before a time, as far as their features are known."""
        times = self._frame_of(CandleKey(model.pair, self._features.plan.base)).open_ms
        times = times[times < before_ms][-count:] if count > 0 else times[:0]
        if not len(times):
            return {}
        try:
            matrix = self._features.matrix(model.pair, times)
            rows = matrix.values[np.isfinite(matrix.values).all(axis=1)]
            if matrix.schema != model.schema or not len(rows):
                return {}
            return {name: values.tolist() for name, values in model.predicted(rows).items()}
        except CandledError as exc:  # a hook raised, or a series has no candle: the record alone must do
            log.warning(
                "live_statistics_begin_short", extra={"fields": {"pair": model.pair, "error": str(exc)}}
            )
            return {}


def _numbers(frame: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """A column of the record; NaN where it is not there or is text."""
    column = frame.get(name)
    if column is None or column.dtype.kind != "f":
        return np.full(len(frame), np.nan)
    return np.asarray(column, np.float64)
