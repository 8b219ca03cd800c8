"""The composition root: builds the daemon from settings. There are no rules here."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from daemon.core.clock import SystemClock
from daemon.core.market import CandleKey
from daemon.core.pair import Pair
from daemon.core.timeframe import Timeframe
from daemon.features.compute import BlockComputer
from daemon.features.store import FeatureStore
from daemon.learning.models.registry import model_class
from daemon.market.feed import Feed
from daemon.market.replay import ReplayMarket
from daemon.market.store import CandleStore
from daemon.runtime import preparation
from daemon.runtime.engine import Engine, EngineOptions
from daemon.runtime.forecaster import Forecaster
from daemon.runtime.housekeeping import Housekeeping
from daemon.runtime.lifecycle import Daemon
from daemon.runtime.recipe import DAY_MS, feature_plan, recipe, training_options
from daemon.runtime.runner import Runner
from daemon.runtime.status_file import status, write_status
from daemon.runtime.strategy_view import StrategyView
from daemon.runtime.tally import Tally
from daemon.runtime.ticker import Ticker
from daemon.runtime.trainer import Trainer, TrainerOptions
from daemon.runtime.training_process import TrainingProcess
from daemon.runtime.world import candle_folder, market_clock, market_of
from daemon.state import atomic
from daemon.state.artifacts import ArtifactStore
from daemon.state.folder import StateFolder
from daemon.state.history import PredictionHistory
from daemon.state.pair_dictionary import PairDictionary
from daemon.strategy.hooks import Hooks
from daemon.strategy.loader import load_strategy
from daemon.strategy.ports import bind

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from daemon.config import Settings
    from daemon.core.candles import CandleFrame
    from daemon.core.clock import Clock
    from daemon.core.market import Market
    from daemon.learning.live import LiveModel

log = logging.getLogger(__name__)

HOUSEKEEPING_S = 30.0
HOUR_MS = 3_600_000
IDLE_S = 5.0
"""Longest sleep of a thread between two looks at the clock, real seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line adds to the settings, and what tests replace.

    Attributes:
        ticks: stop after so many; None: run on.
        progress: called with (key, candles so far, candles wanted) while history is fetched.
        show: called now and then with the daemon's figures, for a live view.
        clock: instead of the one that the settings ask for.
        market: instead of the one that the settings ask for.
    """

    ticks: int | None = None
    progress: Callable[[CandleKey, int, int], None] | None = None
    show: Callable[[dict[str, Any]], None] | None = None
    clock: Clock | None = None
    market: Market | None = None


def run(settings: Settings, stop: threading.Event, options: Options | None = None) -> int:
    """Start, run until ``stop`` is set, stop; return the exit status.

    Raises:
        ConfigError: something that a human must mend; nothing was lost.
        FolderInUse: another daemon holds the state folder.
    """
    for warning in settings.warnings:
        log.warning("config", extra={"fields": {"warning": warning}})
    model_class(settings.freqaimodel)  # a missing library is told before anything is fetched or trained
    folder = StateFolder(settings.identifier_folder)
    with folder.acquire(SystemClock().now_ms()):
        return _Assembly(folder, settings, stop, options or Options()).run()


class _Assembly:
    """The parts of one daemon, built in the order in which they need each other."""

    def __init__(
        self, folder: StateFolder, settings: Settings, stop: threading.Event, options: Options
    ) -> None:
        self.folder = folder
        self.settings = settings
        self.stop = stop
        self.options = options
        self.strategy = load_strategy(
            settings.strategy, paths=_strategy_folders(settings), config=settings.raw
        )
        self.hooks = Hooks(self.strategy)
        self.history = PredictionHistory.open(folder)
        self.book = PairDictionary.open(folder)
        self.artifacts = ArtifactStore(folder)
        self.artifacts.clear_staging()
        folder.save_config(
            settings.config_files[0].name if settings.config_files else "config", settings.document
        )
        self.clock = options.clock or market_clock(settings, self._recorded_ms())
        self.market = options.market or market_of(settings, self.clock)
        self.plan = feature_plan(settings)
        self.view = StrategyView(
            frame_of=self._frame,
            history=self.history,
            pairs=settings.pairs,
            base=self.plan.base,
        )
        bind(self.strategy, predictions=self.view, candles=self.view, clock=self.clock)
        self.keys = list(dict.fromkeys([*self.plan.candle_keys(settings.pairs), *_read_beside(self)]))
        self.feed = Feed(
            market=self.market,
            store=CandleStore(candle_folder(settings), atomic.write_atomic, atomic.set_aside),
            keys=self.keys,
            clock=self.clock,
        )
        self.tally = Tally(self.clock, options.ticks, stop)
        self.between_ticks = threading.Event()
        self.between_ticks.set()
        self.models: dict[Pair, LiveModel] = {}
        self.process = TrainingProcess(
            threads=settings.candled.training.thread_count,
            nice=settings.candled.training.nice,
            longest_s=settings.candled.training.max_minutes * 60,
            stop=stop,
            clock=self.clock,
        )

    def run(self) -> int:
        # A request under way ends at once when the daemon is told to stop: nobody waits for a dead network.
        threading.Thread(target=self._hang_up, name="hang-up", daemon=True).start()
        try:
            computer = self._prepared()
            if self.stop.is_set():
                return 0
            return self._daemon(computer).run()
        finally:
            self.stop.set()
            self.process.close()
            self.market.close()

    def _hang_up(self) -> None:
        self.stop.wait()
        self.market.close()

    def _recorded_ms(self) -> int:
        """The newest moment of market time in the state folder; 0 if there is none."""
        candles = [self.history.last_ms(pair) for pair in self.settings.pairs]
        closes = [ms + self.settings.timeframe.ms for ms in candles if ms is not None]
        return max([0, *closes, *(entry.trained_timestamp * 1000 for entry in self.book.entries.values())])

    def _prepared(self) -> BlockComputer:
        """History in memory and the strategy's warm-up measured on it."""
        computer = BlockComputer(self.hooks, self.plan, preparation.FIRST_GUESS)
        self._fetch(computer.warm_up)
        if self.stop.is_set():
            return computer
        self.hooks.bot_start()
        tried = preparation.longest_known(self.settings.pairs, self.plan.base, self.feed)
        self.view.expect(preparation.strategy_labels(self.hooks, tried, self.plan.base, self.feed))
        computer.warm_up = preparation.strategy_warm_up(computer, self.plan, tried, self.feed)
        if computer.warm_up > preparation.FIRST_GUESS:
            self._fetch(computer.warm_up)
        return computer

    def _fetch(self, warm_up: int) -> None:
        preparation.fetch_history(
            self.feed,
            self.keys,
            self.plan,
            now_ms=self.clock.now_ms(),
            train_period_ms=self.settings.freqai.train_period_days * DAY_MS,
            warm_up=warm_up,
            stop=self.stop,
            progress=self.options.progress,
        )

    def _daemon(self, computer: BlockComputer) -> Daemon:
        settings, base = self.settings, self.plan.base
        features = FeatureStore(self.plan, computer, self.feed.frame)
        trainer = self._trainer(features)
        trainer.load_models()
        hours = settings.freqai.expiration_hours
        forecaster = Forecaster(
            features=features,
            models=self.models,
            frame_of=self.feed.frame,
            expiration_ms=int(hours * HOUR_MS) if hours else None,
        )
        grace_ms = int(settings.candled.grace_s * 1000)
        engine = Engine(
            EngineOptions(
                pairs=settings.pairs,
                base=base,
                grace_ms=grace_ms,
                keep_ms=settings.freqai.train_period_days * DAY_MS + base.ms,
            ),
            clock=self.clock,
            feed=self.feed,
            forecaster=forecaster,
            history=self.history,
            hooks=self.hooks,
            frames=self.view,
            tally=self.tally,
            between_ticks=self.between_ticks,
            stop=self.stop,
        )
        engine_runner = Runner("engine", engine, clock=self.clock, stop=self.stop, idle_s=IDLE_S)
        trainer_runner = Runner("trainer", trainer, clock=self.clock, stop=self.stop, idle_s=IDLE_S)
        end_ms = self.market.span_ms()[1] if isinstance(self.market, ReplayMarket) else None
        keeper = Runner(
            "housekeeping",
            Housekeeping(self.history),
            clock=self.clock,
            stop=self.stop,
            idle_s=HOUSEKEEPING_S,
        )
        return Daemon(
            runners=[engine_runner, trainer_runner, keeper],
            ticker=Ticker(
                clock=self.clock,
                base=base,
                grace_ms=grace_ms,
                engine=engine_runner.wake,
                trainer=trainer_runner.wake,
            ),
            clock=self.clock,
            tally=self.tally,
            stop=self.stop,
            finished=lambda: end_ms is not None and (engine.handled_ms or 0) >= end_ms,
            show=self._show,
            closings=[("history", self.history.close), ("candles", self.feed.flush)],
        )

    def _trainer(self, features: FeatureStore) -> Trainer:
        most_gb = self.settings.candled.max_disk_gb
        return Trainer(
            TrainerOptions(
                pairs=self.settings.pairs,
                training=training_options(self.settings),
                retrain_ms=int(self.settings.freqai.live_retrain_hours * HOUR_MS),
                keep_models=self.settings.freqai.purge_old_models,
                max_disk_bytes=None if most_gb is None else int(most_gb * 1e9),
                recipe=recipe(self.settings, self.strategy.digest),
            ),
            clock=self.clock,
            features=features,
            hooks=self.hooks,
            frame_of=self.feed.frame,
            book=self.book,
            artifacts=self.artifacts,
            process=self.process,
            models=self.models,
            tally=self.tally,
            between_ticks=self.between_ticks,
            stop=self.stop,
        )

    def _frame(self, key: CandleKey) -> CandleFrame:
        """The strategy is bound before the feed knows what to fetch, because the strategy says what."""
        return self.feed.frame(key)

    def _show(self, state: str) -> None:
        """Publish the figures: to other processes by status.json, to this one's view."""
        figures = status(
            state=state,
            clock=self.clock,
            tally=self.tally,
            pairs=self.settings.pairs,
            feed=self.feed,
            models=self.models,
            entries=self.book.entries,
        )
        write_status(self.folder.status, figures)
        if self.options.show is not None:
            self.options.show(figures)


def _strategy_folders(settings: Settings) -> list[Path]:
    folders = (settings.strategy_path, settings.user_data_dir / "strategies")
    return [folder for folder in folders if folder is not None]


def _read_beside(parts: _Assembly) -> list[CandleKey]:
    """Candles that the strategy reads beside its features."""
    asked = parts.hooks.candles_read([str(pair) for pair in parts.settings.pairs])
    return [CandleKey(Pair(pair), Timeframe(timeframe)) for pair, timeframe in asked]
