"""``candled`` with its connections guarded: whatever would leave this machine fails.

    python storm_daemon.py GRACE_S run -c CONFIG.json

GRACE_S is how long it waits for what may come late; nothing does at the local exchange after some seconds. While an order
may still turn up nothing is entered, and a storm of thousands of orders has no minutes for each of them.
"""

import os
import sys
from dataclasses import replace

from loopback import guard


def hasten(grace_ms):
    from daemon.runtime import trading_room  # noqa: PLC0415 - the process that trains imports this file, too

    usual = trading_room.desk_options
    trading_room.desk_options = lambda settings: replace(
        usual(settings), grace_ms=grace_ms, confirm_ms=grace_ms
    )


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as `candled run` does, before numpy is there
    guard()
    hasten(int(float(sys.argv.pop(1)) * 1000))
    from daemon.cli import main

    main()
