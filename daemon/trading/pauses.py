"""What a human has asked for and a restart does not undo: entries are paused, everything is to be sold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from daemon.trading.ledger import Ledger
    from daemon.trading.ledger_reads import LedgerReader

PAUSED = "paused"
"""Fact: ``why`` and ``at_ms``; None while entries are not paused."""
EXIT_ALL = "exit_all"
"""Fact: true from ``candled stop --exit-all`` until nothing is held any more."""


def paused(ledger: LedgerReader) -> str:
    """Why entries are paused; empty if they are not."""
    found: dict[str, Any] | None = ledger.get(PAUSED)
    return str(found["why"]) if found else ""


def pause(ledger: Ledger, why: str, at_ms: int) -> None:
    """Enter nothing until `resume`."""
    ledger.put(PAUSED, {"why": why, "at_ms": at_ms})


def unpause(ledger: Ledger) -> None:
    """End a pause; what is being sold is sold."""
    ledger.put(PAUSED, None)


def resume(ledger: Ledger) -> None:
    """Enter again."""
    unpause(ledger)
    ledger.put(EXIT_ALL, value=False)
