"""One file that holds a folder, made while it lives and put back as it was."""

import io
import json
import tarfile
import threading

import pytest

from daemon.core.errors import ConfigError, Corrupt, FolderInUse, Refused
from daemon.core.pair import Pair
from daemon.state.archive import restore_backup, write_backup
from daemon.state.artifacts import ArtifactStore
from daemon.state.doctor import HEALTHY, diagnose
from daemon.state.folder import StateFolder
from daemon.state.history import PredictionHistory

BTC = Pair("BTC/USDT")
T = 1_732_000_000


@pytest.fixture
def lived(folder, filled):
    filled((1, 10), True, (10, 20), True, (20, 25))
    store = ArtifactStore(folder)
    staging = store.new_staging()
    (staging / f"cb_btc_{T}_model.cbm").write_bytes(b"model" * 50)
    store.publish(staging, pair=BTC, trained_s=T, metadata={})
    folder.save_config("config.json", {"a": 1})
    diagnose(folder, 0, repair=True)
    return folder


@pytest.fixture
def elsewhere(tmp_path):
    return StateFolder(tmp_path / "elsewhere" / "example")


@pytest.mark.parametrize("name", ["b.tar", "b.tar.gz", "b.tar.xz"])
def test_a_restored_folder_serves_the_same(lived, elsewhere, tmp_path, name):
    manifest = write_backup(lived, tmp_path / name, 5000)
    assert restore_backup(tmp_path / name, elsewhere, 0) is None
    assert manifest["identifier"] == "example"
    found = diagnose(elsewhere, 0, repair=True)
    assert found.serves == diagnose(lived, 0).serves
    assert found.losses == ()
    assert diagnose(elsewhere, 0).status == HEALTHY


def test_what_was_there_is_kept_beside_it(lived, tmp_path):
    write_backup(lived, tmp_path / "b.tar", 0)
    (lived.path / "later").write_text("later")
    for n in ("", ".1"):
        aside = restore_backup(tmp_path / "b.tar", lived, 0)
        assert aside == lived.path.with_name(f"example.before-restore{n}")
    assert (lived.path.with_name("example.before-restore") / "later").read_text() == "later"
    assert not (lived.path / "later").exists()


def test_a_backup_beside_a_running_daemon_is_consistent(lived, elsewhere, tmp_path, tick, served):
    history = PredictionHistory.open(lived)
    stop = threading.Event()
    last = [24]

    def live():
        while not stop.is_set():
            last[0] += 1
            history.append(tick(last[0]))
            if last[0] % 5 == 0:
                history.compact()

    thread = threading.Thread(target=live)
    thread.start()
    try:
        for i in range(6):
            acknowledged = last[0] - 1
            write_backup(lived, tmp_path / "b.tar", 0)
            restore_backup(tmp_path / "b.tar", elsewhere, 0)
            restored = PredictionHistory.open(elsewhere)
            assert restored.losses == ()
            numbers = served(restored)
            assert numbers == list(range(1, numbers[-1] + 1)), i
            assert numbers[-1] >= acknowledged
    finally:
        stop.set()
        thread.join()


def test_a_folder_in_use_is_not_replaced(lived, tmp_path):
    write_backup(lived, tmp_path / "b.tar", 0)
    with lived.acquire(0), pytest.raises(FolderInUse):
        restore_backup(tmp_path / "b.tar", lived, 0)
    assert lived.path.is_dir()
    assert not lived.path.with_name("example.restoring").exists()


def test_every_cut_or_changed_archive_is_refused_and_changes_nothing(lived, elsewhere, tmp_path):
    write_backup(lived, tmp_path / "b.tar", 0)
    sound = (tmp_path / "b.tar").read_bytes()
    with tarfile.open(tmp_path / "b.tar") as archive:
        places = [member.offset_data + member.size // 2 for member in archive]
    harmed = [b"", *(sound[:at] for at in places)]
    for at in places:
        flipped = bytearray(sound)
        flipped[at] ^= 1
        harmed.append(bytes(flipped))
    for data in harmed:
        (tmp_path / "bad.tar").write_bytes(data)
        with pytest.raises(Corrupt, match=r"bad\.tar"):
            restore_backup(tmp_path / "bad.tar", elsewhere, 0)
    assert not elsewhere.path.exists()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("../outside", tarfile.REGTYPE),
        ("/etc/x", tarfile.REGTYPE),
        ("a/b/c", tarfile.REGTYPE),
        ("link", tarfile.SYMTYPE),
        ("dev", tarfile.CHRTYPE),
        (".hidden", tarfile.REGTYPE),
    ],
)
def test_a_member_that_leads_outside_is_refused(elsewhere, tmp_path, name, kind):
    with tarfile.open(tmp_path / "bad.tar", "w") as archive:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, "/etc/passwd"
        archive.addfile(member, io.BytesIO())
    with pytest.raises(Corrupt, match="no file of a state folder"):
        restore_backup(tmp_path / "bad.tar", elsewhere, 0)
    assert not elsewhere.path.exists()


def test_a_newer_archive_is_refused(lived, elsewhere, tmp_path):
    with tarfile.open(tmp_path / "new.tar", "w") as archive:
        member, data = tarfile.TarInfo("candled-backup.json"), json.dumps({"format_version": 9}).encode()
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    with pytest.raises(Refused, match="format 9"):
        restore_backup(tmp_path / "new.tar", elsewhere, 0)


def test_a_damaged_snapshot_does_not_enter_the_archive(lived, elsewhere, tmp_path, served):
    data = bytearray(lived.historic_predictions.read_bytes())
    data[600] ^= 1
    lived.historic_predictions.write_bytes(data)
    manifest = write_backup(lived, tmp_path / "b.tar", 0)
    assert "historic_predictions.backup.pkl" in manifest["files"]
    restore_backup(tmp_path / "b.tar", elsewhere, 0)
    assert served(PredictionHistory.open(elsewhere)) == list(range(1, 25))


@pytest.mark.parametrize("target", ["missing/b.tar", "."])
def test_an_archive_that_cannot_be_written_is_named(lived, tmp_path, target):
    with pytest.raises(ConfigError, match="cannot write"):
        write_backup(lived, tmp_path / target, 0)


def test_nothing_to_back_up_or_to_restore(elsewhere, tmp_path):
    with pytest.raises(ConfigError, match="nothing to back up"):
        write_backup(elsewhere, tmp_path / "b.tar", 0)
    with pytest.raises(ConfigError, match="does not exist"):
        restore_backup(tmp_path / "none.tar", elsewhere, 0)
