"""What ``write_metrics_to_disk`` writes: timings, load and scores, as they come up."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from daemon.core.clock import Clock
    from daemon.core.pair import Pair
    from daemon.learning.live import LiveModel
    from daemon.runtime.scores import PairScores
    from daemon.runtime.tally import Tally
    from daemon.state.metric_tracker import MetricTracker
    from daemon.state.queue import PairEntry

SAVE_S = 60.0
"""Real seconds between two writes of the file."""


class MetricsLog:
    """Looks at what others have done, and notes what is new.

    Args:
        tracker: the file.
        clock: market time for the values, real time between writes.
        pairs: the whitelist.
        tally: durations of ticks.
        entries: the queue, which knows how long a training took.
        models: live models, which know how they did on their test rows.
        scores: live scores of a pair.
    """

    def __init__(
        self,
        tracker: MetricTracker,
        *,
        clock: Clock,
        pairs: Sequence[Pair],
        tally: Tally,
        entries: Callable[[], Mapping[Pair, PairEntry]],
        models: Mapping[Pair, LiveModel],
        scores: Callable[[Pair], PairScores],
    ) -> None:
        self._tracker = tracker
        self._clock = clock
        self._pairs = pairs
        self._tally = tally
        self._entries = entries
        self._models = models
        self._scores = scores
        self._tick_ms = 0
        self._trained = {pair: entry.data_path for pair, entry in entries().items()}
        self._known_ms: dict[Pair, int] = {}
        self._saved_s = clock.monotonic_s()

    def take(self, pairs: Sequence[Pair]) -> None:
        """Note these pairs from now on; called from any thread."""
        self._pairs = pairs

    def step(self) -> None:
        """Note what is new since the last step; write the file now and then."""
        now_s = self._clock.now_ms() // 1000
        self._note_tick(now_s)
        for pair in self._pairs:
            self._note_training(pair, now_s)
            self._note_scores(pair)
        if self._clock.monotonic_s() - self._saved_s >= SAVE_S:
            self._saved_s = self._clock.monotonic_s()
            self._tracker.save()

    def close(self) -> None:
        """Note what is new since the last step, and write the file."""
        self.step()
        self._tracker.save()

    def _note_tick(self, now_s: int) -> None:
        """All pairs of a candle are predicted together: each is noted with its share of the time."""
        last = self._tally.snapshot()["last_tick"]
        if last.get("close_ms", 0) <= self._tick_ms:
            return
        self._tick_ms = last["close_ms"]
        pairs = self._pairs
        for pair in pairs:
            self._tracker.note(pair, "inference_time", last["seconds"] / len(pairs), now_s)

    def _note_training(self, pair: Pair, now_s: int) -> None:
        entry, model = self._entries().get(pair), self._models.get(pair)
        if entry is None or model is None or model.name != entry.data_path:
            return
        if self._trained.get(pair) == entry.data_path:
            return
        self._trained[pair] = entry.data_path
        self._tracker.note(pair, "train_time", entry.train_seconds, now_s)
        cores = os.cpu_count() or 1
        for minutes, load in zip((1, 5, 15), os.getloadavg(), strict=True):
            self._tracker.note(pair, f"cpu_load{minutes}min", load / cores, now_s)
        self._note_metrics(pair, "test", model.metrics, now_s)

    def _note_scores(self, pair: Pair) -> None:
        found = self._scores(pair)
        if found.known_ms > self._known_ms.get(pair, 0):
            self._known_ms[pair] = found.known_ms
            self._note_metrics(pair, "live", found.rolling, found.known_ms // 1000)

    def _note_metrics(
        self, pair: Pair, when: str, metrics: Mapping[str, Mapping[str, float]], time_s: int
    ) -> None:
        for target, found in metrics.items():
            for name, value in found.items():
                if "[" not in name:  # those of single classes would make the file ten times as long
                    self._tracker.note(pair, f"{when}_{name}:{target}", value, time_s)
