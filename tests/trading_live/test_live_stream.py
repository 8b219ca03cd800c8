import time

import pytest
from live_desk import BTC, intent

from daemon.trading.orders import OrderState


@pytest.fixture
def listening(exchange, connect):
    """A broker that listens, and is heard by the exchange to do so."""
    broker = connect(exchange, stream=True)
    broker.rules(BTC)
    until(lambda: exchange._listeners)
    return broker


def until(condition):
    """What a condition comes to once it is true."""
    deadline_s = time.monotonic() + 60
    while not (found := condition()):
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    return found


def test_what_happens_to_an_order_is_pushed(exchange, listening):
    order = intent("0.001", "30000")
    sent = listening.send(order)
    exchange.do(lambda book, now_ms: book.cancel(book.orders[-1], now_ms))
    told = []
    until(lambda: told.extend(listening.news()) or len(told) >= 2)
    assert [(r.client_id, r.exchange_id, r.state) for r in told] == [
        (order.client_id, sent.exchange_id, OrderState.OPEN),
        (order.client_id, sent.exchange_id, OrderState.CANCELLED),
    ]
    assert listening.news() == ()


def test_fills_are_pushed_as_far_as_they_have_come(exchange, listening):
    order = intent("0.01")
    listening.send(order)
    told = []
    until(lambda: told.extend(listening.news()) or any(r.state is OrderState.FILLED for r in told))
    assert told[-1].filled == order.amount


def test_a_stream_that_breaks_is_opened_again(exchange, listening):
    broken = [*exchange._listeners]
    exchange.hang_up()
    until(lambda: any(each not in broken for each in exchange._listeners))
    listening.send(intent("0.001", "30000"))
    assert until(listening.news)


def test_no_stream_is_opened_into_silence(exchange, connect):
    exchange.retry_after = 3600
    exchange.script("too_many", path="GET exchangeInfo")
    broker = connect(exchange, stream=True)
    until(lambda: exchange.told)
    assert broker.news() == ()
    assert exchange.asked("ws-api/v3") == []
    assert exchange.too_early(0.0) == []


def test_without_a_stream_there_is_no_news(broker):
    broker.send(intent("0.001", "30000"))
    assert broker.news() == ()
