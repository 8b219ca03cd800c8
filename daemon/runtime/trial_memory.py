"""What a start need not measure again, because nothing that the measurement depends on has changed since."""

from __future__ import annotations

import hashlib
import json
import sys
from typing import TYPE_CHECKING, Any

from daemon.core.pair import Pair
from daemon.features.checks import TAILS
from daemon.features.columns import ReadColumns
from daemon.runtime.preparation import Measured

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daemon.config import Settings
    from daemon.state.trial_file import TrialFile

METHOD = 1
"""Another number makes every start measure anew: to be raised where the measurement itself changes."""


def trial_key(settings: Settings, strategy_digest: str) -> str:
    """SHA-256 of what a strategy's features are made by.

    That is its files, every setting (it may read any of them; secrets do not count), Python, and each library that is
    loaded and says which version it is: ours, pandas, TA-Lib, whatever the strategy imports.
    """
    modules = {
        name: getattr(module, "__dict__", {}) for name, module in list(sys.modules.items()) if "." not in name
    }
    versions = {
        name: found for name, names in modules.items() if isinstance(found := names.get("__version__"), str)
    }
    parts = [METHOD, strategy_digest, settings.document, sys.version, versions]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


class TrialMemory:
    """The newest trial, if it was made with the same strategy, settings and libraries.

    Args:
        file: keeps it.
        key: from `trial_key`.
    """

    def __init__(self, file: TrialFile, key: str) -> None:
        self._file = file
        self._key = key
        self._known: Measured | None = None

    def recall(self) -> Measured | None:
        """What was measured; None if that was nothing, something else, or cannot be read."""
        document = self._file.read()
        if document.get("key") == self._key:
            self._known = _measured(document)
        return self._known

    def remember(self, measured: Measured | None) -> None:
        """Keep it for the next start, unless it is known already; None: there is nothing to keep."""
        if measured is None or measured == self._known:
            return
        self._file.write(
            {
                "key": self._key,
                "pair": str(measured.pair),
                "warm_up": measured.warm_up,
                "reads": {"standard": measured.reads.standard, "targets": measured.reads.targets},
                "tails": dict(measured.tails),
            }
        )


def _measured(document: Mapping[str, Any]) -> Measured | None:
    try:
        pair, warm_up, reads, tails = (document[name] for name in ("pair", "warm_up", "reads", "tails"))
        sound = warm_up in TAILS and all(isinstance(number, int) for number in (warm_up, *tails.values()))
        found = Measured(
            pair=Pair(pair),
            warm_up=warm_up,
            reads=ReadColumns(standard=reads["standard"] is True, targets=reads["targets"] is True),
            tails=tails,
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    return found if sound else None
