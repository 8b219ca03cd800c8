"""The training process, as the daemon sees it: a child that fits models, so that a training may crash without the daemon.

`TrainingProcess` spawns it once and feeds it one job after another. Numbers go through an anonymous shared memory
file, commands and answers as JSON lines through two pipes. The child (`daemon.runtime.training_child`) runs niced,
with capped threads, and dies with its parent.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import select
import signal
import subprocess
import sys
import tempfile
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

from daemon.core.errors import CandledError, Refused
from daemon.learning.job import TrainingResult
from daemon.runtime.child_watch import ChildWatch

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from daemon.core.clock import Clock
    from daemon.features.gathering import Gathering
    from daemon.learning.job import TrainingJob

_LOOKS_S = (0.2, 0.5)
"""Real seconds from one look at the child, and whether the daemon stops, to the next: at first, and when a training is
known to take longer; an answer wakes at once."""
_FIRST_LOOKS = 10
_ALIGNED = 64
"""Bytes to whose multiples arrays are laid in the shared memory."""
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


class TrainingFailed(CandledError):
    """The training process died or broke while it trained; another job may still succeed."""


class TrainingStopped(CandledError):
    """The daemon is stopping; the job was abandoned."""


class TrainingProcess:
    """The parent's side.

    Used by one thread, which must live as long as the daemon: the child is told to die with it.

    Args:
        threads: cap on the child's threads.
        nice: added to the child's niceness.
        longest_s: real seconds after which a training is ended.
        patience_s: real seconds without any CPU time used, after which the child is taken to hang and is replaced.
        most_bytes: memory that the child may take; None: any.
        stop: abandons a running job.
        clock: for waiting.
        beat: called while a job runs and the child makes progress.
    """

    def __init__(
        self,
        *,
        threads: int,
        nice: int,
        stop: threading.Event,
        clock: Clock,
        longest_s: float = 3600.0,
        patience_s: float = 100.0,
        most_bytes: int | None = None,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._longest_s = longest_s
        self._patience_s = patience_s
        self._most_bytes = most_bytes
        self._beat = beat
        self._threads = threads
        self._nice = nice
        self._stop = stop
        self._clock = clock
        self._child: _Child | None = None

    def limit(self, *, longest_s: float, most_bytes: int | None) -> None:
        """Bounds of the trainings that begin from now on; called from any thread."""
        self._longest_s = longest_s
        self._most_bytes = most_bytes

    @property
    def pid(self) -> int | None:
        """Process id of the child while there is one."""
        return None if self._child is None else self._child.process.pid

    def run(
        self, job: TrainingJob, features: Gathering, labels: NDArray[np.float64], folder: Path
    ) -> TrainingResult:
        """Train one model in the child.

        Args:
            job: what to train.
            features: of n rows, float32; the child lays them out.
            labels: float64[n, targets].
            folder: where the child writes the model's files.

        Raises:
            Refused: the rows or parameters cannot be trained on.
            TrainingFailed: the child died, or hit a bug; the message says how.
            TrainingStopped: the daemon stops.
        """
        child = self._alive()
        try:
            places = child.put(
                [*(array for each in features.pieces for array in (each.values, each.at)), labels]
            )
            command = {
                "job": job.to_json(),
                "places": places,
                "back": [[each.back.start, each.back.stop] for each in features.pieces],
                "folder": str(folder.resolve()),
            }
            child.send(command)
            answer = self._answer(child)
        except (BrokenPipeError, EOFError) as exc:
            raise TrainingFailed(self._obituary()) from exc
        finally:
            child.release()
        if "refused" in answer:
            raise Refused(str(answer["refused"]))
        if "bug" in answer:
            raise TrainingFailed(str(answer["bug"]))
        return TrainingResult.from_json(answer["result"])

    def close(self) -> None:
        """End the child at once; what it was writing lies in staging and is cleared at the next start."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def _alive(self) -> _Child:
        if self._child is not None and self._child.process.poll() is not None:
            self.close()
        if self._child is None:
            self._child = _Child(self._threads, self._nice)
        return self._child

    def _answer(self, child: _Child) -> dict[str, Any]:
        longest_s = self._longest_s
        deadline_s = self._clock.monotonic_s() + longest_s
        watch = ChildWatch(
            child.process.pid, clock=self._clock, patience_s=self._patience_s, most_bytes=self._most_bytes
        )
        looks = 0
        while True:
            line = child.receive(timeout_s=_LOOKS_S[looks >= _FIRST_LOOKS])
            looks += 1
            if line is not None:
                answer: dict[str, Any] = json.loads(line)
                return answer
            if self._stop.is_set():
                self.close()
                raise TrainingStopped("the daemon is stopping")
            if fault := watch.fault():
                self.close()
                raise TrainingFailed(f"the training process {fault} and was ended")
            self._beat()
            if self._clock.monotonic_s() > deadline_s:
                self.close()
                raise TrainingFailed(
                    f"the training took longer than {longest_s / 60:g} minutes (candled.training.max_minutes) "
                    "and was ended"
                )

    def _obituary(self) -> str:
        """What is known about the child's death; it is buried."""
        child = self._child
        if child is None:
            return "the training process is gone"
        code = child.process.wait()
        how = f"was ended by signal {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
        if code == -signal.SIGKILL:  # not by us
            how += " (the kernel does that when memory runs out; see candled.training.max_memory_mb)"
        last_words = child.last_words()
        self.close()
        return f"the training process {how}" + (f": {last_words}" if last_words else "")


