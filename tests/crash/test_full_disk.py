"""A disk that is full for a while: everything goes on, nothing acknowledged is lost, and all is written afterwards."""

import os
import resource
import signal
import subprocess

import pytest
from crash_life import PAIRS, check, rows, train

from daemon.core.errors import Retryable
from daemon.state.artifacts import ArtifactStore
from daemon.state.folder import StateFolder
from daemon.state.history import PredictionHistory
from daemon.state.pair_dictionary import PairDictionary


@pytest.fixture
def small_disk(tmp_path):
    """A file system of one megabyte."""
    root = tmp_path / "small"
    root.mkdir()
    mounted = os.geteuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", root], check=False, capture_output=True
    )
    if not mounted or mounted.returncode:
        pytest.skip("no file system may be mounted here")
    yield root
    subprocess.run(["umount", "--lazy", root], check=True)


def fill(root):
    with (root / "filler").open("wb", buffering=0) as filler:
        for size in (65536, 4096, 1):
            while True:
                try:
                    filler.write(b"x" * size)
                except OSError:
                    break


def live_through(folder, full, free):
    """Ten good ticks, sixty on a full disk, ten good ones; returns what was acknowledged."""
    history, book, store = PredictionHistory.open(folder), PairDictionary.open(folder), ArtifactStore(folder)
    acknowledged = []

    def acknowledge(kind, number):
        acknowledged.append((kind, number))

    for n in range(1, 11):
        assert history.append(rows(n)).saved
        acknowledge("tick", n)
    train(store, book, PAIRS[0], 3000, acknowledge)
    full()
    for n in range(11, 71):  # the first of them may fit in what is left of the journal's last page
        if history.append(rows(n)).saved:
            acknowledge("tick", n)
    assert history.unsaved > 0
    assert history.failing
    assert not history.compact()
    with pytest.raises(OSError, match=r"No space|File too large"):
        train(store, book, PAIRS[1], 3300, acknowledge)
    assert history.frame(PAIRS[0])["&-s_close"].iloc[-1] == 70
    free()
    for n in range(71, 81):
        assert history.append(rows(n)).saved
        acknowledge("tick", n)
    assert history.unsaved == 0
    assert not history.failing
    train(store, book, PAIRS[1], 24_000, acknowledge)
    return history, acknowledged


def test_a_full_file_system(small_disk):
    folder = StateFolder(small_disk / "example")
    folder.path.mkdir()
    history, acknowledged = live_through(folder, lambda: fill(small_disk), (small_disk / "filler").unlink)
    check(folder, acknowledged, attempted=80)
    history.close()


def test_a_full_file_system_until_the_stop(small_disk):
    folder = StateFolder(small_disk / "example")
    folder.path.mkdir()
    history = PredictionHistory.open(folder)
    for n in range(1, 11):
        history.append(rows(n))
    fill(small_disk)
    saved = [n for n in range(11, 71) if history.append(rows(n)).saved]
    history.close()
    (small_disk / "filler").unlink()
    check(folder, [("tick", n) for n in (*range(1, 11), *saved)], attempted=70)


def test_a_start_on_a_full_file_system_says_so(small_disk):
    fill(small_disk)
    with pytest.raises(Retryable, match="disk is full"):
        StateFolder(small_disk / "example").acquire(0)


def test_a_limit_on_file_sizes(tmp_path):
    """The same without a file system of its own: every file ends where the journal is now."""
    folder = StateFolder(tmp_path / "example")
    folder.path.mkdir()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def full():
        resource.setrlimit(resource.RLIMIT_FSIZE, (200, before[1]))

    def free():
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    try:
        _, acknowledged = live_through(folder, full, free)
    finally:
        free()
        signal.signal(signal.SIGXFSZ, previous)
    check(folder, acknowledged, attempted=80)
