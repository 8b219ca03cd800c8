"""How long predictions stay: for ever, or as long as the user says."""

import logging
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.errors import Corrupt
from daemon.core.pair import Pair
from daemon.state.columns import PairColumns
from daemon.state.history import PredictionHistory
from daemon.state.retention import Retention
from daemon.state.stored import StoredColumn, StoredPair

BTC = Pair("BTC/USDT")
MINUTES_5 = 300_000


class Kept:
    """A column of a snapshot, in memory; reading from its first row on is what compares the checksum."""

    def __init__(self, values):
        self.values, self.broken = np.asarray(values), False

    def read(self, first, last):
        if self.broken and first == 0:
            raise Corrupt("snapshot has damaged rows")
        return self.values[first:last]


def saved(frozen):
    """What a snapshot of these rows is, read back."""
    times, *columns = (
        Kept(frozen.values(column, 0, frozen.rows)) for column in (frozen.times, *frozen.columns)
    )
    named = zip(frozen.columns, columns, strict=True)
    return StoredPair(
        frozen.rows, times, {column.name: StoredColumn(values, column.texts) for column, values in named}
    )


def opened(folder, candles=None, least=1):
    keep_ms = None if candles is None else candles * MINUTES_5
    return PredictionHistory.open(folder, Retention(keep_ms=keep_ms, least_rows=least))


def test_all_stay_unless_the_user_says_otherwise(folder, filled, served):
    history = filled((0, 50), True, (50, 100), True)
    assert served(history) == list(range(100))


def test_a_fold_leaves_out_what_is_older_than_the_user_keeps(folder, tick, served, caplog):
    history = opened(folder, candles=10)
    for n in range(100):
        history.append(tick(n))
    with caplog.at_level(logging.INFO, "daemon"):
        history.compact()
    assert served(history) == list(range(89, 100))
    assert [r.fields for r in caplog.records if r.msg == "predictions_dropped"] == [
        {"rows": 3 * 89, "pairs": 3}
    ]
    assert served(PredictionHistory.read(folder)) == list(range(89, 100))


def test_nothing_goes_between_two_folds(folder, tick, served):
    history = opened(folder, candles=10)
    for n in range(100):
        history.append(tick(n))
    assert served(history) == list(range(100))
    assert served(PredictionHistory.read(folder)) == list(range(100))


def test_the_newest_rows_that_anything_looks_at_stay_however_old(folder, tick):
    history = opened(folder, candles=10, least=40)
    for n in range(50):
        history.append(tick(n, pairs=[BTC]))
    gone = Pair("GONE/USDT")
    for n in range(60):
        history.append(tick(n, pairs=[gone]))
    for n in range(1000, 1100):
        history.append(tick(n, pairs=[BTC]))
    history.compact()
    assert {pair: history.rows(pair) for pair in (BTC, gone)} == {BTC: 40, gone: 40}
    assert history.last_ms(gone) == 59 * MINUTES_5


def test_no_pair_is_emptied():
    with pytest.raises(ValueError, match="at least 1"):
        Retention(keep_ms=10, least_rows=0)


def test_age_counts_from_the_newest_candle_of_all_pairs(folder, tick):
    history = opened(folder, candles=10)
    for n in range(20):
        history.append(tick(n, pairs=[BTC]))
    history.append(tick(25, pairs=[Pair("ETH/USDT")]))
    history.compact()
    assert history.rows(BTC) == 5


def test_life_goes_on_behind_a_fold_and_the_files_stay_bounded(folder, tick, served):
    sizes = []
    history = opened(folder, candles=30, least=5)
    for n in range(400):
        history.append(tick(n))
        if n % 25 == 24:
            history.compact()
            assert served(history) == list(range(max(0, n - 30), n + 1))
            sizes.append(sum(path.stat().st_size for path in folder.path.iterdir()))
        if n % 90 == 89:
            history.close()
            history = opened(folder, candles=30, least=5)
    assert max(sizes[4:]) < 1.5 * sizes[2]


