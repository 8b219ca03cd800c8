"""What people ask a daemon for: one small file per wish, which waits until a daemon has taken it up.

Beside the daemon's own files others write here, each file whole by one rename; only the daemon deletes.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from daemon.core.pair import Pair
from daemon.state import atomic, documents

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from daemon.state.folder import StateFolder

_PREFIX, _SUFFIX = "train-", ".json"


def request_training(folder: StateFolder, pairs: Sequence[Pair], now_ms: int) -> None:
    """Ask for the training of some pairs; on return the wish is on the disk. To ask twice is to ask once.

    Args:
        folder: of the daemon that shall hear it, whether it runs or not.
        pairs: which.
        now_ms: when that was, ms UTC.

    Raises:
        OSError: it cannot be written.
    """
    atomic.make_folder(folder.requests)
    for pair in pairs:
        wish = documents.encoded({"train": str(pair), "asked_ms": now_ms})
        atomic.write_atomic_bytes(folder.requests / f"{_PREFIX}{quote(pair, safe='')}{_SUFFIX}", wish)


def requested_trainings(folder: StateFolder) -> tuple[Pair, ...]:
    """Pairs whose training was asked for and not taken up yet, in the order of their names; changes nothing."""
    return tuple(pair for pair, _ in _wishes(folder))


class TrainingRequests:
    """The daemon's side: hands out each wish once, and deletes it when what follows from it is on the disk."""

    def __init__(self, folder: StateFolder) -> None:
        self._folder = folder
        self._taken: set[Pair] = set()

    def take(self) -> tuple[Pair, ...]:
        """Pairs whose training was asked for since the last call."""
        new = tuple(pair for pair, _ in _wishes(self._folder) if pair not in self._taken)
        self._taken.update(new)
        return new

    def settle(self) -> None:
        """Forget the wishes that were handed out: the queue has them on the disk now."""
        if not self._taken:
            return
        for pair, path in _wishes(self._folder):
            if pair in self._taken:
                with contextlib.suppress(
                    OSError
                ):  # a read-only disk: it is not handed out twice all the same
                    atomic.remove(path)
        self._taken.intersection_update(requested_trainings(self._folder))


def _wishes(folder: StateFolder) -> list[tuple[Pair, Path]]:
    """Pairs with their files. The name says all; what cannot be a pair is nobody's wish."""
    found = []
    for path in sorted(folder.requests.glob(f"{_PREFIX}*{_SUFFIX}")):
        with contextlib.suppress(ValueError):
            found.append((Pair(unquote(path.name.removeprefix(_PREFIX).removesuffix(_SUFFIX))), path))
    return found
