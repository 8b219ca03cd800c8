"""``candled train``: ask for a training now."""

from __future__ import annotations

from typing import Annotated

import typer

from daemon.cli.options import DEFAULT_CONFIG, ConfigFiles, pair_of, settings_of
from daemon.core.errors import ConfigError


def train(
    pair: Annotated[str, typer.Argument(help="A pair of the whitelist, or all.")],
    config: ConfigFiles = DEFAULT_CONFIG,
) -> None:
    """Have a pair trained before all that wait; without a daemon the wish is kept for the next start."""
    from daemon.core.clock import SystemClock  # noqa: PLC0415
    from daemon.state.folder import StateFolder  # noqa: PLC0415
    from daemon.state.requests import request_training  # noqa: PLC0415

    settings = settings_of(config)
    pairs = settings.pairs if pair.lower() == "all" else (pair_of(pair, settings),)
    folder = StateFolder(settings.identifier_folder)
    try:
        request_training(folder, pairs, SystemClock().now_ms())
    except OSError as exc:
        raise ConfigError(f"{folder.requests}: the request cannot be written: {exc.strerror or exc}") from exc
    holder = folder.holder()
    named = "all pairs" if len(pairs) > 1 else str(pairs[0])
    if holder is None:
        print(f"{named}: no daemon runs; the request is kept, the next start takes it up")
    else:
        print(f"{named}: process {holder.pid} takes it up within seconds, or after the training under way")
