"""The composition root: builds the daemon from settings. There are no rules here."""

from __future__ import annotations

import logging
import threading
from contextlib import closing
from typing import TYPE_CHECKING

from daemon.app_history import keys_of, prepared, save_config
from daemon.app_options import Options
from daemon.app_threads import daemon_of
from daemon.core.clock import SystemClock
from daemon.features.store import FeatureStore
from daemon.interface.notifications import notifier
from daemon.market.feed import Feed
from daemon.market.store import CandleStore
from daemon.runtime.account_ledger import opened_ledger
from daemon.runtime.allocators import uncollected
from daemon.runtime.engine import Engine
from daemon.runtime.forecaster import Forecaster
from daemon.runtime.live_statistics import LiveStatistics
from daemon.runtime.logs import EventCounter
from daemon.runtime.recipe import (
    engine_options,
    expiration_ms,
    feature_plan,
    keep_candles_ms,
    retention,
    scorer_options,
    trainer_options,
)
from daemon.runtime.runner import Heartbeat
from daemon.runtime.scorer import Scorer
from daemon.runtime.status_file import Published
from daemon.runtime.strategy_signals import StrategySignals
from daemon.runtime.strategy_view import StrategyView
from daemon.runtime.tally import Tally
from daemon.runtime.trading_room import desk_of
from daemon.runtime.trainer import GIVE_WAY_S, Trainer
from daemon.runtime.training_process import TrainingProcess
from daemon.runtime.truth import TruthGate
from daemon.runtime.user_models import use_model
from daemon.runtime.world import (
    candle_folder,
    market_clock,
    market_of,
    recorded_ms,
    strategy_folders,
    warn_of_the_future,
)
from daemon.state import atomic
from daemon.state.artifacts import ArtifactStore
from daemon.state.folder import StateFolder
from daemon.state.history import PredictionHistory
from daemon.state.pair_dictionary import PairDictionary
from daemon.strategy.hooks import Hooks
from daemon.strategy.loader import load_strategy
from daemon.strategy.ports import bind
from daemon.trading.messages import Inbox
from daemon.trading.rules import trade_rules

if TYPE_CHECKING:
    from daemon.config import Settings
    from daemon.core.candles import CandleFrame
    from daemon.core.market import CandleKey
    from daemon.core.pair import Pair
    from daemon.features.compute import BlockComputer
    from daemon.interface.server import HealthServer
    from daemon.learning.live import LiveModel
    from daemon.learning.models.user import UserClass
    from daemon.runtime.lifecycle import Daemon
    from daemon.runtime.reload import Reloading
    from daemon.trading.desk import Desk
    from daemon.trading.ledger import Ledger

__all__ = ["Options", "run"]

log = logging.getLogger(__name__)


def run(settings: Settings, stop: threading.Event, options: Options | None = None) -> int:
    """Start, run until ``stop`` is set, stop; return the exit status.

    Raises:
        ConfigError: something that a human must mend; nothing was lost.
        FolderInUse: another daemon holds the state folder.
    """
    for warning in settings.warnings:
        log.warning("config", extra={"fields": {"warning": warning}})
    with uncollected():
        user_model = use_model(settings)  # a missing library or a bad file is told before anything is fetched
    folder = StateFolder(settings.identifier_folder)
    with folder.acquire(SystemClock().now_ms()):
        return _Assembly(folder, settings, stop, options or Options(), user_model).run()


