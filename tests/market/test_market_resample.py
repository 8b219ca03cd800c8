import numpy as np
import pytest

from daemon.core.candles import CandleFrame
from daemon.core.timeframe import Timeframe
from daemon.market.resample import resampled, unfinished

FIVE, QUARTER = Timeframe("5m"), Timeframe("15m")


def test_candles_are_aggregated_by_interval():
    rows = [
        [0, 10, 12, 9, 11, 1],
        [300_000, 11, 15, 11, 14, 2],
        [600_000, 14, 14, 8, 9, 4],
        [900_000, 9, 10, 9, 10, 8],
    ]
    frame, counts = resampled(CandleFrame.from_rows(rows), QUARTER)
    assert frame.open_ms.tolist() == [0, 900_000]
    assert frame.values.tolist() == [[10, 15, 8, 9, 7], [9, 10, 9, 10, 8]]
    assert counts.tolist() == [3, 1]


def test_interval_without_candles_makes_none():
    rows = [[300_000, 1, 1, 1, 1, 1], [2_100_000, 2, 2, 2, 2, 2]]
    frame, counts = resampled(CandleFrame.from_rows(rows), QUARTER)
    assert frame.open_ms.tolist() == [0, 1_800_000]
    assert counts.tolist() == [1, 1]


def test_weeks_begin_on_monday():
    monday_ms = 1_704_067_200_000
    rows = [[monday_ms - 86_400_000, 1, 1, 1, 1, 1], [monday_ms, 2, 2, 2, 2, 2]]
    frame, _ = resampled(CandleFrame.from_rows(rows), Timeframe("1w"))
    assert frame.open_ms.tolist() == [monday_ms - 7 * 86_400_000, monday_ms]


def test_nothing_makes_nothing():
    frame, counts = resampled(CandleFrame.empty(), QUARTER)
    assert len(frame) == len(counts) == 0


@pytest.mark.parametrize("final", [[10.0, 15.25, 8.0, 9.5, 7.0], [10.0, 15.0, 8.0, 14.5, 7.125]])
def test_unfinished_candle_shows_only_its_past(final):
    at = [unfinished(np.array(final), part) for part in np.linspace(0, 1, 101)]
    assert at[0].tolist() == [final[0]] * 4 + [0.0]
    assert at[-1].tolist() == final
    falls = final[3] < final[0]
    assert at[20][2 if falls else 1] == final[0], "the second extreme is not known yet"
    for row in at:
        CandleFrame(np.array([0]), row[None].copy())
        assert final[2] <= row[2] <= row[1] <= final[1]


def test_unfinished_candle_has_no_more_decimals_than_the_final_one():
    for part in np.linspace(0, 1, 37):
        row = unfinished(np.array([0.0612, 0.0699, 0.0601, 0.0655, 12.5]), part)
        assert all(value == round(float(value), 4) for value in row[:4])
        assert row[4] == round(float(row[4]), 1)
