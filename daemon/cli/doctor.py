"""``candled doctor``: is the state folder intact, and what would a start serve."""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from daemon.cli.options import DEFAULT_CONFIG, ConfigFiles, settings_of, utc
from daemon.core.words import counted

if TYPE_CHECKING:
    from daemon.state.artifacts import Artifact
    from daemon.state.doctor import Diagnosis
    from daemon.state.report import Loss
    from daemon.trading.ledger_files import Health

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
    from daemon.runtime.user_models import use_model  # noqa: PLC0415
    from daemon.state import atomic  # noqa: PLC0415
    from daemon.state.doctor import HEALTHY, LOST, REPAIRABLE, diagnose  # noqa: PLC0415
    from daemon.state.folder import StateFolder  # noqa: PLC0415
    from daemon.trading.ledger_files import backup_paths, ledger_health, open_ledger  # noqa: PLC0415

    settings = settings_of(config)
    folder = StateFolder(settings.identifier_folder)
    if not folder.path.is_dir():
        raise ConfigError(f"{folder.path} does not exist: there is nothing to examine yet")
    if as_json:
        with contextlib.suppress(ConfigError):  # each model of that class then says so for itself
            use_model(settings)
    now_ms = SystemClock().now_ms()
    with folder.acquire(now_ms) if repair else contextlib.nullcontext():
        found = diagnose(folder, now_ms, repair=repair, predictions=predictions_digest if as_json else None)
        ledger = ledger_health(settings.ledger_file)
        if repair and ledger.repairable:
            open_ledger(settings.ledger_file, now_ms, atomic.set_aside).close()
            for path in filter(Path.exists, (settings.ledger_file, *backup_paths(settings.ledger_file))):
                atomic.hand_over(path)
    document = found.document() | {"ledger": ledger.document()}
    text = f"{_ledger(ledger)}\n{_text(found)}"
    typer.echo(json.dumps(document, indent=2, sort_keys=True) if as_json else text)
    raise typer.Exit(max(found.status, LOST if ledger.fault else REPAIRABLE if ledger.damaged else HEALTHY))


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


def _ledger(health: Health) -> str:
    backups = ", ".join(f"{path.name} of {utc(made_ms)}" for path, made_ms in health.backups) or "no backup"
    lines = [f"damaged  {path.name}: a start sets it aside and writes it anew" for path in health.damaged]
    if health.fault:
        lines.append(
            f"damaged  {health.path.name}: {health.fault}; a start puts its newest backup in its place"
        )
    return "\n".join([*lines, f"ledger   {health.path.name}: {counted(health.trades, 'trade')}, {backups}"])


def _loss(loss: Loss) -> str:
    start = utc(loss.from_ms) if loss.from_ms else "the beginning"
    end = utc(loss.to_ms) if loss.to_ms else "the end"
    return f"{loss.pair or 'any pair'}, from {start} to {end}: {loss.what}"
