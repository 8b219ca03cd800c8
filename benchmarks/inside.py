"""The daemon's own parts, run by hand: a market that stands still between two steps, models for every pair."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as `candled run` does, before numpy comes in
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")

import shutil
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import world

from daemon import app
from daemon.app_history import prepared
from daemon.config import load_settings
from daemon.core.clock import SystemClock
from daemon.features.store import FeatureStore
from daemon.runtime.allocators import keep_memory_level
from daemon.runtime.training_record import model_of
from daemon.runtime.user_models import use_model
from daemon.state import queue
from daemon.state.folder import StateFolder

LIGHTGBM = {
    "n_estimators": 200,
    # The library's own defaults, which the peer's model has; ours differ.
    "learning_rate": 0.1,
    "num_leaves": 31,
    "feature_fraction": 1.0,
    "max_bin": 255,
    "early_stopping_rounds": 0,
}
OUTLIERS = {"DI_threshold": 0.9, "use_SVM_to_remove_outliers": True}


class SteppedClock(SystemClock):
    """Real time for durations; market time moves by hand."""

    def __init__(self):
        self.ms = 0

    def now_ms(self):
        return self.ms


class Inside:
    """An assembled daemon without threads and timers; `tick` closes one candle and handles it."""

    def __init__(self, config_path):
        keep_memory_level()
        os.chdir(config_path.parent)
        settings = load_settings([config_path])
        self.clock, self.stop = SteppedClock(), threading.Event()
        self.clock.ms = app.market_clock(settings, 0).now_ms()
        folder = StateFolder(settings.identifier_folder)
        self._lock = folder.acquire(self.clock.ms)
        self._lock.__enter__()
        options, user_model = app.Options(clock=self.clock), use_model(settings)
        self.parts = parts = app._Assembly(folder, settings, self.stop, options, user_model)
        self.step_ms, self.grace_ms = parts.plan.base.ms, app.engine_options(settings).grace_ms
        self.clock.ms = parts.plan.base.floor(self.clock.ms) + self.grace_ms
        self.computer = prepared(parts)
        self.features = FeatureStore(parts.plan, self.computer, parts.feed.frame)
        parts.view.show(self.features.handed_on)
        self.trainer, self.engine = parts._trainer(self.features), parts._engine(self.features)
        self.trainer.load_models()
        parts.truth.examined()  # once after a start: no part of a tick

    def tick(self):
        self.clock.ms += self.step_ms
        assert self.engine.step(), "no candle was handled"

    def close(self):
        self.stop.set()
        self.parts.process.close()
        self.parts.history.close()
        self._lock.__exit__(None, None, None)

    def retrained(self, pair=None):
        """The artifact of a training of a pair, the first by default; `trainer_cpu_s` is what it took this thread."""
        pair = pair or self.parts.settings.pairs[0]
        book, entry = self.parts.book, self.parts.book.entry(pair)
        if entry.state is queue.QueueState.IDLE:
            entry = queue.queued(entry, self.clock.ms, reason="benchmark")
        book.update(pair, entry)
        started = time.thread_time()
        self.trainer._begin(pair, self.clock.ms)
        self.trainer._trained(pair)
        self.trainer_cpu_s = time.thread_time() - started
        return self.parts.artifacts.newest(pair)

    def share_the_model(self):
        """Train the first pair, and give every other pair a copy of its artifact under its own names."""
        parts, first, *others = self.parts, *self.parts.settings.pairs
        source = self.retrained(first)
        for pair in others:
            staging = parts.artifacts.new_staging()
            for path in source.files.values():
                shutil.copy(path, staging / path.name.replace(_stem(source.stem), _stem(source.stem, pair)))
            metadata = {name: value for name, value in source.metadata.items() if name != "checksum"}
            renamed = [name.replace(first, pair) for name in source.metadata["training_features_list"]]
            artifact = parts.artifacts.publish(
                staging,
                pair=pair,
                trained_s=source.trained_s,
                metadata={**metadata, "training_features_list": renamed},
            )
            entry = queue.trained(
                queue.training(parts.book.entry(pair), self.clock.ms),
                model_filename=artifact.stem,
                trained_timestamp=source.trained_s,
                data_path=artifact.name,
                train_seconds=1.0,
            )
            parts.book.update(pair, entry)
            self.trainer._install(model_of(artifact), artifact)
        return source


def _stem(stem, pair=None):
    head, coin, at = stem.split("_")
    return f"{head}_{pair.coin.lower() if pair else coin}_{at}"


@contextmanager
def inside(peer_scripts, *, pairs, days=75, **freqai):
    with tempfile.TemporaryDirectory(prefix="candled-bench-") as name:
        here = Path.cwd()
        path = world.build(Path(name), peer_scripts, pairs=pairs, days=days, **freqai)
        daemon = Inside(path)
        try:
            yield daemon
        finally:
            daemon.close()
            os.chdir(here)


def timed(owner, name, spent, *, into=None):
    """Have a method's CPU, this thread's alone, added up in ``spent``."""
    inner, into = getattr(owner, name), into or name

    def outer(*args, **kwargs):
        started = time.thread_time()
        try:
            return inner(*args, **kwargs)
        finally:
            spent[into] = spent.get(into, 0.0) + time.thread_time() - started

    setattr(owner, name, outer)
