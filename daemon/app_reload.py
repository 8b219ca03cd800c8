"""The composition root, third part: who is told what when the settings change while the daemon runs."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from daemon.app_history import keys_of, save_config
from daemon.core.errors import CandledError, ConfigError, StrategyError
from daemon.interface.notifications import notifier
from daemon.market.simulated import SimulatedMarket
from daemon.runtime.logs import hide
from daemon.runtime.newcomers import Newcomers
from daemon.runtime.recipe import DAY_MS, engine_options, scorer_options, trainer_options
from daemon.runtime.reload import Reloading
from daemon.runtime.trading_broker import check_joining
from daemon.runtime.trading_room import desk_terms
from daemon.runtime.world import must_trade
from daemon.strategy.attributes import reapply_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.app import _Assembly
    from daemon.config import Settings
    from daemon.config.reloading import Reloaded
    from daemon.core.market import CandleKey
    from daemon.core.pair import Pair
    from daemon.features.store import FeatureStore
    from daemon.runtime.engine import Engine
    from daemon.runtime.metrics_log import MetricsLog
    from daemon.runtime.newcomers import Ready
    from daemon.runtime.runner import Runner
    from daemon.runtime.trainer import Trainer
    from daemon.trading.desk import Desk

log = logging.getLogger(__name__)


def reloading_of(
    parts: _Assembly,
    *,
    features: FeatureStore,
    engine: tuple[Engine, Runner],
    trainer: tuple[Trainer, Runner],
    desk: Desk,
    metrics: MetricsLog | None,
) -> Reloading:
    """What reads the settings again, and keeps the pairs in step with them."""
    newcomers = Newcomers(
        feed=parts.feed,
        features=features,
        keys_of=lambda pair: _series_of(parts, pair),
        train_period_ms=parts.settings.freqai.train_period_days * DAY_MS,
        clock=parts.clock,
        stop=parts.stop,
        give_way=parts.give_way,
        patience_s=parts.settings.candled.patience_s,
    )
    return Reloading(
        parts.settings,
        read=parts.options.read or (lambda: parts.settings),
        parts=_Told(parts, engine=engine, trainer=trainer, desk=desk, metrics=metrics),
        newcomers=newcomers,
        feed=parts.feed,
        held=lambda: [trade.record.pair for trade in desk.view.trades],
        asked=parts.options.reload,
        clock=parts.clock,
    )


def _series_of(parts: _Assembly, pair: Pair) -> tuple[CandleKey, ...]:
    """The series of a pair that joins; the simulated exchange trades whatever is asked for."""
    if isinstance(parts.market, SimulatedMarket):
        parts.market.list_too([pair])
    return keys_of(parts, [pair])


class _Told:
    """The `daemon.runtime.reload.Parts` of this daemon."""

    def __init__(
        self,
        parts: _Assembly,
        *,
        engine: tuple[Engine, Runner],
        trainer: tuple[Trainer, Runner],
        desk: Desk,
        metrics: MetricsLog | None,
    ) -> None:
        self._parts = parts
        self._engine = engine
        self._trainer = trainer
        self._desk = desk
        self._metrics = metrics
        self._keys = tuple(parts.keys)
        self._terms = desk_terms(parts.settings, parts.strategy)
        self._notifier = parts.notifier

    def check(self, found: Reloaded) -> None:
        """See `Parts`; the strategy sees what has changed from here on."""
        parts, settings = self._parts, found.settings
        joining = [pair for pair in settings.pairs if pair not in parts.settings.pairs]
        must_trade(parts.market, joining)
        fresh = self._notifier
        if settings.candled.notify != parts.settings.candled.notify:
            fresh = notifier(settings, parts.figures, parts.clock)
        keys = [change.key for change in found.changed]
        self._reapply(settings, keys)
        try:
            terms = desk_terms(settings, parts.strategy)
            check_joining(settings, terms.rules, self._desk, joining)
        except CandledError as exc:
            self._reapply(parts.settings, keys)
            raise ConfigError(str(exc)) from exc
        self._terms = terms
        self._notifier = fresh

    def engine(self, settings: Settings, pairs: Sequence[Pair], joining: Sequence[Ready]) -> None:
        """See `Parts`."""
        engine, runner = self._engine
        self._keys = tuple(dict.fromkeys([*self._keys, *(key for ready in joining for key in ready.keys)]))
        try:
            needed = frozenset(keys_of(self._parts, pairs))
            self._keys = tuple(key for key in self._keys if key in needed)
        except StrategyError as exc:  # what it reads is not known: better too many candles than too few
            log.warning("strategy_failed", extra={"fields": {"error": str(exc)}})
        options = replace(engine_options(settings), pairs=tuple(pairs), keys=self._keys)
        for ready in joining:
            engine.take(options, ready.candles)
        engine.take(options)
        runner.wake.set()

    def others(self, settings: Settings, pairs: Sequence[Pair]) -> None:
        """See `Parts`."""
        parts, training = self._parts, settings.candled.training
        parts.settings = settings
        hide(settings.secret_values)
        self._notify()
        trainer, runner = self._trainer
        trainer.take(
            replace(trainer_options(settings, parts.strategy.digest, parts.user_model), pairs=tuple(pairs))
        )
        parts.process.limit(longest_s=training.max_minutes * 60, most_bytes=training.max_bytes)
        parts.scorer.take(replace(scorer_options(settings), pairs=tuple(pairs)))
        whitelist = tuple(pair for pair in settings.pairs if pair in pairs)
        parts.view.take(whitelist)
        if self._metrics is not None:
            self._metrics.take(tuple(pairs))
        self._desk.take(replace(self._terms, pairs=whitelist, watched=tuple(pairs)))
        runner.wake.set()
        save_config(parts)

    def _notify(self) -> None:
        """Have another notifier speak, if there is one; the old one says its last word."""
        old, self._parts.notifier = self._parts.notifier, self._notifier
        if old is self._notifier:
            return
        if self._notifier is not None:
            self._notifier.start()
        if old is not None:
            old.close()

    def _reapply(self, settings: Settings, keys: Sequence[str]) -> None:
        strategy = self._parts.strategy
        reapply_settings(strategy.instance, strategy.limits, settings.raw, keys)