class _Assembly:
    """The parts of one daemon, built in the order in which they need each other."""

    def __init__(
        self,
        folder: StateFolder,
        settings: Settings,
        stop: threading.Event,
        options: Options,
        user_model: UserClass | None,
    ) -> None:
        self.folder = folder
        self.settings = settings
        self.stop = stop
        self.options = options
        self.user_model = user_model
        self.strategy = load_strategy(
            settings.strategy, paths=strategy_folders(settings), config=settings.raw
        )
        trade_rules(settings, self.strategy.instance)  # what does not fit is told before anything is fetched
        self.hooks = Hooks(self.strategy)
        self.history = PredictionHistory.open(folder, retention(settings))
        self.book = PairDictionary.open(folder)
        self.artifacts = ArtifactStore(folder)
        self.artifacts.clear_staging()
        save_config(self)
        recorded = recorded_ms(settings, self.history, self.book)
        self.clock = options.clock or market_clock(settings, recorded)
        warn_of_the_future(recorded - self.clock.now_ms(), settings.timeframe)
        self.market = options.market or market_of(settings, self.clock)
        self.plan = feature_plan(settings)
        self.view = StrategyView(
            frame_of=self._frame, history=self.history, pairs=settings.pairs, base=self.plan.base
        )
        bind(self.strategy, predictions=self.view, candles=self.view, clock=self.clock)
        self.keys = keys_of(self, settings.pairs)
        self.feed = self._feed()
        self.tally = Tally(self.clock, options.ticks, stop)
        self.inbox = Inbox(threading.Event())
        self.desk: Desk | None = None
        self.reloading: Reloading | None = None
        self.between_ticks = threading.Event()
        self.between_ticks.set()
        self.models: dict[Pair, LiveModel] = {}
        self.heartbeats = {name: Heartbeat(self.clock) for name in ("engine", "trainer", "desk")}
        self.truth = TruthGate()
        self.figures = Published(self.clock)
        self.events = EventCounter()
        self.notifier = notifier(settings, self.figures, self.clock)
        self.scorer = self._scorer()
        self.process = TrainingProcess(
            threads=settings.candled.training.thread_count,
            nice=settings.candled.training.nice,
            longest_s=settings.candled.training.max_minutes * 60,
            patience_s=settings.candled.patience_s,
            most_bytes=settings.candled.training.max_bytes,
            stop=stop,
            clock=self.clock,
            beat=self.heartbeats["trainer"].beat,
        )

    def run(self) -> int:
        # A request under way ends at once when the daemon is told to stop: nobody waits for a dead network.
        threading.Thread(target=self._hang_up, name="hang-up", daemon=True).start()
        logging.getLogger().addHandler(self.events)
        health = self._health()
        if self.notifier is not None:
            self.notifier.start()
        try:  # a ledger that is another market's is told before anything is fetched
            with closing(opened_ledger(self.settings, self.clock.now_ms())) as ledger:
                computer = prepared(self)
                if self.stop.is_set():
                    return 0
                return self._daemon(computer, ledger).run()
        finally:
            self.stop.set()
            self.process.close()
            self.market.close()
            logging.getLogger().removeHandler(self.events)
            if health is not None:
                health.close()
            if self.notifier is not None:
                self.notifier.close()

    def _feed(self) -> Feed:
        folder, keep_ms = candle_folder(self.settings), keep_candles_ms(self.settings)
        store = CandleStore(folder, atomic.write_atomic, atomic.set_aside, keep_ms)
        return Feed(market=self.market, store=store, keys=self.keys, clock=self.clock)

    def _scorer(self) -> Scorer:
        return Scorer(
            scorer_options(self.settings),
            history=self.history,
            hooks=self.hooks,
            frame_of=self._frame,
            models=self.models,
            give_way=self.give_way,
        )

    def _health(self) -> HealthServer | None:
        if self.settings.candled.health.port is None:
            return None
        from daemon.interface.server import health_server  # noqa: PLC0415  its libraries: for those who ask for it

        return health_server(self.settings, self.figures)

    def _hang_up(self) -> None:
        self.stop.wait()
        if not self.settings.cancel_open_orders_on_exit:  # else the desk has something to say yet
            self.market.close()

    def _daemon(self, computer: BlockComputer, ledger: Ledger) -> Daemon:
        features = FeatureStore(self.plan, computer, self.feed.frame)
        self.view.show(features.handed_on)
        trainer = self._trainer(features)
        trainer.load_models()
        self.desk = desk_of(
            self.settings,
            ledger=ledger,
            strategy=self.strategy,
            market=self.market,
            frame_of=self._frame,
            clock=self.clock,
            inbox=self.inbox,
            stop=self.stop,
            beat=self.heartbeats["desk"].beat,
        )
        engine = self._engine(features)
        return daemon_of(self, features=features, engine=engine, trainer=trainer, desk=self.desk)

    def _engine(self, features: FeatureStore) -> Engine:
        forecaster = Forecaster(
            features=features,
            models=self.models,
            frame_of=self.feed.frame,
            expiration_ms=expiration_ms(self.settings),
            beat=self.heartbeats["engine"].beat,
        )
        candles = self.settings.freqai.fit_live_predictions_candles
        statistics = LiveStatistics(
            candles,
            history=self.history,
            features=features,
            models=self.models,
            frame_of=self.feed.frame,
        )
        return Engine(
            engine_options(self.settings),
            clock=self.clock,
            feed=self.feed,
            forecaster=forecaster,
            history=self.history,
            asked=StrategySignals(self.hooks, self.view),
            tally=self.tally,
            between_ticks=self.between_ticks,
            stop=self.stop,
            statistics=statistics if candles else None,
            trade=self.inbox.put,
            examined=self.truth.examined,
            beat=self.heartbeats["engine"].beat,
        )

    def _trainer(self, features: FeatureStore) -> Trainer:
        return Trainer(
            trainer_options(self.settings, self.strategy.digest, self.user_model),
            clock=self.clock,
            features=features,
            hooks=self.hooks,
            frame_of=self.feed.frame,
            folder=self.folder,
            book=self.book,
            artifacts=self.artifacts,
            process=self.process,
            models=self.models,
            tally=self.tally,
            between_ticks=self.between_ticks,
            stop=self.stop,
            fallen=self.scorer.fallen,
            beat=self.heartbeats["trainer"].beat,
        )

    def give_way(self) -> None:
        """Let a tick that is being handled end first."""
        self.clock.wait(self.between_ticks, GIVE_WAY_S)

    def _frame(self, key: CandleKey) -> CandleFrame:
        """The strategy is bound before the feed knows what to fetch, because the strategy says what."""
        return self.feed.frame(key)
