"""An exchange on this machine, and ccxt's own binance client pointed at it."""

import pytest
from local_exchange import LocalExchange

from daemon.core.clock import SystemClock
from daemon.core.market import CandleKey, CandleRequest
from daemon.core.pair import Pair
from daemon.core.timeframe import Timeframe
from daemon.market.ccxt_market import CcxtMarket

CLOCK = SystemClock()


@pytest.fixture
def exchange():
    with LocalExchange(days=3) as exchange:
        yield exchange


@pytest.fixture
def unhurried(unhurried_market, monkeypatch):
    """No request to the market, nor a question for its time, fails because the machine stands still."""
    monkeypatch.setattr("daemon.market.exchange_time._LONGEST_TRIP_MS", 60_000)


@pytest.fixture
def connect(unhurried):
    """connect(exchange, clock=..., **ccxt_config): a market; all are closed at the end."""
    markets = []

    def connected(exchange, clock=CLOCK, **config):
        market = CcxtMarket(
            exchange_id="binance",
            ccxt_config=exchange.ccxt_config,
            # ccxt's pause for TLS connections to end is of no use here.
            ccxt_async_config={"timeout_on_exit": 0, "timeout": 60_000, **config},
            clock=clock,
        )
        markets.append(market)
        return market

    yield connected
    for market in markets:
        market.close()


@pytest.fixture
def market(exchange, connect):
    """Pointed at `exchange`; knows its pairs and its time."""
    market = connect(exchange)
    market.pairs()
    return market


@pytest.fixture
def request_of(exchange):
    """request_of(pair, timeframe, candles): the newest so many candles."""

    def made(pair="BTC/USDT", timeframe="5m", candles=100):
        timeframe = Timeframe(timeframe)
        since_ms = timeframe.floor(exchange.clock.now_ms()) - (candles - 1) * timeframe.ms
        return CandleRequest(key=CandleKey(Pair(pair), timeframe), since_ms=since_ms, limit=1000)

    return made


@pytest.fixture
def wrong_rows(exchange):
    """wrong_rows(request, frame): open times at which a closed candle is not what it is in truth."""

    def compared(request, frame, until_ms=None):
        pair, timeframe = request.key
        until_ms = until_ms or exchange.clock.now_ms()
        truth = exchange.candles.truth(pair, timeframe, until_ms)
        true = dict(zip(truth.open_ms.tolist(), truth.values.tolist(), strict=True))
        return [
            ms
            for ms, values in zip(frame.open_ms.tolist(), frame.values.tolist(), strict=True)
            if ms + timeframe.ms <= until_ms and true.get(ms) != values
        ]

    return compared
