"""Two processes that save at once: impossible by the lock, and harmless to each file even without it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.core.errors import FolderInUse
from daemon.state.folder import StateFolder
from daemon.state.pair_dictionary import PairDictionary

SAVER = """
import sys, pathlib
from daemon.core.pair import Pair
from daemon.state.folder import StateFolder
from daemon.state.pair_dictionary import PairDictionary
from daemon.state.queue import PairEntry
folder = StateFolder(pathlib.Path(sys.argv[1]))
book = PairDictionary(folder, {}, 0)
print("ready", flush=True)
for n in range(150):
    book.update_all({Pair(f"C{i}/USDT"): PairEntry(model_filename=sys.argv[2] * 50, attempts=n) for i in range(20)})
"""


@pytest.fixture
def savers(tmp_path):
    """Two processes that write the same pair dictionary, each its own content, without asking for the lock."""
    root = Path(__file__).parent.parent.parent
    environment = os.environ | {"PYTHONPATH": str(root)}
    (tmp_path / "example").mkdir()
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SAVER, tmp_path / "example", name], stdout=subprocess.PIPE, env=environment
        )
        for name in "ab"
    ]
    for process in processes:
        assert process.stdout.readline() == b"ready\n"
    yield processes
    for process in processes:
        process.stdout.close()
        process.wait()


def test_whoever_wins_the_file_is_whole(tmp_path, savers):
    folder = StateFolder(tmp_path / "example")
    while any(process.poll() is None for process in savers):
        if folder.pair_dictionary.exists():
            book = PairDictionary.read(folder)
            assert book.damages == ()
            assert len({entry.model_filename for entry in book.entries.values()}) == 1
    assert all(process.returncode == 0 for process in savers)
    assert len(PairDictionary.read(folder).entries) == 20
    assert not list(folder.path.glob(".*"))


def test_the_lock_lets_one_in(tmp_path):
    folder = StateFolder(tmp_path / "example")
    with folder.acquire(0), pytest.raises(FolderInUse):
        StateFolder(tmp_path / "example").acquire(0)
