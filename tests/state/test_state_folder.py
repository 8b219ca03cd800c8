"""Who holds the folder, and what is said when it cannot be had."""

import json
import os
import signal
import subprocess
import sys

import pytest

from daemon.core.errors import ConfigError, FolderInUse
from daemon.state.folder import StateFolder

HOLD = """
import sys, pathlib
from daemon.state.folder import StateFolder
held = StateFolder(pathlib.Path(sys.argv[1])).acquire(1_732_000_000_000)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other(folder):
    """Another process that holds the folder."""
    command = [sys.executable, "-c", HOLD, str(folder.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_missing_folder_is_made_and_taken(tmp_path):
    folder = StateFolder(tmp_path / "user_data" / "models" / "new")
    with folder.acquire(5000):
        assert folder.path.is_dir()
        assert folder.holder().pid == os.getpid()
        assert folder.holder().since_ms == 5000
    assert folder.holder() is None


def test_a_second_daemon_is_told_who_holds_the_folder(folder, other):
    with pytest.raises(FolderInUse, match=f"process {other.pid} since 2024-11-19T07:06:40Z"):
        folder.acquire(0)


def test_asking_for_the_holder_takes_nothing_and_stops_nobody(folder, other):
    assert folder.holder().pid == other.pid
    other.stdin.close()
    other.wait()
    assert folder.holder() is None
    folder.acquire(0).release()


def test_the_lock_of_a_killed_process_blocks_nobody(folder, other):
    os.kill(other.pid, signal.SIGKILL)
    other.wait()
    with folder.acquire(7):
        assert folder.holder().pid == os.getpid()


def test_a_loser_leaves_the_holders_note_alone(folder, other):
    for _ in range(2):
        with pytest.raises(FolderInUse, match=str(other.pid)):
            folder.acquire(0)


def test_releasing_twice_does_nothing(folder):
    held = folder.acquire(0)
    held.release()
    held.release()
    with folder.acquire(0):  # and it is free for the next
        pass


def test_a_file_in_the_folders_place_is_named_with_its_remedy(tmp_path):
    (tmp_path / "models").write_text("")
    with pytest.raises(ConfigError, match=r"models.*move it away"):
        StateFolder(tmp_path / "models" / "example").acquire(0)


def test_a_folder_in_the_lock_files_place_is_named(folder):
    folder.lock.mkdir()
    with pytest.raises(ConfigError, match=r"example.*move it away"):
        folder.acquire(0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_folder_of_somebody_else_is_named_with_its_remedy(folder):
    folder.path.chmod(0o555)
    for parent in folder.path.parents:
        if parent.stat().st_uid == os.getuid() and len(parent.parts) > 2:
            parent.chmod(0o755)
    script = (
        "import os, sys, pathlib\n"
        "from daemon.state.folder import StateFolder\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "try:\n    StateFolder(pathlib.Path(sys.argv[1])).acquire(0)\n"
        "except Exception as exc:\n    print(type(exc).__name__, exc)\n"
    )
    out = subprocess.run(
        [sys.executable, "-c", script, folder.path], capture_output=True, text=True, check=True
    )
    assert out.stdout.startswith("ConfigError")
    assert str(folder.path) in out.stdout
    assert "write permission" in out.stdout


def test_temporary_files_of_a_killed_writer_are_cleared(folder):
    leftover = folder.path / ".pair_dictionary.json.1-1.tmp"
    leftover.write_bytes(b"half")
    with folder.acquire(0):
        assert not leftover.exists()


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("config.json", "config_config.json"),
        ("my bot.json", "config_my_bot.json"),
        ("../x.json", "config_.._x.json"),
    ],
)
def test_the_configuration_is_kept_inside_the_folder(folder, name, file):
    folder.save_config(name, {"exchange": {"key": "***"}})
    assert json.loads((folder.path / file).read_text()) == {"exchange": {"key": "***"}}


def test_a_folder_in_the_configurations_place_is_set_aside(folder):
    (folder.path / "config_config.json").mkdir()
    folder.save_config("config.json", {"a": 1})
    assert (folder.path / "config_config.json").is_file()
    assert (folder.set_aside / "config_config.json").is_dir()
