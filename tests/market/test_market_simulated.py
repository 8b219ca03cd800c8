import threading

import numpy as np
import pytest
from market_desk import BTC, ETH, FIVE, HOUR

from daemon.core.candles import CandleFrame
from daemon.core.clock import FakeClock
from daemon.core.errors import ConfigError, Refused
from daemon.core.market import CandleKey, CandleRequest
from daemon.core.pair import Pair
from daemon.core.timeframe import Timeframe
from daemon.market import simulation
from daemon.market.resample import resampled
from daemon.market.simulated import ORIGIN_MS, SimulatedMarket

DAY_MS = 86_400_000


def market(now_ms, pairs=(BTC, ETH), seed=1, **more):
    return SimulatedMarket(pairs=list(pairs), seed=seed, clock=FakeClock(now_ms), **more)


def page(source, pair, timeframe, since_ms, limit=1000):
    request = CandleRequest(key=CandleKey(pair, Timeframe(timeframe)), since_ms=since_ms, limit=limit)
    return source.fetch([request], 1.0)[0]


def history(source, pair, timeframe, since_ms):
    """All pages from a time on, the candle in progress left out."""
    pages = []
    while len(frame := page(source, pair, timeframe, since_ms)):
        pages.append(frame)
        since_ms = int(frame.open_ms[-1]) + 1
    open_ms = np.concatenate([p.open_ms for p in pages])
    values = np.concatenate([p.values for p in pages])
    return CandleFrame(open_ms, values).between(0, Timeframe(timeframe).newest_closed(source.now_ms()))


def assert_same(a, b):
    np.testing.assert_array_equal(a.open_ms, b.open_ms)
    np.testing.assert_array_equal(a.values, b.values)


@pytest.fixture(scope="module")
def year():
    """BTC and ETH after a year, and their 5m candles."""
    source = market(ORIGIN_MS + 365 * DAY_MS)
    return source, {pair: history(source, pair, "5m", 0) for pair in (BTC, ETH)}


def test_same_candle_is_the_same_whatever_was_asked_before(year):
    late_ms = ORIGIN_MS + 300 * DAY_MS
    fresh = page(market(ORIGIN_MS + 301 * DAY_MS), BTC, "5m", late_ms, 100)
    assert_same(fresh, year[1][BTC].between(late_ms, late_ms + 99 * FIVE.ms))
    backwards = market(ORIGIN_MS + 365 * DAY_MS)
    for day in (364, 120, 15, 200, 0, 364):
        got = page(backwards, BTC, "5m", ORIGIN_MS + day * DAY_MS, 288)
        assert_same(got, year[1][BTC][day * 288 : (day + 1) * 288])


def test_looking_back_does_not_change_what_is_to_come(year):
    clock = FakeClock(ORIGIN_MS + 120 * DAY_MS)
    source = SimulatedMarket(pairs=[BTC, ETH], seed=1, clock=clock)
    for day in (119, 3, 60, 119, 200, 364):
        clock.set(max(clock.now_ms(), ORIGIN_MS + (day + 1) * DAY_MS))
        got = page(source, BTC, "5m", ORIGIN_MS + day * DAY_MS, 288)
        assert_same(got, year[1][BTC][day * 288 : (day + 1) * 288])


def test_pair_does_not_depend_on_the_other_pairs():
    now_ms = ORIGIN_MS + 20 * DAY_MS
    many = market(now_ms, [Pair(f"{coin}/USDT") for coin in ("SOL", "ADA", "ETH", "XRP", "BTC")])
    assert_same(history(many, ETH, "5m", 0), history(market(now_ms, [ETH]), ETH, "5m", 0))


def test_seed_pair_and_base_make_other_candles():
    now_ms = ORIGIN_MS + DAY_MS
    one = page(market(now_ms), BTC, "1h", 0)
    assert not np.array_equal(one.close, page(market(now_ms, seed=2), BTC, "1h", 0).close)
    assert not np.array_equal(one.close, page(market(now_ms, base=Timeframe("1m")), BTC, "1h", 0).close)
    assert not np.array_equal(one.close, page(market(now_ms), ETH, "1h", 0).close)


def test_candles_are_a_fixture_for_ever():
    """A changed model would silently continue old data folders with other candles."""
    first = page(market(ORIGIN_MS + DAY_MS), BTC, "5m", 0, 1)
    assert first.values.tolist() == [[42000.0, 42005.43, 41973.14, 42002.79, 14.59231]]


