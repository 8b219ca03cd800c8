"""Model folders: published whole, verified at every load, purged by pair."""

import json

import pytest

from daemon.core.errors import Corrupt, Refused
from daemon.core.pair import Pair
from daemon.state import atomic, documents
from daemon.state.artifacts import ArtifactStore

BTC, BTC_EUR = Pair("BTC/USDT"), Pair("BTC/EUR")
T = 1_732_000_000


@pytest.fixture
def store(folder):
    return ArtifactStore(folder)


@pytest.fixture
def publish(store):
    def published(pair=BTC, trained_s=T, size=100, **metadata):
        staging = store.new_staging()
        (staging / f"cb_{pair.base.lower()}_{trained_s}_model.cbm").write_bytes(
            bytes([trained_s % 251]) * size
        )
        (staging / f"cb_{pair.base.lower()}_{trained_s}_pipeline.npz").write_bytes(b"pipeline")
        return store.publish(staging, pair=pair, trained_s=trained_s, metadata=metadata).name

    return published


def test_what_was_published_is_opened(store, publish):
    name = publish(labels=["&-s_close"], seed=7)
    artifact = store.open(name)
    assert name == "sub-train-BTC_1732000000"
    assert (artifact.pair, artifact.trained_s, artifact.stem) == (BTC, T, "cb_btc_1732000000")
    assert artifact.metadata["seed"] == 7
    assert artifact.metadata["libraries"]["numpy"]
    assert artifact.files["cb_btc_1732000000_model.cbm"].read_bytes() == bytes([T % 251]) * 100
    assert artifact.bytes == 108
    assert (artifact.path / "cb_btc_1732000000_metadata.json").is_file()


def test_what_publishing_gives_back_is_what_opening_gives(store):
    staging = store.new_staging()
    (staging / f"cb_btc_{T}_model.cbm").write_bytes(b"model")
    artifact = store.publish(staging, pair=BTC, trained_s=T, metadata={"seed": 7})
    assert artifact == store.open(artifact.name)
    assert artifact.files[f"cb_btc_{T}_model.cbm"].read_bytes() == b"model"


def test_pairs_of_one_coin_never_share_a_folder(store, publish):
    names = [publish(), publish(BTC_EUR), publish(BTC_EUR)]
    assert len(set(names)) == 3
    assert [store.open(name).pair for name in names] == [BTC, BTC_EUR, BTC_EUR]


@pytest.mark.parametrize(
    "harm",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-3]),
        lambda path: path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:]),
        lambda path: path.write_bytes(bytes(path.stat().st_size)),
        lambda path: path.unlink(),
        lambda path: (path.unlink(), path.mkdir()),
        lambda path: (
            path.rename(path.parent.parent / "outside"),
            path.symlink_to(path.parent.parent / "outside"),
        ),
    ],
    ids=["cut", "bit", "zeros", "deleted", "folder", "link"],
)
@pytest.mark.parametrize("which", ["model.cbm", "pipeline.npz", "metadata.json"])
def test_a_damaged_file_is_never_opened_as_good(store, publish, folder, harm, which):
    name = publish()
    path = folder.path / name / f"cb_btc_{T}_{which}"
    harm(path)
    with pytest.raises(Corrupt, match=name):
        store.open(name)


def test_the_model_before_a_damaged_one_is_found(store, publish, folder):
    first, second = publish(), publish(trained_s=T + 300)
    (folder.path / second / f"cb_btc_{T + 300}_model.cbm").write_bytes(b"rubbish")
    assert store.newest(BTC).name == first
    store.set_aside(second)
    assert store.names() == [first]
    assert (folder.set_aside / second).is_dir()


def test_the_newest_is_the_pairs_own(store, publish):
    publish()
    newer = publish(trained_s=T + 300)
    publish(BTC_EUR, trained_s=T + 600)
    assert store.newest(BTC).name == newer
    assert store.newest(Pair("ETH/USDT")) is None
    assert store.pairs() == [BTC_EUR, BTC]


def test_a_swapped_folder_is_seen(store, publish, folder):
    first, second = publish(), publish(BTC_EUR)
    (folder.path / first).rename(folder.path / "x")
    (folder.path / second).rename(folder.path / first)
    with pytest.raises(Corrupt, match="belongs to"):
        store.open(first)


