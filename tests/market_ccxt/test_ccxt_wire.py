import asyncio

import pytest
from ccxt.base.errors import RateLimitExceeded
from local_exchange import START_MS

from daemon.core.clock import FakeClock, SystemClock
from daemon.core.errors import RateLimited, Retryable
from daemon.market import ccxt_wire
from daemon.market.ccxt_client import CcxtClient
from daemon.market.ccxt_wire import Trip
from daemon.market.exchange_time import ExchangeTime
from daemon.market.silence import Silence


@pytest.fixture
def run(exchange, unhurried):
    """run(act): await act(client, silence) over the local exchange."""

    def ran(act, clock=None):
        async def whole():
            own = clock or SystemClock()
            silence = Silence("binance", own)
            client = CcxtClient(
                "binance",
                layers=(exchange.ccxt_config, {"timeout": 60_000}),
                credentials={},
                silence=silence,
                time=ExchangeTime(own),
                clock=own,
            )
            try:
                return await act(client, silence)
            finally:
                await client.close()

        return asyncio.run(whole())

    return ran


def test_a_request_whose_connection_stands_does_not_leave_into_silence(exchange, run, monkeypatch):
    async def act(client, silence):
        real = ccxt_wire.aiohttp.TCPConnector.connect

        async def slow(self, *args):
            connection = await real(self, *args)
            silence.ask(429, {"Retry-After": "60"}, 0.0)  # while the connection was made
            return connection

        monkeypatch.setattr(ccxt_wire.aiohttp.TCPConnector, "connect", slow)
        with pytest.raises(RateLimited):
            await client.pairs(deadline_s=1e9)

    run(act)
    assert exchange.requests == []


def test_a_refusal_in_the_body_of_a_good_answer_is_one(exchange, run, monkeypatch):
    async def act(client, silence):
        async def refused(*_args):
            raise RateLimitExceeded("Rate limit exceeded")

        monkeypatch.setattr(client._ccxt, "fetch_time", refused)
        with pytest.raises(RateLimited) as told:
            await client.see_time(deadline_s=1e9)
        return told.value.wait_s, silence.left_s

    wait_s, left_s = run(act, FakeClock(START_MS))
    assert wait_s == left_s == 5


def test_refusals_are_in_a_row_until_a_request_is_served(exchange, run):
    clock = FakeClock(START_MS)
    exchange.retry_after = None
    exchange.script("too_many", "too_many", "", "too_many", path="time")

    async def act(client, _silence):
        waits_s = []
        for _ in range(4):
            try:
                await client.see_time(deadline_s=1e9)
            except RateLimited as told:
                waits_s.append(told.wait_s)
                clock.advance(int(told.wait_s * 1000))
        return waits_s

    assert run(act, clock) == [5, 10, 5]


def test_what_is_no_json_is_no_answer(exchange, run):
    exchange.script("cut", "page", path="ping")

    async def act(client, _silence):
        with Trip(deadline_s=1e9, timeout_s=60.0).taken():
            client._wire.open()
            for _ in range(2):
                with pytest.raises(Retryable, match="JSON"):
                    await client._ccxt.publicGetPing()

    run(act)


def test_each_trip_knows_its_own_way(run):
    async def act(client, _silence):
        await asyncio.gather(client.pairs(1e9), client.see_time(1e9))
        return client._time.offset_ms

    assert abs(run(act, FakeClock(START_MS))) < 60_000


def test_who_gives_up_takes_no_place(run):
    async def act(client, _silence):
        client._ccxt.rateLimit = 60_000
        wire = client._wire
        with Trip(deadline_s=1e9, timeout_s=1.0).taken():
            await wire.throttle(1)
            for _ in range(5):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.01):
                        await wire.throttle(1)
        return wire._next_s - wire._clock.monotonic_s()

    assert run(act) <= 60