def test_a_damaged_snapshot_falls_back_to_the_one_before(folder, tick, served):
    history = opened(folder, candles=30)
    for n in range(100):
        history.append(tick(n))
        if n in {49, 99}:
            history.compact()
    path = folder.historic_predictions
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 255
    path.write_bytes(data)
    history = opened(folder, candles=30)
    assert history.losses == ()
    assert served(history)[-31:] == list(range(69, 100))


def test_the_file_before_is_let_go(folder, tick):
    def held():
        links = [entry for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]
        return [
            name
            for name in map(str, map(Path.readlink, links))
            if str(folder.path) in name and name.endswith("(deleted)")
        ]

    history = opened(folder, candles=10)
    for n in range(60):
        history.append(tick(n))
        if n % 10 == 9:
            history.compact()
    assert held() == []


def test_an_unreadable_snapshot_drops_nothing(caplog):
    columns = PairColumns(saved(_rows(range(20)).frozen()), kept=3)
    columns._older.broken = True
    assert Retention(keep_ms=10).outdated({BTC: columns}) == {}
    assert [record.msg for record in caplog.records] == ["predictions_not_dropped"]


def test_a_copied_column_is_compared_with_its_checksum(folder):
    columns = PairColumns(saved(_rows(range(20)).frozen()), kept=3)
    frozen = columns.frozen(without=5)
    columns._columns["x"].stored.broken = True
    with pytest.raises(Corrupt):
        frozen.values(frozen.columns[0], 0, frozen.rows)


def test_no_word_is_lost_to_a_disk_that_fails_for_a_moment():
    columns = PairColumns(saved(_rows(range(100)).frozen()), kept=3)
    columns._columns["model"].stored.broken = True
    frozen = columns.frozen(without=5)
    columns._columns["model"].stored.broken = False
    assert frozen.frame()["model"].tolist() == [row(time)["model"] for time in range(5, 100)]


@pytest.mark.parametrize(("without", "late"), [(0, 5), (3, 15), (3, 35)])
def test_a_late_row_among_the_oldest_stays_that_came_while_the_snapshot_was_written(without, late):
    columns = _rows(range(10, 100, 10))
    frozen = columns.frozen(without=without)
    columns.append(late, row(late))
    columns.rebase(saved(frozen), frozen)
    assert late in columns.frozen().frame()["x"].tolist()


def _rows(times):
    columns = PairColumns()
    for time in times:
        columns.append(time, row(time))
    return columns


def row(time):
    """Texts come and go, and one comes back."""
    return {"x": float(time), "model": f"model-{time // 50}" if time % 200 else "first", "why": ""}


@given(
    st.lists(st.tuples(st.integers(1, 24), st.integers(0, 24), st.integers(0, 12)), max_size=8),
    st.integers(1, 6),
)
def test_folds_with_and_without_dropping_show_the_newest_rows(rounds, kept):
    """Rounds of (rows appended, rows dropped, rows appended while the snapshot is written)."""
    columns, truth = PairColumns(), []
    for appended, outdated, meanwhile in rounds:
        for _ in range(appended):
            truth.append(truth[-1] + 10 if truth else 0)
            columns.append(truth[-1], row(truth[-1]))
        dropped = min(outdated, len(truth) - 1)
        assert columns.older_than(truth[dropped]) == dropped
        frozen = columns.frozen(without=dropped)
        for _ in range(meanwhile):
            truth.append(truth[-1] + 10)
            columns.append(truth[-1], row(truth[-1]))
        columns.rebase(saved(frozen), frozen, kept=kept)
        truth = truth[dropped:]
        assert len(columns) == len(truth)
        assert columns._split >= 0  # what was dropped is not in memory either
        frame = columns.frozen().frame()
        assert frame["x"].tolist() == [float(time) for time in truth]
        assert frame["model"].tolist() == [row(time)["model"] for time in truth]
        assert (frame["date_pred"].astype("int64") == truth).all()
        wanted = np.array(truth[-3:])
        assert columns.window(wanted)["x"].tolist() == wanted.tolist()
        assert columns.window(wanted)["model"].tolist() == [row(time)["model"] for time in wanted]
        if dropped and not meanwhile:
            assert set(columns._columns["model"].texts) == {"", *frame["model"]}
