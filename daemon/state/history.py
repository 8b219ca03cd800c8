"""Every prediction ever made live: acknowledged when its journal record is on the disk, served exactly once.

In memory, each pair's newest rows as columns; on the disk, a snapshot (`snapshot`), the snapshot before it,
and the journal of what came since (`journal`). A tick costs one record and one fsync, however long the
history is; a new snapshot is written now and then, beside the running ticks.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, Self

from daemon.state.columns import PairColumns
from daemon.state.compaction import Compaction
from daemon.state.records import Appended, HistoryRow, encode
from daemon.state.recovery import Recovered, recover
from daemon.state.retention import KEEP_ALL, Retention
from daemon.state.stored import TIME
from daemon.state.tail import Tail

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from daemon.core.pair import Pair
    from daemon.state.folder import StateFolder
    from daemon.state.report import Damage, Loss

logger = logging.getLogger(__name__)

__all__ = ["Appended", "HistoryRow", "PredictionHistory"]

# A journal is folded into a snapshot when it has an eighth of its size, so that every byte is rewritten a
# bounded number of times, however long the history is; below the floor a snapshot is not worth its fsync.
_JOURNAL_FLOOR = 2 << 20
_JOURNAL_SHARE = 8
# At a stop, more is not written than a slow disk takes within the time that a stop has.
_STOP_BYTES = 64 << 20


class PredictionHistory:
    """The predictions of all pairs. Any thread may call any method; one process has it open for writing."""

    def __init__(
        self, folder: StateFolder, found: Recovered, *, writable: bool, retention: Retention = KEEP_ALL
    ) -> None:
        self._folder = folder
        self._retention = retention
        self._pairs = found.pairs
        self._next_sequence = found.next_sequence
        self._writable = writable
        self._tail = Tail(folder, found)
        self._dirty = found.fresh or found.settle
        self._lock = threading.RLock()
        self._compacting = threading.Lock()
        self.losses: tuple[Loss, ...] = tuple(found.losses)
        """Found at opening: what was acknowledged once and no file holds any more."""
        self.damages: tuple[Damage, ...] = tuple(found.damages)
        """Files that were not what was written, found at opening; with the backups, nothing need be lost."""

    @classmethod
    def open(cls, folder: StateFolder, retention: Retention = KEEP_ALL) -> Self:
        """Recover the history and get ready to append. The caller holds the folder's lock.

        Damage never stops a start: damaged files are set aside, what is gone is in `losses`. FreqAI's file is adopted.
        """
        found = recover(folder, touch=True)
        self = cls(folder, found, writable=True, retention=retention)
        self._tail.begin()
        if found.settle:
            self.compact()
        return self

    @classmethod
    def read(cls, folder: StateFolder) -> Self:
        """The history as a start would serve it now; touches nothing and works beside a running daemon."""
        found = recover(folder, touch=False)
        for _ in range(2):
            if not (found.losses or found.damages):
                break
            # A running daemon may have renamed files between two looks: what is truly damaged stays so.
            found = recover(folder, touch=False)
        return cls(folder, found, writable=False)

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """Pairs that have rows, in the order in which they came up."""
        with self._lock:
            return tuple(pair for pair, columns in self._pairs.items() if len(columns))

    @property
    def unsaved(self) -> int:
        """Rows that are in memory only because the disk would not take them; they are tried again."""
        with self._lock:
            return self._tail.unsaved

    @property
    def failing(self) -> bool:
        """Whether the disk did not take the newest rows; they are in memory, and tried again."""
        return self._tail.failing

    @property
    def compaction_due(self) -> bool:
        """Whether the journal has grown so long that `compact` should be called (from a spare thread)."""
        with self._lock:
            journal = self._tail.journal
            return journal is not None and journal.size > max(
                _JOURNAL_FLOOR, self._snapshot_bytes() // _JOURNAL_SHARE
            )

    def append(self, rows: Sequence[HistoryRow]) -> Appended:
        """Take the predictions of one tick: one record, one fsync.

        On return with ``saved`` they are acknowledged: they survive a kill or a power cut at any instant.
        Where the disk is full they are served from memory and written with a later call.

        Raises:
            ValueError: a value is named like the time column.
            RuntimeError: the history is closed, or was opened for reading only.
        """
        with self._lock:
            if not self._writable:
                raise RuntimeError("predictions can be appended only while the history is open for writing")
            taken, refused = self._sorted_out(rows)
            if taken:
                # Encoded first: a value that is neither number nor text raises before anything has changed.
                self._tail.add(encode(taken, self._next_sequence))
                self._next_sequence += 1
                self._dirty = True
                for row in taken:
                    self._pairs.setdefault(row.pair, PairColumns()).append(row.candle_ms, row.values)
            if refused:
                fields = {"rows": len(refused), "pair": refused[0].pair, "candle_ms": refused[0].candle_ms}
                logger.warning("predictions_refused", extra={"fields": fields})
            return Appended(rows=len(taken), refused=tuple(refused), saved=self._tail.flush())

    def _sorted_out(self, rows: Sequence[HistoryRow]) -> tuple[list[HistoryRow], list[HistoryRow]]:
        """Rows whose candle has none yet, and the others."""
        taken: dict[tuple[Pair, int], HistoryRow] = {}
        refused: list[HistoryRow] = []
        for row in rows:
            if TIME in row.values:
                raise ValueError(f"{TIME!r} is the name of the time column: no label may have it")
            columns, key = self._pairs.get(row.pair), (row.pair, row.candle_ms)
            if key in taken or (columns is not None and columns.has(row.candle_ms)):
                refused.append(row)
            else:
                taken[key] = row
        return list(taken.values()), refused

    def last_ms(self, pair: Pair) -> int | None:
        """Open time of the newest candle that has a row, ms UTC; None without one."""
        with self._lock:
            columns = self._pairs.get(pair)
            return None if columns is None else columns.last_ms

    def rows(self, pair: Pair) -> int:
        """How many rows a pair has."""
        with self._lock:
            columns = self._pairs.get(pair)
            return 0 if columns is None else len(columns)

    def columns(self, pair: Pair) -> tuple[str, ...]:
        """Names of a pair's columns, without the time."""
        with self._lock:
            columns = self._pairs.get(pair)
            return () if columns is None else columns.names

    def window(
        self, pair: Pair, open_ms: NDArray[np.int64], without: Collection[str] = ()
    ) -> dict[str, NDArray[Any]]:
        """A pair's values for some candles.

        Args:
            pair: the pair.
            open_ms: int64[n], strictly increasing, ms UTC.
            without: names of columns that are not wanted; texts cost the most.

        Returns:
            Column -> float64[n] (NaN where there is no row) or object[n] of texts (""); read-only views
            where possible.

        Raises:
            Corrupt: rows older than those in memory were asked for, and the disk gave something else.
        """
        with self._lock:
            columns = self._pairs.get(pair)
            return {} if columns is None else columns.window(open_ms, without)

    def frame(self, pair: Pair, last: int | None = None) -> pd.DataFrame:
        """A pair's rows in FreqAI's form: values, then date_pred (datetime64[ms, UTC]).

        Args:
            pair: the pair.
            last: how many of the newest rows; all by default.

        Raises:
            Corrupt: as `window`.
        """
        with self._lock:
            columns = self._pairs.get(pair)
            frozen = None if columns is None else columns.frozen()
        return (frozen or PairColumns().frozen()).frame(last)

    def compact(self) -> bool:
        """Fold the journal into a new snapshot; the one before becomes the backup.

        Call it from a spare thread: appends go on meanwhile, into a new journal.

        Returns:
            Whether a snapshot was written; not if there is nothing new, another thread is at it, or the
            disk would not take it (then all stays as it was, and is logged).
        """
        if not self._writable or not self._compacting.acquire(blocking=False):
            return False
        try:
            return self._compact()
        finally:
            self._compacting.release()

    def _compact(self) -> bool:
        with self._lock:
            old = self._tail.journal if self._dirty and self._tail.flush() else None
            if old is None:
                return False
            head = old.head.next(self._next_sequence)
            outdated = self._retention.outdated(self._pairs)
            frozen = {pair: columns.frozen(outdated.get(pair, 0)) for pair, columns in self._pairs.items()}
            job = Compaction(self._folder, head, frozen)
            journal = job.begin()
            if journal is None:
                return False
            self._tail.go_on_in(journal)
            self._dirty = False
        written = job.write()
        with self._lock:
            if written is None:
                self._dirty = True
                return False
            for pair, stored in written.pairs.items():
                self._pairs[pair].rebase(stored, frozen.pop(pair))  # one pair twice in memory, not all
        job.finish()
        if outdated:
            fields = {"rows": sum(outdated.values()), "pairs": len(outdated)}
            logger.info("predictions_dropped", extra={"fields": fields})
        return True

    def close(self) -> None:
        """Save what is pending, fold the journal into the snapshot if that is quick, and let go of the files.

        Beside a large snapshot the journal stays: it is just as safe, and the next start reads both.
        """
        with self._lock:
            quick = self._snapshot_bytes() <= _STOP_BYTES or self.compaction_due
        if self._writable and quick:
            self.compact()
        with self._lock:
            if self._writable and not self._tail.flush():
                logger.error("predictions_not_saved", extra={"fields": {"rows": self.unsaved}})
            self._tail.close()
            self._writable = False

    def _snapshot_bytes(self) -> int:
        try:
            return self._folder.historic_predictions.stat().st_size
        except OSError:
            return 0
