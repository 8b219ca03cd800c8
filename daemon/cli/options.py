"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.table import Table

    from daemon.config import Settings
    from daemon.core.pair import Pair

ConfigFiles = Annotated[
    list[Path],
    typer.Option("--config", "-c", help="Configuration file; may be given again, later files win."),
]
DEFAULT_CONFIG = [Path("config.json")]
_MS_DIGITS = 13
"""Digits of a time in milliseconds, from 2001 to 2286: others are a day (``20260131``), or none."""


def settings_of(files: list[Path], overrides: Mapping[str, Any] | None = None) -> Settings:
    """Read the settings; `ConfigError` goes through to the command line's end."""
    from daemon.config import load_settings  # noqa: PLC0415  keeps `candled --help` quick

    given = {name: value for name, value in (overrides or {}).items() if value is not None}
    return load_settings(files, overrides=given)


def pair_of(text: str, settings: Settings) -> Pair:
    """The pair of the whitelist that is meant.

    Raises:
        ConfigError: there is none.
    """
    from daemon.core.errors import ConfigError  # noqa: PLC0415

    for pair in settings.pairs:
        if str(pair).lower() == text.lower():
            return pair
    raise ConfigError(f"{text!r} is not in exchange.pair_whitelist; there are {', '.join(settings.pairs)}")


def print_table(table: Table) -> None:
    """Print a table: as wide as the terminal, or, for a file or a pipe, as wide as it needs to be."""
    from rich.console import Console  # noqa: PLC0415

    console = Console()
    if not console.is_terminal:
        console.width = 1000
        for column in table.columns:
            column.no_wrap = True
    console.print(table, highlight=False)


def utc(time_ms: int) -> str:
    """A moment as people write it: ``2026-01-01 12:05``, UTC."""
    from datetime import UTC, datetime  # noqa: PLC0415

    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d %H:%M}"


def time_ms(text: str, option: str) -> int:
    """A time as people write it, or milliseconds since the epoch in their 13 digits; without a zone it is UTC.

    Raises:
        ConfigError: it is neither.
    """
    from datetime import UTC, datetime  # noqa: PLC0415

    from daemon.core.errors import ConfigError  # noqa: PLC0415

    if text.isdecimal() and len(text) == _MS_DIGITS:
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        raise ConfigError(f"{option} {text!r}: write the time as 2026-01-31T12:05, UTC") from exc
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return int(moment.timestamp() * 1000)


def span(ms: float) -> str:
    """A length of time as people say it: ``3.2 h``, ``45 s``."""
    for unit, length in (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000)):
        if abs(ms) >= length:
            return f"{ms / length:.1f} {unit}"
    return f"{ms / 1000:.0f} s"
