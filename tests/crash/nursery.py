"""Kills real processes while they save: `python nursery.py FOLDER TRIALS SEED`.

The imports are paid for once, here; each life is a fork. Half of them kill themselves at a recorded step
(half of these in the middle of a write), the others are killed from outside, wherever they are a moment after they
have told that they are about to take such a step. Prints one JSON line of figures: how many were begun, and how many
died in which way (the others came to their end before their step); ends with an error at the first life whose
acknowledgements are not honoured.
"""

import json
import os
import shutil
import signal
import struct
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

import numpy as np
from crash_life import check, live
from disk import recorded

from daemon.state import atomic
from daemon.state.folder import StateFolder

_ACK = struct.Struct("<cq")
_STEPS = 120
_TICKS = 8
_AHEAD = 6
"""Steps that a life gets on with while its killer is on the way; then it waits, however slow the machine is."""


def child(folder, random, ack_fd, own_death):
    """One life, which ends by its own hand or by the parent's, unless it is over before that."""
    dies_at, steps = int(random.integers(1, _STEPS)), 0

    def before(step):
        nonlocal steps
        steps += 1
        if own_death and steps >= dies_at:
            if step.name == "write" and random.random() < 0.5:
                place, data = step.more
                with step.path.open("r+b") as file:
                    file.seek(place)
                    file.write(data[: int(random.integers(len(data) + 1))])
            os.kill(os.getpid(), signal.SIGKILL)
        if not own_death and steps == dies_at:
            os.write(ack_fd, _ACK.pack(b"s", steps))
        elif not own_death and steps > dies_at + _AHEAD:
            signal.pause()

    def acknowledge(kind, number):
        os.write(ack_fd, _ACK.pack(b"k" if kind == "tick" else b"m", number))

    with recorded(atomic, before=before), folder.acquire(0):
        live(folder, int(random.integers(2**31)), acknowledge, _TICKS)
        if not own_death and steps >= dies_at:
            signal.pause()


def trial(folder, seed, acknowledged):
    """Fork a life, see it end, return how it was killed: by its ``own`` hand, from ``outside``, or (empty) not at all."""
    random = np.random.default_rng(seed)
    own_death = random.random() < 0.5
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 3
        try:
            os.close(reading)
            child(folder, random, writing, own_death)
            status = 0
        finally:
            # Whatever happened, the fork must not return into the parent's loop.
            if status:
                traceback.print_exc()
            os._exit(status)
    os.close(writing)
    data, told = b"", False
    while chunk := os.read(reading, 65536):
        data += chunk
        if not told and b"s" in (kind for kind, _ in _acknowledged(data)):
            told = True
            time.sleep(float(random.exponential(0.002)))
            os.kill(pid, signal.SIGKILL)
    os.close(reading)
    _, status = os.waitpid(pid, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise RuntimeError(f"a life failed by itself: {status}")
    kinds = {b"k": "tick", b"m": "training"}
    acknowledged += [(kinds[kind], number) for kind, number in _acknowledged(data) if kind in kinds]
    if not os.WIFSIGNALED(status):
        return ""
    return "outside" if told else "own"


def _acknowledged(data):
    """What a life has told in whole words."""
    return _ACK.iter_unpack(data[: len(data) // _ACK.size * _ACK.size])


def main(root, trials, seed):
    random = np.random.default_rng(seed)
    deaths, folder, acknowledged = Counter(own=0, outside=0), None, []
    for i in range(trials):
        # Every tenth life begins in a new folder, so that the first steps are tried too.
        if i % 10 == 0:
            folder, acknowledged = StateFolder(root / f"example{i}"), []
            folder.path.mkdir(parents=True)
        deaths[trial(folder, int(random.integers(2**31)), acknowledged)] += 1
        with folder.acquire(0):
            try:
                check(folder, acknowledged, attempted=_TICKS * (i % 10 + 1))
            except Exception as exc:
                exc.add_note(f"seed {seed}, trial {i}, folder {folder.path}")
                raise
        if i % 10 == 9:
            shutil.rmtree(folder.path)
    sys.stdout.write(
        json.dumps({"started": trials, "own": deaths["own"], "outside": deaths["outside"]}) + "\n"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
