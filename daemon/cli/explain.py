"""``candled explain``: why a model predicted what it predicted."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from daemon.cli.options import DEFAULT_CONFIG, ConfigFiles, pair_of, print_table, settings_of, time_ms, utc


def explain(
    pair: Annotated[str, typer.Argument(help="A pair of the whitelist.")],
    config: ConfigFiles = DEFAULT_CONFIG,
    candle: Annotated[
        str | None,
        typer.Option(help="Open time, UTC: 2026-01-31T12:05; left out: the newest that was predicted on."),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="Features shown of each target.")] = 15,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with every feature.")] = False,
) -> None:
    """Show what each feature added to a prediction: exact SHAP values, which sum to it."""
    from daemon.runtime.explain import explained  # noqa: PLC0415

    settings = settings_of(config)
    found = explained(
        settings, pair_of(pair, settings), None if candle is None else time_ms(candle, "--candle")
    )
    if as_json:
        print(json.dumps(found, indent=1))
        return
    print(f"{found['pair']}, candle {utc(found['candle_ms'])} UTC, model {found['model']}")
    for remark in found["remarks"]:
        print(f"note: {remark}")
    if found["components"]:
        print("note: the model sees principal components, each of them a mixture of all features")
    for target in found["targets"]:
        _print_target(target, top)


def _print_target(target: dict[str, Any], top: int) -> None:
    from rich.table import Table  # noqa: PLC0415

    said, recorded = target["said"], target["recorded"]
    if isinstance(said, str):
        print(
            f"\n{target['target']}: {said}, probability {target['probability']:.4f}; its score in log-odds:"
        )
    else:
        print(f"\n{target['target']}: {said:+.6g}")
    if recorded is not None and recorded != said:
        print(f"note: on record is {recorded}; candles or strategy have changed since")
    table = Table("feature", "value", "contribution", box=None)
    table.add_row("expected value of the model", "", f"{target['expected']:+.6g}")
    for feature in target["features"][:top]:
        table.add_row(feature["name"], f"{feature['value']:.6g}", f"{feature['contribution']:+.6g}")
    rest = target["features"][top:]
    if rest:
        total = sum(feature["contribution"] for feature in rest)
        table.add_row(f"{len(rest)} other features together", "", f"{total:+.6g}")
    table.add_row("sum", "", f"{target['total']:+.6g}")
    print_table(table)
