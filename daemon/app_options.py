"""What the command line adds to the settings."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from daemon.config import Settings
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
        read: reads the same configuration again; left out: it is never read again.
        reload: set when that is asked for.
    """

    ticks: int | None = None
    progress: Callable[[CandleKey, int, int], None] | None = None
    show: Callable[[dict[str, Any]], None] | None = None
    clock: Clock | None = None
    market: Market | None = None
    read: Callable[[], Settings] | None = None
    reload: threading.Event = field(default_factory=threading.Event)
