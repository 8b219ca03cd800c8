"""The silence that an exchange has asked for, kept for the next process."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from daemon.state import atomic

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)


class SilenceFile:
    """A file with one number; see `market.silence.SilenceMemory`.

    What cannot be read or written is logged: the silence holds in memory all the same.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def recall(self) -> int:
        """Until when no request may leave, ms UTC; 0 if nothing is known."""
        try:
            return int(self._path.read_text("ascii"))
        except FileNotFoundError:
            return 0
        except (OSError, ValueError) as exc:
            log.warning("silence_not_read", extra={"fields": {"file": str(self._path), "error": str(exc)}})
            return 0

    def remember(self, until_ms: int) -> None:
        """Have it on the disk."""
        try:
            atomic.write_atomic_bytes(self._path, str(until_ms).encode())
        except OSError as exc:
            log.warning("silence_not_written", extra={"fields": {"file": str(self._path), "error": str(exc)}})
