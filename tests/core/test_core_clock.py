import threading

import pytest

from daemon.core.clock import FakeClock, FastClock, SystemClock


def test_fast_time_runs_as_many_times_faster():
    clock = FastClock(1_000_000, 1000.0)

    def looked():
        """Market time, and real time just before and after: the machine may do something else in between."""
        return clock.monotonic_s(), clock.now_ms(), clock.monotonic_s()

    first, start_ms, began = looked()
    clock.wait(threading.Event(), 0.05)
    ended, end_ms, last = looked()
    assert start_ms >= 1_000_000
    assert (ended - began) * 1_000_000 - 1 <= end_ms - start_ms <= (last - first) * 1_000_000 + 1


def test_speed_must_be_positive():
    with pytest.raises(ValueError, match="above 0"):
        FastClock(0, 0.0)


@pytest.mark.parametrize(
    "clock", [SystemClock(), FastClock(0, 5.0), FakeClock(0)], ids=["system", "fast", "fake"]
)
def test_waiting_ends_at_once_when_the_event_is_set(clock):
    event = threading.Event()
    event.set()
    before = clock.monotonic_s()
    assert clock.wait(event, 3600)
    assert clock.monotonic_s() - before < 60


def test_fake_time_stands_still_until_told():
    clock = FakeClock(1000, speed=60.0)
    clock.advance(60_000)
    assert (clock.now_ms(), clock.monotonic_s()) == (61_000, 1.0)
    assert not clock.wait(threading.Event(), 2.0)
    assert (clock.now_ms(), clock.monotonic_s()) == (181_000, 3.0)
    clock.set(5)
    assert (clock.now_ms(), clock.monotonic_s()) == (5, 3.0)
