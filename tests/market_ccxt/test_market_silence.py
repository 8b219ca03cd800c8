import asyncio

import pytest

from daemon.core.clock import FakeClock
from daemon.core.errors import RateLimited
from daemon.market.silence import Silence, retry_after_s

NOW_MS = 1_709_553_600_000  # Mon, 04 Mar 2024 12:00:00 GMT


@pytest.fixture
def clock():
    return FakeClock(NOW_MS)


@pytest.fixture
def silence(clock):
    return Silence("x", clock)


def test_there_is_none_at_first(silence):
    silence.check()
    assert silence.left_s == 0


def test_it_lasts_as_long_as_the_exchange_says(silence, clock):
    silence.ask(429, {"retry-AFTER": "3"}, 0.0)
    clock.advance(2_999)
    with pytest.raises(RateLimited) as told:
        silence.check()
    assert told.value.wait_s == pytest.approx(0.001)
    clock.advance(1)
    silence.check()


def test_a_system_clock_that_is_set_does_not_shorten_it(silence, clock):
    silence.ask(418, {"Retry-After": "60"}, 0.0)
    clock.set(NOW_MS + 10**9)
    assert silence.left_s == 60


def test_a_shorter_one_does_not_shorten_it(silence):
    silence.ask(418, {"Retry-After": "60"}, 0.0)
    silence.ask(429, {"Retry-After": "1"}, 0.0)
    assert silence.left_s == 60


@pytest.mark.parametrize(("status", "waits"), [(429, [5, 10, 20, 40]), (418, [120, 240, 480, 960])])
def test_without_a_header_each_in_a_row_is_twice_as_long(silence, clock, status, waits):
    for wait_s in waits:
        silence.ask(status, {}, clock.monotonic_s())
        assert silence.left_s == wait_s
        clock.advance(wait_s * 1000)


def test_it_grows_up_to_an_hour(silence, clock):
    for _ in range(40):
        silence.ask(429, {}, clock.monotonic_s())
        clock.advance(int(silence.left_s * 1000))
    silence.ask(429, {}, clock.monotonic_s())
    assert silence.left_s == 3600


def test_requests_that_were_refused_together_count_once(silence, clock):
    clock.advance(1000)
    for _ in range(5):
        clock.advance(10)
        silence.ask(429, {}, 1.0)
    assert silence.left_s == 5


def test_an_answer_ends_the_row(silence, clock):
    silence.ask(429, {}, clock.monotonic_s())
    clock.advance(5000)
    silence.answered(0.0 - 1)  # left before the refusal: says nothing
    silence.ask(429, {}, clock.monotonic_s())
    assert silence.left_s == 10
    clock.advance(10_000)
    silence.answered(clock.monotonic_s())
    silence.ask(429, {}, clock.monotonic_s())
    assert silence.left_s == 5


def test_who_may_not_speak_in_time_is_told_at_once(silence):
    silence.ask(429, {"Retry-After": "10"}, 0.0)
    with pytest.raises(RateLimited):
        asyncio.run(silence.over(deadline_s=9.0))


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": " 0.5 "}, 0.5),
        ({"Retry-After": "0"}, None),
        ({"Retry-After": "-3"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "1e12"}, 7 * 86_400),
        ({"Retry-After": "Mon, 04 Mar 2024 12:02:00 GMT"}, 120),
        ({"Retry-After": "Mon, 04 Mar 2024 12:02:00 GMT", "date": "Mon, 04 Mar 2024 12:01:00 GMT"}, 60),
        ({"Retry-After": "Mon, 04 Mar 2024 11:00:00 GMT"}, None),
    ],
)
def test_what_a_header_asks_for(headers, wait_s):
    assert retry_after_s(headers, NOW_MS) == wait_s
