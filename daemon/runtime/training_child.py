"""The training process from within: one job after another, until the daemon hangs up. It is started as a program of its own."""

from __future__ import annotations

import contextlib
import json
import math
import mmap
import os
import select
import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from daemon.core.clock import SystemClock
from daemon.core.errors import CandledError
from daemon.features.gathering import Gathering, Piece
from daemon.learning.job import TrainingJob
from daemon.runtime.allocators import give_back

if TYPE_CHECKING:
    from numpy.typing import NDArray

_REST_S = 0.5
"""Without a command for so long, the next one is not about to come."""


def _received(memory: int, command: dict[str, Any]) -> tuple[Gathering, NDArray[np.float64]]:
    """What the parent has laid down, as it lies there: the parent takes it back when it has its answer."""
    shared = mmap.mmap(memory, 0, access=mmap.ACCESS_READ)
    *tables, labels = (
        np.frombuffer(shared, dtype, math.prod(shape), start).reshape(shape)
        for dtype, shape, start in command["places"]
    )
    pieces = zip(tables[::2], tables[1::2], command["back"], strict=True)
    return Gathering(tuple(Piece(values, at, range(*back)) for values, at, back in pieces)), labels


def _next_command(commands: BinaryIO) -> bytes:
    """The parent's next line, empty when it has hung up; a child at rest keeps no memory that a training left free."""
    if not select.select([commands], [], [], _REST_S)[0]:
        give_back()
    return commands.readline()


def _serve(memory: int, answers: int) -> None:
    """The child's loop: one command, one answer, until the parent hangs up."""
    from daemon.learning.fit import train  # noqa: PLC0415  only the child needs the model libraries
    from daemon.runtime.user_models import use_model_of  # noqa: PLC0415  as above

    clock, commands = SystemClock(), sys.stdin.buffer  # a user's model may put something else in its place
    while line := _next_command(commands):
        command = json.loads(line)
        answer: dict[str, Any]
        try:
            features, labels = _received(memory, command)
            job = TrainingJob.from_json(command["job"])
            use_model_of(job)
            result = train(job, features.matrix(), labels, Path(command["folder"]), clock.monotonic_s)
            answer = {"result": result.to_json()}
        except CandledError as exc:
            answer = {"refused": str(exc)}
        except MemoryError:
            answer = {"bug": "the machine has no memory left for the training"}
        except OSError as exc:  # the disk is full, say: no bug of ours, and no traceback for the user
            answer = {"bug": f"{type(exc).__name__}: {exc}"}
        except Exception:  # noqa: BLE001  the root of the process: the parent reports it
            answer = {"bug": traceback.format_exc(limit=-6)}
        os.write(answers, json.dumps(answer).encode() + b"\n")


def _die_with(parent: int) -> None:
    """Have the kernel end this process when its parent ends, however that happens."""
    import ctypes  # noqa: PLC0415  only the child needs it

    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before we asked
        sys.exit(0)


def main(arguments: list[str]) -> None:
    """Entry point of the child."""
    memory, answers, parent, nice = map(int, arguments)
    _die_with(parent)
    with contextlib.suppress(OSError):  # where a container forbids it, trainings are less polite
        os.nice(nice)
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    with contextlib.suppress(OSError):  # where memory runs out, a training shall be ended, not the daemon
        Path("/proc/self/oom_score_adj").write_text("500")
    _serve(memory, answers)


if __name__ == "__main__":
    main(sys.argv[1:])
