"""``candled run``: the daemon."""

from __future__ import annotations

import os
import sys
import threading
from functools import partial
from typing import Annotated

import typer

from daemon.cli.options import DEFAULT_CONFIG, ConfigFiles, settings_of


def run(
    config: ConfigFiles = DEFAULT_CONFIG,
    candles: Annotated[int | None, typer.Option(min=1, help="Stop after so many candles.")] = None,
    speed: Annotated[
        float | None, typer.Option(help="Simulated exchange: market seconds per real second.")
    ] = None,
    strategy: Annotated[str | None, typer.Option(help="Class name, instead of the configuration's.")] = None,
    identifier: Annotated[str | None, typer.Option(help="Instead of freqai.identifier.")] = None,
    log_format: Annotated[str | None, typer.Option(help="auto, text or json.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
    view: Annotated[bool, typer.Option("--view/--no-view", help="Live view on a terminal.")] = True,
) -> None:
    """Fetch candles, train models in the background, predict on every closed candle, until told to stop."""
    # Before numpy is imported. Live rows need one matrix-vector product each; BLAS would share it among threads, which
    # wait for each other while a training keeps the processors busy (8 ms instead of 0.4).
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from daemon.runtime.allocators import keep_memory_level, uncollected  # noqa: PLC0415

    keep_memory_level()
    with uncollected():
        from daemon.runtime.lifecycle import stop_on_signals  # noqa: PLC0415
        from daemon.runtime.logs import set_up  # noqa: PLC0415

    stop, reload = threading.Event(), threading.Event()
    stop_on_signals(stop, reload)
    overrides = {
        "candled.simulated.speed": speed,
        "strategy": strategy,
        "freqai.identifier": identifier,
        "candled.log_format": log_format,
    }
    read = partial(settings_of, config, overrides)
    settings = read()
    with uncollected():
        from daemon import app  # noqa: PLC0415  the heavy imports, after the configuration was found sound
        from daemon.runtime.user_models import import_model  # noqa: PLC0415

        import_model(settings)

    chosen = settings.candled.log_format
    told = partial(
        set_up,
        chosen,
        verbose=verbose,
        secrets=settings.secret_values,
        levels={str(room): str(level) for room, level in settings.candled.log_levels.items()},
    )
    if view and chosen == "auto" and sys.stderr.isatty() and sys.stdout.isatty():
        from daemon.cli.view import LiveView  # noqa: PLC0415

        with LiveView(settings) as live:
            told(console=live.console)
            options = app.Options(
                ticks=candles, show=live.show, progress=live.progress, read=read, reload=reload
            )
            raise typer.Exit(app.run(settings, stop, options))
    told()
    raise typer.Exit(app.run(settings, stop, app.Options(ticks=candles, read=read, reload=reload)))
