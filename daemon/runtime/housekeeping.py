"""Work that can wait: folding the journal of predictions into a snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from daemon.state.history import PredictionHistory


class Housekeeping:
    """Does what no candle and no training should wait for, in a thread of its own."""

    def __init__(self, history: PredictionHistory) -> None:
        self._history = history

    def step(self) -> bool:
        """Look once; there is never a reason to look again at once."""
        if self._history.compaction_due:
            self._history.compact()
        return False
