"""Whatever the exchange does meanwhile, in the end the truth is in memory and on disk."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from market_desk import BTC, ETH, FIVE, HOUR, START_MS, Desk
from scripted_market import DOWN, ScriptedMarket

from daemon.core.clock import FakeClock
from daemon.core.market import CandleKey
from daemon.market.simulated import SimulatedMarket
from daemon.market.store import CandleStore
from daemon.state.atomic import set_aside, write_atomic

KEYS = [CandleKey(BTC, FIVE), CandleKey(BTC, HOUR), CandleKey(ETH, FIVE)]

faults = st.fixed_dictionaries(
    {
        "candles": st.integers(0, 30),
        "budget_s": st.sampled_from([0.1, 3.0]),
        "hidden": st.lists(st.tuples(st.sampled_from(KEYS), st.integers(-3, 12)), max_size=6),
        "altered": st.lists(st.tuples(st.sampled_from(KEYS), st.integers(0, 4)), max_size=3),
        "down": st.lists(st.sampled_from(KEYS), max_size=2),
        "empty": st.lists(st.sampled_from(KEYS), max_size=2),
        "late": st.lists(st.sampled_from(KEYS), max_size=2),
        "lag_ms": st.sampled_from([0, 0, 1_000, 400_000]),
        "window": st.booleans(),
        "page_limit": st.sampled_from([5, 17, 1000]),
        "restart": st.sampled_from([False, False, True]),
        "flush": st.booleans(),
        "clock_back": st.sampled_from([False, False, False, True]),
    }
)


def play(desk, step):
    market, now_ms = desk.market, desk.clock.now_ms()
    market.page_limit, market.window, market.lag_ms = step["page_limit"], step["window"], step["lag_ms"]
    market.hidden |= {(k, k.timeframe.floor(now_ms) + i * k.timeframe.ms) for k, i in step["hidden"]}
    market.altered |= {(k, k.timeframe.floor(now_ms) - i * k.timeframe.ms): 2.0 for k, i in step["altered"]}
    market.errors = dict.fromkeys(step["down"], DOWN)
    market.empty = set(step["empty"])
    market.newest_lag = dict.fromkeys(step["late"], 2)
    if step["restart"]:
        desk = desk.restarted()
        market.errors, market.lag_ms = {}, 0
        desk.warm_up()
    if step["clock_back"]:
        desk.clock.set(now_ms - 7 * FIVE.ms)
    desk.tick(step["candles"], step["budget_s"])
    if step["flush"]:
        desk.feed.flush()
    return desk


def heal(market):
    market.errors, market.empty, market.newest_lag, market.hidden = {}, set(), {}, set()
    market.lag_ms, market.page_limit, market.window = 0, 1000, False


def assert_never_wrong(desk, altered):
    """What is held is the truth or what the exchange said in its place, ordered and closed."""
    for key in KEYS:
        frame, truth = desk.feed.frame(key), desk.truth(key)
        at = np.searchsorted(truth.open_ms, frame.open_ms)
        if len(frame) and frame.open_ms[-1] > truth.open_ms[-1]:
            frame = frame.between(0, int(truth.open_ms[-1]))  # the clock went back: it was closed then
            at = at[: len(frame)]
        np.testing.assert_array_equal(truth.open_ms[at], frame.open_ms)
        same = (truth.values[at] == frame.values).all(axis=1)
        assert all((key, int(ms)) in altered for ms in frame.open_ms[~same])


@settings(
    max_examples=60,
    derandomize=True,  # the gate is the same for everybody; look for more with other settings
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(faults, min_size=1, max_size=8))
def test_any_faults_end_with_the_truth_once_the_market_serves_it(steps, tmp_path_factory):
    clock = FakeClock(START_MS)
    market = ScriptedMarket(SimulatedMarket(pairs=[BTC, ETH], seed=3, clock=clock))
    store = CandleStore(tmp_path_factory.mktemp("candles"), write_atomic, set_aside)
    desk = Desk(market, store, KEYS, clock, START_MS - 30 * HOUR.ms)
    desk.warm_up()
    for step in steps:
        desk = play(desk, step)
        assert_never_wrong(desk, market.altered)

    heal(market)
    # Gaps are asked for again after pauses that double: in twice their age at most.
    age = (clock.now_ms() - START_MS) // FIVE.ms
    for _ in range(3):
        desk.tick(12)
    for _ in range(40):
        if not desk.feed.gaps():
            break
        desk.tick(6 + age // 8)
    assert not desk.feed.gaps()
    # Revisions older than the overlap are nobody's to see: they were the exchange's word at the time.
    assert not desk.tick().missing
    desk.feed.flush()
    for key in KEYS:
        truth, frame = desk.truth(key), desk.feed.frame(key)
        np.testing.assert_array_equal(frame.open_ms, truth.open_ms[truth.open_ms >= frame.open_ms[0]])
        np.testing.assert_array_equal(store.read(key).open_ms, truth.open_ms)
        np.testing.assert_array_equal(
            store.read(key).between(int(frame.open_ms[0]), 2**62).values, frame.values
        )
    assert_never_wrong(desk, market.altered)
