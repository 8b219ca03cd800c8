"""Every file of the history, damaged one at a time and in twos: nothing lost, or exactly named."""

import json
import os
import struct
import zlib

import numpy as np
import pytest

from daemon.core.pair import Pair
from daemon.state.folder import StateFolder
from daemon.state.history import PredictionHistory

MINUTES_5 = 300_000
PAIRS = tuple(Pair(text) for text in ("BTC/USDT", "ETH/USDT", "BTC/EUR"))
FILES = [
    "historic_predictions.pkl",
    "historic_predictions.backup.pkl",
    "historic_predictions.journal-000001",
    "historic_predictions.journal-000002",
    "historic_predictions.journal-000002.copy",
]


def flip(path, where):
    data = bytearray(path.read_bytes())
    data[int(where * (len(data) - 1))] ^= 4
    path.write_bytes(data)


def zero(path, where):
    data = bytearray(path.read_bytes())
    at = int(where * (len(data) - 1))
    data[at : at + 64] = bytes(len(data[at : at + 64]))
    data[at] = data[at] or 0
    path.write_bytes(data)


def folder_instead(path):
    path.unlink()
    path.mkdir()
    (path / "file").write_bytes(b"x")


def newer(path):
    data = bytearray(path.read_bytes())
    if path.suffix == ".pkl":
        data[-28:-24] = struct.pack("<I", 9)
        data[-4:] = struct.pack("<I", zlib.crc32(data[-36:-4]))
    else:
        data[8:12] = struct.pack("<I", 9)
    path.write_bytes(data)


HARMS = {
    **{
        f"cut to {share:.0%}": lambda path, share=share: os.truncate(path, int(path.stat().st_size * share))
        for share in (0, 0.01, 0.3, 0.7, 0.999)
    },
    **{
        f"bit at {where:.0%}": lambda path, where=where: flip(path, where)
        for where in (0, 0.02, 0.2, 0.5, 0.8, 0.97, 1)
    },
    **{f"zeros at {where:.0%}": lambda path, where=where: zero(path, where) for where in (0, 0.4, 0.98)},
    "all zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "grown": lambda path: path.write_bytes(path.read_bytes() + b"\0" * 5000),
    "deleted": lambda path: path.unlink(),
    "a folder": folder_instead,
    "a link outside": lambda path: (path.unlink(), path.symlink_to("/etc/hostname")),
    "another file": lambda path: path.write_bytes(b'{"BTC/USDT": {}}'),
    "a newer version": newer,
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
}


@pytest.fixture
def lived(folder, filled):
    """A history of three generations: 1..9 in the backup, 1..19 in the snapshot, 20..29 in the journal."""
    filled((1, 10), True, (10, 20), True, (20, 30))
    assert sorted(path.name for path in folder.path.iterdir()) == sorted(FILES)
    return list(range(1, 30))


@pytest.mark.parametrize("name", HARMS)
@pytest.mark.parametrize("file", FILES)
def test_damage_to_one_file_loses_nothing_and_is_named(folder, lived, served, tick, file, name):
    HARMS[name](folder.path / file)
    history = PredictionHistory.open(folder)
    assert served(history) == lived
    assert history.losses == ()
    # A torn end of a journal is what every kill leaves: healed without a word.
    assert [each.file for each in history.damages] in (
        [file],
        [] if ("journal" in file and "cut" in name) else [file],
    )
    # And life goes on: two generations again, nothing left to report.
    history.append(tick(30))
    history.compact()
    again = PredictionHistory.open(folder)
    assert served(again) == [*lived, 30]
    assert again.damages == ()


@pytest.mark.parametrize("seed", range(40))
def test_damage_to_two_files_is_named_where_it_loses(folder, lived, served, seed):
    random = np.random.default_rng(seed)
    for file in random.choice(FILES, 2, replace=False):
        list(HARMS.values())[random.integers(len(HARMS))](folder.path / file)
    history = PredictionHistory.open(folder)
    missing = sorted(set(lived) - set(served(history)))
    assert served(PredictionHistory.open(folder)) == served(history)
    for n in missing:
        ms = n * MINUTES_5
        assert any(loss.from_ms <= ms and (loss.to_ms >= ms or not loss.to_ms) for loss in history.losses), n
    if missing:
        assert history.damages


def test_swapped_snapshots_are_told_apart(folder, lived, served):
    main, backup = folder.historic_predictions, folder.historic_predictions_backup
    content = main.read_bytes()
    main.write_bytes(backup.read_bytes())
    backup.write_bytes(content)
    assert served(PredictionHistory.open(folder)) == lived


