"""What is wrong now, told once when it begins, when it becomes another fault, and once when it is over."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger(__name__)

_FIGURES = re.compile(r"\d[\d.,]*")


class Troubles:
    """Faults by what they are about; in words for whoever shows them.

    What a thing's last look found is all that is wrong with it, in one text: the next look's takes its place, and with
    the thing it goes.
    """

    def __init__(self) -> None:
        self._errors: dict[str, str] = {}

    def __str__(self) -> str:
        return "; ".join(f"{what}: {error}" for what, error in self._errors.items())

    def put(self, what: str, error: str) -> None:
        """Note all that is wrong with something, or (empty) that nothing is any more.

        Logged are the first of a streak, its end, and in between what differs by more than its figures.
        """
        before = self._errors.get(what, "")
        if error:
            self._errors[what] = error
            if _kind(error) != _kind(before):
                log.error("desk_failed", extra={"fields": {"about": what, "error": error}})
        elif before:
            del self._errors[what]
            log.info("desk_recovered", extra={"fields": {"about": what}})

    def take(self, prefix: str, errors: Mapping[str, str]) -> None:
        """Note all that is wrong with things of a kind, by name: nothing is with the others of it."""
        gone = {each for each in self._errors if each.startswith(prefix)} - {prefix + name for name in errors}
        for what in gone:
            self.put(what, "")
        for name, error in errors.items():
            self.put(prefix + name, error)

    def keep(self, prefix: str, names: set[str]) -> None:
        """Forget faults about things of a kind that are no more."""
        for what in [each for each in self._errors if each.startswith(prefix) and each not in names]:
            del self._errors[what]


def _kind(error: str) -> str:
    return _FIGURES.sub("#", error)
