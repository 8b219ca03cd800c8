"""The disk as the state folder's code uses it, recorded step by step, or made to fail."""

import contextlib
import errno
import os
from pathlib import Path
from typing import NamedTuple


class Step(NamedTuple):
    """One call: its name, the path that it is about, and what belongs to it."""

    name: str
    path: Path
    more: tuple = ()


class RecordingOs:
    """Stands in for the module ``os``: calls go through, and those that change the disk are noted."""

    def __init__(self, before=None):
        self.steps = []
        self._before = before or (lambda step: None)

    def __getattr__(self, name):
        return getattr(os, name)

    def _note(self, name, path, *more):
        step = Step(name, Path(path), more)
        self._before(step)
        self.steps.append(step)

    def open(self, path, flags, mode=0o777):
        created = bool(flags & os.O_CREAT)
        if created:
            self._note("create", path)
        return os.open(path, flags, mode)

    def write(self, fd, data):
        self._note("write", _path(fd), os.lseek(fd, 0, os.SEEK_CUR), bytes(data))
        return os.write(fd, data)

    def pwrite(self, fd, data, at):
        self._note("write", _path(fd), at, bytes(data))
        return os.pwrite(fd, data, at)

    def fsync(self, fd):
        self._note("fsync", _path(fd))
        return os.fsync(fd)

    def ftruncate(self, fd, size):
        self._note("ftruncate", _path(fd), size)
        return os.ftruncate(fd, size)

    def replace(self, source, target):
        self._note("replace", source, Path(target))
        return Path(source).replace(target)

    def rename(self, source, target):
        self._note("rename", source, Path(target))
        return Path(source).rename(target)

    def unlink(self, path):
        self._note("unlink", path)
        return Path(path).unlink()

    def mkdir(self, path, mode=0o777):
        self._note("mkdir", path)
        return Path(path).mkdir(mode)


def _path(fd):
    return Path(f"/proc/self/fd/{fd}").readlink()


@contextlib.contextmanager
def recorded(module, *, fail=None, skip=None, before=None):
    """Record what a module does to the disk.

    ``fail={"fsync": 1}`` lets the first fsync fail for want of space, ``skip={"fsync": 3}`` those after the third.
    """
    left, passed = dict(fail or {}), dict(skip or {})

    def check(step):
        if before is not None:
            before(step)
        if passed.get(step.name, 0) > 0:
            passed[step.name] -= 1
        elif left.get(step.name, 0) > 0:
            left[step.name] -= 1
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    recording = RecordingOs(check)
    module.os = recording
    try:
        yield recording.steps
    finally:
        module.os = os
