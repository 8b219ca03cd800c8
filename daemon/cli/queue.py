"""``candled queue``: which pair is trained when, and what went wrong."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from daemon.cli.options import DEFAULT_CONFIG, ConfigFiles, print_table, settings_of, span, utc


def queue(
    config: ConfigFiles = DEFAULT_CONFIG,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the training queue: model age, when it expires, state, why, attempts, last error, what comes next."""
    from daemon.runtime.queue_report import queue_report  # noqa: PLC0415

    rows = queue_report(settings_of(config))
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    from rich.table import Table  # noqa: PLC0415

    columns = (
        "next",
        "pair",
        "state",
        "why",
        "model age",
        "expires in",
        "attempts",
        "tried again",
        "last error",
    )
    table = Table(*columns, box=None)
    for row in rows:
        table.add_row(
            str(row["place"] or ""),
            row["pair"],
            row["state"],
            row["reason"] + (" (training requested)" if row["requested"] else ""),
            "-" if row["age_ms"] is None else span(row["age_ms"]),
            _expiry(row),
            str(row["attempts"] or ""),
            utc(row["not_before_ms"]) if row["not_before_ms"] else "",
            row["last_error"],
        )
    print_table(table)


def _expiry(row: dict[str, Any]) -> str:
    if row["age_ms"] is None:
        return "-"
    if row["expires_in_ms"] is None:
        return "never"
    return span(row["expires_in_ms"]) if row["expires_in_ms"] > 0 else "expired"
