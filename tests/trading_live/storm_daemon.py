"""Daemons that are born quickly, for storms: everything is imported once, and each life is a fork that is ``candled``.

    python storm_daemon.py GRACE_S LOG.txt run -c CONFIG.json

For each line on its standard input one daemon begins; its process id is printed, and when it has ended its exit status.
GRACE_S is how long it waits for what may come late; nothing does at the local exchange after some seconds. While an order
may still turn up nothing is entered, and a storm of thousands of orders has no minutes for each of them. Whatever would
leave this machine fails.
"""

import ctypes
import os
import signal
import sys
import threading
from dataclasses import replace
from importlib import import_module

from loopback import guard

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


def hasten(room, grace_ms):
    usual = room.desk_options
    room.desk_options = lambda settings: replace(
        usual(settings), late_ms=grace_ms, grace_ms=grace_ms, confirm_ms=grace_ms
    )


def born(main, log):
    """A daemon in a process of its own; its process id."""
    child = os.fork()
    if child:
        return child
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    stream = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for fd in (1, 2):
        os.dup2(stream, fd)
    guard()
    main()
    raise SystemExit(0)


def nurse(grace_s, log, *arguments):
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as `candled run` does, before numpy is there
    sys.argv[1:] = arguments
    for name in ("daemon.app", "daemon.market.ccxt_client", "daemon.trading.live", "pandas"):
        import_module(name)
    hasten(import_module("daemon.runtime.trading_room"), int(float(grace_s) * 1000))
    main = import_module("daemon.cli").main
    assert threading.active_count() == 1, "a fork would have half of it"
    for _ in sys.stdin:
        child = born(main, log)
        print(child, flush=True)  # noqa: T201 - whoever kills it waits for this
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)  # noqa: T201


if __name__ == "__main__":  # the process that trains imports this file, too
    nurse(*sys.argv[1:])
