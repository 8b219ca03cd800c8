"""What the exchange pushes about our orders: a hint that comes early, beside the questions that tell the truth."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from typing import TYPE_CHECKING

from daemon.core.errors import CandledError
from daemon.core.pair import Pair
from daemon.market.ccxt_errors import FOREIGN
from daemon.trading.live_values import report_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from daemon.market.ccxt_market import CcxtMarket
    from daemon.trading.orders import OrderReport

log = logging.getLogger(__name__)

_FIRST_PAUSE_S, _LAST_PAUSE_S = 1.0, 300.0
_KEPT = 10_000


class LiveStream:
    """Listens until the market is closed; a stream that breaks is opened again, ever less often while it fails.

    Args:
        market: whose client can listen.
    """

    def __init__(self, market: CcxtMarket) -> None:
        self._market = market
        self._reports: deque[OrderReport] = deque(maxlen=_KEPT)
        self._failing = False
        market.start(self._listen())

    def take(self) -> Sequence[OrderReport]:
        """What has come since the last call; from any thread."""
        found = []
        while self._reports:
            found.append(self._reports.popleft())
        return tuple(found)

    async def _listen(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                await self._market.ready()
                await self._hear()
                pause_s = _FIRST_PAUSE_S
            except CandledError as exc:
                self._note(exc)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LAST_PAUSE_S)

    async def _hear(self) -> None:
        """Wait for the next news and keep it."""
        client = self._market.client
        orders = await client.asked(
            lambda ccxt: ccxt.watch_orders(), client.trip(math.inf), f"news of orders on {self._market.name}"
        )
        if self._failing:
            self._failing = False
            log.info("stream_heard_again", extra={"fields": {"market": self._market.name}})
        for order in orders:
            self._keep(order)

    def _keep(self, order: Mapping[str, Any]) -> None:
        try:
            self._reports.append(report_of(order, Pair(order["symbol"]), self._market.exchange_ms()))
        except (CandledError, *FOREIGN) as exc:
            self._note(exc)  # the questions will tell

    def _note(self, exc: BaseException) -> None:
        """Log the first failure of a streak."""
        if not self._failing:
            fields = {"market": self._market.name, "error": str(exc)}
            log.warning("stream_silent", extra={"fields": fields})
        self._failing = True
