"""Folding the journal into a new snapshot, in an order in which every crash leaves a good generation."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

from daemon.core.errors import Corrupt
from daemon.state import atomic
from daemon.state.journal import Journal, JournalHead, generation_of, journal_paths
from daemon.state.snapshot import Seal, Snapshot, publish_snapshot, write_snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daemon.core.pair import Pair
    from daemon.state.folder import StateFolder
    from daemon.state.stored import FrozenPair

logger = logging.getLogger(__name__)

# Room that is left to everybody else when a snapshot is written.
_SPARE_BYTES = 16 << 20


class Compaction:
    """One new snapshot: ``begin`` (short, under the history's lock), ``write`` (long), ``finish``.

    1. A new journal is opened; ticks go there from now on. 2. The rows of that moment are written to
    ``historic_predictions.new.pkl``. 3. The snapshot becomes the backup, the new one the snapshot.
    4. Journals that neither of the two needs are deleted.
    """

    def __init__(self, folder: StateFolder, head: JournalHead, pairs: Mapping[Pair, FrozenPair]) -> None:
        self._folder = folder
        self._head = head
        self.pairs = pairs

    def begin(self) -> Journal | None:
        """The journal for the ticks that follow; None if the disk has no room for a snapshot."""
        needed = (
            sum(frozen.rows * (len(frozen.columns) + 1) * 8 for frozen in self.pairs.values()) + _SPARE_BYTES
        )
        try:
            free = self._folder.free_bytes()
            if free < needed:
                fields = {"free_bytes": free, "needed_bytes": needed}
                logger.warning("snapshot_postponed", extra={"fields": fields})
                return None
            return Journal.create(self._folder, self._head)
        except OSError as exc:
            self._failed(exc)
            return None

    def write(self) -> Snapshot | None:
        """Write and publish the snapshot; None, and logged, if that failed: then all older files are there."""
        seal = Seal(
            generation=self._head.generation,
            next_sequence=self._head.first_sequence,
            lineage=self._head.lineage,
        )
        new = self._folder.historic_predictions_new
        try:
            atomic.write_atomic(new, lambda stream: write_snapshot(stream, self.pairs, seal))
            snapshot = Snapshot.open(new)
            publish_snapshot(self._folder)
        except (OSError, Corrupt) as exc:
            self._failed(exc)
            return None
        rows = sum(frozen.rows for frozen in self.pairs.values())
        fields = {"generation": seal.generation, "pairs": len(self.pairs), "rows": rows}
        logger.info("snapshot_written", extra={"fields": fields})
        return snapshot

    def finish(self) -> None:
        """Delete journals older than the backup, and copies older than the snapshot."""
        # Without a backup of ours, the journals from the very first on are what would replace the snapshot.
        oldest = 0
        with contextlib.suppress(FileNotFoundError, Corrupt):
            oldest = Snapshot.open(self._folder.historic_predictions_backup).seal.generation
        for path in journal_paths(self._folder):
            generation = generation_of(path) or 0
            copy = path.name.endswith(".copy")
            if generation < oldest or (copy and generation < self._head.generation):
                try:
                    atomic.remove(path)
                except OSError as exc:
                    fields = {"file": path.name, "error": str(exc)}
                    logger.warning("journal_not_removed", extra={"fields": fields})

    def _failed(self, exc: Exception) -> None:
        fields = {"generation": self._head.generation, "error": str(exc)}
        logger.error("snapshot_failed", extra={"fields": fields})
