"""A sign of life for each answer of an exchange: many slow ones in a row are no thread that hangs."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from daemon.trading.broker import Broker


class _Beating:
    """Passes every call on."""

    def __init__(self, broker: Broker, beat: Callable[[], None]) -> None:
        self._broker = broker
        self._beat = beat

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._broker, name)
        if not callable(found):
            return found

        @wraps(found)
        def called(*arguments: Any, **named: Any) -> Any:
            try:
                return found(*arguments, **named)
            finally:
                self._beat()

        setattr(self, name, called)  # once for each method
        return called


def beating(broker: Broker, beat: Callable[[], None]) -> Broker:
    """The same broker; ``beat`` is called at the end of each of its calls."""
    return cast("Broker", _Beating(broker, beat))
