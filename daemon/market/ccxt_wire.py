"""The way of one request out and back, under ccxt: silence, pace, time limits."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp

from daemon.core.errors import RateLimited, Retryable
from daemon.market.silence import BANNED, TOO_MANY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

    from daemon.core.clock import Clock
    from daemon.market.exchange_time import ExchangeTime
    from daemon.market.silence import Silence


@dataclass(slots=True, kw_only=True)
class Trip:
    """One call. ccxt keeps the last answer's headers for all calls together; this keeps each call's own.

    Attributes:
        deadline_s: monotonic time; who would have to wait longer for leave to send is told so at once.
        timeout_s: real seconds between leave to send and the last byte of the answer.
        json: whether an answer that is no JSON object or list is malformed.
        sent_s: monotonic time at which the request left.
        sent_ms: the same by our market clock.
        received_ms: our market clock when the answer was there.
        status: of the answer; 0 before it.
    """

    deadline_s: float
    timeout_s: float
    json: bool = True
    sent_s: float = field(default=0.0, init=False)
    sent_ms: int = field(default=0, init=False)
    received_ms: int = field(default=0, init=False)
    status: int = field(default=0, init=False)

    @contextmanager
    def taken(self) -> Iterator[Trip]:
        """Every request that is sent within, also by tasks that are started within, is this trip's."""
        token = _trip.set(self)
        try:
            yield self
        finally:
            _trip.reset(token)


_trip: ContextVar[Trip] = ContextVar("trip")


class _Connector(aiohttp.TCPConnector):
    """Asks for leave when a connection stands and nothing is left to do but to send.

    Connecting takes time, in which the answer to another request may have asked for silence. Requests
    that follow a redirect, or repeat one over a connection that the server had dropped, pass here too.
    """

    def __init__(self, leave: Callable[[], None], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._leave = leave

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's own signature
    ) -> Connection:
        connection = await super().connect(req, traces, timeout)
        try:
            self._leave()
        except RateLimited:
            connection.release()
            raise
        return connection


class Wire:
    """Puts itself between a ccxt client and the network.

    The pace is ccxt's (one request per ``rateLimit`` ms times its cost), but by the monotonic clock:
    ccxt's own throttle reads the system clock, and stands still for an hour when that is set back by
    one. While the exchange asks for silence nobody takes a place, so that not all leave at once after it.
    """

    def __init__(self, client: Any, *, silence: Silence, time: ExchangeTime, clock: Clock) -> None:
        self._client = client
        self._silence = silence
        self._time = time
        self._clock = clock
        self._turn = asyncio.Lock()
        self._next_s = clock.monotonic_s()
        self._session: aiohttp.ClientSession | None = None
        self._fetch, self._response = client.fetch, client.on_rest_response
        client.fetch = self.fetch
        client.throttle = self.throttle
        client.on_rest_response = self.on_rest_response

    def open(self) -> None:
        """Make the connections ready; within the event loop."""
        if self._session is not None:
            return
        client = self._client
        client.own_session = False
        client.open()  # takes the loop and the TLS settings
        self._session = client.session = aiohttp.ClientSession(
            connector=_Connector(self._leave, ssl=client.ssl_context), trust_env=client.aiohttp_trust_env
        )

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.close()  # what listens goes first
        if self._session is not None:
            await self._session.close()

    async def throttle(self, cost: float | None = None) -> None:
        """Wait for one's turn; first come, first served, and who gives up takes no place."""
        async with self._turn:
            await self._silence.over(_trip.get().deadline_s)
            await asyncio.sleep(max(0.0, self._next_s - self._clock.monotonic_s()))
            apart_s = self._client.rateLimit / 1000 * (1.0 if cost is None else cost)
            self._next_s = self._clock.monotonic_s() + apart_s

    async def fetch(self, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        """Send one request, as ccxt does, within the trip's limits.

        Raises:
            RateLimited: the exchange asks for silence.
            Retryable: no answer in time, or none that is JSON.
        """
        trip = _trip.get()
        await self._silence.over(trip.deadline_s)
        try:
            async with asyncio.timeout(trip.timeout_s):
                answer = await self._fetch(url, method, headers, body)
        except TimeoutError as exc:
            raise Retryable(f"{self._client.id} did not answer within {trip.timeout_s:.1f} s") from exc
        if trip.json and not isinstance(answer, (list, dict)):
            raise Retryable(f"{self._client.id} answered with status {trip.status}, but not with JSON")
        return answer

    def on_rest_response(
        self, code: int, reason: str, url: str, method: str, response_headers: Mapping[str, str], *rest: Any
    ) -> Any:
        """Note status and time of an answer; a request for silence holds from this moment on."""
        trip = _trip.get()
        trip.status, trip.received_ms = code, self._clock.now_ms()
        if code in {BANNED, TOO_MANY}:
            self._silence.ask(code, response_headers, trip.sent_s)
        self._time.take_date(response_headers, trip.sent_ms, trip.received_ms)
        return self._response(code, reason, url, method, response_headers, *rest)

    def _leave(self) -> None:
        self._silence.check()
        trip = _trip.get()
        trip.sent_s, trip.sent_ms = self._clock.monotonic_s(), self._clock.now_ms()
