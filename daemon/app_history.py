"""The composition root, its beginning: candles in memory, the strategy tried on them."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from daemon.core.errors import Retryable, StrategyError
from daemon.core.market import CandleKey
from daemon.core.pair import Pair
from daemon.core.timeframe import Timeframe
from daemon.features.compute import BlockComputer
from daemon.runtime import preparation
from daemon.runtime.recipe import DAY_MS
from daemon.runtime.trial_memory import TrialMemory, trial_key
from daemon.runtime.truth import anew, sampled
from daemon.state.trial_file import TrialFile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.app import _Assembly

log = logging.getLogger(__name__)


def prepared(parts: _Assembly) -> BlockComputer:
    """History in memory and the strategy's warm-up measured on it."""
    computer = BlockComputer(parts.hooks, parts.plan, preparation.FIRST_GUESS)
    _fetch(parts, computer)
    if parts.stop.is_set():
        return computer
    parts.hooks.bot_start()
    memory = TrialMemory(TrialFile(parts.folder), trial_key(parts.settings, parts.strategy.digest))
    tried = preparation.tried_strategy(
        parts.hooks,
        computer,
        parts.plan,
        pairs=parts.settings.pairs,
        model=parts.settings.freqaimodel,
        feed=parts.feed,
        extra_returns=parts.settings.freqai.extra_returns_per_train,
        known=memory.recall(),
    )
    memory.remember(tried.measured)
    parts.view.expect(tried.labels, parts.settings.freqai.extra_returns_per_train)
    computer.warm_up, computer.reads = tried.warm_up, tried.reads
    if computer.warm_up > preparation.FIRST_GUESS or computer.reads.any:
        _fetch(parts, computer)
    parts.truth.sample = partial(
        sampled,
        anew(parts.settings, parts.clock),
        parts.plan,
        tried,
        frame_of=parts.feed.frame,
        pairs=parts.settings.pairs,
        extra_returns=parts.settings.freqai.extra_returns_per_train,
        clock=parts.clock,
        stop=parts.stop,
        beat=parts.heartbeats["engine"].beat,
    )
    return computer


def _fetch(parts: _Assembly, computer: BlockComputer) -> None:
    preparation.fetch_history(
        parts.feed,
        parts.keys,
        parts.plan,
        now_ms=parts.clock.now_ms(),
        train_period_ms=parts.settings.freqai.train_period_days * DAY_MS,
        warm_up=computer.warm_up,
        nested=computer.reads.any,
        stop=parts.stop,
        progress=parts.options.progress,
    )


def save_config(parts: _Assembly) -> None:
    """Keep a copy of the configuration in the state folder."""
    name = parts.settings.config_files[0].name if parts.settings.config_files else "config"
    try:
        parts.folder.save_config(name, parts.settings.document)
    except Retryable as exc:  # a copy for people: the daemon does its work without it
        log.warning("config_not_saved", extra={"fields": {"error": str(exc)}})


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
