"""The composition root, third part: who is told what when the settings change while the daemon runs."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from daemon.core.errors import ConfigError, StrategyError
from daemon.core.market import CandleKey
from daemon.core.pair import Pair
from daemon.core.timeframe import Timeframe
from daemon.market.simulated import SimulatedMarket
from daemon.runtime.newcomers import Newcomers
from daemon.runtime.recipe import DAY_MS, engine_options, scorer_options, trainer_options
from daemon.runtime.reload import Reloading
from daemon.runtime.trading_room import desk_terms
from daemon.runtime.world import must_trade
from daemon.strategy.attributes import reapply_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.app import _Assembly
    from daemon.config import Settings
    from daemon.config.reloading import Reloaded
    from daemon.features.store import FeatureStore
    from daemon.runtime.engine import Engine
    from daemon.runtime.metrics_log import MetricsLog
    from daemon.runtime.newcomers import Ready
    from daemon.runtime.runner import Runner
    from daemon.runtime.trainer import Trainer
    from daemon.trading.desk import Desk

log = logging.getLogger(__name__)


def keys_of(parts: _Assembly, pairs: Sequence[Pair]) -> tuple[CandleKey, ...]:
    """Every candle series that these pairs need, with what the strategy reads beside its features.

    Raises:
        StrategyError: the strategy does not say what it reads.
    """
    with parts.view.supposing(pairs):
        asked = parts.hooks.candles_read([str(pair) for pair in pairs])
    try:
        beside = [CandleKey(Pair(pair), Timeframe(timeframe)) for pair, timeframe in asked]
    except ValueError as exc:
        raise StrategyError(f"{parts.strategy.file}: informative_pairs: {exc}") from exc
    return tuple(dict.fromkeys([*parts.plan.candle_keys(pairs), *beside]))


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

    def check(self, found: Reloaded) -> None:
        """See `Parts`; the strategy sees what has changed from here on."""
        parts, settings = self._parts, found.settings
        must_trade(parts.market, [pair for pair in settings.pairs if pair not in parts.settings.pairs])
        keys = [change.key for change in found.changed]
        self._reapply(settings, keys)
        try:
            self._terms = desk_terms(settings, parts.strategy)
        except StrategyError as exc:
            self._reapply(parts.settings, keys)
            raise ConfigError(str(exc)) from exc

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
        trainer, runner = self._trainer
        trainer.take(replace(trainer_options(settings, parts.strategy.digest), pairs=tuple(pairs)))
        parts.process.limit(longest_s=training.max_minutes * 60, most_bytes=training.max_bytes)
        parts.scorer.take(replace(scorer_options(settings), pairs=tuple(pairs)))
        whitelist = tuple(pair for pair in settings.pairs if pair in pairs)
        parts.view.take(whitelist)
        if self._metrics is not None:
            self._metrics.take(tuple(pairs))
        self._desk.take(replace(self._terms, pairs=whitelist))
        runner.wake.set()
        parts.save_config()

    def _reapply(self, settings: Settings, keys: Sequence[str]) -> None:
        strategy = self._parts.strategy
        reapply_settings(strategy.instance, strategy.limits, settings.raw, keys)
