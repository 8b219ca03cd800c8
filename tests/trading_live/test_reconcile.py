from decimal import Decimal

import pytest
from live_desk import BTC, intent

from daemon.trading import reconcile
from daemon.trading.broker import Balance
from daemon.trading.orders import Fill, OrderReport, OrderState, Side
from daemon.trading.reconcile import Difference
from daemon.trading.records import OrderRecord

D = Decimal


def record(state=OrderState.UNKNOWN, *, sent_ms=1000, reported="0", exchange_id="", filled=None):
    order = intent("1", "100.00")
    fill = Fill(
        fill_id="1",
        client_id="",
        exchange_id=exchange_id,
        pair=BTC,
        side=Side.BUY,
        amount=D(filled or "1"),
        price=D(100),
        at_ms=sent_ms,
    )
    return OrderRecord(
        intent=order,
        state=state,
        exchange_id=exchange_id,
        reported=D(reported),
        sent_ms=sent_ms,
        changed_ms=sent_ms,
        fills=(fill,) if filled else (),
    )


def listed(order, *, by_client=True):
    return OrderReport(
        client_id=order.intent.client_id if by_client else "",
        exchange_id=order.exchange_id,
        pair=BTC,
        state=OrderState.OPEN,
        filled=D(0),
        amount=D(1),
        at_ms=0,
    )


def test_orders_that_may_be_there_and_are_not_listed_are_asked_for():
    unknown, seen, by_number, ended = (
        record(),
        record(OrderState.OPEN),
        record(OrderState.OPEN, exchange_id="7"),
        record(OrderState.FILLED),
    )
    orders = [unknown, seen, by_number, ended]
    assert reconcile.to_ask(orders, [listed(seen), listed(by_number, by_client=False)]) == (unknown,)


@pytest.mark.parametrize(
    ("order", "now_ms", "asks", "absent"),
    [
        (record(), 61_000, 2, True),
        (record(), 60_999, 2, False),
        (record(), 61_000, 1, False),
        (record(OrderState.OPEN), 61_000, 9, False),
        (record(exchange_id="7"), 61_000, 9, False),
        (record(filled="1"), 61_000, 9, False),
    ],
)
def test_absent_is_what_was_asked_for_twice_and_long_enough_after_the_request(order, now_ms, asks, absent):
    assert reconcile.is_absent(order, now_ms, asks) is absent


@pytest.mark.parametrize(
    ("orders", "last_ms", "since_ms"),
    [
        ([], None, None),
        ([], 5_000_000, 4_400_000),
        ([record(sent_ms=2_000_000)], None, 1_400_000),
        ([record(OrderState.OPEN, sent_ms=2_000_000)], 5_000_000, 4_400_000),
        ([record(OrderState.FILLED, sent_ms=2_000_000, reported="1")], 5_000_000, 1_400_000),
        ([record(OrderState.FILLED, sent_ms=2_000_000, reported="1", filled="1")], None, None),
    ],
)
def test_fills_are_asked_for_from_where_one_may_lack(orders, last_ms, since_ms):
    assert reconcile.fills_since(orders, last_ms) == since_ms


def test_a_difference_remembers_since_when_it_has_stood():
    held, known = {"BTC": Balance(free=D(1))}, {"BTC": Balance(free=D(3))}
    first = reconcile.differences(held, known, {}, {}, currencies={"BTC"}, at_ms=10)
    again = reconcile.differences(held, known, {}, first, currencies={"BTC"}, at_ms=20)
    assert again == first == {"BTC": Difference(amount=D(-2), since_ms=10)}
    other = reconcile.differences({}, known, {}, again, currencies={"BTC"}, at_ms=30)
    assert other == {"BTC": Difference(amount=D(-3), since_ms=30)}


def test_only_the_currencies_that_matter_are_compared():
    assert reconcile.differences({"DOGE": Balance(free=D(9))}, {}, {}, {}, currencies={"BTC"}, at_ms=0) == {}


def test_a_deposit_is_believed_when_it_has_stood_and_a_lack_never():
    found = {
        "USDT": Difference(amount=D(100), since_ms=0),
        "ETH": Difference(amount=D(1), since_ms=1),
        "BTC": Difference(amount=D(-1), since_ms=0, lacking=True),
    }
    assert reconcile.adjustments(found, 30_000) == {"USDT": 100}
    assert reconcile.adjustments(found, 29_999) == {}


def test_a_lack_is_one_that_open_trades_do_not_have():
    held, known = {"BTC": Balance(free=D(1))}, {"BTC": Balance(free=D(3))}
    found = reconcile.differences(held, known, {"BTC": D(2)}, {}, currencies={"BTC"}, at_ms=0)
    assert found["BTC"].lacking
    (text,) = reconcile.reasons((), (), found)
    assert "BTC: the exchange has 2 less" in text
    assert "less than open trades hold" in text


@pytest.mark.parametrize(
    ("order", "missing", "words"),
    [
        (record(), False, "not known yet"),
        (record(OrderState.OPEN), True, "does not know it any more"),
        (record(OrderState.FILLED, reported="1"), False, "1 is filled, of which executions tell 0"),
        (record(OrderState.OPEN), False, None),
    ],
)
def test_what_does_not_add_up_is_said(order, missing, words):
    found = reconcile.reasons([order], {order.intent.client_id} if missing else (), {})
    assert (words is None and not found) or words in found[0]


def test_open_orders_of_others_are_noted_and_those_that_look_like_ours_by_name():
    ours, lost = record(OrderState.OPEN), record(OrderState.OPEN)
    by_hand = listed(record(exchange_id="9"), by_client=False)
    first, second = reconcile.notes([listed(ours), listed(lost), by_hand], {ours.intent.client_id})
    assert lost.intent.client_id in first
    assert "1 open orders on the account are not candled's" in second
