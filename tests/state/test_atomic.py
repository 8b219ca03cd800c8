"""Files that are old or new, never half."""

import os

import pytest

from daemon.state import atomic


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_content_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old and longer")
    atomic.write_atomic_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["file"]


def test_a_writer_that_fails_changes_nothing_and_leaves_nothing(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def half(stream):
        stream.write(b"x" * 1_000_000)
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        atomic.write_atomic(path, half)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_a_link_in_the_files_place_is_replaced_and_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.write_bytes(b"precious")
    (tmp_path / "link").symlink_to(outside)
    atomic.write_atomic_bytes(tmp_path / "link", b"new")
    assert outside.read_bytes() == b"precious"
    assert not (tmp_path / "link").is_symlink()


def test_data_reaches_the_disk_before_the_name_does(tmp_path, recorded):
    with recorded(atomic) as steps:
        atomic.write_atomic_bytes(tmp_path / "file", b"data")
    done = [step.name for step in steps]
    assert done.index("write") < done.index("fsync") < done.index("replace")
    assert done[-1] == "fsync"
    assert steps[-1].path == tmp_path


def test_a_folder_is_published_after_every_file_in_it(tmp_path, recorded):
    staging = tmp_path / "staging" / "1"
    staging.mkdir(parents=True)
    (staging / "a").write_bytes(b"a")
    (staging / "b").write_bytes(b"b")
    with recorded(atomic) as steps:
        atomic.publish_folder(staging, tmp_path / "final")
    synced = [step.path.name for step in steps[: [step.name for step in steps].index("rename")]]
    assert set(synced) == {"a", "b", "1"}
    assert names(tmp_path / "final") == ["a", "b"]


def test_a_published_folder_is_never_overwritten(tmp_path):
    (tmp_path / "staging").mkdir()
    (tmp_path / "final").mkdir()
    with pytest.raises(FileExistsError):
        atomic.publish_folder(tmp_path / "staging", tmp_path / "final")


def test_setting_aside_keeps_every_byte_and_every_name(tmp_path):
    for content in (b"first", b"second", b"third"):
        (tmp_path / "file").write_bytes(content)
        atomic.set_aside(tmp_path / "file")
    kept = {path.name: path.read_bytes() for path in (tmp_path / "set-aside").iterdir()}
    assert kept == {"file": b"first", "file.1": b"second", "file.2": b"third"}


def test_an_append_is_whole_or_not_at_all(tmp_path, recorded):
    (tmp_path / "file").write_bytes(b"head")
    file = atomic.AppendFile(tmp_path / "file", 4)
    with recorded(atomic, fail={"fsync": 1}), pytest.raises(OSError, match="No space"):
        file.append(b"lost", sync=True)
    assert (tmp_path / "file").read_bytes() == b"head"
    file.append(b"kept", sync=True)
    file.close()
    assert (tmp_path / "file").read_bytes() == b"headkept"


def test_a_torn_tail_is_cut_when_the_file_is_opened(tmp_path):
    (tmp_path / "file").write_bytes(b"headtorn")
    file = atomic.AppendFile(tmp_path / "file", 4)
    file.append(b"!", sync=True)
    file.close()
    assert (tmp_path / "file").read_bytes() == b"head!"


def test_a_folder_is_gone_at_once(tmp_path):
    doomed = tmp_path / "model"
    doomed.mkdir()
    (doomed / "file").write_bytes(b"x")
    atomic.remove_folder(doomed, tmp_path / "staging")
    assert not doomed.exists()
    assert list((tmp_path / "staging").iterdir()) == []


def test_a_file_that_nobody_closes_is_closed_with_its_object(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    file = atomic.AppendFile(tmp_path / "file", 0)
    descriptor = file._fd
    del file
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
