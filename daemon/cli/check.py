"""``candled check``: does the strategy look ahead?"""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

from daemon.cli.options import DEFAULT_CONFIG, ConfigFiles, pair_of, print_table, settings_of

FOUND = 1
"""Exit status of a strategy that does not trade."""
SHOWN = 12
"""Columns of a kind that are named for people; --json has all."""


def check(
    config: ConfigFiles = DEFAULT_CONFIG,
    pair: Annotated[
        list[str] | None,
        typer.Option(help="A pair of the whitelist, or `all`; may be given again. Left out: the first."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compute features and signals with the future cut off: a strategy that looks ahead is told where. Exit 1 if so."""
    from daemon.runtime.truth import checked  # noqa: PLC0415

    settings = settings_of(config)
    asked = pair or [str(settings.pairs[0])]
    pairs = list(settings.pairs) if "all" in asked else [pair_of(each, settings) for each in asked]
    found = checked(settings, pairs, _progress)
    _progress("")
    if as_json:
        print(json.dumps(found, indent=1))
    else:
        _print(found)
    if not found["clean"]:
        raise typer.Exit(FOUND)


def _progress(text: str) -> None:
    """One line on a terminal that says what is looked at now."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text and 'checking ' + text}", end="", file=sys.stderr, flush=True)


def _print(found: dict[str, Any]) -> None:
    from rich.table import Table  # noqa: PLC0415

    table = Table("candles", "hooks", "columns", "cut at", "of candles", "warm-up", "found", box=None)
    for part in found["parts"]:
        table.add_row(
            part["place"],
            part["part"],
            str(part["columns"]),
            f"{part['moments']} times",
            str(part["candles"]),
            "" if part["warm_up"] is None else str(part["warm_up"]),
            str(len(part["findings"])) if part["findings"] else "-",
        )
    print_table(table)
    _print_notes(found["parts"])
    if found["clean"]:
        print(f"\n{found['strategy']}: no column changes when later candles come.")
        return
    print(f"\n{found['strategy']} may not trade:")
    for finding in found["findings"]:
        print(f"  {finding['text']} (seen {finding['times']} times)")


def _print_notes(parts: list[dict[str, Any]]) -> None:
    notes = {
        "unsettled": "depend on where the history begins, however far back",
        "last_digits": "differ in their last digits when later candles come, which trades all the same",
        "constant": "have one value throughout",
        "ignored": "are made by set_freqai_targets, and are no features here",
    }
    for name, words in notes.items():
        columns = list(dict.fromkeys(column for part in parts for column in part.get(name, [])))
        if columns:
            more = f" and {len(columns) - SHOWN} more" if len(columns) > SHOWN else ""
            print(f"\nThese {words}:\n  {', '.join(columns[:SHOWN])}{more}")
    missing = {column: share for part in parts for column, share in part["missing"].items()}
    if missing:
        print("\nShare of candles behind the warm-up without a value, whose rows are lost to a training:")
        for column in sorted(missing, key=lambda column: -missing[column])[:SHOWN]:
            print(f"  {missing[column]:8.3%}  {column}")
    raised = {text: times for part in parts for text, times in part["raised"].items()}
    if raised:
        print("\nOn histories that are short or odd, hooks raised; these were left out:")
        for text in list(raised)[:SHOWN]:
            print(f"  {raised[text]} times: {text}")
