"""Nothing leaves this machine: an audit hook of the interpreter refuses every address but loopback ones.

It sees what C code does, too; asking for a name's address counts as leaving, because resolvers are elsewhere.
"""

import ipaddress
import sys

BREACHES = []
_state = {"on": False, "there": False}


class Breach(RuntimeError):
    """Something tried to leave."""


def guard(*, on=True):
    """Refuse from now on, or allow again."""
    if on and not _state["there"]:
        sys.addaudithook(_hook)  # there is no way to take it away again
        _state["there"] = True
    _state["on"] = on


def _hook(event, arguments):
    if not _state["on"]:
        return
    if event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
        address = arguments[1]
    elif event in {"socket.getaddrinfo", "socket.gethostbyname"}:
        address = arguments
    else:
        return
    if isinstance(address, tuple) and not _is_loopback(address[0]):
        BREACHES.append((event, str(address[0])))
        raise Breach(f"{event} {address[0]} would leave this machine")


def _is_loopback(host):
    if host in {None, "localhost", b"localhost"}:
        return True
    try:
        return ipaddress.ip_address(host if isinstance(host, str) else host.decode()).is_loopback
    except ValueError:
        return False
