"""Candle lengths and candle boundaries.

Times are int milliseconds since the Unix epoch, UTC. A candle is named by its **open** time, as
exchanges and freqtrade do; it is closed from ``open + timeframe.ms`` on.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Self, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Times = TypeVar("Times", int, "NDArray[np.int64]")

_UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_PATTERN = re.compile(r"([1-9][0-9]*)([smhdw])")
# Weekly candles open on Mondays; the epoch was a Thursday.
_FIRST_MONDAY_MS = 4 * _UNITS_MS["d"]


class Timeframe(str):
    """A candle length in ccxt's notation: ``1m``, ``5m``, ``1h``, ``1d``, ``1w``.

    Calendar months have no fixed length and are not offered.

    Raises:
        ValueError: the text is not a timeframe.
    """

    __slots__ = ("_ms",)
    _ms: int

    def __new__(cls, text: str) -> Self:
        """Check the notation and keep the length."""
        match = _PATTERN.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not a timeframe: write a number and s, m, h, d or w, as in '5m'")
        self = super().__new__(cls, text)
        self._ms = int(match[1]) * _UNITS_MS[match[2]]
        return self

    def __getnewargs__(self) -> tuple[str]:
        return (str(self),)

    @property
    def ms(self) -> int:
        """Length of a candle in milliseconds."""
        return self._ms

    @property
    def _offset_ms(self) -> int:
        return _FIRST_MONDAY_MS if self.endswith("w") else 0

    def floor(self, time_ms: Times) -> Times:
        """Open time of the candle that is in progress at ``time_ms``; equally, the newest close.

        Args:
            time_ms: one time, or an int64 array of them.
        """
        return (time_ms - self._offset_ms) // self._ms * self._ms + self._offset_ms

    def ceil(self, time_ms: int) -> int:
        """First boundary at or after ``time_ms``."""
        return -((-(time_ms - self._offset_ms)) // self._ms) * self._ms + self._offset_ms

    def is_boundary(self, time_ms: int) -> bool:
        """Whether a candle opens (and another closes) at ``time_ms``."""
        return (time_ms - self._offset_ms) % self._ms == 0

    def newest_closed(self, now_ms: Times) -> Times:
        """Open time of the newest candle that is closed at ``now_ms`` (one time, or an array)."""
        return self.floor(now_ms) - self._ms
