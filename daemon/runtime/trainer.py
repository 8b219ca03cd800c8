"""The trainer: takes pairs from the queue, one after the other, and swaps new models in."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from daemon.core.errors import CandledError, ConfigError, Corrupt, Retryable
from daemon.core.market import CandleKey
from daemon.core.pair import Pair
from daemon.runtime.allocators import give_back
from daemon.runtime.continuation import continued
from daemon.runtime.dataset import data_set
from daemon.runtime.training_process import TrainingStopped
from daemon.runtime.training_record import doubt_of, model_of, report, training_metadata
from daemon.state import queue
from daemon.state.models import served_models
from daemon.state.requests import TrainingRequests

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from daemon.core.candles import CandleFrame
    from daemon.core.clock import Clock
    from daemon.features.store import FeatureStore
    from daemon.learning.live import LiveModel
    from daemon.runtime.dataset import DataSet, TrainingOptions
    from daemon.runtime.tally import Tally
    from daemon.runtime.training_process import TrainingProcess
    from daemon.state.artifacts import Artifact, ArtifactStore
    from daemon.state.folder import StateFolder
    from daemon.state.pair_dictionary import PairDictionary
    from daemon.strategy.hooks import Hooks

log = logging.getLogger(__name__)

LEAST_FREE_BYTES = 20_000_000
"""Room for an artifact and for some days of predictions, which must not be lost to it."""
GIVE_WAY_S = 5.0
"""Longest wait of a training for a tick: a candle that takes longer must not hold up trainings for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainerOptions:
    """What the trainer needs from the settings.

    Attributes:
        pairs: the whitelist, in order.
        training: what each training is asked to do.
        retrain_ms: market milliseconds after which a model is trained anew; 0: as often as possible.
        keep_models: how many artifacts of a pair stay on disk; 0: all.
        max_disk_bytes: most that all artifacts may take on the disk; None: no limit.
        recipe: digest of everything but the candles that decides what a model is; a model of another recipe is
            trained anew at once.
        strategy_digest: of the strategy's file and helpers, for the record.
    """

    pairs: tuple[Pair, ...]
    training: TrainingOptions
    retrain_ms: int
    keep_models: int
    max_disk_bytes: int | None
    recipe: str
    strategy_digest: str = ""


