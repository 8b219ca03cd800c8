"""SIGKILL of real processes while they save."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

NURSERY = Path(__file__).parent / "nursery.py"


def kill(tmp_path, trials, seed, timeout_s):
    command = [sys.executable, NURSERY, tmp_path, str(trials), str(seed)]
    tests = NURSERY.parent.parent
    paths = os.pathsep.join(map(str, (tests.parent, tests, NURSERY.parent)))
    environment = os.environ | {"PYTHONPATH": paths}
    out = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=timeout_s, env=environment
    )
    assert out.returncode == 0, out.stdout + out.stderr
    return json.loads(out.stdout.splitlines()[-1])


def test_forty_killed_lives_keep_every_acknowledgement(tmp_path):
    figures = kill(tmp_path, 40, 1, 280)
    assert figures["started"] == 40
    assert figures["own"] > 12
    assert figures["outside"] > 12


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif("CANDLED_LONG" not in os.environ, reason="takes minutes: set CANDLED_LONG=1")
def test_a_thousand_killed_lives_keep_every_acknowledgement(tmp_path):
    assert kill(tmp_path, 1000, 2, 1700)["started"] == 1000
