"""What time it is on the exchange."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from daemon.market.silence import http_date_ms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daemon.core.clock import Clock

_EVERY_S, _AFTER_FAILURE_S = 600.0, 15.0
# A `Date` header counts whole seconds, and was written before the answer was under way.
_COARSE_MS = 2000
# An answer that took longer says too little about the moment at which it was written.
_LONGEST_TRIP_MS = 2000
# Our clock was set if its time passed by this much more or less than the monotonic one's.
_JUMP_MS = 1000


class ExchangeTime:
    """The exchange's clock, as an offset from ours.

    Candles are closed by the exchange's clock: were ours five minutes fast and taken for it, a candle
    in progress would be stored as a closed one. The offset is measured by asking for the time, the
    answer being taken for the middle of the round trip (Cristian 1989, "Probabilistic clock
    synchronization"), or, where that fails, by the ``Date`` of any answer. It is measured again every
    ten minutes, and when our clock was set.

    Written by one event loop, read from any thread.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset_ms = 0
        self._measured = False
        # How far our clock was before the monotonic one when the offset was last seen, and last asked for.
        self._lead_ms = self._asked_lead_ms = -math.inf
        self._due_s = self._try_s = -math.inf

    @property
    def known(self) -> bool:
        """Whether the exchange's clock was seen, and ours was not set since."""
        return self._is_same(self._lead_ms)

    @property
    def offset_ms(self) -> int:
        """Milliseconds to add to our clock; 0 as long as the exchange's was never seen."""
        return self._offset_ms

    def now_ms(self) -> int:
        """Time on the exchange, milliseconds UTC."""
        return self._clock.now_ms() + self._offset_ms

    def is_due(self) -> bool:
        """Whether it is to be measured (again)."""
        now_s = self._clock.monotonic_s()
        return now_s >= self._try_s and (now_s >= self._due_s or not self.known)

    def begin(self) -> None:
        """Note an attempt: if it fails, the next is due soon, but not at once."""
        self._try_s = self._clock.monotonic_s() + _AFTER_FAILURE_S
        self._asked_lead_ms = self._lead()

    def doubt(self) -> None:
        """Have it measured again at once: the exchange has refused a request for its time."""
        self._lead_ms = self._asked_lead_ms = self._due_s = self._try_s = -math.inf

    def take(self, server_ms: int, sent_ms: int, received_ms: int) -> bool:
        """Take the exchange's answer; return whether it told anything new.

        One that was long under way is taken only if nothing better is known, and then as written on
        arrival: candles may seem closed too late by it, never too early.

        Args:
            server_ms: its time.
            sent_ms: our time when the question left.
            received_ms: our time when the answer was there.
        """
        if self._is_short(sent_ms, received_ms):
            self._see(server_ms - (sent_ms + received_ms) // 2)
        elif self.known or received_ms < sent_ms:
            return False
        else:
            self._see(server_ms - received_ms)
        self._measured = True
        self._due_s = self._clock.monotonic_s() + _EVERY_S
        return True

    def take_date(self, headers: Mapping[str, str], sent_ms: int, received_ms: int) -> None:
        """Take the ``Date`` of an answer, unless the offset is known, or can be, better than that tells."""
        known_better = self._measured and self.known
        if known_better or not self._is_same(self._asked_lead_ms) or not self._is_short(sent_ms, received_ms):
            return
        lower = {name.lower(): value for name, value in headers.items()}
        # A cache in between repeats the date of the answer that it keeps.
        date_ms = http_date_ms(lower.get("date", "")) if "age" not in lower else None
        if date_ms is None:
            return
        offset_ms = date_ms + 500 - (sent_ms + received_ms) // 2
        coarse = _COARSE_MS * self._clock.speed
        self._see(offset_ms if abs(offset_ms - self._offset_ms) > coarse else self._offset_ms)
        self._measured = False

    def _see(self, offset_ms: int) -> None:
        self._offset_ms = offset_ms
        self._lead_ms = self._lead()

    def _is_same(self, lead_ms: float) -> bool:
        return abs(self._lead() - lead_ms) <= _JUMP_MS * self._clock.speed

    def _is_short(self, sent_ms: int, received_ms: int) -> bool:
        return 0 <= received_ms - sent_ms <= _LONGEST_TRIP_MS * self._clock.speed

    def _lead(self) -> float:
        return self._clock.now_ms() - self._clock.monotonic_s() * 1000 * self._clock.speed
