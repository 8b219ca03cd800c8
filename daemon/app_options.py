"""What the command line adds to the settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from daemon.core.clock import Clock
    from daemon.core.market import CandleKey, Market


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line adds to the settings, and what tests replace.

    Attributes:
        ticks: stop after so many; None: run on.
        progress: called with (key, candles so far, candles wanted) while history is fetched.
        show: called now and then with the daemon's figures, for a live view.
        clock: instead of the one that the settings ask for.
        market: instead of the one that the settings ask for.
    """

    ticks: int | None = None
    progress: Callable[[CandleKey, int, int], None] | None = None
    show: Callable[[dict[str, Any]], None] | None = None
    clock: Clock | None = None
    market: Market | None = None
