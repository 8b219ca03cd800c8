"""The history: what was acknowledged is served exactly once."""

import logging
import threading

import numpy as np
import pandas as pd
import pytest

from daemon.core.pair import Pair
from daemon.state import atomic
from daemon.state.history import HistoryRow, PredictionHistory

BTC, ETH = Pair("BTC/USDT"), Pair("ETH/USDT")
MINUTES_5 = 300_000


def journals(folder):
    return sorted(path.name for path in folder.path.glob("*.journal-*"))


def test_a_new_folder_has_an_empty_history(folder):
    history = PredictionHistory.open(folder)
    assert (history.pairs, history.losses, history.damages, history.unsaved) == ((), (), (), 0)
    assert history.last_ms(BTC) is None
    assert history.window(BTC, np.array([0])) == {}
    assert list(history.frame(BTC).columns) == ["date_pred"]


def test_what_is_acknowledged_is_there_after_a_kill(folder, filled, served):
    filled((1, 40))
    history = PredictionHistory.open(folder)
    assert served(history) == list(range(1, 40))
    assert history.last_ms(ETH) == 39 * MINUTES_5
    assert history.damages == ()


@pytest.mark.parametrize(
    "stretches", [[(1, 10), True], [(1, 10), True, (10, 20)], [(1, 10), True, (10, 20), True, (20, 30), True]]
)
def test_snapshots_and_journals_together_are_the_history(folder, filled, served, stretches):
    filled(*stretches)
    last = max(each[1] for each in stretches if each is not True)
    history = PredictionHistory.open(folder)
    assert served(history) == list(range(1, last))
    assert history.damages == ()


def test_a_tick_is_one_fsync_of_one_file(folder, filled, tick, recorded):
    history = filled((1, 3))
    with recorded(atomic) as steps:
        history.append(tick(3))
    done = [(step.name, step.path.name) for step in steps]
    journal = "historic_predictions.journal-000000"
    assert done == [("write", journal), ("fsync", journal), ("write", f"{journal}.copy")]


def test_the_bytes_of_a_tick_do_not_depend_on_the_history(folder, filled, tick, recorded):
    def written(history, n):
        with recorded(atomic) as steps:
            history.append(tick(n))
        return sum(len(step.more[1]) for step in steps if step.name == "write")

    history = filled((1, 3))
    first = written(history, 5000)
    for n in range(5001, 7000):
        history.append(tick(n))
    history.compact()
    assert abs(written(history, 7000) - first) < 20


def test_the_first_row_of_a_candle_stays_and_the_second_is_reported(folder, filled, served):
    history = filled((1, 5))
    again = HistoryRow(pair=BTC, candle_ms=3 * MINUTES_5, values={"&-s_close": 99.0})
    new = HistoryRow(pair=BTC, candle_ms=9 * MINUTES_5, values={"&-s_close": 9.0})
    outcome = history.append([again, new, new])
    assert (outcome.rows, outcome.refused, outcome.saved) == (1, (again, new), True)
    frame = PredictionHistory.open(folder).frame(BTC)
    assert list(frame["&-s_close"]) == [1, 2, 3, 4, 9]


def test_a_value_that_is_none_changes_nothing(folder, filled, served):
    history = filled((1, 3))
    with pytest.raises((TypeError, ValueError)):
        history.append([HistoryRow(pair=BTC, candle_ms=MINUTES_5 * 5, values={"x": object()})])
    with pytest.raises(ValueError, match="date_pred"):
        history.append([HistoryRow(pair=BTC, candle_ms=MINUTES_5 * 5, values={"date_pred": 1.0})])
    assert served(history) == [1, 2]
    assert served(PredictionHistory.open(folder)) == [1, 2]


def test_a_late_candle_takes_its_place_among_the_others(folder, filled, tick, served):
    history = filled((1, 5), True, (6, 9))
    history.append(tick(5))
    assert served(history) == list(range(1, 9))
    assert served(PredictionHistory.open(folder)) == list(range(1, 9))
    history.compact()
    assert served(PredictionHistory.open(folder)) == list(range(1, 9))


def test_files_of_two_generations_stay_and_older_ones_go(folder, filled):
    filled((1, 5), True, (5, 9), True, (9, 12), True, (12, 15))
    assert folder.historic_predictions.exists()
    assert folder.historic_predictions_backup.exists()
    assert journals(folder) == [
        "historic_predictions.journal-000002",
        "historic_predictions.journal-000003",
        "historic_predictions.journal-000003.copy",
    ]


def test_pandas_reads_the_snapshot_of_a_closed_history(folder, filled):
    filled((1, 30), close=True)
    frame = pd.read_pickle(folder.historic_predictions)["BTC/USDT"]
    assert list(frame["&-s_close"]) == list(range(1, 30))
    assert frame["date_pred"].iloc[-1] == pd.Timestamp(29 * MINUTES_5, unit="ms", tz="UTC")


