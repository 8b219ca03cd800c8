"""The composition root, what it shows: the figures of all parts, to other processes and to whoever looks on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from daemon.runtime.recipe import expiration_ms
from daemon.runtime.status_file import status, status_line, write_status
from daemon.runtime.trading_report import standing

if TYPE_CHECKING:
    from daemon.app import _Assembly


def shown(parts: _Assembly, state: str) -> str:
    """Publish the figures: to other processes by status.json, to this one's view; return them in one line."""
    seen = (
        parts.tally.changes,
        parts.truth.reason,
        None if parts.desk is None else standing(parts.desk.view),
    )
    if (known := parts.figures.again(state, seen)) is not None:
        return _told(parts, known)
    figures = status(
        state=state,
        clock=parts.clock,
        tally=parts.tally,
        pairs=parts.settings.pairs if parts.reloading is None else parts.reloading.pairs,
        feed=parts.feed,
        models=parts.models,
        entries=parts.book.entries,
        scores=parts.scorer.scores,
        barred=parts.truth.reason,
        unsaved=parts.history.failing,
        base=parts.plan.base,
        expiration_ms=expiration_ms(parts.settings),
        trading=None if parts.desk is None else parts.desk.view,
        leaving=frozenset() if parts.reloading is None else parts.reloading.leaving,
        warming={} if parts.reloading is None else parts.reloading.warming,
    ) | {"events": parts.events.counts()}
    parts.figures.put(figures, seen)
    write_status(parts.folder.status, figures)
    return _told(parts, figures)


def _told(parts: _Assembly, figures: dict[str, Any]) -> str:
    if parts.options.show is not None:
        parts.options.show(figures)
    return status_line(figures)