class Trainer:
    """One training per step.

    A training that fails, for whatever reason, is recorded with the pair, which then backs off; the next step
    takes the next pair.
    """

    def __init__(
        self,
        options: TrainerOptions,
        *,
        clock: Clock,
        features: FeatureStore,
        hooks: Hooks,
        frame_of: Callable[[CandleKey], CandleFrame],
        folder: StateFolder,
        book: PairDictionary,
        artifacts: ArtifactStore,
        process: TrainingProcess,
        models: dict[Pair, LiveModel],
        tally: Tally,
        between_ticks: threading.Event,
        stop: threading.Event,
        fallen: Callable[[Pair], str] = lambda _: "",
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._options = options
        self._clock = clock
        self._features = features
        self._hooks = hooks
        self._frame_of = frame_of
        self._folder = folder
        self._book = book
        self._artifacts = artifacts
        self._process = process
        self._models = models
        self._tally = tally
        self._between_ticks = between_ticks
        self._stop = stop
        self._fallen = fallen
        self._beat = beat
        self._requests = TrainingRequests(folder)
        self._recipes: dict[Pair, str] = {}
        self._given: TrainerOptions | None = None
        self._taken: TrainerOptions | None = None

    def take(self, options: TrainerOptions) -> None:
        """Go by other options from the next training on; called from any thread."""
        self._given = options

    def load_models(self) -> None:
        """Put the newest intact model of every pair in place, where there is none; what has to change in the queue is written down."""
        now_ms = self._clock.now_ms()
        entries = {pair: self._book.entry(pair) for pair in self._options.pairs if pair not in self._models}
        served = served_models(self._folder, self._artifacts, entries, now_ms, touch=True)
        changed = dict(served.entries)
        for pair, artifact in served.artifacts.items():
            try:
                self._install(model_of(artifact), artifact)
            except (Corrupt, ConfigError) as exc:  # whole, but not for this candled: left where it lies
                log.warning("model_not_ours", extra={"fields": {"pair": pair, "error": str(exc)}})
                changed[pair] = queue.without_model(changed.get(pair, entries[pair]), now_ms, str(exc))
        if changed:
            self._book.update_all(changed)

    def step(self) -> bool:
        """Queue what is asked for and what is due, then train the first pair in line."""
        self._turn()
        now_ms = self._clock.now_ms()
        self._queue_requested(now_ms)
        self._queue_due(now_ms)
        pair = queue.next_pair(self._book.entries, self._options.pairs, now_ms)
        if pair is None:
            return False
        self._begin(pair, now_ms)
        try:
            seconds = self._trained(pair)
        except TrainingStopped:
            self._book.update(pair, queue.interrupted(self._book.entry(pair)))
            self._tally.training_stopped()
            return False
        except (CandledError, OSError, MemoryError) as exc:
            self._book.update(pair, queue.failed(self._book.entry(pair), str(exc), self._clock.now_ms()))
            self._tally.training_ended(failed=True)
            log.warning("training_failed", extra={"fields": {"pair": pair, "error": str(exc)}})
            with contextlib.suppress(OSError):
                self._artifacts.clear_staging()  # lest failures on a full disk fill it further
        else:
            self._tally.training_ended(failed=False, seconds=seconds)
        self._give_way()
        give_back()  # rows and models have passed through memory: what they left between the record's arrays adds up
        return True

    def _turn(self) -> None:
        """Go by what was given since the last step."""
        given = self._given
        if given is not self._taken and given is not None:
            self._options = self._taken = given
            self.load_models()  # pairs that are new here may have been trained in an earlier life

    def _begin(self, pair: Pair, now_ms: int) -> None:
        entry = queue.training(self._book.entry(pair), now_ms)
        self._book.update(pair, entry)
        self._tally.training_began(pair)
        log.info("training", extra={"fields": {"pair": pair, "reason": entry.reason}})

    def _queue_requested(self, now_ms: int) -> None:
        for pair in self._requests.take():
            if pair in self._options.pairs:
                self._book.update(pair, queue.requested(self._book.entry(pair), now_ms))
            else:
                why = "it is not in exchange.pair_whitelist"
                log.warning("training_request_dropped", extra={"fields": {"pair": pair, "why": why}})
        if not self._book.unsaved:
            self._requests.settle()

    def _queue_due(self, now_ms: int) -> None:
        for pair in self._options.pairs:
            entry = self._book.entry(pair)
            if entry.state is not queue.QueueState.IDLE:
                continue
            reason = queue.reason_to_train(
                entry,
                now_ms,
                self._options.retrain_ms,
                newer_candle=self._newer_candle(pair, entry),
                recipe_changed=self._recipes.get(pair) != self._options.recipe,
                fallen=self._fallen(pair),
            )
            if reason:
                self._book.update(pair, queue.queued(entry, now_ms, reason=reason))

    def _newer_candle(self, pair: Pair, entry: queue.PairEntry) -> bool:
        """Whether a candle behind the model's window is here; that the clock says so is not enough."""
        candles = self._frame_of(CandleKey(pair, self._features.plan.base)).open_ms[-1:]
        return bool((candles + self._features.plan.base.ms > entry.trained_timestamp * 1000).any())

    def _trained(self, pair: Pair) -> float:
        """Train, publish, swap in; the queue entry is written last and makes it so. Real seconds that it took."""
        self._check_room()
        started = self._clock.monotonic_s()
        close_ms = self._features.plan.base.floor(self._clock.now_ms())
        data = data_set(
            pair,
            close_ms,
            self._options.training,
            features=self._features,
            hooks=self._hooks,
            frame_of=self._frame_of,
            give_way=self._give_way,
        )
        if self._options.training.continual_learning:
            data = self._continuing(data)
        staging = self._artifacts.new_staging()
        result = self._process.run(data.job, data.features, data.labels, staging)
        trained_s = data.window_end_ms // 1000
        artifact = self._artifacts.publish(
            staging,
            pair=pair,
            trained_s=trained_s,
            metadata=training_metadata(
                data,
                result,
                recipe=self._options.recipe,
                strategy_digest=self._options.strategy_digest,
                label_period_candles=self._options.training.label_period_candles,
            )
            | {"reason": self._book.entry(pair).reason, "warm_up": self._features.warm_up},
        )
        model = model_of(artifact)  # what cannot be loaded is never named in the dictionary
        seconds = self._clock.monotonic_s() - started
        entry = queue.trained(
            self._book.entry(pair),
            model_filename=data.job.file_stem,
            trained_timestamp=trained_s,
            data_path=artifact.name,
            train_seconds=seconds,
        )
        self._book.update(pair, entry)
        self._install(model, artifact)
        self._purge(pair, artifact.name)
        report(pair, result, seconds, len(data.job.features))
        return seconds

    def _continuing(self, data: DataSet) -> DataSet:
        pair = Pair(data.job.pair)
        job, why = continued(data.job, self._models.get(pair), self._artifacts)
        if why:
            log.warning("training_begins_afresh", extra={"fields": {"pair": pair, "why": why}})
        return replace(data, job=job)

    def _check_room(self) -> None:
        """Refuse to begin what could not be written down.

        Raises:
            Retryable: the disk is nearly full.
        """
        free = self._artifacts.free_bytes()
        if free < LEAST_FREE_BYTES:
            raise Retryable(
                f"the disk has {free / 1e6:.0f} MB free, a training needs {LEAST_FREE_BYTES / 1e6:.0f} MB: "
                "free some space, or set candled.max_disk_gb"
            )

    def _give_way(self) -> None:
        """Let a tick that is being handled end first; both threads share one interpreter."""
        self._beat()
        self._clock.wait(self._between_ticks, GIVE_WAY_S)

    def _install(self, model: LiveModel, artifact: Artifact) -> None:
        self._recipes[model.pair] = str(artifact.metadata.get("recipe", ""))
        doubt = doubt_of(artifact, self._options.strategy_digest, self._options.training.label_period_candles)
        if doubt:
            why = f"{doubt}: nothing is entered on it until the pair is trained anew"
            log.warning("model_in_doubt", extra={"fields": {"pair": model.pair, "why": why}})
        self._models[model.pair] = replace(model, doubt=doubt)

    def _purge(self, pair: Pair, live: str) -> None:
        try:
            if self._options.keep_models:
                self._artifacts.purge(pair, keep=self._options.keep_models, live=live)
            if self._options.max_disk_bytes is not None:
                in_use = {model.name for model in self._models.values()}
                self._artifacts.purge_to(self._options.max_disk_bytes, in_use | {live})
        except OSError as exc:  # the training itself is done and recorded: the next one purges again
            log.warning("models_not_purged", extra={"fields": {"pair": pair, "error": str(exc)}})
