"""JSON documents with a checksum inside: written by us, read with suspicion."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from typing import TYPE_CHECKING, Any

from daemon.core.errors import Corrupt

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# Larger than any state document; a file of this size is something else.
_LARGEST = 64 << 20


class NewerFormat(Corrupt):
    """A file that a newer candled wrote: sound, but not for us to read. It is never changed."""


def digest(document: Mapping[str, Any]) -> str:
    """SHA-256 over the canonical form of a JSON document, hexadecimal."""
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def encoded(document: Mapping[str, Any]) -> bytes:
    """A JSON document as it lies on the disk."""
    return json.dumps(document, indent=1, ensure_ascii=True).encode() + b"\n"


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        FileNotFoundError: there is no such file.
        Corrupt: it is not a regular file, cannot be read, or is no JSON object; the message names it.
    """
    try:
        document = json.loads(read_regular(path, _LARGEST))
    except (ValueError, RecursionError) as exc:
        raise Corrupt(f"{path} is not JSON: {exc}") from exc
    if not isinstance(document, dict):
        raise Corrupt(f"{path} holds a {type(document).__name__} where an object is due")
    return document


def read_regular(path: Path, largest: int) -> bytes:
    """The bytes of a regular file; symbolic links are not followed.

    Raises:
        FileNotFoundError: there is no such file.
        Corrupt: it is something else, too large, or cannot be read; the message names it.
    """
    try:
        fd = open_regular(path)
        with os.fdopen(fd, "rb") as stream:
            data = stream.read(largest + 1)
    except FileNotFoundError:
        raise
    except OSError as exc:
        raise Corrupt(f"{path} cannot be read: {exc.strerror or exc}") from exc
    if len(data) > largest:
        raise Corrupt(f"{path} is larger than {largest} bytes")
    return data


def open_regular(path: Path) -> int:
    """A descriptor, for reading, of a regular file that is not reached through a link at its end.

    Raises:
        OSError: there is none, or it may not be read.
        Corrupt: it is a folder, a device or a pipe; the message names it.
    """
    # O_NONBLOCK: a pipe in the file's place must not hang the start.
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise Corrupt(f"{path} is not a regular file")
    return fd
