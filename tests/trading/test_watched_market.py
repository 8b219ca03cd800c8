"""A real exchange as paper orders meet it: what was seen, and candles for the time before."""

from decimal import Decimal

import numpy as np
import pytest
from desk import BASE, NOW_MS, PAIRS

from daemon.core.candles import CandleFrame
from daemon.core.errors import Retryable
from daemon.trading.broker import MarketRules, Quote
from daemon.trading.watched_market import WatchedMarket

BTC = PAIRS[0]
STEP = MarketRules(amount_step=Decimal("0.01"), price_step=Decimal("0.1"), taker_fee=Decimal("0.002"))


class Prices:
    name = "some exchange"

    def __init__(self):
        self.now_ms, self.last = NOW_MS + 1_000, Decimal(100)

    def rules(self, pair):
        return STEP

    def quotes(self, pairs):
        if self.last is None:
            return {}
        half = Decimal("0.1")
        quote = Quote(bid=self.last - half, ask=self.last + half, last=self.last, at_ms=self.now_ms)
        return dict.fromkeys(pairs, quote)

    def go(self, last, seconds=5):
        self.now_ms += seconds * 1000
        self.last = None if last is None else Decimal(last)


@pytest.fixture
def prices():
    return Prices()


def market(prices, frame=None, fee=None):
    return WatchedMarket(prices, frame_of=lambda pair: frame or CandleFrame.empty(), base=BASE, fee=fee)


def test_between_two_looks_the_price_went_straight(prices):
    here = market(prices)
    for last in ("100", "104", "101"):
        here.quotes([BTC])
        prices.go(last)
    here.quotes([BTC])
    pieces = list(here.path(BTC, 0))
    assert [(piece.low, piece.high) for piece in pieces] == [(100, 100), (100, 104), (101, 104)]
    assert all(piece.volume is None for piece in pieces)
    assert list(here.path(BTC, pieces[1].end_ms)) == pieces[2:]
    assert list(here.path(BTC, 0, at_or_below=Decimal(100))) == pieces[:2]


def test_what_was_before_the_first_look_is_told_by_closed_candles(prices):
    open_ms = np.array([NOW_MS - 2 * BASE.ms, NOW_MS - BASE.ms, NOW_MS], np.int64)
    values = np.array([[100.0, 105, 95, 101, 7], [101, 103, 99, 102, 8], [102, 110, 102, 109, 9]])
    here = market(prices, CandleFrame(open_ms, values))
    here.quotes([BTC])
    found = list(here.path(BTC, NOW_MS - 2 * BASE.ms))
    assert [(piece.low, piece.high, piece.volume) for piece in found] == [(95, 105, 7), (99, 103, 8)]
    assert not list(here.path(BTC, NOW_MS)), "the candle in progress is no closed one"


def test_an_order_that_comes_meets_best_bid_and_best_ask(prices):
    depth = market(prices).depth(BTC)
    assert (depth.asks, depth.bids) == (((Decimal("100.1"), None),), ((Decimal("99.9"), None),))
    prices.go(None)
    with pytest.raises(Retryable, match="no price"):
        market(prices).depth(BTC)


def test_the_configured_fee_stands_for_the_exchanges(prices):
    assert market(prices).rules(BTC).taker_fee == Decimal("0.002")
    assert market(prices, fee=Decimal(0)).rules(BTC).taker_fee == 0
