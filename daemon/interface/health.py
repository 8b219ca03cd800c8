"""Is the daemon alive, and is it fit to trade? Pure functions of its figures (``status.json``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

STALE_S = 30.0
"""The figures are looked at every second; older ones are those of a daemon that stands still."""


def deaths(figures: Mapping[str, Any], age_s: float) -> list[str]:
    """Why the daemon is not alive; empty if it is.

    Args:
        figures: the newest ones.
        age_s: real seconds since they were made.
    """
    found = []
    if age_s > STALE_S:
        found.append(f"nothing has moved for {age_s:.0f} s")
    if figures["state"] != "running":
        found.append(f"the daemon is {figures['state']}")
    return found


def obstacles(figures: Mapping[str, Any], age_s: float) -> list[str]:
    """Why the daemon is not ready: no fresh candle, no model that predicts, a closed gate; empty if it is."""
    return [*deaths(figures, age_s), *_candles(figures), *_models(figures), *closed_gates(figures)]


def _candles(figures: Mapping[str, Any]) -> Iterator[str]:
    """A candle is fresh until the one after the next should have come."""
    last, length_ms = figures["last_tick"], figures["timeframe_ms"]
    if not last:
        yield "no candle was handled yet"
        return
    age_ms = figures["now_ms"] - last["close_ms"]
    if age_ms > 2 * length_ms:
        yield f"the newest candle closed {age_ms / 60_000:.0f} min ago, one comes every {length_ms / 60_000:g} min"


def _models(figures: Mapping[str, Any]) -> Iterator[str]:
    limit_ms = figures["expiration_ms"]
    for pair, row in figures["pairs"].items():
        if "window_end_ms" not in row:
            yield f"{pair}: no model"
        elif limit_ms is not None and figures["now_ms"] - row["window_end_ms"] > limit_ms:
            hours = (figures["now_ms"] - row["window_end_ms"]) / 3_600_000
            yield f"{pair}: the model is {hours:.1f} hours old and predicts no more"


def closed_gates(figures: Mapping[str, Any]) -> Iterator[str]:
    """Why nothing may be entered; a gate that is closed for a pair alone keeps only that pair out."""
    if figures.get("entries_blocked"):
        yield f"nothing is entered: {figures['entries_blocked']}"
    if figures.get("unsaved"):
        yield "nothing is entered: predictions cannot be written to the disk"
    trading = figures.get("trading") or {}
    for reason in (trading.get("gates") or {}).get("*", ()):
        yield f"nothing is entered: {reason}"
