"""Candles from any exchange that ccxt knows, and the way to it for orders."""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from daemon.core.errors import CandledError, Retryable
from daemon.market.exchange_time import ExchangeTime
from daemon.market.loop_thread import Joint, LoopThread
from daemon.market.retries import Retries
from daemon.market.rows import RowCheck
from daemon.market.silence import Silence

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
    from concurrent.futures import Future

    from daemon.core.candles import CandleFrame
    from daemon.core.clock import Clock
    from daemon.core.market import CandleRequest
    from daemon.core.pair import Pair
    from daemon.core.timeframe import Timeframe
    from daemon.market.ccxt_client import CcxtClient
    from daemon.market.silence import SilenceMemory

T = TypeVar("T")

log = logging.getLogger(__name__)

_MARKETS_BUDGET_S, _TIME_BUDGET_S, _CLOSE_S = 30.0, 5.0, 2.0
_MARKETS_KEPT_S, _MARKETS_AGAIN_S = 3600.0, 60.0
# Requests under way at once: enough for the pace of any exchange, few enough for one small machine.
_AT_ONCE = 16
# What a caller waits for the loop beyond his budget, should a coroutine overstay.
_MARGIN_S = 0.5


class CcxtMarket:
    """A `Market` on an exchange of ccxt's: one client, one pace, one event loop in a thread of its own.

    Requests are retried within the budget as long as the fault may pass. While the exchange asks for
    silence (status 429 or 418, or its own words for it) not one request leaves, whatever it is for.

    To point it at another host (a proxy, a test server) override ccxt's addresses; the rest of them
    stays as it is::

        "ccxt_config": {"urls": {"api": {"public": "http://127.0.0.1:8080/api/v3"}}}

    Spot markets are loaded unless ``{"options": {"defaultType": "swap"}}``, or ccxt's own
    ``{"options": {"fetchMarkets": ...}}``, asks for others.

    Args:
        exchange_id: as ccxt names it, for example ``binance``.
        ccxt_config: for ccxt's constructor, merged over ccxt's own settings at every depth.
        ccxt_async_config: the same, over ``ccxt_config``.
        clock: market time, to which the difference to the exchange's clock is added, and real time.
        credentials: by freqtrade's names (``key``, ``secret``, ``password``, ``uid``...) or ccxt's. Candles
            need none on most exchanges.
        memory: keeps a silence that the exchange asks for over a restart; None: nothing does.
        stream: whether what happens on the account can be listened to, where ccxt.pro can.

    Raises:
        ConfigError: no such exchange (the nearest are named), one without candles, or settings that
            ccxt does not take.
    """

    def __init__(
        self,
        *,
        exchange_id: str,
        ccxt_config: Mapping[str, Any],
        ccxt_async_config: Mapping[str, Any],
        clock: Clock,
        credentials: Mapping[str, str] | None = None,
        memory: SilenceMemory | None = None,
        stream: bool = False,
    ) -> None:
        # A second of import, which only those pay who use it.
        from daemon.market.ccxt_client import CcxtClient  # noqa: PLC0415 - as said above

        self._clock = clock
        self._time = ExchangeTime(clock)
        self._client = CcxtClient(
            exchange_id,
            layers=(ccxt_config, ccxt_async_config),
            credentials=credentials or {},
            silence=Silence(exchange_id, clock, memory),
            time=self._time,
            clock=clock,
            stream=stream,
        )
        self.name = exchange_id
        self._again = Retries(exchange_id, clock)
        self.page_limit = self._client.page_limit()
        self.rows = RowCheck(exchange_id, self._time, clock)
        self._pairs: frozenset[Pair] | None = None
        self._missed: frozenset[Pair] = frozenset()
        self._pairs_s = self._pairs_due_s = 0.0
        self._load, self._measure = Joint(self._load_pairs), Joint(self._measure_time)
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._first_look = threading.Lock()
        self._thread = LoopThread("market")

    def timeframes(self) -> frozenset[Timeframe]:
        """See `Market`; asks nobody."""
        return self._client.timeframes()

    def pairs(self) -> frozenset[Pair]:
        """See `Market`; asked for again when the last answer is an hour old. Takes 30 s at most."""
        deadline_s = self._clock.monotonic_s() + _MARKETS_BUDGET_S
        return self._result(self._thread.submit(self._known_pairs(deadline_s)), _MARKETS_BUDGET_S)

    def now_ms(self) -> int:
        """See `Market`. Asks the exchange when its clock is unknown, or ours was set; then takes up to 5 s."""
        with self._first_look:
            if not self._time.known and self._time.is_due():
                with suppress(Retryable):  # it is logged; our own clock has to do
                    self._result(self._thread.submit(self._measure()), _TIME_BUDGET_S)
        return self._time.now_ms()

    def fetch(self, requests: Sequence[CandleRequest], budget_s: float) -> list[CandleFrame | CandledError]:
        """See `Market`."""
        deadline_s = self._clock.monotonic_s() + budget_s
        try:
            return self._result(self._thread.submit(self._answers(requests, deadline_s, budget_s)), budget_s)
        except Retryable as exc:
            return [exc] * len(requests)

    def clock_off_ms(self) -> int:
        """By how many ms our clock is ahead of the exchange's; asks nobody, 0 as long as that was never seen."""
        return -self._time.offset_ms

    def exchange_ms(self) -> int:
        """The exchange's time as far as it is known; asks nobody."""
        return self._time.now_ms()

    def doubt_time(self) -> None:
        """Have the exchange's clock looked at again before the next request; in the market's own loop only."""
        self._time.doubt()

    def doubt_pairs(self, after_s: float | None = None) -> None:
        """Have the markets asked for again when the last try is so old, a minute: a pair was refused, or may be back."""
        due_s = self._pairs_s + (_MARKETS_AGAIN_S if after_s is None else after_s)
        self._pairs_due_s = min(self._pairs_due_s, due_s)

    @property
    def client(self) -> CcxtClient:
        """What asks the exchange; for `run`."""
        return self._client

    def run(self, work: Callable[[float], Awaitable[T]], budget_s: float, *, again: bool) -> T:
        """What a coroutine of ours gives: one client, one pace and one silence for candles and orders.

        Markets are loaded and the exchange's time is known before it begins.

        Args:
            work: is called with the deadline (monotonic) in the market's own loop.
            budget_s: real seconds for all of it.
            again: whether it is repeated while its faults may pass. Never for what changes something.

        Raises:
            CandledError: what the work raises; `Retryable` if there was no time left for it.
        """
        deadline_s = self._clock.monotonic_s() + budget_s

        async def prepared() -> T:
            await self.ready()
            return await work(deadline_s)

        async def whole() -> T:
            if again:
                return await self._again.retried(prepared, deadline_s)
            return await prepared()

        return self._result(self._thread.submit(whole()), budget_s)

    async def ready(self) -> None:
        """Have markets and time known; in the market's own loop."""
        if self._pairs is None:
            await self._load()
        await self._see_time()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something in the market's own loop until the market is closed."""
        self._thread.submit(work)

    def close(self) -> None:
        """See `Market`."""
        self._thread.stop(self._client.close(), _CLOSE_S)

    def _result(self, future: Future[T] | None, budget_s: float) -> T:
        """What the loop makes of a call, awaited from another thread.

        Raises:
            Retryable: the market was closed, or the loop is late beyond all measure.
        """
        if future is None:
            raise Retryable(f"{self.name} is closed")
        try:
            return future.result(max(budget_s, 0.0) + _MARGIN_S)
        except CancelledError:
            raise Retryable(f"{self.name} is closed") from None
        except TimeoutError:
            future.cancel()
            raise Retryable(f"{self.name} gave no answer within {budget_s:.1f} s") from None

    async def _known_pairs(self, deadline_s: float) -> frozenset[Pair]:
        if self._pairs is None or self._clock.monotonic_s() >= self._pairs_due_s:
            try:
                await self._again.retried(self._load, deadline_s)
            except CandledError:  # what is known holds until the next try
                if self._pairs is None:
                    raise
        return self._pairs or frozenset()

    async def _answers(
        self, requests: Sequence[CandleRequest], deadline_s: float, budget_s: float
    ) -> list[CandleFrame | CandledError]:
        # Time for a second try, should the first one hang.
        timeout_s = max(1.0, budget_s / 2)
        return await asyncio.gather(*(self._answer(request, deadline_s, timeout_s) for request in requests))

    async def _answer(
        self, request: CandleRequest, deadline_s: float, timeout_s: float
    ) -> CandleFrame | CandledError:
        try:
            return await self._again.retried(lambda: self._page(request, deadline_s, timeout_s), deadline_s)
        except CandledError as exc:
            return exc

    async def _page(self, request: CandleRequest, deadline_s: float, timeout_s: float) -> CandleFrame:
        async with self._places:
            if self._pairs is None:
                await self._load()
            await self._see_time()
            limit = min(request.limit, self.page_limit)
            rows = await self._client.rows(request, limit, deadline_s, timeout_s)
        return self.rows.candles(rows, request)

    async def _load_pairs(self) -> None:
        self._pairs_s = self._clock.monotonic_s()
        # Should it fail, nobody waits for it again before.
        self._pairs_due_s = self._pairs_s + _MARKETS_AGAIN_S
        found = await self._client.pairs(self._pairs_s + _MARKETS_BUDGET_S)
        missing = (self._pairs or found) - found
        # One answer may be incomplete: gone is what the next one lacks, too, a minute later.
        unsure, self._missed = missing - self._missed, missing
        self._pairs = found | unsure
        if not unsure:
            self._pairs_due_s = self._pairs_s + _MARKETS_KEPT_S

    async def _measure_time(self) -> None:
        try:
            await self._client.see_time(self._clock.monotonic_s() + _TIME_BUDGET_S)
        except CandledError as exc:
            log.info("exchange_time_not_told", extra={"fields": {"market": self.name, "error": str(exc)}})
            # The `Date` of a refusal tells the time, too; and who cannot be asked is not waited for.
            if isinstance(exc, Retryable) and not self._time.known:
                raise

    async def _see_time(self) -> None:
        """Have the exchange's time known before any candle is judged by it; see to it that it stays so."""
        if not self._time.known:
            await self._measure()
        elif self._time.is_due():
            self._measure.start()