def test_swapped_journals_are_told_apart(folder, lived, served):
    first, second = folder.path / FILES[2], folder.path / FILES[3]
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
    assert served(PredictionHistory.open(folder)) == lived


def test_a_journal_of_another_deployment_is_not_ours(folder, lived, served, tmp_path, tick):
    other = StateFolder(tmp_path / "other")
    other.path.mkdir()
    stranger = PredictionHistory.open(other)
    for n in range(100, 105):
        stranger.append(tick(n))
    (folder.path / FILES[3]).write_bytes((other.path / "historic_predictions.journal-000000").read_bytes())
    history = PredictionHistory.open(folder)
    assert served(history) == lived
    assert "another history" in history.damages[0].fault


def test_an_older_copy_of_the_journal_loses_nothing(folder, filled, served, tick):
    history = filled((1, 10), True, (10, 15))
    path = folder.path / "historic_predictions.journal-000001"
    old = path.read_bytes()
    for n in range(15, 20):
        history.append(tick(n))
    path.write_bytes(old)
    assert served(PredictionHistory.open(folder)) == list(range(1, 20))


def test_a_record_that_both_journals_lost_is_named_with_its_time(folder, lived, served):
    for file in FILES[3:]:
        path = folder.path / file
        records = path.read_bytes().split(b"cdR1")
        path.write_bytes(b"cdR1".join([*records[:5], *records[6:]]))
    history = PredictionHistory.open(folder)
    assert served(history) == [n for n in lived if n != 24]
    assert {loss.pair for loss in history.losses} == {"BTC/USDT", "ETH/USDT", "BTC/EUR"}
    assert all(loss.from_ms <= 24 * MINUTES_5 <= loss.to_ms for loss in history.losses)
    assert all(loss.from_ms >= 23 * MINUTES_5 and loss.to_ms <= 25 * MINUTES_5 for loss in history.losses)


def test_damage_to_one_pair_in_both_snapshots_leaves_the_others(folder, lived):
    for path in (folder.historic_predictions, folder.historic_predictions_backup):
        data = bytearray(path.read_bytes())
        data[data.find(np.float64(1.2).tobytes())] ^= 1  # the third pair's value at candle 1
        path.write_bytes(data)
    history = PredictionHistory.open(folder)
    assert {loss.pair for loss in history.losses} == {"BTC/EUR"}
    assert (history.losses[0].from_ms, history.losses[0].to_ms) == (MINUTES_5, 19 * MINUTES_5)
    assert history.rows("BTC/USDT") == 29
    assert history.rows("BTC/EUR") == 20  # what the journals still have


def damaged(folder, path, value):
    """The column that has this value, in a snapshot."""
    data = bytearray(path.read_bytes())
    data[data.index(np.float64(value).tobytes())] ^= 1
    path.write_bytes(data)
    return PredictionHistory.read(folder), PredictionHistory.open(folder)


def test_damage_to_the_only_snapshot_loses_nothing(folder, filled, served):
    filled((0, 10), True, (10, 15))
    for history in damaged(folder, folder.historic_predictions, 1.2):
        assert history.damages
        assert history.losses == ()
        assert served(history) == list(range(15))


def test_a_pair_that_came_after_the_backup_is_found_in_the_journals(folder, filled, tick):
    new = Pair("NEW/USDT")
    history = filled((0, 10), True)
    for n in range(10, 20):
        history.append(tick(n, pairs=[*PAIRS, new]))
    history.compact()
    history.append(tick(20, pairs=[*PAIRS, new]))
    for history in damaged(folder, folder.historic_predictions, 12.3):
        assert history.damages
        assert history.losses == ()
        assert history.rows(new) == 11
        assert {history.rows(pair) for pair in PAIRS} == {21}


def test_no_good_file_at_all_is_said_and_starts(folder, lived, tick):
    for file in FILES:
        (folder.path / file).write_bytes(b"rubbish")
    history = PredictionHistory.open(folder)
    assert history.pairs == ()
    assert history.losses[0].pair == ""
    assert len(history.damages) >= len(FILES)
    assert history.append(tick(1)).saved


def test_set_aside_files_keep_their_bytes(folder, lived):
    folder.historic_predictions.write_bytes(b"rubbish")
    PredictionHistory.open(folder)
    assert (folder.set_aside / "historic_predictions.pkl").read_bytes() == b"rubbish"


def test_the_report_is_json(folder, lived):
    folder.historic_predictions.write_bytes(b"rubbish")
    history = PredictionHistory.read(folder)
    assert json.loads(json.dumps([each.fields() for each in history.damages]))[0]["file"] == FILES[0]
