"""Requests about the account, on their way to an exchange: how often they are sent, and what is made of their faults."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, TypeVar

from daemon.core.errors import CandledError, Retryable
from daemon.market.ccxt_errors import FOREIGN
from daemon.trading.broker import AnswerLost
from daemon.trading.live_errors import after_change, is_clock, is_unknown_pair

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from daemon.market.ccxt_market import CcxtMarket
    from daemon.market.ccxt_wire import Trip
    from daemon.trading.orders import OrderReport

T = TypeVar("T")

log = logging.getLogger(__name__)

CHANGE_S = 15.0
"""Real seconds for the one try of a request that changes something."""


class LiveCalls:
    """Sends them; from any thread.

    Args:
        market: the exchange's connection.
    """

    def __init__(self, market: CcxtMarket) -> None:
        self._market = market
        self._clock_off = False

    def asked(self, call: Callable[[Any], Awaitable[Any]], what: str, budget_s: float) -> Any:
        """An answer to a question, asked again while its faults may pass.

        Args:
            call: asks ccxt.
            what: is asked for, as messages begin with it.
            budget_s: real seconds for all of it.

        Raises:
            CandledError: there is none.
        """

        async def once(deadline_s: float) -> Any:
            # Time for a second try, should the first one hang.
            trip = self._market.client.trip(deadline_s, budget_s / 3)
            return await self._market.client.asked(call, trip, what)

        return self.run(once, budget_s, again=True)

    def changed(
        self, call: Callable[[Any], Awaitable[Any]], what: str, read: Callable[[Any], OrderReport]
    ) -> OrderReport:
        """What ``read`` makes of the answer to a request that changes something: sent once.

        Raises:
            AnswerLost: it has left, and what came of it is not known.
        """
        trips: list[Trip] = []

        async def once(deadline_s: float) -> Any:
            trips.append(self._market.client.trip(deadline_s))
            return await self._market.client.asked(call, trips[0], what)

        try:
            answer = self.run(once, CHANGE_S, again=False)
        except CandledError as exc:
            error = after_change(exc, trips[0] if trips else None)
            if error is exc:
                raise
            # The cause stays ccxt's own, which tells an unknown order from other refusals.
            raise error from exc.__cause__ or exc
        try:
            return read(answer)
        except (Retryable, *FOREIGN) as exc:
            raise AnswerLost(f"{what}: {exc}") from exc

    def run(self, work: Callable[[float], Awaitable[T]], budget_s: float, *, again: bool) -> T:
        """`CcxtMarket.run`, with an eye on the clock."""

        async def watched(deadline_s: float) -> T:
            try:
                return await work(deadline_s)
            except CandledError as exc:
                if is_clock(exc):
                    self._market.doubt_time()  # the next try asks for the time first
                if is_unknown_pair(exc):
                    self._market.doubt_pairs()
                raise

        try:
            answer = self._market.run(watched, budget_s, again=again)
        except CandledError as exc:
            if is_clock(exc) and not self._clock_off:
                self._clock_off = True
                fields = {
                    "market": self._market.name,
                    "ahead_ms": self._market.clock_off_ms(),
                    "error": str(exc),
                }
                log.warning("clock_refused", extra={"fields": fields})
            raise
        if self._clock_off:
            self._clock_off = False
            log.info("clock_accepted_again", extra={"fields": {"ahead_ms": self._market.clock_off_ms()}})
        return answer
