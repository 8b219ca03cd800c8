"""Errors, ordered by remedy.

::

    CandledError
    ├── ConfigError     a human must act: the daemon stops (exit 78)
    │   └── StrategyError   the remedy is in the user's strategy file
    ├── FolderInUse     another process holds the state folder: the daemon stops (exit 75)
    ├── Retryable       wait and try again: network, exchange overload
    │   └── RateLimited     the exchange said how long to wait
    ├── Refused         drop this request: it will never succeed as it stands
    └── Corrupt         set the file aside, fall back, report what was lost

Whatever is none of these is a bug: it is logged with its traceback and ends the process.
"""

from __future__ import annotations


class CandledError(Exception):
    """Root of all errors that candled raises on purpose."""


class ConfigError(CandledError):
    """Something that only a human can mend: configuration, strategy file, permissions.

    The message names the place, the value and the remedy.
    """


class StrategyError(ConfigError):
    """A user's strategy raised, or lacks what it must have.

    The message names file, line and, where known, hook, pair and timeframe.
    """


class FolderInUse(CandledError):
    """Another process holds the lock on the state folder; the message names its pid."""


class Retryable(CandledError):
    """A passing fault of the outside world; the same call may succeed later."""


class RateLimited(Retryable):
    """The exchange asked for silence.

    Attributes:
        wait_s: seconds (of real time) during which no request may be sent.
    """

    def __init__(self, message: str, wait_s: float) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class Refused(CandledError):
    """The other side understood and said no; the same request will be refused again."""


class Corrupt(CandledError):
    """A state file is not what was written. The message names the file and what is wrong with it."""
