"""One spawned training process: its pipes, and the memory that it shares with us."""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import select
import subprocess
import sys
import tempfile
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_ALIGNED = 64
"""Bytes to whose multiples arrays are laid in the shared memory."""
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


class Child:
    """One process that trains (`daemon.runtime.training_child`), from its start to its end.

    Args:
        threads: cap on its threads.
        nice: added to its niceness.
    """

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
        os.ftruncate(self._memory, max(starts.pop(), os.fstat(self._memory).st_size, 1))
        for array, start in zip(arrays, starts, strict=True):
            self._write(array, start)
        return [(str(array.dtype), array.shape, start) for array, start in zip(arrays, starts, strict=True)]

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
        """One command; the pipe takes it whole.

        Raises:
            BrokenPipeError: the child is gone.
        """
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
        """End it at once, and let go of what belongs to it."""
        self.process.kill()
        self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()
        os.close(self._answers)
        os.close(self._memory)
        self._stderr.close()
