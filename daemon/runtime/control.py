"""The local socket through which commands reach a running daemon: one JSON line asks, one answers.

It lies in the state folder and is its owner's alone.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import struct
import threading
from typing import TYPE_CHECKING, Any

from daemon.core.errors import CandledError, ConfigError, Refused, Retryable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

log = logging.getLogger(__name__)

LONGEST_LINE = 64 * 1024
TALKERS = 8
"""Connections that are heard at once; more wait in the kernel."""
READ_S = 5.0
"""Longest wait for a request on a connection that was opened."""
ANSWER_S = 30.0
"""Longest wait for the daemon's answer."""
_LISTEN_S = 0.5
_LONGEST_ADDRESS = 100  # of the 108 bytes that the kernel has for it


class ControlServer:
    """Listens on the socket in threads of its own, until closed.

    Args:
        path: of the socket; what a dead process left there is replaced (the folder's lock is held).
        handle: answers a request. It may raise `CandledError`, whose words become the answer. Called from several
            threads.

    Raises:
        ConfigError: the socket cannot be made.
    """

    def __init__(self, path: Path, handle: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
        self._path = path
        self._handle = handle
        self._closed = threading.Event()
        self._slots = threading.BoundedSemaphore(TALKERS)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            path.unlink(missing_ok=True)
            with _address(path) as address:
                self._socket.bind(address)
            path.chmod(0o600)  # before `listen`: until then nobody can connect
            self._socket.listen(TALKERS)
        except OSError as exc:
            self._socket.close()
            raise ConfigError(
                f"{path}: cannot listen: {exc.strerror or exc}: give this user write permission, or choose another "
                "user_data_dir"
            ) from exc
        self._socket.settimeout(_LISTEN_S)
        self._thread = threading.Thread(target=self._listen, name="control", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Hear nobody any more, and remove the socket."""
        if self._closed.is_set():
            return
        self._closed.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # ends the `accept` under way
        self._thread.join(2 * _LISTEN_S)
        self._socket.close()
        with contextlib.suppress(OSError):
            self._path.unlink()

    def _listen(self) -> None:
        while not self._closed.is_set():
            try:
                talker, _ = self._socket.accept()
            except TimeoutError:
                continue
            except OSError as exc:  # too many open files: a passing fault, and no reason to stop trading
                if not self._closed.wait(_LISTEN_S):
                    log.warning("control_failed", extra={"fields": {"error": str(exc)}})
                continue
            self._slots.acquire()  # given back by the talk's own thread
            threading.Thread(target=self._talk, args=(talker,), name="control-talk", daemon=True).start()

    def _talk(self, talker: socket.socket) -> None:
        try:
            with talker:
                talker.settimeout(READ_S)
                if _uid_of(talker) not in (os.geteuid(), 0):
                    return
                talker.sendall(_line(self._answer(talker)))
        except OSError:
            log.debug("control_talk_ended")  # who asked went away: it is nobody's loss
        finally:
            self._slots.release()

    def _answer(self, talker: socket.socket) -> Mapping[str, Any]:
        try:
            request = _read(talker)
            answer = self._handle(request)
        except CandledError as exc:
            return {"ok": False, "error": str(exc), "kind": type(exc).__name__}
        except Exception as exc:  # the root of a thread: a command must not end the daemon
            log.exception("control_request_failed")
            return {"ok": False, "error": f"{type(exc).__name__}: {exc}: see the daemon's log", "kind": "bug"}
        return {"ok": True, **answer}


def ask(
    path: Path, request: Mapping[str, Any], timeout_s: float = ANSWER_S + READ_S
) -> dict[str, Any] | None:
    """Ask the daemon that listens there; None if none does.

    Raises:
        Refused: it said no; its words.
        Retryable: it did not answer in time, or the connection broke.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as talker:
        talker.settimeout(timeout_s)
        try:
            with _address(path) as address:
                talker.connect(address)
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        except OSError as exc:
            raise Retryable(f"{path}: {exc.strerror or exc}") from exc
        try:
            talker.sendall(_line(request))
            answer = _read(talker)
        except OSError as exc:
            raise Retryable(
                f"the daemon did not answer ({exc}): what was asked for may have been done; look before asking again"
            ) from exc
    if not answer.get("ok"):
        raise Refused(str(answer.get("error", "no reason given")))
    return answer


@contextlib.contextmanager
def _address(path: Path) -> Iterator[str]:
    """The socket's address; where the path is longer than an address can be, by way of its open folder."""
    if len(os.fsencode(path)) <= _LONGEST_ADDRESS:
        yield str(path)
        return
    fd = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{fd}/{path.name}"
    finally:
        os.close(fd)


def _read(talker: socket.socket) -> dict[str, Any]:
    """One line, as an object.

    Raises:
        Refused: it is none.
        OSError: the connection ended or hung.
    """
    read = b""
    while not read.endswith(b"\n"):
        more = talker.recv(4096)
        if not more:
            raise ConnectionResetError("the connection ended before the line did")
        read += more
        if len(read) > LONGEST_LINE:
            raise Refused(f"the line is longer than {LONGEST_LINE} bytes")
    try:
        found = json.loads(read)
    except ValueError as exc:
        raise Refused(f"not JSON: {exc}") from exc
    if not isinstance(found, dict):
        raise Refused("not a JSON object")
    return found


def _line(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, default=str).encode() + b"\n"


def _uid_of(talker: socket.socket) -> int:
    """The user at the other end, by the kernel."""
    size = struct.calcsize("3i")
    found = struct.unpack("3i", talker.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return int(found[1])
