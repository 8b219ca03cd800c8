"""Ledger, live broker and local exchange together."""

from dataclasses import replace
from decimal import Decimal

import pytest
from live_desk import BTC, intent

from daemon.core.errors import Retryable
from daemon.trading.broker import AnswerLost
from daemon.trading.ledger import Ledger
from daemon.trading.ledger_files import RESTORED
from daemon.trading.orders import OrderState, Side
from daemon.trading.reconciliation import Reconciliation

LOW = "30000"


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger.open(tmp_path / "ledger.sqlite")
    yield ledger
    ledger.close()


@pytest.fixture
def compare(exchange, broker, ledger):
    """compare(later_ms=0): one comparison, so much later by its own clock; the first look is behind it."""
    exchange.lag_ms = 3_600_000  # whatever a test takes
    reconciliation = Reconciliation(ledger, broker)

    def compared(later_ms=0):
        return reconciliation.compare([BTC], exchange.now_ms() + later_ms)

    assert compared().adjusted["USDT"] == 100_000
    return compared


@pytest.fixture
def begin(exchange, ledger):
    """begin(intent, to=UNKNOWN): in the ledger, of a trade of its own."""

    def begun(order, to=OrderState.UNKNOWN):
        order = replace(order, created_ms=exchange.now_ms(), candle_ms=order.attempt)
        trade = ledger.begin_trade(
            replace(order, trade_id=0), strategy="S", timeframe="5m", stake_currency="USDT", enter_tag=""
        )
        if to is OrderState.UNKNOWN:
            ledger.sending(order.client_id, exchange.now_ms())
        return trade.orders[0].intent

    return begun


def send(broker, ledger, order, exchange):
    ledger.take([broker.send(order)], (), exchange.now_ms())


def assert_same_account(exchange, ledger):
    known = ledger.wallet()
    for asset, (free, locked) in exchange.book.balances().items():
        if asset in {"USDT", "BTC"} and free + locked:
            assert (known[asset].free, known[asset].used) == (free, locked), asset


def test_an_order_whose_answer_was_lost_is_found_with_its_fills(exchange, broker, ledger, begin, compare):
    lost = 0
    while not lost:
        order = begin(intent("0.01"))
        exchange.script("unknown", path="POST order")
        with pytest.raises(AnswerLost):
            broker.send(order)
        lost = len(exchange.book.orders)
    compare()
    found = ledger.order(order.client_id)
    assert (found.state, found.filled, found.settled) == (OrderState.FILLED, Decimal("0.01"), True)
    assert_same_account(exchange, ledger)


def test_an_order_that_never_arrived_is_absent_only_after_the_grace(ledger, begin, compare):
    order = begin(intent("0.01"))
    findings = compare(), compare(30_000)
    assert all("not known yet" in each.reasons[0] for each in findings)
    assert compare(61_000).absent == (order.client_id,)
    assert ledger.order(order.client_id).state is OrderState.ABSENT
    assert compare(62_000).in_step


def test_an_answer_of_a_moment_ago_does_not_make_an_order_absent(exchange, broker, ledger, begin, compare):
    order = begin(intent("0.001", LOW))
    broker.send(order)  # the process ends before it has written the answer down
    exchange.script("stale", path="GET openOrders")
    exchange.script("stale", path="GET order")
    compare(61_000)
    assert ledger.order(order.client_id).state is OrderState.UNKNOWN
    compare(62_000)
    assert ledger.order(order.client_id).state is OrderState.OPEN


def test_what_was_intended_when_the_daemon_ended_is_dropped(ledger, begin, compare):
    order = begin(intent("0.01"), OrderState.INTENDED)
    assert compare().in_step
    dropped = ledger.order(order.client_id)
    assert (dropped.state, dropped.detail) == (OrderState.DROPPED, "the daemon ended before it was sent")


def test_an_order_that_was_cancelled_by_hand_is_cancelled(exchange, broker, ledger, begin, compare):
    order = begin(intent("0.001", LOW))
    send(broker, ledger, order, exchange)
    exchange.do(lambda book, now_ms: book.cancel(book.orders[-1], now_ms))
    assert compare().in_step
    assert ledger.order(order.client_id).state is OrderState.CANCELLED
    assert_same_account(exchange, ledger)


