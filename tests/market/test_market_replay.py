from pathlib import Path

import numpy as np
import pytest
from market_desk import BTC, ETH, FIVE, HOUR, Desk, key

from daemon.core.candles import CandleFrame
from daemon.core.clock import FakeClock
from daemon.core.errors import ConfigError, Refused
from daemon.core.market import CandleKey, CandleRequest
from daemon.core.pair import Pair
from daemon.core.timeframe import Timeframe
from daemon.market.replay import ReplayMarket
from daemon.market.resample import resampled
from daemon.market.simulated import ORIGIN_MS, SimulatedMarket

DAY_MS = 86_400_000
REAL = Path(__file__).parents[2].parent / "shared" / "data" / "binance-2024"


def page(source, pair, timeframe, since_ms=0, limit=1000):
    request = CandleRequest(key=CandleKey(pair, Timeframe(timeframe)), since_ms=since_ms, limit=limit)
    return source.fetch([request], 1.0)[0]


@pytest.fixture
def recording(store):
    """Three days of BTC and ETH, begun and ended in the middle of an hour."""
    source = SimulatedMarket(pairs=[BTC, ETH], seed=5, clock=FakeClock(ORIGIN_MS + 3 * DAY_MS))
    for pair, skip in ((BTC, 5), (ETH, 17)):
        frame = page(source, pair, "5m", ORIGIN_MS)[skip:850]
        store.write(CandleKey(pair, FIVE), frame)
    return store


def replay(recording, now_ms, pairs=(BTC, ETH)):
    return ReplayMarket(folder=recording.folder, pairs=list(pairs), clock=FakeClock(now_ms))


def test_span_is_when_all_pairs_have_candles(recording):
    source = replay(recording, 0)
    assert source.span_ms() == (ORIGIN_MS + 17 * FIVE.ms, ORIGIN_MS + 850 * FIVE.ms)


def test_candles_are_served_up_to_the_clock(recording):
    stored = recording.read(key(BTC, "5m"))
    now_ms = ORIGIN_MS + 100 * FIVE.ms + 60_000
    frame = page(replay(recording, now_ms), BTC, "5m")
    assert frame.open_ms[-1] == ORIGIN_MS + 100 * FIVE.ms
    np.testing.assert_array_equal(frame.values[:-1], stored.values[: len(frame) - 1])
    final = stored.between(int(frame.open_ms[-1]), int(frame.open_ms[-1])).values[0]
    assert frame.values[-1, 0] == final[0]
    assert frame.values[-1, 4] < final[4]


def test_missing_timeframes_are_aggregated_and_parts_of_candles_are_not_served(recording):
    source = replay(recording, ORIGIN_MS + 10 * DAY_MS)
    made, counts = resampled(recording.read(key(BTC, "5m")), HOUR)
    served = page(source, BTC, "1h")
    np.testing.assert_array_equal(served.open_ms, made.open_ms[counts == 12])
    np.testing.assert_array_equal(served.values, made.values[counts == 12])
    assert {"5m", "15m", "1h", "1d"} <= source.timeframes()
    assert "1m" not in source.timeframes()


def test_own_file_of_a_longer_timeframe_comes_first(recording):
    own = CandleFrame.from_rows([[ORIGIN_MS + HOUR.ms, 7, 9, 6, 8, 1]])
    recording.write(key(BTC, "1h"), own)
    served = page(replay(recording, ORIGIN_MS + 10 * DAY_MS), BTC, "1h")
    assert served.values.tolist() == own.values.tolist()


def test_longer_candle_in_progress_is_made_of_the_shorter_ones_so_far(recording):
    now_ms = ORIGIN_MS + 24 * HOUR.ms + 4 * FIVE.ms + 1
    source = replay(recording, now_ms)
    hour, short = (
        page(source, BTC, "1h")[-1:],
        page(source, BTC, "5m").between(ORIGIN_MS + 24 * HOUR.ms, now_ms),
    )
    made, counts = resampled(short, HOUR)
    assert counts.tolist() == [5]
    np.testing.assert_array_equal(hour.values, made.values)


def test_longer_candle_does_not_exist_before_its_first_trade(recording):
    whole = recording.read(key(BTC, "5m"))
    hour_ms = ORIGIN_MS + 24 * HOUR.ms
    kept = (whole.open_ms < hour_ms) | (whole.open_ms >= hour_ms + 3 * FIVE.ms)
    recording.write(key(BTC, "5m"), CandleFrame(whole.open_ms[kept], whole.values[kept]))
    assert page(replay(recording, hour_ms + FIVE.ms), BTC, "1h").open_ms[-1] == hour_ms - HOUR.ms
    assert page(replay(recording, hour_ms + 4 * FIVE.ms), BTC, "1h").open_ms[-1] == hour_ms


def test_unknown_pair_and_timeframe_are_refused(recording):
    source = replay(recording, ORIGIN_MS + DAY_MS)
    assert isinstance(page(source, Pair("FOO/USDT"), "5m"), Refused)
    assert isinstance(page(source, BTC, "1m"), Refused)
    assert source.pairs() == {BTC, ETH}


def test_what_cannot_be_replayed_is_named(recording):
    with pytest.raises(ConfigError, match=r"SOL/USDT .*SOL_USDT-5m\.feather"):
        replay(recording, 0, [Pair("SOL/USDT")])
    with pytest.raises(ConfigError, match="at least one pair"):
        replay(recording, 0, [])
    recording.write(key("SOL/USDT", "5m"), CandleFrame.from_rows([[0, 1, 1, 1, 1, 1]]))
    with pytest.raises(ConfigError, match="no time in common"):
        replay(recording, 0, [BTC, Pair("SOL/USDT")])
    recording.path(key(ETH, "5m")).write_bytes(b"broken")
    with pytest.raises(ConfigError, match=r"ETH_USDT-5m\.feather"):
        replay(recording, 0)


@pytest.mark.skipif(not REAL.is_dir(), reason="real candles are not here")
def test_real_candles_are_fed_without_gap_or_disagreement(store):
    pairs = [Pair(f"{coin}/USDT") for coin in ("BTC", "ETH", "SOL", "XRP", "DOGE", "LINK", "ATOM", "LTC")]
    clock = FakeClock(ORIGIN_MS + 40 * DAY_MS)
    source = ReplayMarket(folder=REAL, pairs=pairs, clock=clock)
    assert source.span_ms()[0] == ORIGIN_MS
    keys = [CandleKey(pair, Timeframe(tf)) for pair in pairs for tf in ("5m", "15m", "1h")]
    desk = Desk(source, store, keys, clock, ORIGIN_MS + 35 * DAY_MS)
    assert not desk.warm_up().missing
    for _ in range(72):
        report = desk.tick(4)
        assert not report.missing
        assert (report.gaps, report.revisions, report.disagreements) == (0, 0, 0)
    for k in keys:
        open_ms = desk.feed.frame(k).open_ms
        assert open_ms[-1] == k.timeframe.newest_closed(ORIGIN_MS + 41 * DAY_MS)
        assert (np.diff(open_ms) == k.timeframe.ms).all()
        assert len(open_ms) >= 5 * DAY_MS // k.timeframe.ms
