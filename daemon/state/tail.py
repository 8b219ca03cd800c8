"""The end of the history on the disk: the journal that is written to, and what it would not take yet."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from daemon.state.journal import Journal

if TYPE_CHECKING:
    from daemon.state.folder import StateFolder
    from daemon.state.records import Record
    from daemon.state.recovery import Recovered

logger = logging.getLogger(__name__)


class Tail:
    """Records on their way to the disk, in order. Its owner holds a lock around every call.

    Args:
        folder: where.
        found: what a start has found there; its records go into the journal, if they are not in it.
    """

    def __init__(self, folder: StateFolder, found: Recovered) -> None:
        self._folder = folder
        self._found = found
        self._journal: Journal | None = None
        self._pending: list[Record] = []
        self.failing = False
        """Whether the disk did not take the newest records; they are tried again with the next."""

    @property
    def journal(self) -> Journal | None:
        """The journal; None before it was opened, and after it was closed."""
        return self._journal

    @property
    def unsaved(self) -> int:
        """Rows that the disk has not taken."""
        return sum(record.rows for record in self._pending)

    def begin(self) -> None:
        """Open the journal now, not with the first record; what hinders that is logged and tried again."""
        try:
            self._opened()
        except OSError as exc:
            self._report(exc)

    def add(self, record: Record) -> None:
        """Put a record behind the others; `flush` writes it."""
        self._pending.append(record)

    def flush(self) -> bool:
        """Write what is pending, with one fsync; whether nothing is any more."""
        if not self._pending:
            return True
        try:
            self._opened().append(b"".join(record.data for record in self._pending))
        except OSError as exc:
            self._report(exc)
            return False
        if self.failing:
            logger.info("predictions_saved_again", extra={"fields": {"rows": self.unsaved}})
            self.failing = False
        self._pending.clear()
        return True

    def go_on_in(self, journal: Journal) -> None:
        """Write to another journal from now on."""
        self.close()
        self._journal = journal

    def close(self) -> None:
        """Let go of the file."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def _opened(self) -> Journal:
        """The journal, opened if it is not: as it is if it is whole, else written anew with what is left of it."""
        if self._journal is None:
            found = self._found
            if found.resumable:
                size = len(found.head.encoded()) + sum(len(record.data) for record in found.records)
                self._journal = Journal.resume(self._folder, found.head, size)
            else:
                self._journal = Journal.create(self._folder, found.head, found.records)
            found.records.clear()
        return self._journal

    def _report(self, exc: OSError) -> None:
        """The first failure of a streak; its end is reported where it ends."""
        if not self.failing:
            fields = {"folder": str(self._folder.path), "error": str(exc)}
            logger.error("predictions_unsaved", extra={"fields": fields})
        self.failing = True
