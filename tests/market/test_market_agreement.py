import numpy as np
import pytest
from market_desk import BTC, FIVE, HOUR, key

from daemon.core.candles import CandleFrame
from daemon.core.clock import FakeClock
from daemon.core.market import CandleRequest
from daemon.market.agreement import Agreement, compared
from daemon.market.simulated import ORIGIN_MS, SimulatedMarket

BTC5, BTCH = key(BTC, "5m"), key(BTC, "1h")


@pytest.fixture
def frames():
    source = SimulatedMarket(pairs=[BTC], seed=1, clock=FakeClock(ORIGIN_MS + 10 * HOUR.ms))
    pages = source.fetch([CandleRequest(key=k, since_ms=0, limit=1000) for k in (BTC5, BTCH)], 1.0)
    return {BTC5: pages[0][:120], BTCH: pages[1][:10]}


def changed(frame, row, column, factor):
    values = frame.values.copy()
    values[row, column] *= factor
    return CandleFrame(frame.open_ms.copy(), values)


def test_aggregates_agree(frames):
    found = compared(frames[BTC5], FIVE, frames[BTCH], HOUR)
    assert found == (ORIGIN_MS + 10 * HOUR.ms, 10, [])


@pytest.mark.parametrize(("column", "factor"), [(1, 1 + 1e-6), (2, 1 - 1e-6), (4, 1 + 3e-6)])
def test_small_difference_is_found(frames, column, factor):
    found = compared(frames[BTC5], FIVE, changed(frames[BTCH], 4, column, factor), HOUR)
    assert found.differing == [ORIGIN_MS + 4 * HOUR.ms]


def test_volume_may_differ_by_rounding(frames):
    assert not compared(frames[BTC5], FIVE, changed(frames[BTCH], 4, 4, 1 + 1e-8), HOUR).differing


def test_candle_is_compared_once_its_parts_are_there(frames):
    early = compared(frames[BTC5][:59], FIVE, frames[BTCH], HOUR)
    assert early[:2] == (ORIGIN_MS + 4 * HOUR.ms, 4)
    keep = np.arange(120) != 30
    holed = CandleFrame(frames[BTC5].open_ms[keep], frames[BTC5].values[keep])
    assert compared(holed, FIVE, frames[BTCH], HOUR).checked == 9
    assert compared(CandleFrame.empty(), FIVE, frames[BTCH], HOUR).checked == 0


def test_every_candle_is_counted_once(frames):
    agreement = Agreement([BTC5, BTCH])
    frames[BTCH] = changed(frames[BTCH], 4, 4, 1.5)
    shown = {BTC5: frames[BTC5], BTCH: frames[BTCH][:6]}
    assert agreement.check(shown.__getitem__) == 1
    assert agreement.check(shown.__getitem__) == 0
    assert agreement.check(frames.__getitem__) == 0


def test_revised_candle_is_compared_again(frames):
    agreement = Agreement([BTC5, BTCH])
    assert agreement.check(frames.__getitem__) == 0
    frames[BTC5] = changed(frames[BTC5], 50, 4, 2.0)
    agreement.revisit(BTC5, int(frames[BTC5].open_ms[50]))
    assert agreement.check(frames.__getitem__) == 1
