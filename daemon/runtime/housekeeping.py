"""Work that can wait: judging predictions, noting metrics, folding the journal into a snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.runtime.allocators import give_back

if TYPE_CHECKING:
    from daemon.runtime.metrics_log import MetricsLog
    from daemon.runtime.scorer import Scorer
    from daemon.state.history import PredictionHistory


class Housekeeping:
    """Does what no candle and no training should wait for, in a thread of its own.

    Args:
        history: predictions, which grow.
        scorer: judges them.
        metrics: writes timings and scores down; None where the user does not want that.
    """

    def __init__(self, history: PredictionHistory, scorer: Scorer, metrics: MetricsLog | None) -> None:
        self._history = history
        self._scorer = scorer
        self._metrics = metrics

    def step(self) -> bool:
        """Look once; there is a reason to look again at once while pairs wait to be judged."""
        if self._history.compaction_due:
            self._history.compact()
            give_back()  # a snapshot of many pairs passes through memory as a whole
        judged = self._scorer.step()
        if self._metrics is not None and not judged:
            self._metrics.step()
        return judged
