"""``candled status``: what the daemon is doing, or did when it stopped."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.cli.options import DEFAULT_CONFIG, ConfigFiles, settings_of, span, utc
from daemon.cli.trading_lines import trading_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daemon.state.folder import StateFolder

STALE_S = 30
"""The daemon writes its figures every five seconds or sooner; so old, they are those of one that stands still."""


def status(
    config: ConfigFiles = DEFAULT_CONFIG,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    check: Annotated[
        bool,
        typer.Option("--check", help="Print one line; exit status 1 unless the daemon lives and shows it."),
    ] = False,
) -> None:
    """Show the daemon's figures; it may be running or stopped."""
    from daemon.runtime.status_file import read_status  # noqa: PLC0415
    from daemon.state.folder import StateFolder  # noqa: PLC0415

    settings = settings_of(config)
    folder = StateFolder(settings.identifier_folder)
    figures = read_status(folder.status)
    holder = folder.holder()
    if check:
        _check(folder, figures, holder is not None)
        return
    if not figures:
        state = f"running (process {holder.pid}), not ready yet" if holder else "never ran"
        print(json.dumps({"state": state}) if as_json else f"{folder.path}: {state}")
        return
    if holder is None and figures["state"] != "stopped":
        figures["state"] = "dead: it ended without stopping; the next start recovers"
    elif holder is not None and (quiet_s := _quiet_s(folder)) > STALE_S:
        figures["state"] += (
            f" when this was written {quiet_s:.0f} s ago; since then it is starting, stands still, or its disk is full"
        )
    figures["pid"] = holder.pid if holder else None
    if as_json:
        print(json.dumps(figures, indent=1))
        return
    _show(figures, "" if holder is None else f", process {holder.pid}")


def _show(figures: dict[str, Any], process: str) -> None:
    """For people: one line of counts, a table of pairs, the trades."""
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    console = Console()
    last = figures["last_tick"]
    console.print(
        f"{figures['state']}{process}",
        f"last candle {utc(last['close_ms'])}" if last else "no candle yet",
        f"{figures['ticks']} ticks ({figures['late']} late, {figures['skipped']} skipped)",
        f"{figures['predictions']} predictions, {figures['abstentions']} abstentions",
        f"{figures['trainings']} trainings ({figures['failed_trainings']} failed)",
        sep="; ",
        highlight=False,
    )
    if figures.get("entries_blocked"):
        console.print(
            f"no entries: {figures['entries_blocked']}", highlight=False, markup=False, soft_wrap=True
        )
    if figures.get("unsaved"):
        console.print("no entries: predictions cannot be written to the disk", highlight=False)
    table = Table("pair", "price", "target", "prediction", "model age", "queue", "remark", box=None)
    for pair, row in figures["pairs"].items():
        table.add_row(pair, *_cells(row, figures["now_ms"]))
    for pair, how_far in figures.get("warming", {}).items():
        table.add_row(pair, "", "", "", "-", "", f"joins: {how_far}")
    console.print(table)
    for line in trading_lines(figures.get("trading", {})):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _cells(row: dict[str, Any], now_ms: int) -> Iterator[str]:
    """Price, targets, predictions, age of the model, place in the queue, remarks."""
    labels, values = row.get("labels", []), row.get("values", {})
    predicted = [values[label] for label in labels if label in values]
    yield "" if row["price"] is None else f"{row['price']:g}"
    yield "\n".join(labels)
    yield "\n".join(f"{value:+.5f}" if isinstance(value, float) else str(value) for value in predicted)
    yield span(now_ms - row["window_end_ms"]) if "window_end_ms" in row else "-"
    yield row.get("queue", "")
    remarks = ["left the whitelist" if row.get("leaving") else ""]
    remarks += [row.get(key, "") for key in ("reason", "detail", "last_error")]
    yield " ".join(filter(None, remarks))


def _check(folder: StateFolder, figures: dict[str, Any], held: bool) -> None:
    """For whoever asks every minute whether all is well: a container's health check, a cron job."""
    from daemon.runtime.status_file import status_line  # noqa: PLC0415

    if not figures or not held:
        print("does not run" if not held else "not ready yet")
        raise typer.Exit(1)
    quiet_s = _quiet_s(folder)
    print(f"{figures['state']}; {status_line(figures)}")
    if quiet_s > STALE_S:
        print(f"its figures are {quiet_s:.0f} s old")
        raise typer.Exit(1)


def _quiet_s(folder: StateFolder) -> float:
    """Age of the figures, real seconds."""
    from daemon.core.clock import SystemClock  # noqa: PLC0415

    return SystemClock().now_ms() / 1000 - folder.status.stat().st_mtime
