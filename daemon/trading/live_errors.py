"""What an error says about an order that was being sent: refused, lost, or never gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ccxt.base import errors as theirs

from daemon.core.errors import ConfigError, RateLimited, Refused, Retryable
from daemon.trading.broker import AnswerLost

if TYPE_CHECKING:
    from daemon.core.errors import CandledError
    from daemon.market.ccxt_wire import Trip


class ClockOff(Retryable):
    """The exchange refused a request for its time stamp; nothing has happened."""


def is_unknown_order(error: CandledError) -> bool:
    """Whether the exchange says that it does not have the order, or not as an open one."""
    return isinstance(error.__cause__, theirs.OrderNotFound)


def is_unknown_pair(error: CandledError) -> bool:
    """Whether the exchange says that it has no such pair."""
    return isinstance(error.__cause__, theirs.BadSymbol)


def is_clock(error: CandledError) -> bool:
    """Whether the exchange refused the request for its time stamp."""
    return isinstance(error.__cause__, theirs.InvalidNonce)


def after_change(error: CandledError, trip: Trip | None) -> CandledError:
    """The error to raise for a request that changes something on the exchange.

    In doubt it is `AnswerLost`: to ask costs one request, to believe in a refusal that was none costs an order that
    nobody knows of.

    Args:
        error: what the call raised, its cause being ccxt's own.
        trip: the request's way; None if it did not come so far.
    """
    if trip is None or not trip.sent_s:
        return error  # nothing has left
    if not _is_word_of_the_exchange(error, trip):
        return AnswerLost(str(error))
    if isinstance(error.__cause__, theirs.InvalidNonce):
        return ClockOff(str(error))
    # Refused at the door, or for a reason that ccxt knows; a code that it does not know is a refusal all the same.
    return error if isinstance(error, RateLimited | ConfigError | Refused) else Refused(str(error))


def _is_word_of_the_exchange(error: CandledError, trip: Trip) -> bool:
    """Whether the exchange itself says that nothing has happened; a page of a proxy, or "try again", does not."""
    if trip.status == 0 or trip.status >= 500:
        return False
    cause = error.__cause__
    # Of Binance, a duplicate comes under the same code as every other refusal.
    if isinstance(cause, theirs.DuplicateOrderId) or "duplicate" in str(error).lower():
        return False
    if type(cause) is theirs.ExchangeError:
        return trip.status >= 400
    return isinstance(cause, theirs.ExchangeError | theirs.InvalidNonce) or isinstance(error, RateLimited)
