"""Kill or power cut at any step of a life: every acknowledged prediction and model is there, once."""

import os
import shutil

import numpy as np
import pytest
from crash_life import check, live
from disk import Step, recorded
from power_cut import Disk, build

from daemon.state import atomic
from daemon.state.folder import StateFolder


@pytest.fixture(scope="module")
def life(tmp_path_factory):
    """Root of a folder and all that was done to it, acknowledgements in between."""
    root = tmp_path_factory.mktemp("life") / "example"
    root.mkdir()
    with recorded(atomic) as steps:
        live(
            StateFolder(root),
            11,
            lambda kind, number: steps.append(Step("ack", root, (kind, number))),
            ticks=24,
        )
    return root, list(steps)


def _ends(life, tmp_path, places, ending):
    """Build and check the state after each of the given numbers of steps."""
    root, steps = life
    disk, acknowledged = Disk(root), []
    for done, step in enumerate(steps):
        if done in places:
            for state in ending(disk):
                target = tmp_path / "example"
                build(state, root, target)
                check(
                    StateFolder(target),
                    acknowledged,
                    attempted=len([a for a in acknowledged if a[0] == "tick"]) + 1,
                )
                shutil.rmtree(target)
        if step.name == "ack":
            acknowledged.append(step.more)
        else:
            disk.do(step)


def test_the_life_has_seen_everything(life):
    _, steps = life
    names = {step.path.name.rstrip("0123456789") for step in steps}
    assert any("historic_predictions.journal" in name for name in names)
    assert any(
        step.name == "replace" and step.more[0].name == "historic_predictions.backup.pkl" for step in steps
    )
    assert sum(step.name == "rename" and step.more[0].name.startswith("sub-train-") for step in steps) >= 4
    assert sum(step.name == "ack" for step in steps) >= 28


def _sample(life, share):
    """Every place if ``share`` is 1, else a seeded share of them."""
    random = np.random.default_rng(2)
    return {n for n in range(len(life[1])) if random.random() < share}


def test_a_kill_at_a_sample_of_the_steps(life, tmp_path):
    _ends(life, tmp_path, _sample(life, 0.2), lambda disk: [disk.killed()])


def test_a_power_cut_at_a_sample_of_the_steps(life, tmp_path):
    random = np.random.default_rng(4)
    _ends(life, tmp_path, _sample(life, 0.3), lambda disk: [disk.cut(random)])


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif("CANDLED_LONG" not in os.environ, reason="takes minutes: set CANDLED_LONG=1")
def test_a_kill_and_eight_power_cuts_at_every_step(life, tmp_path):
    random = np.random.default_rng(6)
    _ends(
        life, tmp_path, _sample(life, 1), lambda disk: [disk.killed(), *(disk.cut(random) for _ in range(8))]
    )
