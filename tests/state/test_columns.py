"""One pair's rows in memory."""

import gc
import mmap

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.errors import Corrupt
from daemon.state.arrays import ROOM
from daemon.state.columns import PairColumns
from daemon.state.stored import StoredColumn, StoredPair


class Kept:
    """A column of a snapshot, in memory; ``broken`` lets every read fail."""

    def __init__(self, values):
        self.values, self.broken, self.reads = np.asarray(values), False, []

    def read(self, first, last):
        if self.broken:
            raise Corrupt("snapshot has damaged rows")
        self.reads.append((first, last))
        return self.values[first:last]


def stored(n, step=10):
    return StoredPair(
        n,
        Kept(np.arange(n) * step),
        {
            "x": StoredColumn(Kept(np.arange(n, dtype=float)), None),
            "why": StoredColumn(Kept(np.arange(n) % 2), ("", "odd")),
        },
    )


def filled(times, name="x"):
    columns = PairColumns()
    for time in times:
        assert columns.append(time, {name: float(time)})
    return columns


def test_a_window_over_present_candles_is_a_view():
    columns = filled(range(0, 1000, 10))
    wanted = np.arange(500, 600, 10)
    first, second = columns.window(wanted)["x"], columns.window(wanted)["x"]
    np.testing.assert_array_equal(first, wanted)
    assert np.shares_memory(first, second)
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 0


@pytest.mark.parametrize("wanted", [[10, 20], [10, 15, 20]])
def test_columns_that_are_not_wanted_are_left_out(wanted):
    columns = PairColumns()
    for time in (10, 20):
        columns.append(time, {"x": float(time), "model": "a"})
    assert list(columns.window(np.array(wanted), without={"model", "unknown"})) == ["x"]


def test_a_view_does_not_change_when_rows_are_added():
    columns = filled(range(0, 1000, 10))
    view = columns.window(np.arange(900, 1000, 10))["x"]
    for time in range(1000, 5000, 10):
        columns.append(time, {"x": -1.0})
    columns.append(905, {"x": -1.0})
    np.testing.assert_array_equal(view, np.arange(900, 1000, 10))


@given(
    st.sets(st.integers(0, 60), max_size=40),
    st.sets(st.integers(0, 60), min_size=1, max_size=40),
    st.integers(1, 8),
)
def test_a_window_shows_each_row_at_its_candle_and_nothing_elsewhere(have, wanted, kept):
    times = np.array(sorted(have), np.int64)
    base = StoredPair(len(times), Kept(times), {"x": StoredColumn(Kept(times * 1.0), None)})
    for columns in (filled(have), PairColumns(base, kept=kept)):
        found = columns.window(np.array(sorted(wanted))).get("x", np.full(len(wanted), np.nan))
        np.testing.assert_array_equal(found, [time if time in have else np.nan for time in sorted(wanted)])


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 9)), max_size=80), st.integers(1, 6))
def test_the_first_row_of_a_candle_stays_whatever_the_order(rows, kept):
    truth = {}
    columns = PairColumns(stored(10), kept=kept)
    truth = {i * 10: float(i) for i in range(10)}
    for time, value in rows:
        assert columns.append(time, {"x": float(value)}) == (time not in truth)
        truth.setdefault(time, float(value))
    frame = columns.frozen().frame()
    assert dict(zip(frame["date_pred"].astype("int64"), frame["x"], strict=True)) == truth
    assert frame["date_pred"].is_monotonic_increasing


def test_a_column_that_comes_up_later_is_empty_before():
    columns = filled([10, 20])
    columns.append(30, {"x": 3.0, "y": 1.0, "why": "late"})
    columns.append(40, {"why": "again"})
    found = columns.window(np.array([10, 20, 30, 40]))
    np.testing.assert_array_equal(found["y"], [np.nan, np.nan, 1, np.nan])
    assert list(found["why"]) == ["", "", "late", "again"]
    np.testing.assert_array_equal(found["x"], [10, 20, 3, np.nan])
    assert columns.names == ("x", "y", "why")


def test_a_label_that_becomes_a_text_keeps_its_numbers_beside_it():
    columns = filled([10], "&s")
    columns.append(20, {"&s": "up"})
    columns.append(30, {"&s": 3.0})
    columns.append(40, {"&s": "down"})
    frame = columns.frozen().frame()
    assert list(frame["&s"]) == ["", "up", "", "down"]
    np.testing.assert_array_equal(frame["&s.number"], [10, np.nan, 3, np.nan])


