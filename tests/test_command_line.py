import subprocess
import sys

import pytest

ENDS = """
import sys, threading
from daemon import cli

def busy():
    while True:
        sys.stdout.write("x" * 1000)

def app():
    threading.Thread(target=busy, daemon=True).start()
    threading.Event().wait(0.05)
    sys.exit(3)

cli.app = app
cli.main()
"""


@pytest.mark.parametrize("time", range(3))
def test_a_thread_that_still_writes_does_not_abort_the_end(time):
    done = subprocess.run([sys.executable, "-c", ENDS], capture_output=True, check=False, timeout=60)
    assert done.returncode == 3, done.stderr[-500:]
