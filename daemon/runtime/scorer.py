"""Judges the recorded predictions of each pair now and then, when new labels have become known."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from daemon.core.errors import Corrupt, StrategyError
from daemon.core.market import CandleKey
from daemon.features.labels import label_columns
from daemon.runtime.scores import NOTHING, PairScores, fallen_skill, scores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from daemon.core.candles import CandleFrame
    from daemon.core.pair import Pair
    from daemon.core.timeframe import Timeframe
    from daemon.learning.live import LiveModel
    from daemon.state.history import PredictionHistory
    from daemon.strategy.hooks import Hooks

log = logging.getLogger(__name__)

LOOK_BACK = 4
"""Candles among which predictions are looked for, in windows: a pair that often abstains has older ones."""
TIMES_PER_WINDOW = 24
"""How often a window is judged anew while it passes: each hour where it is a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScorerOptions:
    """What the scorer needs from the settings.

    Attributes:
        pairs: the whitelist.
        base: timeframe of predictions.
        window: predictions that rolling metrics take.
        horizon: ``label_period_candles``.
        label_period_ms: length of the stretch of candles that labels are computed on, as for a training.
        skill_share: share of the skill at training below which a model is trained anew; 0: never.
        min_predictions: judged predictions of the live model before its skill says anything.
    """

    pairs: tuple[Pair, ...]
    base: Timeframe
    window: int
    horizon: int
    label_period_ms: int
    skill_share: float
    min_predictions: int


class Scorer:
    """One pair per step. Nothing is kept but the newest scores: a restart computes them from the record again.

    Args:
        options: how.
        history: what was predicted.
        hooks: the strategy, which makes the labels.
        frame_of: candles in memory.
        models: the live model of each pair.
        give_way: called before each piece of work that takes more than a few milliseconds.
    """

    def __init__(
        self,
        options: ScorerOptions,
        *,
        history: PredictionHistory,
        hooks: Hooks,
        frame_of: Callable[[CandleKey], CandleFrame],
        models: Mapping[Pair, LiveModel],
        give_way: Callable[[], None],
    ) -> None:
        self._options = options
        self._history = history
        self._hooks = hooks
        self._frame_of = frame_of
        self._models = models
        self._give_way = give_way
        self._scores: dict[Pair, PairScores] = {}
        self._judged_ms: dict[Pair, int] = {}
        self._means: dict[Pair, dict[str, Mapping[str, float]]] = {}
        self._faults: dict[Pair, str] = {}

    def take(self, options: ScorerOptions) -> None:
        """Go by other options from now on; called from any thread."""
        self._options = options

    def scores(self, pair: Pair) -> PairScores:
        """The newest scores of a pair; those of nothing before it was judged. From any thread."""
        return self._scores.get(pair, NOTHING)

    def fallen(self, pair: Pair) -> str:
        """What the live model's skill is and was, if it fell too far; else "". From any thread."""
        model = self._models.get(pair)
        if model is None:
            return ""
        live = self.scores(pair).models.get(model.name, {})
        share, least = self._options.skill_share, self._options.min_predictions
        return fallen_skill(dict(live), model.metrics, share=share, least=least)

    def step(self) -> bool:
        """Judge the first pair that has news; False: none has."""
        pace_ms = max(1, self._options.window // TIMES_PER_WINDOW) * self._options.base.ms
        for pair in self._options.pairs:
            newest_ms = self._newest_ms(pair)
            if newest_ms >= self._judged_ms.get(pair, -pace_ms) + pace_ms:
                self._judged_ms[pair] = newest_ms
                self._judge(pair)
                return True
        return False

    def _newest_ms(self, pair: Pair) -> int:
        """Open time of the newest recorded candle; -1 without a record, which is no news."""
        last_ms = self._history.last_ms(pair)
        return -1 if last_ms is None else last_ms

    def _judge(self, pair: Pair) -> None:
        try:
            self._scores[pair] = self._found(pair)
        except (StrategyError, Corrupt) as exc:
            if self._faults.get(pair) != str(exc):  # the first of a streak
                log.warning("predictions_not_judged", extra={"fields": {"pair": pair, "error": str(exc)}})
            self._faults[pair] = str(exc)
        else:
            self._faults.pop(pair, None)

    def _found(self, pair: Pair) -> PairScores:
        """Labels of the newest candles, computed on as long a stretch as a training's, beside the record."""
        self._note_means()
        frame = self._frame_of(CandleKey(pair, self._options.base))
        if not len(frame):
            return NOTHING
        newest_ms = int(frame.open_ms[-1])
        frame = frame.between(newest_ms - self._options.label_period_ms, newest_ms)
        self._give_way()
        columns = label_columns(self._hooks, pair, frame)
        self._give_way()
        first = max(0, len(frame) - LOOK_BACK * self._options.window - self._options.horizon)
        open_ms = np.ascontiguousarray(frame.open_ms[first:])
        recorded = self._history.window(pair, open_ms)
        return scores(
            columns,
            recorded,
            open_ms,
            horizon=self._options.horizon,
            window=self._options.window,
            means=self._means_of(pair, recorded.get("model", ())),
        )

    def _note_means(self) -> None:
        """Remember the training means of live models while they are live: the naive baseline of what they said."""
        for pair, model in list(self._models.items()):
            self._means.setdefault(pair, {})[model.name] = model.label_means

    def _means_of(self, pair: Pair, made_by: Iterable[str]) -> Mapping[str, Mapping[str, float]]:
        """Those of the models that have made these predictions; the others of the pair are forgotten, but for the live one."""
        said = {*made_by, *(model.name for model in [self._models.get(pair)] if model is not None)}
        kept = {name: means for name, means in self._means.get(pair, {}).items() if name in said}
        self._means[pair] = kept
        return kept