class _Child:
    """One spawned process with its pipes and shared memory."""

    def __init__(self, threads: int, nice: int) -> None:
        self._memory = os.memfd_create("candled-training")
        self._answers, answers_end = os.pipe()
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  lives as long as the child
        self._buffered = b""
        env = {**os.environ, **dict.fromkeys(_THREAD_VARIABLES, str(threads))}
        arguments = [str(self._memory), str(answers_end), str(os.getpid()), str(nice)]
        self.process = subprocess.Popen(  # noqa: S603  our own module, no shell
            # -P: what lies in the folder where candled was started is not imported in the place of our modules.
            [sys.executable, "-P", "-m", "daemon.runtime.training_child", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._stderr,
            pass_fds=(self._memory, answers_end),
            start_new_session=True,  # Ctrl-C on the terminal is the parent's business
            env=env,
        )
        os.close(answers_end)

    def put(self, arrays: Sequence[NDArray[Any]]) -> list[tuple[str, tuple[int, ...], int]]:
        """Lay arrays into the shared memory; of each its type, its shape, and at which byte it begins."""
        starts = list(accumulate((-(-array.nbytes // _ALIGNED) * _ALIGNED for array in arrays), initial=0))
        # It never shrinks: whoever looked at a part that is gone would be killed.
        os.ftruncate(self._memory, max(starts[-1], os.fstat(self._memory).st_size, 1))
        for array, start in zip(arrays, starts, strict=False):
            self._write(array, start)
        return [(str(array.dtype), array.shape, start) for array, start in zip(arrays, starts, strict=False)]

    def _write(self, numbers: NDArray[Any], at: int) -> None:
        """Through the file: at half of what it costs to touch fresh pages of memory."""
        left = memoryview(np.ascontiguousarray(numbers).view(np.uint8).reshape(-1).data)
        while left:
            taken = os.pwrite(self._memory, left, at)
            left, at = left[taken:], at + taken

    def release(self) -> None:
        """Give the shared memory back to the system: it reads as zeros from now on."""
        if self.process.poll() is None:
            # A container whose kernel cannot do that keeps it until the next training.
            with contextlib.suppress(OSError), mmap.mmap(self._memory, 0) as whole:
                whole.madvise(mmap.MADV_REMOVE)

    def send(self, command: dict[str, Any]) -> None:
        stdin = self.process.stdin
        if stdin is None:
            raise BrokenPipeError
        stdin.write(json.dumps(command).encode() + b"\n")
        stdin.flush()

    def receive(self, timeout_s: float) -> bytes | None:
        """One line of the child's, None if there is none yet.

        Raises:
            EOFError: the child is gone.
        """
        poll = select.poll()  # unlike select, it takes a file descriptor above 1023
        poll.register(self._answers, select.POLLIN)
        if poll.poll(timeout_s * 1000):
            data = os.read(self._answers, 1 << 16)
            if not data:
                raise EOFError
            self._buffered += data
        line, newline, rest = self._buffered.partition(b"\n")
        if not newline:
            return None
        self._buffered = rest
        return line

    def last_words(self) -> str:
        """The end of what the child wrote to its standard error."""
        size = self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, size - 400))
        return " ".join(self._stderr.read().decode(errors="replace").split())

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()
        os.close(self._answers)
        os.close(self._memory)
        self._stderr.close()
