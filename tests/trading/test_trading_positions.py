"""Positions are sums over fills."""

from dataclasses import replace
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st
from trading_desk import BTC, D, fill, intent

from daemon.trading.orders import Leg
from daemon.trading.positions import effects, folded

ENTRY, LEAVE = intent(), intent(leg=Leg.EXIT)


def test_bought_and_sold_with_fees_in_the_quote_currency():
    found = folded([fill(ENTRY, 1, "2", "100", "0.2"), fill(LEAVE, 2, "1", "110", "0.11")], BTC)
    assert (found.amount, found.cost, found.open_rate, found.close_rate) == (1, D("100.1"), 100, 110)
    assert found.realized == D("9.79")
    assert found.profit(D("120"), D("0.001")) == D("229.77") - D("200.2")


def test_a_fee_in_the_base_currency_makes_the_amount_smaller():
    found = folded([fill(ENTRY, 1, "2", "100", "0.002", "BTC")], BTC)
    assert (found.amount, found.paid, found.fees) == (D("1.998"), 200, {"BTC": D("0.002")})


def test_a_fee_in_a_third_currency_touches_neither():
    found = folded([fill(ENTRY, 1, "2", "100", "0.01", "BNB")], BTC)
    assert (found.amount, found.paid, found.fees) == (2, 200, {"BNB": D("0.01")})


def test_the_open_rate_is_the_average_of_what_is_held():
    parts = [fill(ENTRY, 1, "1", "100"), fill(LEAVE, 2, "0.5", "110"), fill(ENTRY, 3, "0.5", "80")]
    found = folded(parts, BTC)
    assert (found.amount, found.open_rate, found.cost) == (1, 90, 90)
    assert found.realized == 5


def test_sums_are_exact_beyond_the_usual_context():
    found = folded([fill(ENTRY, 1, "1234567890123456.12345678", "0.123456789012345678")], BTC)
    assert Fraction(found.paid) == Fraction("1234567890123456.12345678") * Fraction("0.123456789012345678")


def test_more_sold_than_held_leaves_less_than_nothing():
    found = folded([fill(ENTRY, 1, "1", "100"), fill(LEAVE, 2, "1.5", "110")], BTC)
    assert (found.amount, found.cost, found.realized) == (D("-0.5"), 0, 65)


parts = st.tuples(
    st.booleans(), st.integers(1, 50), st.integers(1, 50), st.sampled_from(["USDT", "BTC", "BNB"])
)


@given(st.lists(parts, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_telling_changes_nothing_and_money_is_kept(told, random):
    fills = [
        fill(ENTRY if buys else LEAVE, n, str(amount), str(price), "0.1", fee)
        for n, (buys, amount, price, fee) in enumerate(told)
    ]
    shuffled = list(fills)
    random.shuffle(shuffled)
    found = folded(fills, BTC)
    assert folded(shuffled, BTC) == found
    totals = [effects(each) for each in fills]
    assert sum((each["BTC"] for each in totals), D("0")) == found.amount
    assert sum((each["USDT"] for each in totals), D("0")) == found.received - found.paid
    assert found.fees == {name: D("0.1") * sum(t[3] == name for t in told) for *_, name in told}


def test_of_one_millisecond_what_was_bought_is_there_before_it_is_sold():
    bought, sold = fill(ENTRY, 5, "1", "100"), fill(LEAVE, 2, "1", "110")
    found = folded([replace(sold, at_ms=bought.at_ms), bought], BTC)
    assert (found.amount, found.realized) == (0, 10)
