import pytest

from daemon.core.clock import FakeClock
from daemon.market.exchange_time import ExchangeTime

NOW_MS = 1_709_553_600_000  # Mon, 04 Mar 2024 12:00:00 GMT


@pytest.fixture
def clock():
    return FakeClock(NOW_MS)


@pytest.fixture
def time(clock):
    time = ExchangeTime(clock)
    time.begin()
    return time


def test_ours_has_to_do_until_it_is_known(clock):
    time = ExchangeTime(clock)
    assert not time.known
    assert time.is_due()
    assert time.now_ms() == NOW_MS


def test_the_answer_belongs_to_the_middle_of_the_way(time):
    assert time.take(NOW_MS + 5_000, NOW_MS, NOW_MS + 400)
    assert time.known
    assert time.now_ms() == NOW_MS + 4_800


def test_a_slow_answer_is_taken_for_the_moment_of_its_arrival_only_if_nothing_is_known(time):
    assert time.take(NOW_MS, NOW_MS, NOW_MS + 4_000)
    assert time.offset_ms == -4_000
    assert not time.take(NOW_MS, NOW_MS, NOW_MS + 3_000)
    assert time.offset_ms == -4_000


def test_a_failure_keeps_the_old_offset_and_is_not_repeated_at_once(time, clock):
    time.take(NOW_MS + 700, NOW_MS, NOW_MS)
    clock.advance(600_000)
    assert time.is_due()
    time.begin()
    assert not time.is_due()
    assert time.offset_ms == 700
    clock.advance(15_000)
    assert time.is_due()


def test_it_is_measured_every_ten_minutes(time, clock):
    time.take(NOW_MS, NOW_MS, NOW_MS)
    clock.advance(599_999)
    assert not time.is_due()
    clock.advance(1)
    assert time.is_due()


@pytest.mark.parametrize("by_ms", [-3_600_000, 2_000])
def test_it_is_unknown_when_our_clock_was_set(time, clock, by_ms):
    time.take(NOW_MS, NOW_MS, NOW_MS)
    clock.advance(60_000)
    assert time.known
    clock.set(clock.now_ms() + by_ms)
    assert not time.known
    assert time.is_due()


def test_a_date_tells_hours_but_not_seconds(time):
    time.take_date({"Date": "Mon, 04 Mar 2024 12:00:01 GMT"}, NOW_MS, NOW_MS)
    assert time.known
    assert time.offset_ms == 0
    time.take_date({"date": "Mon, 04 Mar 2024 13:00:00 GMT"}, NOW_MS, NOW_MS)
    assert time.offset_ms == 3_600_500


@pytest.mark.parametrize(
    "headers", [{}, {"Date": "now"}, {"Date": "Mon, 04 Mar 2024 13:00:00 GMT", "Age": "7"}]
)
def test_what_is_no_date_tells_nothing(time, headers):
    time.take_date(headers, NOW_MS, NOW_MS)
    assert not time.known


def test_a_date_does_not_overrule_a_measurement(time):
    time.take(NOW_MS, NOW_MS, NOW_MS)
    time.take_date({"Date": "Mon, 04 Mar 2024 13:00:00 GMT"}, NOW_MS, NOW_MS)
    assert time.offset_ms == 0


def test_a_date_is_not_taken_before_the_time_was_asked_for(clock):
    time = ExchangeTime(clock)
    time.take_date({"Date": "Mon, 04 Mar 2024 13:00:00 GMT"}, NOW_MS, NOW_MS)
    assert not time.known


def test_a_fast_clock_is_as_far_off_as_its_speed():
    clock = FakeClock(NOW_MS, speed=300.0)
    time = ExchangeTime(clock)
    time.take(NOW_MS + 10_000, NOW_MS, NOW_MS + 30_000)  # a tenth of a second
    assert time.offset_ms == -5_000
    clock.advance(300 * 60_000)
    assert time.known
