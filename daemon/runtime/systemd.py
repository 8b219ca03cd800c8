"""Messages to systemd (sd_notify(3)); nothing happens where systemd does not listen."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from daemon.core.clock import Clock


def notify(message: str) -> None:
    """Send ``READY=1``, ``STOPPING=1`` or ``STATUS=...`` to the service manager that started us."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):  # an abstract socket
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.settimeout(1.0)  # a manager that does not read must not hold the daemon up
        try:
            sock.sendto(message.encode(), address)
        except OSError:
            # The manager went away or never listened; the daemon's work does not depend on it.
            return


class Watchdog:
    """Tells systemd that all is well (``WatchdogSec=``), four times in the period after which it would end us.

    Args:
        clock: for durations.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._period_s = _period_s()
        self._fed_s = -self._period_s

    def feed(self) -> None:
        """All is well now. Call it as often as you like."""
        now_s = self._clock.monotonic_s()
        if self._period_s and now_s - self._fed_s >= self._period_s / 4:
            self._fed_s = now_s
            notify("WATCHDOG=1")


def _period_s() -> float:
    """What systemd waits for a sign of life, real seconds; 0 where it does not wait for one of ours (sd_watchdog_enabled(3))."""
    text, pid = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not text.isdigit() or pid not in ("", str(os.getpid())):
        return 0.0
    return int(text) / 1e6
