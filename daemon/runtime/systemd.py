"""Messages to systemd (sd_notify(3)); nothing happens where systemd does not listen."""

from __future__ import annotations

import os
import socket


def notify(message: str) -> None:
    """Send ``READY=1``, ``STOPPING=1`` or ``STATUS=...`` to the service manager that started us."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):  # an abstract socket
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        try:
            sock.sendto(message.encode(), address)
        except OSError:
            # The manager went away or never listened; the daemon's work does not depend on it.
            return
