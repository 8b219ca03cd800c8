"""FreqAI's own history is taken over."""

import pickle

import numpy as np
import pandas as pd
import pytest

from daemon.core.pair import Pair
from daemon.state.history import PredictionHistory

BTC = Pair("BTC/USDT")
MINUTES_5 = 300_000


def theirs(n=20, start="2024-01-01", **more):
    """What FreqAI writes: one frame per pair."""
    return pd.DataFrame(
        {
            "&-s_close": np.arange(n, dtype=float),
            "&-s_close_mean": 0.1,
            "&-s_close_std": 0.2,
            "do_predict": np.ones(n, dtype=int),
            "DI_values": 0.5,
            "high_price": 2.0,
            "low_price": 1.0,
            "close_price": 1.5,
            "date_pred": pd.date_range(start, periods=n, freq="5min", tz="UTC"),
            **more,
        }
    )


@pytest.fixture
def write(folder):
    def written(content=None, path=None):
        data = pickle.dumps(
            {"BTC/USDT": theirs(), "ETH/USDT": theirs(5)} if content is None else content, protocol=5
        )
        (path or folder.historic_predictions).write_bytes(data)
        return data

    return written


def test_its_rows_are_kept_under_their_names(folder, write):
    write()
    history = PredictionHistory.open(folder)
    expected = theirs()
    found = history.frame(BTC)
    assert list(found.columns) == list(expected.columns)
    for name in expected.columns.drop("date_pred"):
        np.testing.assert_array_equal(found[name], expected[name])
    assert list(found["date_pred"]) == list(expected["date_pred"])
    assert history.pairs == ("BTC/USDT", "ETH/USDT")
    assert (history.losses, history.damages) == ((), ())


def test_its_file_becomes_the_backup_and_ours_takes_the_place(folder, write):
    data = write()
    PredictionHistory.open(folder).close()
    assert folder.historic_predictions_backup.read_bytes() == data
    assert len(pd.read_pickle(folder.historic_predictions)["BTC/USDT"]) == 20
    again = PredictionHistory.open(folder)
    assert again.rows(BTC) == 20
    assert again.damages == ()


def test_new_predictions_follow_the_old_ones(folder, write, tick):
    write()
    history = PredictionHistory.open(folder)
    after = (history.last_ms(BTC) or 0) // MINUTES_5 + 1
    history.append(tick(after))
    frame = PredictionHistory.open(folder).frame(BTC)
    assert len(frame) == 21
    assert frame["model"].iloc[-1].startswith("sub-train-BTC")
    assert frame["model"].iloc[0] == ""


@pytest.mark.parametrize(
    "harm",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-40]),
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b"rubbish"),
    ],
)
def test_its_file_stands_in_for_our_first_snapshot(folder, write, tick, harm):
    write()
    history = PredictionHistory.open(folder)
    after = (history.last_ms(BTC) or 0) // MINUTES_5 + 1
    history.append(tick(after))
    harm(folder.historic_predictions)
    again = PredictionHistory.open(folder)
    assert again.rows(BTC) == 21
    assert again.losses == ()
    assert [each.file for each in again.damages] == ["historic_predictions.pkl"]


def test_a_snapshot_of_ours_that_was_cut_off_is_not_taken_for_theirs(folder, filled):
    filled((1, 10), True, (10, 20), True)
    data = folder.historic_predictions.read_bytes()
    end = data.rindex(b"CANDLEDS")
    folder.historic_predictions.write_bytes(data[: int.from_bytes(data[end + 12 : end + 20], "little")])
    pickle_only = pd.read_pickle(folder.historic_predictions)
    assert len(pickle_only["BTC/USDT"]) == 19
    history = PredictionHistory.open(folder)
    assert "cut off" in history.damages[0].fault
    assert history.rows(BTC) == 19


def test_a_half_written_file_of_theirs_falls_back_to_their_backup(folder, write):
    data = write()
    folder.historic_predictions.write_bytes(data[: len(data) // 2])
    write({"BTC/USDT": theirs(15)}, folder.historic_predictions_backup)
    history = PredictionHistory.open(folder)
    assert history.rows(BTC) == 15
    assert [each.file for each in history.damages] == ["historic_predictions.pkl"]
    assert history.losses[0].pair == BTC
    assert history.losses[0].from_ms == history.last_ms(BTC) + 1


def test_a_class_label_and_its_fillers(folder, write):
    labels = pd.Series(["up", 0, "down", None] * 5, dtype=object)
    write({"BTC/USDT": theirs(**{"&s-up_or_down": labels})})
    assert list(PredictionHistory.open(folder).frame(BTC)["&s-up_or_down"][:4]) == ["up", "", "down", ""]


def test_of_two_rows_for_a_candle_the_later_one_counts(folder, write):
    twice = pd.concat([theirs().assign(**{"&-s_close": 0.0}), theirs()], ignore_index=True)
    write({"BTC/USDT": twice})
    np.testing.assert_array_equal(PredictionHistory.open(folder).frame(BTC)["&-s_close"], np.arange(20))


def test_rows_without_a_time_are_named(folder, write):
    stamps = pd.Series(list(theirs()["date_pred"]), dtype=object)
    stamps[[3, 4]] = [0, pd.NaT]
    write({"BTC/USDT": theirs(date_pred=stamps)})
    history = PredictionHistory.open(folder)
    assert history.rows(BTC) == 18
    assert "2 rows" in history.losses[0].what


def test_a_planted_pickle_starts_empty_and_runs_nothing(folder, write, tmp_path):
    class Planted:
        def __reduce__(self):
            return open, (str(tmp_path / "run"), "w")

    write({"BTC/USDT": Planted()})
    history = PredictionHistory.open(folder)
    assert not (tmp_path / "run").exists()
    assert history.pairs == ()
    assert "refused" in history.damages[0].fault
    assert history.losses
