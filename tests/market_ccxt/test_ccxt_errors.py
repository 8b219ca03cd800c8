import aiohttp
import pytest
from ccxt.base import errors as theirs

from daemon.core.errors import ConfigError, Refused, Retryable
from daemon.market.ccxt_errors import FOREIGN, as_ours


def leaves(kind):
    return [kind, *(leaf for below in kind.__subclasses__() for leaf in leaves(below))]


@pytest.mark.parametrize("kind", leaves(theirs.BaseError))
def test_every_error_of_ccxts_has_a_remedy(kind):
    assert issubclass(kind, FOREIGN)
    assert "candles: " in str(as_ours(kind("why"), "candles"))


@pytest.mark.parametrize(
    ("exc", "ours"),
    [
        (theirs.NetworkError("x"), Retryable),
        (theirs.ExchangeNotAvailable("x"), Retryable),
        (theirs.OnMaintenance("x"), Retryable),
        (theirs.RequestTimeout("x"), Retryable),
        (theirs.BadResponse("x"), Retryable),
        (theirs.ExchangeError("x"), Retryable),
        (theirs.BadSymbol("x"), Refused),
        (theirs.BadRequest("x"), Refused),
        (theirs.NotSupported("x"), Refused),
        (theirs.InsufficientFunds("x"), Refused),
        (theirs.OrderNotFound("x"), Refused),
        (theirs.MarketClosed("x"), Refused),
        (theirs.ManualInteractionNeeded("x"), ConfigError),
        (theirs.AuthenticationError("x"), ConfigError),
        (theirs.PermissionDenied("x"), ConfigError),
        (aiohttp.ClientPayloadError("x"), Retryable),
        (ConnectionResetError("x"), Retryable),
        (KeyError("symbols"), Retryable),
        (TypeError("x"), Retryable),
    ],
)
def test_errors_by_remedy(exc, ours):
    assert type(as_ours(exc, "candles")) is ours


def test_a_page_of_html_is_cut():
    assert len(str(as_ours(theirs.ExchangeNotAvailable("<p>\n" * 9999), "candles"))) < 400


def test_a_signature_is_not_told():
    text = str(as_ours(theirs.RequestTimeout("GET http://x/order?a=1&signature=0123abc&b=2"), "order"))
    assert "0123abc" not in text
    assert "signature=***&b=2" in text


def test_the_cause_is_named():
    exc = theirs.ExchangeNotAvailable("GET")
    exc.__cause__ = OSError("no route to host")
    assert "no route to host" in str(as_ours(exc, "candles"))
