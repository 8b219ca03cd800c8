"""SIGKILL at the calls by which the ledger changes the disk."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

HERE = Path(__file__).parent
pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")


@pytest.fixture
def place(tmp_path):
    """A folder in memory: what a kill leaves does not depend on the disk, and a sync there costs nothing."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else tmp_path) as name:
        yield Path(name)


def killed(place, story, every):
    library = place / "killer.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, HERE / "killer.c", "-ldl"], check=True)
    paths = os.pathsep.join(map(str, (HERE.parent.parent, HERE.parent, HERE)))
    out = subprocess.run(
        [sys.executable, HERE / "ledger_nursery.py", place, story, str(every)],
        capture_output=True,
        text=True,
        check=False,
        timeout=1700,
        env=os.environ | {"PYTHONPATH": paths, "LD_PRELOAD": str(library)},
    )
    assert out.returncode == 0, out.stdout + out.stderr
    return json.loads(out.stdout.splitlines()[-1])


def test_killed_at_a_call_in_seven_the_ledger_is_what_was_acknowledged(place):
    figures = killed(place, "writes", 7)
    assert figures["steps"] == 38
    assert figures["killed"] > 20


def test_killed_while_a_backup_is_put_back_the_next_start_puts_it_back(place):
    assert killed(place, "recovers", 3)["killed"] > 5


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif("CANDLED_LONG" not in os.environ, reason="takes minutes: set CANDLED_LONG=1")
@pytest.mark.parametrize("story", ["writes", "recovers"])
def test_killed_at_every_call_the_ledger_is_what_was_acknowledged(place, story):
    assert killed(place, story, 1)["killed"] > 20
