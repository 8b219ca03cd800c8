"""``candled backup`` and ``candled restore``: the state folder in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from daemon.cli.options import DEFAULT_CONFIG, ConfigFiles, settings_of, utc

Archive = Annotated[Path, typer.Argument(help="The archive; .tar, or .tar.gz or .tar.xz to compress it.")]


def backup(file: Archive, config: ConfigFiles = DEFAULT_CONFIG) -> None:
    """Write one consistent archive of models, queue and predictions; a running daemon goes on meanwhile."""
    from daemon.core.clock import SystemClock  # noqa: PLC0415
    from daemon.state.archive import write_backup  # noqa: PLC0415
    from daemon.state.folder import StateFolder  # noqa: PLC0415

    manifest = write_backup(StateFolder(settings_of(config).identifier_folder), file, SystemClock().now_ms())
    size = sum(each["bytes"] for each in manifest["files"].values())
    typer.echo(f"{file}: {len(manifest['files'])} files, {size / 1e6:.1f} MB, {utc(manifest['created_ms'])}")


def restore(file: Archive, config: ConfigFiles = DEFAULT_CONFIG) -> None:
    """Put an archive's content in the state folder's place; what was there is kept beside it."""
    from daemon.core.clock import SystemClock  # noqa: PLC0415
    from daemon.state.archive import restore_backup  # noqa: PLC0415
    from daemon.state.folder import StateFolder  # noqa: PLC0415

    folder = StateFolder(settings_of(config).identifier_folder)
    aside = restore_backup(file, folder, SystemClock().now_ms())
    typer.echo(f"{folder.path} is as {file} has it" + (f"; what was there is in {aside}" if aside else ""))
