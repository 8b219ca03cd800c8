"""The silence that an exchange asks for: until it is over, not one request may leave."""

from __future__ import annotations

import asyncio
import logging
import math
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Protocol

from daemon.core.errors import RateLimited

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daemon.core.clock import Clock

log = logging.getLogger(__name__)

TOO_MANY, BANNED = 429, 418
# Waits for an exchange that names none: for the first refusal in a row; each further one doubles it.
_FIRST_WAIT_S = {TOO_MANY: 5.0, BANNED: 120.0}
_LONGEST_DEFAULT_S = 3600.0
# Exchanges ban for three days at most; a header that says more is a mistake (or milliseconds).
_LONGEST_S = 7 * 86_400.0


class SilenceMemory(Protocol):
    """Keeps a silence for the next process: an exchange does not care that ours was killed meanwhile."""

    def recall(self) -> int:
        """Until when (market time, ms UTC) no request may leave; 0 if nothing is known."""
        ...

    def remember(self, until_ms: int) -> None:
        """Have that on the disk when it returns; what cannot be written is not raised."""
        ...


class Silence:
    """A gate for all requests of one adapter. It is used by one event loop only.

    Args:
        name: the exchange, for logs and messages.
        clock: its monotonic time decides; a system clock that is set changes nothing.
        memory: where it outlives the process; None: nowhere.
    """

    def __init__(self, name: str, clock: Clock, memory: SilenceMemory | None = None) -> None:
        self._name = name
        self._clock = clock
        self._memory = memory
        left_s = 0.0 if memory is None else (memory.recall() - clock.now_ms()) / 1000 / clock.speed
        self._until_s = clock.monotonic_s() + min(left_s, _LONGEST_S) if left_s > 0 else -math.inf
        self._asked_s = -math.inf
        self._in_a_row = 0

    @property
    def left_s(self) -> float:
        """Real seconds for which no request may leave; 0 if they may."""
        return max(0.0, self._until_s - self._clock.monotonic_s())

    def ask(self, status: int, headers: Mapping[str, str], sent_s: float) -> None:
        """Begin or prolong the silence.

        Args:
            status: 429, or 418 for a ban.
            headers: of the refusing answer; its ``Retry-After`` decides if it has one.
            sent_s: monotonic time at which the refused request left. Requests that were on their way
                together are refused together, which is one refusal and not many.
        """
        now_s = self._clock.monotonic_s()
        if sent_s >= self._asked_s:
            self._in_a_row += 1
        self._asked_s = now_s
        wait_s = retry_after_s(headers, self._clock.now_ms())
        if wait_s is None:
            doubled = _FIRST_WAIT_S[status] * 2.0 ** min(self._in_a_row - 1, 16)
            wait_s = min(doubled, _LONGEST_DEFAULT_S)
        if now_s >= self._until_s:
            fields = {"market": self._name, "status": status, "wait_s": round(wait_s, 1)}
            log.warning("exchange_asks_for_silence", extra={"fields": fields})
        if now_s + wait_s > self._until_s:
            self._until_s = now_s + wait_s
            if self._memory is not None:
                self._memory.remember(self._clock.now_ms() + math.ceil(wait_s * 1000 * self._clock.speed))

    def answered(self, sent_s: float) -> None:
        """Note that a request which left after the last refusal was served: the next one is a first."""
        if sent_s >= self._asked_s:
            self._in_a_row = 0

    def check(self) -> None:
        """Refuse a request that is about to leave.

        Raises:
            RateLimited: the silence lasts.
        """
        if self.left_s:
            raise self.as_error()

    def as_error(self) -> RateLimited:
        """What a caller is told who may not send."""
        return RateLimited(f"{self._name} asks for silence for {self.left_s:.1f} s more", self.left_s)

    async def over(self, deadline_s: float) -> None:
        """Wait until requests may leave.

        Raises:
            RateLimited: they may not before ``deadline_s`` (monotonic).
        """
        while self.left_s:
            if self._until_s > deadline_s:
                raise self.as_error()
            await asyncio.sleep(self.left_s)


def retry_after_s(headers: Mapping[str, str], now_ms: int) -> float | None:
    """What a ``Retry-After`` header asks for, in seconds; None if there is none that makes sense.

    Args:
        headers: of the answer, in any letter case.
        now_ms: stands in for the answer's ``Date`` where the header names a moment (RFC 9110, 10.2.3).
    """
    lower = {name.lower(): value for name, value in headers.items()}
    text = lower.get("retry-after", "").strip()
    try:
        wait_s = float(text)
    except ValueError:
        until_ms = http_date_ms(text)
        if until_ms is None:
            return None
        wait_s = (until_ms - (http_date_ms(lower.get("date", "")) or now_ms)) / 1000
    # Zero or the past tells nothing about how long to wait: the default does.
    return min(wait_s, _LONGEST_S) if math.isfinite(wait_s) and wait_s > 0 else None


def http_date_ms(text: str) -> int | None:
    """An HTTP date in milliseconds since the epoch; None if the text is none."""
    try:
        return int(parsedate_to_datetime(text).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
