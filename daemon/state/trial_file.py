"""``strategy_trial.json``: what the trial of a strategy has shown, for the next start."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from daemon.core.errors import Corrupt
from daemon.state import atomic, documents

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daemon.state.folder import StateFolder

log = logging.getLogger(__name__)


class TrialFile:
    """One small document with its checksum. It can be made anew at any time: what is damaged or cannot be written is logged.

    Args:
        folder: where it lies.
    """

    def __init__(self, folder: StateFolder) -> None:
        self._path = folder.strategy_trial

    def read(self) -> Mapping[str, Any]:
        """What was written last; empty if nothing was, or if the file is not what was written."""
        try:
            document = documents.read_object(self._path)
        except FileNotFoundError:
            return {}
        except Corrupt as exc:
            return _passed_over(str(exc))
        if document.pop("checksum", None) != documents.digest(document):
            return _passed_over(f"{self._path} does not match its checksum")
        return document

    def write(self, document: Mapping[str, Any]) -> None:
        """Replace the file; a full disk is no reason to stop."""
        sealed = documents.encoded({**document, "checksum": documents.digest(document)})
        try:
            atomic.write_atomic_bytes(self._path, sealed)
        except OSError as exc:
            log.warning("trial_not_written", extra={"fields": {"file": str(self._path), "error": str(exc)}})


def _passed_over(error: str) -> Mapping[str, Any]:
    log.warning("trial_not_read", extra={"fields": {"error": error, "remedy": "none: it is made anew"}})
    return {}