def test_only_the_newest_rows_are_in_memory_until_older_ones_are_asked_for():
    base = stored(10_000)
    columns = PairColumns(base, kept=100)
    assert len(columns) == 10_000
    assert base.columns["x"].segment.reads == [(9900, 10_000)]
    columns.window(np.arange(99_500, 100_000, 10))
    assert len(base.columns["x"].segment.reads) == 1
    found = columns.window(np.arange(50_000, 50_100, 10))
    np.testing.assert_array_equal(found["x"], np.arange(5000, 5010))
    assert list(found["why"][:2]) == ["", "odd"]


def test_rows_that_cannot_be_read_any_more_are_absent_and_newer_ones_served(caplog):
    base = stored(1000)
    columns = PairColumns(base, kept=100)
    base.times.broken = True
    found = columns.window(np.array([10, 20]))["x"]
    assert np.isnan(found).all()
    assert "history_unreadable" in caplog.text
    np.testing.assert_array_equal(columns.window(np.array([9980, 9990]))["x"], [998, 999])
    # Whether the candle has a row cannot be known: it is not given a second one.
    assert not columns.append(15, {"x": 1.0})
    assert columns.append(10_000, {"x": 1.0})


def test_memory_is_let_go_when_a_snapshot_has_the_rows():
    columns = filled(range(0, 10_000, 10))
    frozen = columns.frozen()
    columns.append(10_000, {"x": 1.0})
    columns.rebase(stored(1000), frozen, kept=50)
    assert len(columns) == 1001
    assert len(columns.frozen().times.resident) == 51
    np.testing.assert_array_equal(columns.window(np.array([9990, 10_000]))["x"], [9990, 1])


def room(columns):
    """How many rows' memory stands empty behind the resident ones."""
    frozen = columns.frozen()
    return max(len(each.resident.base) - len(each.resident) for each in (frozen.times, *frozen.columns))


def test_many_rows_have_little_room_behind_them_also_when_older_ones_have_gone():
    columns = filled(range(0, 60_000, 10))
    assert 0 < room(columns) <= ROOM
    columns.rebase(stored(6000), columns.frozen(), kept=4000)
    assert 0 < room(columns) <= ROOM
    columns.append(60_000, {"x": 1.0})
    assert 0 < room(columns) < ROOM


def test_a_row_inserted_meanwhile_keeps_the_old_footing():
    columns = filled([10, 30])
    frozen = columns.frozen()
    columns.append(20, {"x": 2.0})
    columns.rebase(stored(2), frozen, kept=1)
    np.testing.assert_array_equal(columns.window(np.array([10, 20, 30]))["x"], [10, 2, 30])


def test_a_frame_has_freqais_time_column_last():
    frame = filled([10, 20]).frozen().frame(last=1)
    assert list(frame.columns) == ["x", "date_pred"]
    assert str(frame["date_pred"].dtype) == "datetime64[ms, UTC]"
    assert len(frame) == 1


def mapped(array):
    """Whether an array, or what it shows a part of, lies on pages of its own."""
    while isinstance(array, np.ndarray):
        array = array.base
    return isinstance(array, memoryview) and isinstance(array.obj, mmap.mmap)


def test_long_columns_lie_on_pages_of_their_own_from_append_to_fold():
    columns = filled(range(0, 20_000, 10))
    wanted = np.arange(10_000, 20_000, 10)
    assert mapped(columns.window(wanted)["x"])
    frozen = columns.frozen()
    columns.rebase(stored(2000), frozen, kept=1000)
    assert mapped(columns.window(wanted)["x"])
    columns.append(20_000, {"x": 1.0})
    assert mapped(columns.window(wanted)["x"])
    columns.append(15_005, {"x": 1.0})  # a late one, between two others
    assert mapped(columns.window(np.insert(wanted, 501, 15_005))["x"])


def test_rows_that_were_handed_out_stay_when_their_columns_are_gone():
    columns = filled(range(0, 20_000, 10))
    view = columns.window(np.arange(0, 20_000, 10))["x"]
    columns.rebase(stored(2000), columns.frozen(), kept=1000)
    del columns
    gc.collect()
    np.testing.assert_array_equal(view, np.arange(0, 20_000, 10))


def test_rows_are_kept_where_no_more_pages_can_be_mapped(monkeypatch):
    def full(*_, **__):
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr("daemon.state.arrays.mmap.mmap", full)
    columns = filled(range(0, 20_000, 10))
    np.testing.assert_array_equal(columns.window(np.arange(0, 20_000, 10))["x"], np.arange(0, 20_000, 10))
