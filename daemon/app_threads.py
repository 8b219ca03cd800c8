"""The composition root, second part: the threads of a daemon and what is put away when they have ended."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from daemon.app_figures import shown
from daemon.app_reload import reloading_of
from daemon.core.errors import ConfigError
from daemon.market.replay import ReplayMarket
from daemon.runtime.control import ANSWER_S, ControlServer
from daemon.runtime.housekeeping import Housekeeping
from daemon.runtime.lifecycle import Daemon
from daemon.runtime.metrics_log import MetricsLog
from daemon.runtime.recipe import engine_options
from daemon.runtime.runner import Runner
from daemon.runtime.ticker import Ticker
from daemon.runtime.trading_room import desk_options
from daemon.state.metric_tracker import MetricTracker

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

    from daemon.app import _Assembly
    from daemon.features.store import FeatureStore
    from daemon.runtime.engine import Engine
    from daemon.runtime.reload import Reloading
    from daemon.runtime.runner import Steps
    from daemon.runtime.trainer import Trainer
    from daemon.trading.desk import Desk

log = logging.getLogger(__name__)

HOUSEKEEPING_S = 30.0
IDLE_S = 5.0
"""Longest sleep of a thread between two looks at the clock, real seconds."""


def daemon_of(
    parts: _Assembly, *, features: FeatureStore, engine: Engine, trainer: Trainer, desk: Desk
) -> Daemon:
    """Everything that runs."""
    metrics = _metrics(parts)
    desk_s = desk_options(parts.settings).idle_s(parts.clock.speed)
    engine_runner = _runner(parts, "engine", engine, IDLE_S)
    trainer_runner = _runner(parts, "trainer", trainer, IDLE_S)
    parts.reloading = reloading_of(
        parts,
        features=features,
        engine=(engine, engine_runner),
        trainer=(trainer, trainer_runner),
        desk=desk,
        metrics=metrics,
    )
    control = _control(parts, parts.reloading)
    end_ms = parts.market.span_ms()[1] if isinstance(parts.market, ReplayMarket) else None
    return Daemon(
        runners=[
            engine_runner,
            trainer_runner,
            _runner(parts, "desk", desk, desk_s, wake=parts.inbox.wake),
            _runner(
                parts, "housekeeping", Housekeeping(parts.history, parts.scorer, metrics), HOUSEKEEPING_S
            ),
        ],
        ticker=Ticker(
            clock=parts.clock,
            base=parts.plan.base,
            grace_ms=engine_options(parts.settings).grace_ms,
            engine=engine_runner.wake,
            trainer=trainer_runner.wake,
        ),
        clock=parts.clock,
        tally=parts.tally,
        stop=parts.stop,
        finished=lambda: end_ms is not None and (engine.handled_ms or 0) >= end_ms,
        show=partial(shown, parts),
        tend=parts.reloading.step,
        closings=[
            *([] if control is None else [("control", control.close)]),
            ("desk", desk.close),
            ("history", parts.history.close),
            ("candles", parts.feed.flush),
            *([] if metrics is None else [("metrics", metrics.close)]),
        ],
    )


def _metrics(parts: _Assembly) -> MetricsLog | None:
    if not parts.settings.freqai.write_metrics_to_disk:
        return None
    return MetricsLog(
        MetricTracker.open(parts.folder),
        clock=parts.clock,
        pairs=parts.settings.pairs,
        tally=parts.tally,
        entries=lambda: parts.book.entries,
        models=parts.models,
        scores=parts.scorer.scores,
    )


def _control(parts: _Assembly, reloading: Reloading) -> ControlServer | None:
    """The socket for commands; without it (a full disk) the daemon does its work all the same."""

    def handle(request: Mapping[str, Any]) -> Mapping[str, Any]:
        return reloading.ask() if request.get("do") == "reload" else parts.inbox.ask(request, ANSWER_S)

    try:
        return ControlServer(parts.folder.control, handle)
    except ConfigError as exc:
        log.error("no_commands", extra={"fields": {"error": str(exc)}})  # noqa: TRY400 - not a bug
        return None


def _runner(
    parts: _Assembly, name: str, steps: Steps, idle_s: float, *, wake: threading.Event | None = None
) -> Runner:
    return Runner(
        name,
        steps,
        clock=parts.clock,
        stop=parts.stop,
        idle_s=idle_s,
        patience_s=parts.settings.candled.patience_s,
        heartbeat=parts.heartbeats.get(name),
        wake=wake,
    )
