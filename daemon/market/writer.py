"""When candles go to disk."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from daemon.core.errors import CandledError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from daemon.market.store import CandleStore
    from daemon.market.track import Track

log = logging.getLogger(__name__)

# Changes that are kept in memory before a file is written: a file is written as a whole, and candles
# that a crash takes can be fetched again.
_UNWRITTEN = 256
# What a file may lack after a warm-up: one in so many.
_MUCH = 20
# Files written at a time: all keys are due in the same update, and no tick shall wait for them all.
_AT_A_TIME = 2


class Writer:
    """Moves candles between tracks and files; what cannot be written stays in memory and is tried again."""

    def __init__(self, store: CandleStore) -> None:
        self._store = store
        self._failing = False

    def load(self, track: Track, since_ms: int, newest_ms: int) -> None:
        """Fill a track from its file, from ``since_ms`` to ``newest_ms``."""
        stored = self._store.read(track.key)
        track.load(stored, since_ms, newest_ms)
        fields = {"key": str(track.key), "candles": len(track.frame), "in_file": len(stored)}
        log.debug("candles_loaded", extra={"fields": fields})

    def write_due(self, tracks: Iterable[Track], unwritten: int = _UNWRITTEN) -> None:
        """Write the files with most changes, if they have at least ``unwritten``."""
        due = sorted((t for t in tracks if t.unwritten >= unwritten), key=lambda t: -t.unwritten)
        for track in due[:_AT_A_TIME]:
            self.write(track)
            track.trim()

    def write_much(self, tracks: Iterable[Track]) -> None:
        """Write the files that lack much; a restart, which has fetched a few candles, need not write them all anew."""
        for track in tracks:
            if track.unwritten >= min(_UNWRITTEN, len(track.frame) // _MUCH):
                self.write(track)

    def write(self, track: Track) -> None:
        """Write a track's file if it lacks something."""
        if not track.unwritten:
            return
        try:
            self._store.merge(track.key, track.frame)
        except (OSError, CandledError) as exc:
            # A full disk stops no prediction: memory has the candles, the exchange has them too.
            if not self._failing:
                fields = {"file": str(self._store.path(track.key)), "error": str(exc)}
                log.warning("candle_file_not_written", extra={"fields": fields})
            self._failing = True
            return
        track.unwritten = 0
        if self._failing:
            log.info("candle_files_written_again", extra={"fields": {"folder": str(self._store.folder)}})
        self._failing = False
