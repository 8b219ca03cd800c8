"""How the process asks the system for memory: so that what is freed can be used again, or goes back."""

from __future__ import annotations

import contextlib
import ctypes
import os

ARENAS = 2
"""Heaps of the C library that threads share; by default each thread gets its own, up to eight per processor."""
MMAP_BYTES = 128 << 10
"""Blocks from this size on go back to the system when they are freed; by default the limit rises up to 32 MB."""

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # malloc.h of the GNU C library


def keep_memory_level() -> None:
    """Choose what lets a daemon that runs for months keep its size; call it before pyarrow is imported.

    Each thread's heap and Arrow's own allocator keep what a burst once took, and pieces that nothing else fits: over
    weeks of simulated candles that grew though not one object more was alive. What the environment says goes first.
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    chosen = {
        "MALLOC_ARENA_MAX": (_M_ARENA_MAX, ARENAS),
        "MALLOC_MMAP_THRESHOLD_": (_M_MMAP_THRESHOLD, MMAP_BYTES),
    }
    with contextlib.suppress(AttributeError, OSError):  # another C library has nothing to be told
        mallopt = ctypes.CDLL(None).mallopt
        for variable, (parameter, value) in chosen.items():
            if variable not in os.environ:
                mallopt(parameter, value)
