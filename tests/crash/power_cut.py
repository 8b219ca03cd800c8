"""What a power cut may leave of a recorded sequence of writes, fsyncs and renames.

Whatever was not fsynced may be there, not be there, or be there in part: bytes of a file since its last
fsync, and names in a folder since the folder's last fsync. Zeros may stand where bytes were to come.
"""

from pathlib import Path


class _File:
    def __init__(self):
        self.durable = b""
        self.pending = []

    def content(self, steps):
        """Bytes after the first ``steps`` pending changes."""
        data = bytearray(self.durable)
        for at, new in self.pending[:steps]:
            if new is None:
                data = data[:at].ljust(at, b"\0")
            else:
                data = data.ljust(at, b"\0")
                data[at : at + len(new)] = new
        return bytes(data)

    def left(self, random):
        """Bytes that may be found."""
        if not self.pending:
            return self.durable
        steps = int(random.integers(len(self.pending) + 1))
        data = self.content(steps)
        if steps < len(self.pending) and random.random() < 0.6:
            at, new = self.pending[steps]
            if new:
                part = new[: int(random.integers(len(new) + 1))]
                kept = part if random.random() < 0.5 else bytes(len(part))
                data = data.ljust(at, b"\0")[:at] + kept
                if random.random() < 0.3:
                    data = data.ljust(at + len(new), b"\0")
        return data


class Disk:
    """A file system that is told what was done to it."""

    def __init__(self, root):
        self._root = root
        self._names = {root: None}
        self._durable = {root: None}
        self._pending = []

    def do(self, step):
        """Apply one recorded step."""
        getattr(self, f"_{step.name}")(step.path, *step.more)

    def _create(self, path):
        if path not in self._names:
            self._named(("add", path, _File()))

    def _mkdir(self, path):
        self._named(("add", path, None))

    def _replace(self, path, target):
        self._named(("move", path, target))

    _rename = _replace

    def _unlink(self, path):
        self._named(("drop", path, None))

    def _write(self, path, at, data):
        self._names[path].pending.append((at, data))

    def _ftruncate(self, path, size):
        self._names[path].pending.append((size, None))

    def _fsync(self, path):
        file = self._names.get(path)
        if file is not None:
            file.durable, file.pending = file.content(len(file.pending)), []
            return
        kept = []
        for change in self._pending:
            if path in {change[1].parent, change[2].parent if change[0] == "move" else None}:
                _apply(self._durable, change)
            else:
                kept.append(change)
        self._pending = kept

    def _named(self, change):
        _apply(self._names, change)
        self._pending.append(change)

    def killed(self):
        """What a process that is killed leaves: everything it did."""
        return {
            path: None if file is None else file.content(len(file.pending))
            for path, file in self._names.items()
        }

    def cut(self, random):
        """One of the states that a power cut may leave."""
        names = dict(self._durable)
        kind = random.integers(4)
        end = int(random.integers(len(self._pending) + 1))
        for i, change in enumerate(self._pending):
            if kind == 0 or (kind == 1 and i < end) or (kind == 2 and random.random() < 0.5):
                _apply(names, change)
        return {path: None if file is None else file.left(random) for path, file in names.items()}


def _apply(names, change):
    kind, path, more = change
    if kind == "add":
        if path.parent in names:
            names[path] = more
    elif kind == "drop":
        names.pop(path, None)
    elif path in names and more.parent in names:
        for each in [each for each in names if each == path or path in each.parents]:
            names[more / each.relative_to(path)] = names.pop(each)


def build(state, root, target):
    """Write a state of the folder ``root`` to the folder ``target``."""
    for path, content in sorted(state.items()):
        place = Path(target) / path.relative_to(root)
        if content is None:
            place.mkdir(parents=True, exist_ok=True)
        elif place.parent.is_dir():
            place.write_bytes(content)
