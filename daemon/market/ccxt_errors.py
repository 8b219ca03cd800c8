"""ccxt's errors by remedy: nothing of ccxt leaves this room."""

from __future__ import annotations

import re

import aiohttp
from ccxt.base import errors as theirs

from daemon.core.errors import CandledError, ConfigError, Refused, Retryable

RATE_LIMITS = (theirs.RateLimitExceeded, theirs.DDoSProtection)
"""The exchange asks for silence."""

_HUMAN_ACTS = (
    theirs.AuthenticationError,  # PermissionDenied, AccountSuspended... are kinds of it
    theirs.RestrictedLocation,
    theirs.InvalidProxySettings,
    theirs.ManualInteractionNeeded,
)
_NEVER_SUCCEEDS = (
    theirs.BadRequest,  # BadSymbol is a kind of it
    theirs.ArgumentsRequired,
    theirs.NotSupported,
    theirs.InvalidOrder,  # OrderNotFound, OrderImmediatelyFillable... are kinds of it
    theirs.InsufficientFunds,
    theirs.OperationRejected,  # MarketClosed is a kind of it
)

FOREIGN = (
    theirs.BaseError,
    aiohttp.ClientError,
    OSError,
    # What ccxt's parsers raise, undeclared, over answers that are not shaped as documented.
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    ArithmeticError,
)
"""Everything that a call of ccxt is known to raise."""

_LONGEST = 300
# Of a signed request's address, which ccxt puts into its messages: for some seconds it is as good as a key.
_SIGNATURE = re.compile(r"(signature=)[^&\s]+", re.IGNORECASE)


def as_ours(exc: BaseException, what: str) -> CandledError:
    """The error that names the remedy for one of `FOREIGN`.

    Args:
        exc: what was raised.
        what: what was asked for, as a message begins with it.
    """
    text = f"{what}: {said(exc)}"
    if isinstance(exc, _HUMAN_ACTS):
        return ConfigError(text)
    if isinstance(exc, _NEVER_SUCCEEDS):
        return Refused(text)
    if isinstance(exc, (theirs.BaseError, aiohttp.ClientError, OSError)):
        return Retryable(text)
    return Retryable(f"{what}: malformed answer: {said(exc)}")


def said(exc: BaseException) -> str:
    """An error in one line: its kind, its words (an answer's body may be pages long), its cause."""
    words = _SIGNATURE.sub(r"\1***", " ".join(str(exc).split()))
    if len(words) > _LONGEST:
        words = words[:_LONGEST] + "..."
    cause = f" ({said(exc.__cause__)})" if exc.__cause__ is not None else ""
    return f"{type(exc).__name__} {words}{cause}".strip()
