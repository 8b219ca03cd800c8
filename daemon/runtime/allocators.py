"""What the process does with memory: allocators that let one thread use what another has freed, and what is collected."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ARENAS = 2
"""Heaps of the C library that threads share; by default each thread gets its own, up to eight per processor."""

_M_ARENA_MAX = -8  # malloc.h of the GNU C library


def keep_memory_level() -> None:
    """Choose what lets a daemon that runs for months keep its size; call it before pyarrow is imported.

    Each thread's heap and Arrow's own allocator keep what a burst once took, and pieces that nothing else fits: over
    weeks of simulated candles that grew though not one object more was alive. What the environment says goes first.
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    if "MALLOC_ARENA_MAX" not in os.environ:
        with contextlib.suppress(AttributeError, OSError):  # another C library has nothing to be told
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, ARENAS)


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Make objects that stay for good, as imports do: the collector looks neither for garbage meanwhile nor ever at them.

    Else it would go through all that is there again and again while hundreds of thousands are made, and later through
    all of them in each full collection, which holds up every thread.
    """
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if before:
            gc.enable()


def give_back() -> None:
    """Return to the system what a burst of work has left free in the C library's heaps; it takes milliseconds."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
