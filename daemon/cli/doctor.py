"""``candled doctor``: is the state folder intact, and what would a start serve."""

from __future__ import annotations

import contextlib
import hashlib
import json
from typing import TYPE_CHECKING

import typer

from daemon.cli.options import DEFAULT_CONFIG, ConfigFiles, settings_of, utc

if TYPE_CHECKING:
    from daemon.state.artifacts import Artifact
    from daemon.state.doctor import Diagnosis
    from daemon.state.report import Loss

_ROWS = 16


def doctor(
    config: ConfigFiles = DEFAULT_CONFIG,
    repair: bool = typer.Option(False, "--repair", help="Do what a start would do; no daemon may run."),
    as_json: bool = typer.Option(
        False, "--json", help="Print all of it as JSON, the same for the same folder."
    ),
) -> None:
    """Check every file of the state folder. Exit status: 0 healthy, 1 repairable or repaired, 2 something is lost."""
    from daemon.core.clock import SystemClock  # noqa: PLC0415
    from daemon.core.errors import ConfigError  # noqa: PLC0415
    from daemon.state.doctor import diagnose  # noqa: PLC0415
    from daemon.state.folder import StateFolder  # noqa: PLC0415

    folder = StateFolder(settings_of(config).identifier_folder)
    if not folder.path.is_dir():
        raise ConfigError(f"{folder.path} does not exist: there is nothing to examine yet")
    now_ms = SystemClock().now_ms()
    with folder.acquire(now_ms) if repair else contextlib.nullcontext():
        found = diagnose(folder, now_ms, repair=repair, predictions=predictions_digest if as_json else None)
    typer.echo(json.dumps(found.document(), indent=2, sort_keys=True) if as_json else _text(found))
    raise typer.Exit(found.status)


def predictions_digest(artifact: Artifact) -> str:
    """SHA-256 over what a model predicts for a fixed frame of features."""
    import numpy as np  # noqa: PLC0415

    from daemon.core.errors import ConfigError, Corrupt  # noqa: PLC0415
    from daemon.runtime.training_record import model_of  # noqa: PLC0415

    try:
        model = model_of(artifact)
    except (ConfigError, Corrupt) as exc:
        return f"none: {exc}"
    frame = np.random.default_rng(0).normal(size=(_ROWS, len(model.schema))).astype(np.float32)
    predicted = [model.values(row) for row in frame]
    return hashlib.sha256(json.dumps(predicted, sort_keys=True).encode()).hexdigest()


def _text(found: Diagnosis) -> str:
    lines = [f"damaged  {each}" for each in found.damages]
    lines += [f"lost     {_loss(each)}" for each in found.losses]
    for pair, serves in found.serves.items():
        span = f" from {utc(serves['first_ms'])} to {utc(serves['last_ms'])}" if serves["rows"] else ""
        model = serves["model"] or "no model"
        lines.append(f"serves   {pair}: {serves['rows']} predictions{span}, {model}")
    lines.append(
        f"{found.document()['status']}: {len(found.intact)} files and models intact, {len(found.damages)} damaged"
    )
    return "\n".join(lines)


def _loss(loss: Loss) -> str:
    start = utc(loss.from_ms) if loss.from_ms else "the beginning"
    end = utc(loss.to_ms) if loss.to_ms else "the end"
    return f"{loss.pair or 'any pair'}, from {start} to {end}: {loss.what}"
