"""How an order stands: the transition table, and reports in any order."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trading_desk import ETH, T0, D, fill, intent, report

from daemon.trading.book import (
    Contradiction,
    IllegalTransition,
    Overfilled,
    applied,
    check_fill,
    joined_fill,
    moved,
    reported,
)
from daemon.trading.orders import TRANSITIONS, OrderState, Side
from daemon.trading.records import OrderRecord

S = OrderState
TOLD = (S.OPEN, S.CANCELLING, S.FILLED, S.CANCELLED, S.EXPIRED, S.REJECTED)
ENDS = (S.FILLED, S.CANCELLED, S.EXPIRED, S.REJECTED)


def order(state=S.UNKNOWN, *, known="0", fills=(), **more):
    return OrderRecord(
        intent=intent(), state=state, reported=D(known), changed_ms=T0, fills=tuple(fills), **more
    )


def told(state, at_ms=T0):
    return report(intent(), state, "1" if state is S.FILLED else "0", at_ms=at_ms)


@pytest.mark.parametrize(("known", "wanted"), list(itertools.product(S, S)))
def test_our_own_steps_keep_to_the_table(known, wanted):
    if wanted in TRANSITIONS[known]:
        assert moved(order(known), wanted, T0 + 1).state is wanted
    else:
        with pytest.raises(IllegalTransition):
            moved(order(known), wanted, T0 + 1)


@pytest.mark.parametrize(("first", "second"), [p for p in itertools.product(ENDS, ENDS) if p[0] is not p[1]])
def test_an_order_has_one_end(first, second):
    with pytest.raises(IllegalTransition):
        applied(order(first), told(second))


@pytest.mark.parametrize("end", ENDS)
def test_an_ended_order_does_not_open_again(end):
    known = order(end, known="1" if end is S.FILLED else "0")
    if end is S.REJECTED:
        with pytest.raises(IllegalTransition):
            applied(known, told(S.OPEN))
    else:
        assert applied(known, told(S.OPEN)).state is end


def test_an_open_order_is_not_taken_for_rejected():
    with pytest.raises(IllegalTransition):
        applied(order(S.OPEN), told(S.REJECTED))


@pytest.mark.parametrize("state", [s for s in S if s not in TOLD])
def test_the_exchange_cannot_report_what_only_we_know(state):
    with pytest.raises(IllegalTransition):
        reported(told(state))


@pytest.mark.parametrize("ours", [S.INTENDED, S.DROPPED, S.ABSENT])
def test_what_the_exchange_knows_revives_an_order_that_had_ended_for_us_alone(ours):
    found = applied(order(ours), told(S.OPEN))
    assert (found.state, found.revived) == (S.OPEN, True)


def test_an_order_cancelled_when_it_was_filled_as_a_whole_was_filled():
    assert applied(order(S.CANCELLING), report(intent(), S.CANCELLED, "1")).state is S.FILLED


def test_a_filled_order_wants_all_its_fills():
    assert applied(order(), report(intent(), S.FILLED, "0")).reported == D("1")


def test_more_than_was_ordered_is_never_reported():
    with pytest.raises(Overfilled):
        applied(order(), report(intent(), S.OPEN, "1.1"))


@pytest.mark.parametrize(
    "wrong",
    [{"pair": ETH}, {"side": Side.SELL}, {"exchange_id": "x2"}],
    ids=["pair", "side", "exchange id"],
)
def test_a_report_about_something_else_contradicts(wrong):
    with pytest.raises(Contradiction):
        applied(order(S.OPEN, exchange_id="x1"), report(intent(), **wrong))


@pytest.mark.parametrize(
    "wrong", [{"pair": ETH}, {"side": Side.SELL}, {"amount": D("0")}, {"price": D("-1")}]
)
def test_a_fill_of_something_else_contradicts(wrong):
    with pytest.raises(Contradiction):
        check_fill(order(S.OPEN), replace(fill(intent(), 1, "1"), **wrong))


def test_a_fill_beyond_the_amount_is_refused():
    with pytest.raises(Overfilled):
        check_fill(order(S.OPEN, fills=[fill(intent(), 1, "0.6")]), fill(intent(), 2, "0.5"))


def test_a_rejected_order_has_no_fills():
    with pytest.raises(Contradiction):
        check_fill(order(S.REJECTED), fill(intent(), 1, "1"))
    with pytest.raises(Contradiction):
        applied(order(S.UNKNOWN, fills=[fill(intent(), 1, "1")]), told(S.REJECTED))


@pytest.mark.parametrize(
    "wrong", [{"amount": D("2")}, {"price": D("2")}, {"fee": D("2")}, {"exchange_id": "x2"}], ids=str
)
def test_the_same_fill_is_the_same(wrong):
    known = fill(intent(), 1, "1", fee="0.1", exchange_id="x1")
    with pytest.raises(Contradiction):
        joined_fill(known, replace(known, **wrong))


@given(
    st.lists(
        st.tuples(st.sampled_from([S.OPEN, S.CANCELLING, S.CANCELLED]), st.integers(0, 9), st.integers(0, 5)),
        min_size=1,
        max_size=5,
    ),
    st.randoms(use_true_random=False),
)
def test_reports_in_any_order_end_in_the_same_standing(facts, random):
    reports = [
        report(intent(), state, f"0.{filled}", at_ms=T0 + at_ms, detail=f"{at_ms % 2 or ''}")
        for state, filled, at_ms in facts
    ]

    def standing(some):
        record = order()
        for each in some:
            new = applied(record, each)
            record = replace(
                record,
                state=new.state,
                reported=new.reported,
                changed_ms=new.changed_ms,
                detail=new.detail,
                exchange_id=new.exchange_id,
            )
        return record

    shuffled = [*reports, *random.choices(reports, k=3)]
    random.shuffle(shuffled)
    assert standing(shuffled) == standing(reports)
