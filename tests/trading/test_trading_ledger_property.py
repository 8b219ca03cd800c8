"""Whatever comes, in whatever order and however often: the same ledger, and never more than was ordered."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from trading_desk import BTC, ETH, T0, D, begin, fill, intent, report

from daemon.trading.ledger import Ledger
from daemon.trading.ledger_reads import LedgerReader
from daemon.trading.ledger_tables import Tables
from daemon.trading.orders import OrderState, Side
from daemon.trading.positions import position_of
from daemon.trading.schema import migrate

S = OrderState
PLACE = Path("memory")


def in_memory():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.row_factory = sqlite3.Row
    migrate(connection, PLACE)
    return Ledger(Tables(connection, PLACE))


def content(ledger):
    """All that a ledger says."""
    return {
        "trades": ledger.trades(),
        "wallet": dict(ledger.wallet()),
        "unsettled": ledger.orders(unsettled=True),
        "foreign_fills": ledger.foreign_fills(),
        "foreign_orders": sorted(map(repr, ledger.foreign_orders())),
        "contradictions": ledger.contradictions(),
    }


@st.composite
def truths(draw):
    """Orders with what happened to each, and every message in which an exchange may tell of it."""
    orders, messages = [], []
    for place, pair in enumerate(draw(st.lists(st.sampled_from([BTC, ETH]), min_size=1, max_size=3))):
        order = intent(place, pair=pair, amount="1")
        start = draw(st.sampled_from([S.INTENDED, S.UNKNOWN, S.CANCELLING, S.ABSENT]))
        orders.append((order, start))
        tenths = draw(st.lists(st.integers(1, 4), max_size=3).filter(lambda parts: sum(parts) <= 10))
        messages += told_of(draw, order, f"x{place}", [D(n) / 10 for n in tenths])
    return orders, messages


def told_of(draw, order, exchange_id, amounts):
    """Every report and fill of one order, each in the ways in which it may be worded."""
    fills = [
        fill(order, n + 10 * order.attempt, str(amount), f"{99 + n}", "0.01", "BNB", exchange_id=exchange_id)
        for n, amount in enumerate(amounts)
    ]
    sums = [sum(amounts[:n], D("0")) for n in range(len(amounts) + 1)]
    ends = [S.FILLED] if sums[-1] == order.amount else [S.CANCELLED, S.EXPIRED, *[S.REJECTED] * (not amounts)]
    end = draw(st.sampled_from([None, *ends]))
    states = [S.CANCELLING if draw(st.booleans()) else S.OPEN] if end is not S.REJECTED else []
    reports = [
        report(order, state, str(some), exchange_id=exchange_id, at_ms=T0 + at_ms, fills=tuple(fills[:seen]))
        for at_ms, (some, seen) in enumerate(zip(sums, range(len(sums)), strict=True))
        for state in states
    ]
    if end is not None:
        reports += [
            report(order, end, str(sums[-1]), exchange_id=exchange_id, at_ms=T0 + n) for n in (20, 21)
        ]
    reports += [replace(each, client_id="", fills=()) for each in reports]
    reports += [replace(each, exchange_id="", fills=()) for each in reports if each.client_id]
    fills += [replace(each, client_id="") for each in fills]
    fills += [replace(each, fee=D("0"), fee_currency="", at_ms=each.at_ms + 1) for each in fills]
    return reports + fills


def begun(orders):
    ledger = in_memory()
    ledger.deposit("USDT", D("1000"), T0, "beginning")
    for order, start in orders:
        begin(ledger, order)
        if start is not S.INTENDED:
            ledger.sending(order.client_id, T0 + 5)
        if start is S.CANCELLING:
            ledger.cancelling(order.client_id, T0 + 6)
        if start is S.ABSENT:
            ledger.absent(order.client_id, T0 + 6)
    return ledger


def taken(ledger, messages):
    reports = [each for each in messages if hasattr(each, "filled")]
    return ledger.take(reports, [each for each in messages if not hasattr(each, "filled")], T0)


@settings(max_examples=150, deadline=None)
@given(truths(), st.data())
def test_any_order_of_any_subset_of_repeated_messages_gives_the_same_ledger(truth, data):
    orders, messages = truth
    places = data.draw(st.lists(st.integers(0, len(messages) - 1), unique=True)) if messages else []
    subset = [messages[place] for place in places]
    with closing(begun(orders)) as first, closing(begun(orders)) as second:
        taken(first, subset)
        repeated = data.draw(st.permutations([*subset, *subset[: len(subset) // 2]]))
        while repeated:
            size = data.draw(st.integers(1, len(repeated)))
            taken(second, repeated[:size])
            second.wallet()  # sums that are carried on, not made anew
            repeated = repeated[size:]
        assert content(second) == content(first)
        assert first.contradictions() == ()
        assert dict(second.wallet()) == dict(LedgerReader(second._tables).wallet())
        before = content(second)
        again = taken(second, subset)
        assert content(second) == before
        assert (again.changed, again.fills, again.revived, again.reopened) == ((), (), (), ())


@settings(max_examples=60, deadline=None)
@given(truths())
def test_once_all_was_told_everything_is_booked_to_its_order(truth):
    orders, messages = truth
    with closing(begun(orders)) as ledger:
        taken(ledger, messages)
        told = {each.fill_id: each for each in messages if not hasattr(each, "filled") and each.client_id}
        ours = ledger.fills()
        assert {each.fill_id for each in ours} == set(told)
        assert not ledger.foreign_fills()
        assert not ledger.foreign_orders()
        assert sum((position_of(trade).amount for trade in ledger.trades()), D("0")) == sum(
            (each.amount for each in told.values()), D("0")
        )
        assert all(each.fee_currency == "BNB" for each in ours)


amounts = st.integers(1, 30).map(lambda n: D(n) / 10)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), amounts, st.sampled_from(Side)), max_size=8))
def test_never_more_is_filled_than_was_ordered(told):
    order = intent(amount="2")
    with closing(begun([(order, S.UNKNOWN)])) as ledger:
        refused = False
        for number, amount, side in told:
            found = ledger.take([], [fill(order, number, str(amount), side=side)], T0)
            refused = refused or bool(found.contradictions)
            (record,) = ledger.trade(1).orders
            assert record.filled <= 2
        whole = {}
        for number, amount, side in told:
            whole.setdefault(number, (amount, side))
        fits = (
            len({(n, a, s) for n, a, s in told}) == len(whole)
            and all(side is Side.BUY for _, side in whole.values())
            and sum((amount for amount, _ in whole.values()), D("0")) <= 2
        )
        assert refused is not fits
        assert bool(ledger.contradictions()) is refused