def test_a_newer_format_is_refused_and_left_as_it_is(store, publish, folder):
    name = publish()
    path = folder.path / name / f"cb_btc_{T}_metadata.json"
    document = json.loads(path.read_text()) | {"format_version": 99}
    path.write_text(json.dumps(document))
    with pytest.raises(Refused, match="format 99"):
        store.open(name)
    assert store.newest(BTC) is None
    assert json.loads(path.read_text()) == document


def test_a_folder_of_freqais_is_refused_and_left_as_it_is(store, folder):
    theirs = folder.path / "sub-train-ETH_1732000000"
    theirs.mkdir()
    (theirs / "cb_eth_1732000000_metadata.json").write_text('{"label_list": ["&-s_close"]}')
    with pytest.raises(Refused, match="FreqAI"):
        store.open(theirs.name)
    assert store.purge(Pair("ETH/USDT"), keep=1, live="") == []
    assert theirs.is_dir()


@pytest.mark.parametrize(
    "name", ["../outside", "/etc", "sub-train-BTC_1/../../x", "", ".", "sub-train-../x_1"]
)
def test_a_name_that_leads_outside_is_refused(store, name):
    with pytest.raises(Corrupt, match="not the name"):
        store.open(name)


@pytest.mark.parametrize("file", ["../secret", "/etc/passwd", "a/b", "..", ""])
def test_a_file_outside_of_the_folder_is_refused_even_under_a_right_checksum(store, publish, folder, file):
    name = publish()
    path = folder.path / name / f"cb_btc_{T}_metadata.json"
    document = json.loads(path.read_text())
    document["files"][file] = {"sha256": "0" * 64, "bytes": 0}
    document["checksum"] = documents.digest(
        {key: each for key, each in document.items() if key != "checksum"}
    )
    path.write_text(json.dumps(document))
    with pytest.raises(Corrupt, match="outside of itself"):
        store.open(name)


def test_a_link_in_the_folders_place_is_refused(store, publish, folder, tmp_path):
    name = publish()
    (folder.path / name).rename(tmp_path / name)
    (folder.path / name).symlink_to(tmp_path / name)
    with pytest.raises(Corrupt, match="not a folder"):
        store.open(name)


def test_purging_keeps_the_newest_and_the_live_one_of_the_pair(store, publish):
    names = [publish(trained_s=T + i) for i in range(5)]
    others = [publish(BTC_EUR, trained_s=T + i) for i in range(3)]
    assert sorted(store.purge(BTC, keep=2, live=names[0])) == names[1:4]
    assert store.names() == sorted([names[0], names[4], *others])


def test_other_coins_folders_are_not_looked_into(store, publish, monkeypatch):
    mine = [publish(trained_s=T + i) for i in range(3)]
    for coin in ("ETH", "BTCB", "SOL"):
        publish(Pair(f"{coin}/USDT"))
    looked, read = [], documents.read_object
    monkeypatch.setattr(documents, "read_object", lambda path: looked.append(path.parent.name) or read(path))
    store.purge(BTC, keep=2, live=mine[0])
    assert sorted(looked) == mine


def test_purging_by_space_deletes_the_oldest_first_and_never_a_live_one(store, publish):
    names = [publish(trained_s=T + i, size=1_000_000) for i in range(4)]
    assert store.purge_to(2_100_000, live={names[0]}) == names[1:3]
    assert store.purge_to(0, live=names) == []


def test_staging_is_cleared_and_nothing_of_it_is_served(store, publish, folder):
    publish()
    half = store.new_staging()
    (half / "cb_btc_1_model.cbm").write_bytes(b"half")
    (folder.staging / "stray").write_bytes(b"")
    store.clear_staging()
    assert list(folder.staging.iterdir()) == []
    assert len(store.names()) == 1


def test_what_cannot_be_written_is_not_published(store, recorded):
    staging = store.new_staging()
    (staging / "cb_btc_1_model.cbm").write_bytes(b"model")
    with recorded(atomic, fail={"fsync": 1}), pytest.raises(OSError, match="No space"):
        store.publish(staging, pair=BTC, trained_s=T, metadata={})
    assert store.names() == []
