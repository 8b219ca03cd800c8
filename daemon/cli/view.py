"""The live view of ``candled run`` on a terminal: pairs, models, queue; log lines run above it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from daemon.cli.options import span, utc
from daemon.cli.trading_lines import trading_lines

if TYPE_CHECKING:
    from types import TracebackType

    from daemon.config import Settings
    from daemon.core.market import CandleKey


class LiveView:
    """Draws the daemon's figures on standard error, so that standard output stays clean.

    Used as a context; `show` and `progress` are called by the daemon.
    """

    def __init__(self, settings: Settings) -> None:
        self.console = Console(stderr=True)
        self._base_ms = settings.timeframe.ms
        self._progress = Progress(
            TextColumn("fetching candles"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[series]}"),
            console=self.console,
        )
        self._task = self._progress.add_task("", total=None, series="")
        self._counts: dict[CandleKey, tuple[int, int]] = {}
        self._live = Live(self._progress, console=self.console, refresh_per_second=4, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def progress(self, key: CandleKey, done: int, total: int) -> None:
        """Candles of one series came in."""
        self._counts[key] = (done, total)
        counts = self._counts.values()
        self._progress.update(
            self._task, completed=sum(c[0] for c in counts), total=sum(c[1] for c in counts), series=str(key)
        )

    def show(self, figures: dict[str, Any]) -> None:
        """Draw the daemon's figures (see `daemon.runtime.status_file.status`)."""
        table = Table(expand=False, pad_edge=False, box=None, header_style="bold")
        for name, side in (
            ("pair", "left"),
            ("price", "right"),
            ("prediction", "right"),
            ("model age", "right"),
            ("queue", "left"),
            ("remark", "left"),
        ):
            table.add_column(name, justify=side, no_wrap=True)  # type: ignore[arg-type]  # a literal
        for pair, row in figures["pairs"].items():
            table.add_row(pair, *self._cells(row, figures["now_ms"], figures["expiration_ms"]))
        for pair, how_far in figures["warming"].items():
            table.add_row(pair, "", "", "-", "", Text(how_far[:60], style="yellow"))
        trading = [Text(line) for line in trading_lines(figures.get("trading", {}))]
        self._live.update(Group(Text(self._headline(figures), style="bold"), table, *trading))

    def _headline(self, figures: dict[str, Any]) -> str:
        now_ms = figures["now_ms"]
        last_ms = figures["last_tick"].get("close_ms")
        until_ms = self._base_ms - now_ms % self._base_ms
        parts = [
            f"{utc(now_ms)} UTC" + (f" (x{figures['speed']:g})" if figures["speed"] != 1 else ""),
            f"last candle {utc(last_ms)}" if last_ms else "no candle yet",
            f"next in {until_ms / 1000 / figures['speed']:.0f} s",
            f"{figures['ticks']} ticks",
            f"{figures['trainings']} trainings ({figures['trainings_per_hour']:g}/h)",
        ]
        if figures["late"] or figures["skipped"]:
            parts.append(f"{figures['late']} late, {figures['skipped']} skipped")
        if figures["training"]:
            parts.append(f"training {figures['training']}")
        return "  ·  ".join(parts)

    def _cells(self, row: dict[str, Any], now_ms: int, expires_ms: int | None) -> tuple[str | Text, ...]:
        price = "" if row["price"] is None else f"{row['price']:.6g}"
        values = row.get("values", {})
        shown = Text(" ").join(_shown(values[label]) for label in row.get("labels", []) if label in values)
        age: str | Text = "-"
        if "window_end_ms" in row:
            age_ms = max(0, now_ms - row["window_end_ms"])
            late = expires_ms is not None and age_ms > expires_ms
            age = Text(span(age_ms), style="red" if late else "")
        remark = row.get("last_error") or " ".join(
            part for part in (row.get("reason"), row.get("detail")) if part
        )
        return price, shown, age, row.get("queue", ""), Text(remark[:60], style="yellow")


def _shown(value: float | str) -> Text:
    """A predicted number in its colour, or a class."""
    if isinstance(value, str):
        return Text(value)
    return Text(f"{value:+.4%}", style="green" if value > 0 else "red")
