"""What people are told, in words: pure functions of log events and of the daemon's figures."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from daemon.core.words import UNEXAMINED, counted
from daemon.interface import health

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_EVENTS = {
    "ready": "start",
    "stopped": "stop",
    "fill": "trade",
    "trade_closed": "trade",
    "strategy message": "strategy",
}
"""Log events that are messages by themselves, and their kind."""
_SHOWN_FIELDS = 8
_LONGEST = 300


def of_event(name: str, level: int, fields: Mapping[str, Any]) -> tuple[str, str] | None:
    """Kind and text of the message that a log line makes; None if it makes none.

    An error is one whatever its event; what else is told stands in the table.
    """
    kind = _EVENTS.get(name) or ("error" if level >= logging.ERROR else None)
    if kind is None:
        return None
    shown = ", ".join(
        f"{key} {_short(value)}" for key, value in list(fields.items())[:_SHOWN_FIELDS] if key != "stack"
    )
    text = name.replace("_", " ")
    return kind, f"{text}: {shown}" if shown else text


def conditions(figures: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is amiss now: (kind, words). The words name what it is about and stay the same while it lasts."""
    length_ms, limit_ms = figures["timeframe_ms"], figures["expiration_ms"]
    last = figures["last_tick"]
    if last and figures["now_ms"] - last["close_ms"] > 2 * length_ms:
        yield "candle_late", "no new candle for more than two candles"
    for pair, row in figures["pairs"].items():
        window_end_ms = row.get("window_end_ms")
        if (
            limit_ms is not None
            and window_end_ms is not None
            and figures["now_ms"] - window_end_ms > limit_ms
        ):
            yield "model_late", f"{pair}: the model has expired and predicts no more"
    for text in health.closed_gates(figures):
        if UNEXAMINED not in text:  # so begins every start: that is no news
            yield "gate", text


def daily(figures: Mapping[str, Any], before: Mapping[str, Any]) -> str:
    """The summary of a day: what has changed between two figures.

    Args:
        figures: now.
        before: at the last summary, or at the start.
    """

    def grown(key: str) -> int:
        return int(figures[key]) - int(before.get(key, 0))

    rows = figures["pairs"].values()
    parts = [
        f"{grown('ticks')} candles ({grown('late')} late)",
        f"{grown('predictions')} predictions, {grown('abstentions')} abstentions",
        f"{grown('trainings')} trainings ({grown('failed_trainings')} failed)",
        f"{sum('window_end_ms' in row for row in rows)} of {len(rows)} pairs have a model",
    ]
    trading = figures.get("trading") or {}
    if trading:
        old = before.get("trading") or {}
        closed = int(trading["closed"]) - int(old.get("closed", 0))
        profit = float(trading["closed_profit"]) - float(old.get("closed_profit", 0))
        parts.append(f"{counted(closed, 'trade')} closed with {profit:+.2f}, {len(trading['open'])} open")
        parts.append(f"account {float(trading['worth']):.2f}")
    return "daily summary: " + "; ".join(parts)


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."
