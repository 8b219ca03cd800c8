"""``candled models``: what the models on the disk are worth."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.cli.options import DEFAULT_CONFIG, ConfigFiles, pair_of, print_table, settings_of, span

if TYPE_CHECKING:
    from collections.abc import Mapping


def models(
    pair: Annotated[str | None, typer.Argument(help="Only this pair.")] = None,
    config: ConfigFiles = DEFAULT_CONFIG,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with every metric.")] = False,
) -> None:
    """Show each model's age, size, test metrics against knowing nothing, live skill, and why it was trained."""
    from daemon.runtime.models_report import models_report  # noqa: PLC0415

    settings = settings_of(config)
    rows = models_report(settings, None if pair is None else pair_of(pair, settings))
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    if not rows:
        print(f"{settings.identifier_folder}: no models yet")
        return
    from rich.table import Table  # noqa: PLC0415

    table = Table(
        "pair", "model", "age", "rows", "features", "test (naive)", "live skill (judged)", "why", box=None
    )
    for row in rows:
        name = row["name"] + (" *" if row["live"] else "")
        if "error" in row:
            table.add_row(row["pair"], name, "", "", "", row["error"])
            continue
        table.add_row(
            row["pair"],
            name,
            span(row["age_ms"]),
            str(row["rows"]),
            str(row["features"]),
            _lines(row["metrics"]),
            _lines(row["skill"]),
            row["reason"],
        )
    print_table(table)
    print("* predicts now")


def _lines(by_target: Mapping[str, Mapping[str, float]]) -> str:
    """A line per target; its name only where there are several."""
    named = len(by_target) > 1
    return "\n".join(
        (f"{target}: " if named else "") + figures(metrics) for target, metrics in by_target.items()
    )


def figures(metrics: Mapping[str, Any]) -> str:
    """The main metrics of a target, each against its naive baseline where that is not 0."""
    if "ic" in metrics:
        text = f"ic {metrics['ic']:+.3f}, r2 {metrics['r2']:+.3f}, hits {_against('hit_rate', metrics)}"
    else:
        text = f"accuracy {_against('accuracy', metrics)}, log loss {_against('log_loss', metrics)}"
    return text + (f", n {metrics['n']:.0f}" if "n" in metrics else "")


def _against(name: str, metrics: Mapping[str, Any]) -> str:
    return f"{metrics[name]:.3f} ({metrics['naive_' + name]:.3f})"
