import numpy as np
import pytest
from desk import DAY_MS, PAIRS

from daemon.core.candles import CandleFrame
from daemon.core.market import CandleKey
from daemon.core.timeframe import Timeframe
from daemon.features.altered import altered_after, with_oddities
from daemon.features.compute import BlockRows
from daemon.features.findings import Fault, Finding, TruthFindings, worst_first
from daemon.features.labels import LabelColumn, LabelKind
from daemon.features.missing import emptiness
from daemon.features.moments import telling_rows
from daemon.features.stand_in import Stage

HOUR = Timeframe("1h")


@pytest.fixture
def frame(candles, base_key):
    return candles(base_key)[-900:]


def test_cuts_fall_on_price_extremes_the_beginning_the_end_and_both_sides_of_longer_candles(frame):
    rows = telling_rows(frame, [Timeframe("4h")], most=60, seed=1)
    assert len(rows) == len(set(rows)) == 60
    assert 0 < min(rows) <= max(rows) == len(frame) - 2
    assert {int(frame.close[45:-45].argmax()) + 45, int(frame.close[45:-45].argmin()) + 45} <= set(rows[:3])
    for length_ms in (HOUR.ms, 4 * HOUR.ms, DAY_MS):
        first = {row for row in rows if frame.open_ms[row] % length_ms == 0}
        assert first & {row + 1 for row in rows}


def test_the_first_cut_falls_within_every_longer_candle(frame):
    close_ms = int(frame.open_ms[telling_rows(frame, [], most=1, seed=1)[0]]) + 300_000
    assert close_ms % HOUR.ms


def test_cuts_fall_on_both_sides_of_a_gap(frame):
    holed = CandleFrame(np.delete(frame.open_ms, 400), np.delete(frame.values, 400, axis=0))
    assert {399, 400} <= set(telling_rows(holed, [], most=60, seed=1))


def test_the_same_seed_chooses_the_same_rows(frame):
    assert telling_rows(frame, [], most=60, seed=3) == telling_rows(frame, [], most=60, seed=3)
    assert telling_rows(frame, [], most=60, seed=3) != telling_rows(frame, [], most=60, seed=4)


def test_other_candles_follow_and_earlier_ones_stay(frame):
    other = altered_after(frame, 500, 1)
    assert np.array_equal(other.values[:501], frame.values[:501])
    assert (other.values[501:] != frame.values[501:]).all()
    CandleFrame(other.open_ms, other.values)  # no market would refuse them


def test_odd_candles_have_gaps_and_stretches_without_trades(frame):
    odd, rows = with_oddities(frame)
    CandleFrame(odd.open_ms, odd.values)
    assert (np.diff(odd.open_ms) > 300_000).sum() == 2
    assert (odd.values[rows, 4] == 0).sum() == (odd.values[:, 4] == 0).sum() == 8
    gaps = np.flatnonzero(np.diff(odd.open_ms) > 300_000)
    assert {*gaps.tolist(), *(gaps + 1).tolist()} <= set(rows)


def test_missing_shares_and_constant_columns_are_counted_behind_the_warm_up():
    values = np.array([[np.nan, 1, 5, np.nan]] * 4 + [[i, 1, 5, np.nan] for i in range(4)], np.float32)
    values[5, 2] = np.nan
    found = emptiness(BlockRows(("a", "b", "c", "d"), values), 4)
    assert found.missing == {"d": 1.0, "c": 0.25}
    assert found.constant == ("b", "c")


def test_the_worst_finding_is_the_reason_and_the_others_are_counted():
    def finding(fault, times):
        return Finding(fault=fault, place="A/B 5m", hook="hook", column=f"%-{times}", times=times)

    found = worst_first(
        [finding(Fault.LABEL, 9), finding(Fault.LOOKS_AHEAD, 1), finding(Fault.LOOKS_AHEAD, 5)]
    )
    truth = TruthFindings(findings=found)
    assert truth.blocks_entries
    assert truth.reason.startswith("%-5 (hook, A/B 5m) looks ahead")
    assert truth.reason.endswith("(and 2 more: candled check)")
    assert not TruthFindings().blocks_entries
    assert TruthFindings().reason == ""


@pytest.fixture
def stage(candles):
    return Stage(candles, PAIRS)


def test_the_stage_shows_a_longer_candle_from_its_own_close_on(stage, candles):
    key = CandleKey(PAIRS[2], HOUR)
    opened = int(candles(key).open_ms[-3])
    for minutes, last_ms in ((55, opened - HOUR.ms), (60, opened)):
        stage.until_ms = opened + minutes * 60_000
        assert stage.candles(str(PAIRS[2]), "1h")["date"].iloc[-1].timestamp() * 1000 == last_ms


def test_made_up_predictions_are_the_same_whatever_is_around_them(stage, frame):
    stage.labels = [
        LabelColumn("&-up", LabelKind.NUMBER, np.array([0.0, 0.02, np.nan]), np.empty(0, "U1")),
        LabelColumn("&s-way", LabelKind.CLASS, np.empty(0), np.array(["up", "down", ""])),
    ]
    whole = stage.attach("SOL/USDT", frame.to_pandas())
    part = stage.attach("SOL/USDT", frame[200:300].to_pandas())
    assert whole[200:300].reset_index(drop=True).equals(part)
    assert whole["&-up"].between(-0.011, 0.031).all()
    assert whole["&-up"].std() > 0.005
    assert set(whole["&s-way"]) == {"up", "down"}
    assert np.allclose(whole["up"] + whole["down"], 1)
    assert set(whole["do_predict"]) == {0.0, 1.0}