@pytest.mark.parametrize("timeframe", ["15m", "30m", "1h", "4h", "1d", "3d", "1w"])
def test_longer_candles_aggregate_the_base_exactly(year, timeframe):
    source, base = year
    longer = history(source, BTC, timeframe, 0)
    made, counts = resampled(base[BTC], Timeframe(timeframe))
    whole = counts == Timeframe(timeframe).ms // FIVE.ms
    np.testing.assert_array_equal(longer.open_ms, made.open_ms[whole])
    np.testing.assert_array_equal(longer.values[:, :4], made.values[whole][:, :4])
    np.testing.assert_allclose(longer.values[:, 4], made.values[whole][:, 4], rtol=1e-12)


def test_pages_of_longer_candles_do_not_depend_on_where_they_begin(year):
    source, _ = year
    whole = page(source, ETH, "1h", ORIGIN_MS, 500)
    for skip in (1, 7, 123):
        part = page(source, ETH, "1h", int(whole.open_ms[skip]) - 5, 500 - skip)
        assert_same(part, whole[skip:])


def test_page_begins_at_or_after_since_and_holds_at_most_the_limit(year):
    source, _ = year
    frame = page(source, BTC, "5m", ORIGIN_MS + 1, 5000)
    assert frame.open_ms[0] == ORIGIN_MS + FIVE.ms
    assert len(frame) == source.page_limit
    assert len(page(source, BTC, "5m", ORIGIN_MS, 3)) == 3
    assert len(page(source, BTC, "5m", source.now_ms() + 1)) == 0
    assert page(source, BTC, "5m", 0, 1).open_ms[0] == ORIGIN_MS


def test_nothing_of_the_future_is_served():
    """Candles of a market whose end is far away are those of one that ends now, up to now."""
    far = market(ORIGIN_MS + 30 * DAY_MS)
    for timeframe in ("5m", "15m", "1h", "4h"):
        for now_ms in (ORIGIN_MS + DAY_MS + 1, ORIGIN_MS + DAY_MS + 7_000_000, ORIGIN_MS + 2 * DAY_MS - 1):
            seen = page(market(now_ms), BTC, timeframe, 0)
            tf = Timeframe(timeframe)
            assert seen.open_ms[-1] == tf.floor(now_ms)
            closed = seen.between(0, tf.newest_closed(now_ms))
            assert_same(closed, page(far, BTC, timeframe, 0, len(closed)))


@pytest.mark.parametrize("timeframe", [FIVE, HOUR])
def test_candle_in_progress_grows_into_the_final_one(timeframe):
    clock = FakeClock(ORIGIN_MS)
    source = SimulatedMarket(pairs=[BTC], seed=4, clock=clock)
    final = page(market(ORIGIN_MS + DAY_MS, seed=4), BTC, timeframe, 5 * timeframe.ms + ORIGIN_MS, 1)
    rows = []
    for part in np.linspace(0, 0.99999, 200):
        clock.set(ORIGIN_MS + int((5 + part) * timeframe.ms))
        rows.append(page(source, BTC, timeframe, ORIGIN_MS).values[-1])
    rows, last = np.array(rows), final.values[0]
    assert (rows[:, 0] == last[0]).all()
    assert (np.diff(rows[:, 1]) >= 0).all()
    assert (np.diff(rows[:, 2]) <= 0).all()
    assert (np.diff(rows[:, 4]) >= 0).all()
    assert rows[0].tolist() == [last[0]] * 4 + [0.0]
    assert rows[:, 1].max() == last[1]
    assert rows[:, 2].min() == last[2]
    np.testing.assert_allclose(rows[-1], last, rtol=1e-3)
    assert len(np.unique(rows[:, 3])) > 20


def test_unknown_pair_or_timeframe_is_refused_and_spoils_no_other_request():
    source = market(ORIGIN_MS + DAY_MS)
    requests = [
        CandleRequest(key=CandleKey(pair, Timeframe(tf)), since_ms=0, limit=3)
        for pair, tf in ((BTC, "7m"), (Pair("FOO/USDT"), "5m"), (BTC, "5m"))
    ]
    answers = source.fetch(requests, 1.0)
    assert isinstance(answers[0], Refused)
    assert isinstance(answers[1], Refused)
    assert len(answers[2]) == 3


def test_impossible_markets_cannot_be_made():
    with pytest.raises(ConfigError, match="at least one pair"):
        market(0, [])
    with pytest.raises(ConfigError, match="25m"):
        market(0, base=Timeframe("25m"))


def test_prices_are_whole_ticks_and_volumes_whole_lots(year):
    for pair, frame in year[1].items():
        model = simulation.pair_model(pair, 1, FIVE)
        ticks = frame.values[:, :4] * 10**model.price_decimals
        np.testing.assert_allclose(ticks, np.round(ticks), rtol=1e-12)
        assert frame.values[0, 0] == round(float(frame.values[0, 0]), model.price_decimals)
        lots = frame.values[:, 4] * 10**model.volume_decimals
        np.testing.assert_allclose(lots, np.round(lots), rtol=1e-12)
        np.testing.assert_array_equal(frame.values[1:, 0], frame.close[:-1])


