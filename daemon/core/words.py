"""Words for people."""

from __future__ import annotations

UNEXAMINED = "the strategy is still to be held against the truth checks, which takes seconds after a start"
"""Why nothing may be entered while it is not known yet what the sample at the start finds."""


def counted(number: int, noun: str) -> str:
    """``1 trade``, ``2 trades``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
