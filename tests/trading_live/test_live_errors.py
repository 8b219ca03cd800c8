import pytest
from ccxt.base import errors as theirs

from daemon.core.errors import ConfigError, RateLimited, Refused, Retryable
from daemon.market.ccxt_errors import as_ours
from daemon.market.ccxt_wire import Trip
from daemon.trading.broker import AnswerLost
from daemon.trading.live_errors import ClockOff, after_change, is_unknown_order


def raised(cause, kind=None):
    """An error of ours as the client raises it."""
    error = as_ours(cause, "order") if kind is None else kind
    error.__cause__ = cause
    return error


def trip(status, sent_s=1.0):
    trip = Trip(deadline_s=9.0, timeout_s=1.0)
    trip.sent_s, trip.status = sent_s, status
    return trip


@pytest.mark.parametrize(
    ("cause", "status", "verdict"),
    [
        (theirs.InsufficientFunds("x"), 400, Refused),
        (theirs.InvalidOrder("x"), 400, Refused),
        (theirs.OrderImmediatelyFillable("x"), 400, Refused),
        (theirs.BadRequest("x"), 400, Refused),
        (theirs.MarketClosed("x"), 400, Refused),
        (theirs.ExchangeError("a code that ccxt does not know"), 400, Refused),
        (theirs.InvalidOrder("refused in the body of a good answer"), 200, Refused),
        (theirs.AuthenticationError("x"), 401, ConfigError),
        (theirs.InvalidNonce("x"), 400, ClockOff),
        # In doubt.
        (theirs.InvalidOrder("x"), 503, AnswerLost),
        (theirs.InvalidOrder("x"), 0, AnswerLost),
        (theirs.ExchangeError("half an answer"), 0, AnswerLost),
        (theirs.ExchangeError("no code at all"), 200, AnswerLost),
        (theirs.InvalidOrder("Duplicate order sent."), 400, AnswerLost),
        (theirs.DuplicateOrderId("x"), 400, AnswerLost),
        (theirs.OperationFailed("x"), 400, AnswerLost),
        (theirs.RequestTimeout("x"), 408, AnswerLost),
        (theirs.ExchangeNotAvailable("x"), 404, AnswerLost),
        (theirs.BadResponse("x"), 200, AnswerLost),
        (KeyError("orderId"), 200, AnswerLost),
        (ConnectionResetError("x"), 0, AnswerLost),
    ],
)
def test_only_the_word_of_the_exchange_is_a_refusal(cause, status, verdict):
    assert type(after_change(raised(cause), trip(status))) is verdict


@pytest.mark.parametrize("way", [None, trip(0, sent_s=0.0)])
def test_what_never_left_is_not_lost(way):
    error = raised(theirs.ExchangeNotAvailable("x"))
    assert after_change(error, way) is error
    assert type(error) is Retryable


def test_a_request_to_wait_is_a_refusal_when_it_was_answered_so():
    told = raised(theirs.DDoSProtection("x"), RateLimited("order", 5.0))
    assert after_change(told, trip(429)) is told
    assert type(after_change(told, trip(0))) is AnswerLost


def test_an_order_that_the_exchange_does_not_have_is_known_by_its_cause():
    assert is_unknown_order(raised(theirs.OrderNotFound("x")))
    assert not is_unknown_order(raised(theirs.InvalidOrder("x")))
