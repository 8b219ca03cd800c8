"""``candled backup`` and ``candled restore``: the state folder in one file."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.options import DEFAULT_CONFIG, ConfigFiles, settings_of, utc

if TYPE_CHECKING:
    from daemon.config import Settings

Archive = Annotated[Path, typer.Argument(help="The archive; .tar, or .tar.gz or .tar.xz to compress it.")]


def backup(file: Archive, config: ConfigFiles = DEFAULT_CONFIG) -> None:
    """Write one consistent archive of models, queue, predictions and trades; a running daemon goes on meanwhile."""
    from daemon.core.clock import SystemClock  # noqa: PLC0415
    from daemon.state.archive import write_backup  # noqa: PLC0415
    from daemon.state.folder import StateFolder  # noqa: PLC0415
    from daemon.trading.ledger_files import copy_ledger  # noqa: PLC0415

    settings, now_ms = settings_of(config), SystemClock().now_ms()
    with contextlib.ExitStack() as stack:
        beside = {}
        if settings.ledger_file.is_file():
            place = tempfile.TemporaryDirectory(dir=settings.ledger_file.parent, prefix=".ledger-copy-")
            copy = Path(stack.enter_context(place)) / settings.ledger_file.name
            copy_ledger(settings.ledger_file, copy, now_ms)
            beside[_member(settings)] = copy
        manifest = write_backup(StateFolder(settings.identifier_folder), file, now_ms, beside=beside)
    size = sum(each["bytes"] for each in manifest["files"].values())
    typer.echo(f"{file}: {len(manifest['files'])} files, {size / 1e6:.1f} MB, {utc(manifest['created_ms'])}")


def restore(file: Archive, config: ConfigFiles = DEFAULT_CONFIG) -> None:
    """Put an archive's content in the place of state folder and ledger; what was there is kept beside it."""
    from daemon.core.clock import SystemClock  # noqa: PLC0415
    from daemon.state import atomic  # noqa: PLC0415
    from daemon.state.archive import restore_backup  # noqa: PLC0415
    from daemon.state.folder import StateFolder  # noqa: PLC0415
    from daemon.trading.ledger_files import put_back  # noqa: PLC0415

    settings, now_ms = settings_of(config), SystemClock().now_ms()
    folder, ledger = StateFolder(settings.identifier_folder), settings.ledger_file
    taken: list[Path] = []

    def take_ledger(copy: Path) -> None:
        put_back(copy, ledger, now_ms, atomic.set_aside)
        atomic.hand_over(ledger)
        taken.append(copy)

    aside = restore_backup(file, folder, now_ms, beside={_member(settings): take_ledger})
    typer.echo(f"{folder.path} is as {file} has it" + (f"; what was there is in {aside}" if aside else ""))
    if taken:
        typer.echo(f"{ledger} is as {file} has it; what was there is in {ledger.parent / 'set-aside'}")


def _member(settings: Settings) -> str:
    """The ledger's name in an archive: that of a dry run is never put in the place of a live one."""
    return "ledger.dryrun.sqlite" if settings.dry_run else "ledger.sqlite"
