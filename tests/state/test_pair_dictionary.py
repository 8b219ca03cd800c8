"""The pair dictionary outlives damage."""

import json
from dataclasses import replace

import pytest

from daemon.core.pair import Pair
from daemon.state import atomic, queue
from daemon.state.artifacts import ArtifactStore
from daemon.state.pair_dictionary import PairDictionary
from daemon.state.queue import PairEntry, QueueState

BTC, ETH = Pair("BTC/USDT"), Pair("ETH/USDT")
ENTRY = PairEntry(
    model_filename="cb_btc_1732000000",
    trained_timestamp=1_732_000_000,
    data_path="sub-train-BTC_1732000000",
    extras={"note": [1, 2]},
    state=QueueState.IDLE,
    train_seconds=12.5,
)


@pytest.fixture
def book(folder):
    found = PairDictionary.open(folder)
    found.update(BTC, ENTRY)
    found.update(
        ETH, replace(queue.NEW, last_error='boom "quoted"', attempts=3, state=QueueState.BACKING_OFF)
    )
    return found


def test_what_was_written_is_read(folder, book):
    again = PairDictionary.open(folder)
    assert again.entries == book.entries
    assert again.damages == ()


def test_freqais_fields_keep_freqais_names(folder, book):
    plain = json.loads(folder.pair_dictionary.read_text())[BTC]
    assert {"model_filename", "trained_timestamp", "data_path", "extras"} <= plain.keys()
    assert plain["data_path"] == "sub-train-BTC_1732000000"


def test_a_snapshot_of_the_entries_does_not_change(book):
    before = book.entries
    book.update(BTC, replace(ENTRY, attempts=9))
    assert before[BTC].attempts == 0
    with pytest.raises(TypeError):
        before[BTC] = ENTRY


@pytest.mark.parametrize("which", ["pair_dictionary", "pair_dictionary_backup"])
@pytest.mark.parametrize(
    "harm",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-20]),
        lambda path: path.write_bytes(b""),
        lambda path: path.unlink(),
        lambda path: path.write_bytes(path.read_bytes().replace(b"1732000000", b"1732000001")),
        lambda path: path.write_bytes(bytes(len(path.read_bytes()))),
        lambda path: path.write_bytes(b"[" * 100_000),
        lambda path: path.write_bytes(b'{"candled": 5}'),
        lambda path: (path.unlink(), path.mkdir()),
        lambda path: (path.unlink(), path.symlink_to("/etc/hostname")),
    ],
    ids=["cut", "empty", "deleted", "changed", "zeros", "nested", "seal", "folder", "link"],
)
def test_damage_to_one_copy_costs_nothing_and_is_named(folder, book, which, harm):
    path = getattr(folder, which)
    harm(path)
    again = PairDictionary.open(folder)
    assert again.entries == book.entries
    assert [each.file for each in again.damages] == [path.name]
    assert not again.damages[0].lost
    assert PairDictionary.open(folder).damages == ()


def test_the_newer_copy_is_served(folder, book):
    old = folder.pair_dictionary.read_bytes()
    book.update(BTC, replace(ENTRY, attempts=7))
    folder.pair_dictionary.write_bytes(old)
    assert PairDictionary.open(folder).entries[BTC].attempts == 7


def test_a_newer_format_is_kept_unread(folder, book):
    document = json.loads(folder.pair_dictionary.read_text())
    document["candled"]["format_version"] = 99
    folder.pair_dictionary.write_text(json.dumps(document))
    content = folder.pair_dictionary.read_bytes()
    again = PairDictionary.open(folder)
    assert again.entries == book.entries
    assert "format 99" in again.damages[0].fault
    assert (folder.set_aside / "pair_dictionary.json").read_bytes() == content


def test_it_is_rebuilt_from_the_models_when_both_copies_are_gone(folder, book):
    store = ArtifactStore(folder)
    for trained_s in (1_732_000_000, 1_732_000_300):
        staging = store.new_staging()
        (staging / f"cb_btc_{trained_s}_model.cbm").write_bytes(b"model")
        newest = store.publish(staging, pair=BTC, trained_s=trained_s, metadata={}).name
    folder.pair_dictionary.unlink()
    folder.pair_dictionary_backup.write_bytes(b"rubbish")
    again = PairDictionary.open(folder)
    assert again.entries[BTC].data_path == newest
    assert again.entries[BTC].trained_timestamp == 1_732_000_300
    assert any(each.lost for each in again.damages)


def test_a_new_folder_has_nothing_to_report(folder):
    assert PairDictionary.open(folder).damages == ()


def test_reading_changes_nothing(folder, book):
    folder.pair_dictionary.write_bytes(b"rubbish")
    before = {path: path.read_bytes() for path in folder.path.iterdir()}
    assert PairDictionary.read(folder).entries == book.entries
    assert {path: path.read_bytes() for path in folder.path.iterdir()} == before


def test_freqais_own_dictionary_is_adopted(folder):
    written = {
        "BTC/USDT": {
            "model_filename": "cb_btc_1732000000",
            "trained_timestamp": 1_732_000_000,
            "data_path": "/home/somebody/user_data/models/example/sub-train-BTC_1732000000",
            "extras": {"kept": True},
        }
    }
    folder.pair_dictionary.write_text(json.dumps(written))
    book = PairDictionary.open(folder)
    assert dict(book.entries[BTC].extras) == {"kept": True}
    # Its model cannot be loaded without unpickling, so the pair waits for a training.
    assert queue.next_pair(book.entries, [BTC], 0) == BTC
    assert book.entries[BTC].data_path == ""
    assert book.damages == ()


def test_a_full_disk_stops_nobody_and_nothing_is_lost(folder, book, recorded, caplog):
    with recorded(atomic, fail={"write": 1}):
        book.update(BTC, replace(ENTRY, attempts=1))
    assert book.unsaved
    assert book.entries[BTC].attempts == 1
    assert "pair_dictionary_unsaved" in caplog.text
    book.update(ETH, queue.NEW)
    assert not book.unsaved
    assert PairDictionary.open(folder).entries[BTC].attempts == 1