def test_closing_twice_writes_once(folder, filled):
    history = filled((1, 5), close=True)
    before = folder.historic_predictions.stat().st_mtime_ns
    history.close()
    PredictionHistory.open(folder).close()
    assert folder.historic_predictions.stat().st_mtime_ns == before


def test_a_column_that_appears_later_survives_a_start(folder, filled):
    history = filled((1, 4))
    history.append([HistoryRow(pair=BTC, candle_ms=4 * MINUTES_5, values={"&-new": 1.5, "why": "because"})])
    history.compact()
    frame = PredictionHistory.open(folder).frame(BTC)
    assert frame["&-new"].isna().tolist() == [True, True, True, False]
    assert list(frame["why"]) == ["", "", "", "because"]


def test_reading_beside_a_daemon_touches_nothing(folder, filled, served, tick):
    history = filled((1, 5), True, (5, 9))
    folder.historic_predictions_backup.write_bytes(b"rubbish")
    before = {path.name: path.read_bytes() for path in folder.path.iterdir()}
    assert served(PredictionHistory.read(folder)) == list(range(1, 9))
    assert {path.name: path.read_bytes() for path in folder.path.iterdir()} == before
    history.append(tick(9))
    assert served(PredictionHistory.read(folder)) == list(range(1, 10))


def test_two_threads_may_append_and_fold_at_once(folder, filled, tick, served):
    history = filled((1, 3))
    stop = threading.Event()

    def fold():
        while not stop.is_set():
            history.compact()

    thread = threading.Thread(target=fold)
    thread.start()
    for n in range(3, 150):
        history.append(tick(n))
        history.window(BTC, np.arange(max(0, n - 50), n) * MINUTES_5)
    stop.set()
    thread.join()
    assert served(history) == list(range(1, 150))
    assert served(PredictionHistory.open(folder)) == list(range(1, 150))


class TestFullDisk:
    def test_predictions_are_kept_in_memory_and_written_once_there_is_space(
        self, folder, filled, tick, served, recorded, caplog
    ):
        caplog.set_level(logging.INFO)
        history = filled((1, 5))
        with recorded(atomic, fail={"write": 10**9}):
            outcomes = [history.append(tick(n)) for n in range(5, 8)]
        assert not any(outcome.saved for outcome in outcomes)
        assert history.unsaved == 9
        assert served(history) == list(range(1, 8))
        assert served(PredictionHistory.read(folder)) == list(range(1, 5))
        assert history.append(tick(8)).saved
        assert history.unsaved == 0
        assert served(PredictionHistory.open(folder)) == list(range(1, 9))
        assert caplog.text.count("predictions_unsaved") == 1
        assert caplog.text.count("predictions_saved_again") == 1

    @pytest.mark.parametrize(
        ("step", "skip"),
        [("create", 0), ("create", 2), ("write", 0), ("write", 2), ("fsync", 0), ("fsync", 4)]
        + [("replace", n) for n in range(5)],
    )
    def test_a_snapshot_that_cannot_be_written_costs_nothing(
        self, folder, filled, tick, served, recorded, step, skip
    ):
        history = filled((1, 5), True, (5, 9))
        with recorded(atomic, fail={step: 10**9}, skip={step: skip}):
            assert not history.compact()
        history.append(tick(9))
        assert served(history) == list(range(1, 10))
        assert served(PredictionHistory.read(folder)) == list(range(1, 10))
        assert history.compact()
        assert served(PredictionHistory.open(folder)) == list(range(1, 10))

    def test_a_start_without_space_works_from_memory(self, folder, filled, tick, served, recorded):
        filled((1, 5))
        with recorded(atomic, fail={"create": 10**9}):
            journal = folder.path / "historic_predictions.journal-000000"
            journal.write_bytes(journal.read_bytes() + b"torn")
            history = PredictionHistory.open(folder)
            assert not history.append(tick(5)).saved
        assert history.append(tick(6)).saved
        assert served(PredictionHistory.open(folder)) == [1, 2, 3, 4, 5, 6]

    def test_no_snapshot_is_begun_without_room_for_it(self, folder, filled, monkeypatch, caplog):
        history = filled((1, 5))
        monkeypatch.setattr(folder, "free_bytes", lambda: 1 << 20)
        before = journals(folder)
        assert not history.compact()
        assert journals(folder) == before
        assert "snapshot_postponed" in caplog.text


@pytest.mark.parametrize("how", ["closed", "read"])
def test_a_history_that_is_not_open_for_writing_takes_nothing(folder, filled, tick, served, how):
    history = filled((0, 20), close=True)
    if how == "read":
        history = PredictionHistory.read(folder)
    with pytest.raises(RuntimeError, match="open for writing"):
        history.append(tick(20))
    assert served(PredictionHistory.open(folder)) == list(range(20))
