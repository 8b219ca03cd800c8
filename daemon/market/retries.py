"""Calls that are repeated while their faults may pass."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

import stamina
from stamina.instrumentation import set_on_retry_hooks

from daemon.core.errors import CandledError, RateLimited, Retryable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from daemon.core.clock import Clock

T = TypeVar("T")


class Retries:
    """Repeats calls with back-off, within a deadline.

    Args:
        market: whose name is told where there was no time for a fault of its own.
        clock: real time.
    """

    def __init__(self, market: str, clock: Clock) -> None:
        self._market = market
        self._clock = clock
        # stamina logs every retry; the feed logs where a failure begins and ends.
        set_on_retry_hooks([])

    async def retried(self, call: Callable[[], Awaitable[T]], deadline_s: float) -> T:
        """The result of a call that is repeated, with back-off, while its faults may pass.

        Raises:
            CandledError: the fault does not pass, or did not before ``deadline_s`` (monotonic).
        """
        last: CandledError | None = None

        def may_pass(exc: Exception) -> bool:
            left_s = deadline_s - self._clock.monotonic_s()
            return isinstance(exc, Retryable) and not (isinstance(exc, RateLimited) and exc.wait_s > left_s)

        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, deadline_s - self._clock.monotonic_s())):
                async for attempt in stamina.retry_context(
                    on=may_pass,
                    attempts=None,
                    timeout=None,
                    wait_initial=0.25,
                    wait_max=5.0,
                    wait_jitter=0.25,
                ):
                    with attempt:
                        try:
                            return await call()
                        except CandledError as exc:
                            last = exc
                            raise
        raise last or Retryable(f"{self._market} gave no answer in time")
