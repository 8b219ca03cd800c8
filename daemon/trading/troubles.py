"""What is wrong now, told once when it begins and once when it is over."""

from __future__ import annotations

import logging

log = logging.getLogger(__name__)


class Troubles:
    """Faults by what they are about; in words for whoever shows them."""

    def __init__(self) -> None:
        self._errors: dict[str, str] = {}

    def __str__(self) -> str:
        return "; ".join(f"{what}: {error}" for what, error in self._errors.items())

    def put(self, what: str, error: str) -> None:
        """Note a fault, or (empty) that there is none any more; the first of a streak and its end are logged."""
        before = self._errors.get(what, "")
        if error:
            self._errors[what] = error
            if not before:
                log.error("desk_failed", extra={"fields": {"about": what, "error": error}})
        elif before:
            del self._errors[what]
            log.info("desk_recovered", extra={"fields": {"about": what}})

    def keep(self, prefix: str, names: set[str]) -> None:
        """Forget faults about things of a kind that are no more."""
        for what in [each for each in self._errors if each.startswith(prefix) and each not in names]:
            del self._errors[what]
