"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daemon.config import Settings

ConfigFiles = Annotated[
    list[Path],
    typer.Option("--config", "-c", help="Configuration file; may be given again, later files win."),
]
DEFAULT_CONFIG = [Path("config.json")]


def settings_of(files: list[Path], overrides: Mapping[str, Any] | None = None) -> Settings:
    """Read the settings; `ConfigError` goes through to the command line's end."""
    from daemon.config import load_settings  # noqa: PLC0415  keeps `candled --help` quick

    given = {name: value for name, value in (overrides or {}).items() if value is not None}
    return load_settings(files, overrides=given)


def utc(time_ms: int) -> str:
    """A moment as people write it: ``2026-01-01 12:05``, UTC."""
    from datetime import UTC, datetime  # noqa: PLC0415

    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d %H:%M}"


def span(ms: float) -> str:
    """A length of time as people say it: ``3.2 h``, ``45 s``."""
    for unit, length in (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000)):
        if abs(ms) >= length:
            return f"{ms / length:.1f} {unit}"
    return f"{ms / 1000:.0f} s"