def test_returns_look_like_a_market(year):
    returns = {pair: np.diff(np.log(frame.close)) for pair, frame in year[1].items()}
    for r in returns.values():
        size = np.abs(r) - np.abs(r).mean()
        assert ((r - r.mean()) ** 4).mean() / r.var() ** 2 > 5  # fat tails
        assert (size[12:] * size[:-12]).mean() / size.var() > 0.05  # volatility clusters
        assert 0.01 < r.std() * np.sqrt(288) < 0.06  # per day
    assert 0.4 < np.corrcoef(returns[BTC], returns[ETH])[0, 1] < 0.95


@pytest.mark.parametrize("pair", [BTC, ETH])
def test_expected_return_explains_about_a_tenth_of_the_next_24_candles(year, pair):
    source, frames = year
    frame = frames[pair]
    ahead = np.log(frame.close[24:] / frame.close[:-24])
    expected = source.expected_return(pair, frame.open_ms[:-24], 24)
    explained = 1 - ((ahead - expected) ** 2).mean() / (ahead**2).mean()
    assert 0.05 < explained < 0.15
    # Unbiased: the slope of the outcome on the expectation is one.
    slope = (ahead * expected).mean() / (expected**2).mean()
    assert 0.85 < slope < 1.15


def test_expected_return_can_be_computed_from_the_candles_alone(year):
    """The formula of docs/simulated-exchange.md, on nothing but what the exchange serves."""
    source, frames = year
    frame = frames[ETH][:5000]
    model = simulation.pair_model(ETH, 1, FIVE)
    log_range = np.log(frame.values[:, 1] / frame.values[:, 2])
    surplus = np.log(frame.values[:, 4]) - simulation.log_volume_level(model, frame.open_ms, log_range)
    excitement, path = 0.0, []
    for value in surplus:
        carried = simulation.PHI * excitement
        excitement = carried + simulation.GAIN * (value - carried)
        path.append(excitement)
    ahead = (1 - simulation.PHI**24) / (1 - simulation.PHI)
    expected = source.expected_return(ETH, frame.open_ms, 24)
    np.testing.assert_allclose(
        np.array(path) * model.drift * ahead, expected, atol=0.01 * np.abs(expected).max()
    )


def test_plain_relative_volume_sees_most_of_the_structure(year):
    source, frames = year
    frame = frames[ETH]
    volume = np.log(frame.values[:, 4])
    smooth = np.convolve(volume, np.ones(5) / 5)[: len(volume)]
    expected = source.expected_return(ETH, frame.open_ms, 24)
    assert np.corrcoef(volume[100:], expected[100:])[0, 1] ** 2 > 0.5
    assert np.corrcoef(smooth[100:], expected[100:])[0, 1] ** 2 > 0.6


def test_expected_return_knows_base_candles_only(year):
    source, _ = year
    with pytest.raises(ValueError, match="candles since"):
        source.expected_return(BTC, np.array([ORIGIN_MS + 1]), 24)
    with pytest.raises(ValueError, match="horizon 0"):
        source.expected_return(BTC, np.array([ORIGIN_MS]), 0)


def test_threads_get_the_same_candles(year):
    source = market(ORIGIN_MS + 365 * DAY_MS)
    got = {}

    def read(day):
        got[day] = page(source, BTC, "5m", ORIGIN_MS + day * DAY_MS, 288)

    threads = [threading.Thread(target=read, args=(day,)) for day in (300, 10, 200, 100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for day, frame in got.items():
        assert_same(frame, year[1][BTC][day * 288 : (day + 1) * 288])


def test_memory_does_not_grow_with_history():
    source = market(ORIGIN_MS + 2 * 365 * DAY_MS, [BTC])
    page(source, BTC, "5m", ORIGIN_MS + 2 * 364 * DAY_MS)
    assert len(source._chunks[BTC]._cache) <= 2
    assert len(source._factor._cache) <= 64


def test_a_pair_that_is_listed_later_has_the_candles_that_it_would_have_had():
    now_ms, sol = ORIGIN_MS + 3 * DAY_MS, Pair("SOL/USDT")
    grown = market(now_ms)
    before = page(grown, BTC, "5m", ORIGIN_MS)
    grown.list_too([sol, BTC])
    assert grown.pairs() == {BTC, ETH, sol}
    for pair in (BTC, sol):
        there = page(market(now_ms, [BTC, ETH, sol]), pair, "5m", ORIGIN_MS)
        np.testing.assert_array_equal(page(grown, pair, "5m", ORIGIN_MS).values, there.values)
    np.testing.assert_array_equal(page(grown, BTC, "5m", ORIGIN_MS).values, before.values)
    assert grown.standing(sol, now_ms) is not None