def test_an_order_that_was_filled_in_part_and_ended_keeps_its_fills(exchange, broker, ledger, begin, compare):
    order = begin(intent("0.01", LOW))
    send(broker, ledger, order, exchange)
    while not exchange.book.trades:
        exchange.move(BTC, "29999.00")
    exchange.do(lambda book, now_ms: [book.cancel(each, now_ms) for each in book.open_orders()])
    assert compare().in_step
    assert ledger.order(order.client_id).filled == sum(trade.qty for trade in exchange.book.trades)
    assert_same_account(exchange, ledger)


def test_fills_that_come_late_keep_the_gate_closed_until_they_come(exchange, broker, ledger, begin, compare):
    order = begin(intent("0.01"))
    send(broker, ledger, order, exchange)
    exchange.script("stale", path="GET myTrades")
    assert "of which executions tell 0" in compare().reasons[0]
    assert compare().in_step
    assert_same_account(exchange, ledger)


def test_fills_are_not_asked_for_again_from_the_last_one_on_when_that_is_long_ago(
    exchange, broker, ledger, begin, compare, monkeypatch
):
    send(broker, ledger, begin(intent("0.01")), exchange)
    compare()
    asked = []
    fills = broker.fills
    monkeypatch.setattr(
        broker, "fills", lambda pair, since_ms: asked.append(since_ms) or fills(pair, since_ms)
    )
    month_ms = 30 * 86_400_000
    compare(month_ms)
    compare(month_ms + 1000)
    assert asked[1] - asked[0] > month_ms - 60_000


def test_a_deposit_closes_the_gate_until_it_has_stood(exchange, ledger, compare):
    exchange.do(lambda book, _now: book.free.update(USDT=book.free["USDT"] + 5))
    assert "the exchange has 5" in compare().reasons[0]
    assert not compare(10_000).in_step
    findings = compare(31_000)
    assert findings.in_step
    assert findings.adjusted == {"USDT": 5}
    assert_same_account(exchange, ledger)


def test_coins_that_were_sold_under_an_open_trade_close_the_gate_for_good(
    exchange, broker, ledger, begin, compare
):
    send(broker, ledger, begin(intent("0.01")), exchange)
    assert compare().in_step
    broker.send(intent("0.005", side=Side.SELL))  # by hand: not in the ledger
    for later_ms in (0, 100_000, 10_000_000):
        findings = compare(later_ms)
        assert any("less than open trades hold" in reason for reason in findings.reasons)
    assert "BTC" not in findings.adjusted
    assert len(ledger.foreign_fills()) >= 1


def test_orders_of_others_are_noted_and_bar_nothing(broker, compare):
    broker.send(replace(intent("0.001", LOW), client_id="web_1"))
    findings = compare()
    assert "1 open orders on the account are not candled's" in findings.notes[0]
    assert findings.in_step


def test_an_exchange_that_does_not_answer_is_no_finding(exchange, compare, monkeypatch):
    monkeypatch.setattr("daemon.trading.live._ASK_S", 0.5)
    exchange.script(*["unavailable"] * 50, path="GET openOrders")
    with pytest.raises(Retryable):
        compare()


def test_a_ledger_from_a_backup_keeps_the_gate_closed_while_it_lacks_anything(exchange, ledger, compare):
    ledger.put(RESTORED, {"from_ms": 1})
    exchange.do(lambda book, _now: book.free.update(USDT=book.free["USDT"] + 5))
    for later_ms in (0, 31_000, 10_000_000):
        findings = compare(later_ms)
        assert findings.adjusted == {}
        assert findings.reasons[0].startswith("the ledger is a backup, and USDT: the exchange has 5")
    exchange.do(lambda book, _now: book.free.update(USDT=book.free["USDT"] - 5))
    assert compare(10_000_001).in_step
    assert ledger.get(RESTORED) is None


def test_a_ledger_from_a_backup_that_lacks_an_open_order_says_so(broker, ledger, compare):
    broker.send(intent("0.001", LOW))
    ledger.put(RESTORED, {"from_ms": 1})
    assert "ids like candled's" in compare().reasons[0]


def test_a_difference_is_no_deposit_while_an_order_is_under_way(exchange, broker, ledger, begin, compare):
    order = begin(intent("0.01"))
    broker.send(order)  # the answer is lost
    exchange.script(*["stale"] * 2, path="GET order")
    exchange.script(*["stale"] * 2, path="GET myTrades")
    assert not compare().in_step
    assert compare(31_000).adjusted == {}
    assert compare(32_000).in_step
    assert_same_account(exchange, ledger)
