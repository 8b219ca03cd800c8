"""The end of a command."""

import os
import subprocess
import sys

import pytest

ENDS = """
import ctypes, sys
from daemon import cli

def app():
    libc = ctypes.CDLL(None)
    libc.__cxa_atexit(libc.abort, None, None)  # as a library whose threads still run when it is torn down
    {last}

cli.app = app
cli.main()
"""


@pytest.mark.parametrize(
    ("last", "status"), [("sys.exit(3)", 3), ("raise ZeroDivisionError('a bug')", 1)], ids=["exit", "bug"]
)
def test_a_library_that_would_abort_at_the_end_does_not_change_the_status(last, status):
    done = subprocess.run(
        [sys.executable, "-c", ENDS.format(last=last)], capture_output=True, check=False, timeout=60
    )
    assert done.returncode == status, done.stderr[-500:]
    assert (b"a bug" in done.stderr) == (status == 1)


def test_its_last_words_leave():
    words = "from daemon import cli; cli.app = lambda: print('the end'); cli.main()"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, b"the end\n")


@pytest.mark.parametrize(
    ("redirected", "status", "said"),
    [("> /dev/full", 1, b"cannot be written: No space left on device"), (">&-", 0, b"")],
    ids=["full disk", "closed"],
)
def test_output_that_got_lost_is_no_success(redirected, status, said):
    words = "from daemon import cli; cli.app = lambda: print('the end'); cli.main()"
    env = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    command = ["sh", "-c", f'exec "$0" -c "$1" {redirected}', sys.executable, words]
    done = subprocess.run(command, stderr=subprocess.PIPE, check=False, timeout=60, env=env)
    assert done.returncode == status, done.stderr
    assert said in done.stderr
