import numpy as np
import pytest
from local_faults import ROTTEN

from daemon.core.market import CandleKey, CandleRequest
from daemon.core.pair import Pair
from daemon.core.timeframe import Timeframe
from daemon.market.rows import sifted

FIVE = 300_000
START = 1_709_553_600_000


def request(since_ms=START, limit=100, timeframe="5m"):
    return CandleRequest(
        key=CandleKey(Pair("BTC/USDT"), Timeframe(timeframe)), since_ms=since_ms, limit=limit
    )


def row(i, volume=7.0):
    return [START + i * FIVE, 10.0, 12.0, 9.0, 11.0, volume]


def places(result):
    return ((result.frame.open_ms - START) // FIVE).tolist()


def test_sound_rows_pass_unchanged():
    result = sifted([row(0, 0.1), row(1, 0.0)], request(), None)
    assert result.frame.values.tolist() == [row(0, 0.1)[1:], row(1, 0.0)[1:]]
    assert (result.rejected, result.why) == (0, None)


def test_no_rows():
    assert len(sifted([], request(), START).frame) == 0


@pytest.mark.parametrize("unsound", ROTTEN)
def test_one_unsound_row_is_left_out_alone(unsound):
    def read(cell):  # as ccxt reads cells
        try:
            return float(cell)
        except (TypeError, ValueError):
            return None

    texts = [START + FIVE, "10.0", "12.0", "9.0", "11.0", "7.0"]
    bad = unsound(texts)
    bad = [bad[0], *map(read, bad[1:])] if isinstance(bad, list) else bad
    result = sifted([row(0), bad, row(2)], request(), START + 10 * FIVE)
    assert places(result) == [0, 2]
    assert result.rejected == 1
    assert result.why


@pytest.mark.parametrize(
    "bad",
    [
        [START + FIVE, 10.0, 12.0, 9.0, 13.0, 7.0],
        [START + FIVE, 0.0, 12.0, 0.0, 11.0, 7.0],
        [START + FIVE, 10.0, 12.0, 9.0, 11.0, -1.0],
        [START + FIVE, True, True, True, True, True],
        [START + FIVE, 10.0, 12.0, 9.0, 11.0, 7.0, 8.0],
        [10**400, 10.0, 12.0, 9.0, 11.0, 7.0],
        [float("inf"), 10.0, 12.0, 9.0, 11.0, 7.0],
        [START + FIVE + 0.5, 10.0, 12.0, 9.0, 11.0, 7.0],
        [-FIVE, 10.0, 12.0, 9.0, 11.0, 7.0],
        "abcdef",
    ],
)
def test_what_is_no_candle_is_left_out(bad):
    result = sifted([row(0), bad, row(2)], request(), None)
    assert places(result) == [0, 2]
    assert result.rejected == 1


def test_a_page_that_comes_newest_first_is_turned():
    result = sifted([row(3), row(2), row(2), row(1)], request(), None)
    assert places(result) == [1, 2, 3]
    assert result.rejected == 0


def test_a_row_out_of_order_is_left_out_alone():
    result = sifted([row(0), row(8), *(row(i) for i in range(1, 8))], request(), None)
    assert places(result) == list(range(8))
    assert (result.rejected, result.why) == (1, "out of order")


def test_of_rows_in_any_order_as_many_stay_as_can():
    result = sifted([row(i) for i in (5, 0, 6, 1, 7, 2, 8, 3, 9)], request(), None)
    assert len(result.frame) == 5
    assert result.rejected == 4


def test_equal_rows_are_one():
    result = sifted([row(0), row(1), row(0), row(1)], request(), None)
    assert places(result) == [0, 1]
    assert result.rejected == 0


def test_rows_that_disagree_are_all_left_out():
    result = sifted([row(0), row(1), row(1, 8.0), row(2)], request(), None)
    assert places(result) == [0, 2]
    assert result.rejected == 2


def test_the_future_is_left_out():
    result = sifted([row(0), row(1)], request(), START + FIVE - 1)
    assert places(result) == [0]
    assert result.rejected == 1


def test_rows_that_were_not_asked_for_are_no_fault():
    result = sifted([row(i) for i in range(9)], request(START + 2 * FIVE, limit=3), None)
    assert places(result) == [2, 3, 4]
    assert result.rejected == 0


def test_weekly_candles_open_on_mondays():
    monday, thursday = START - START % 86_400_000, START + 3 * 86_400_000 - START % 86_400_000
    rows = [[ms, 10.0, 12.0, 9.0, 11.0, 7.0] for ms in (monday, thursday)]
    assert sifted(rows, request(0, timeframe="1w"), None).frame.open_ms.tolist() == [monday]


def test_a_page_of_nothing_but_rot():
    rng = np.random.default_rng(0)
    rows = [[START + i * FIVE, *rng.normal(size=5).tolist()] for i in range(1000)]
    result = sifted(rows, request(limit=1000), None)
    assert result.rejected + len(result.frame) == 1000
    assert result.rejected > 900
