"""Which estimators can be read again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.core.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping


def known_name(estimator: object, known: Mapping[str, type], library: str) -> str:
    """The name of the estimator's class.

    Args:
        estimator: of a user's.
        known: classes that can be read again, by name.
        library: whose classes they are, for the message.

    Raises:
        Refused: it is of another class; one made from a known class is another, too.
    """
    name = type(estimator).__name__
    if known.get(name) is not type(estimator):
        raise Refused(f"a {name} cannot be saved; of {library}'s classes {', '.join(known)} can")
    return name
