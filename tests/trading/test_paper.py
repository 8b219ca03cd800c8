"""The paper broker on the simulated exchange: what is filled, at which price, and the same after a restart."""

from dataclasses import replace
from decimal import Decimal

import pytest
from desk import BASE, NOW_MS, PAIRS
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.core.clock import FakeClock
from daemon.core.errors import Refused
from daemon.market.path import PIECES, Piece
from daemon.market.simulated import SimulatedMarket
from daemon.trading import paper
from daemon.trading.broker import Balance, MarketRules, Quote
from daemon.trading.orders import Intent, Leg, OrderState, OrderType, Side, client_id
from daemon.trading.paper import PaperBroker
from daemon.trading.paper_fills import accepted, advanced
from daemon.trading.paper_market import CandleMarket, Depth
from daemon.trading.records import OrderRecord

BTC = PAIRS[0]
MINUTE_MS = 60_000
RULES = MarketRules(
    amount_step=Decimal("0.01"),
    price_step=Decimal("0.1"),
    min_cost=Decimal(5),
    maker_fee=Decimal("0.001"),
    taker_fee=Decimal("0.002"),
)
RICH = {"USDT": Balance(free=Decimal(10_000_000)), "BTC": Balance(free=Decimal(1000))}


def intent(side=Side.BUY, kind=OrderType.LIMIT, amount="1", *, attempt=0, **changes):
    return Intent(
        client_id=client_id("test", BTC, NOW_MS, Leg.ENTRY, attempt),
        trade_id=1,
        pair=BTC,
        leg=Leg.ENTRY if side is Side.BUY else Leg.EXIT,
        side=side,
        type=kind,
        amount=Decimal(amount),
        candle_ms=NOW_MS,
        attempt=attempt,
        created_ms=NOW_MS,
        **{name: Decimal(value) if name.endswith("price") else value for name, value in changes.items()},
    )


def depth(bid="99.9", ask="100.1", amount="10"):
    quote = Quote(bid=Decimal(bid), ask=Decimal(ask), last=Decimal(100), at_ms=NOW_MS)
    most = None if amount is None else Decimal(amount)
    return Depth(quote=quote, asks=((quote.ask, most),), bids=((quote.bid, most),))


def piece(low, high, last=None, *, volume="1000", at=0):
    return Piece(
        start_ms=NOW_MS + at * 15_000,
        end_ms=NOW_MS + (at + 1) * 15_000,
        high=Decimal(high),
        low=Decimal(low),
        last=Decimal(high if last is None else last),
        volume=Decimal(volume),
    )


def sent(one, book=None):
    return accepted(one, book or depth(), RULES, NOW_MS)


def summed(order):
    return [(fill.amount, fill.price, fill.maker) for fill in order.fills]


def test_a_market_order_takes_what_is_offered_and_pays_the_takers_fee():
    order = sent(intent(kind=OrderType.MARKET))
    assert order.state is OrderState.FILLED
    assert summed(order) == [(1, Decimal("100.1"), False)]
    assert (order.fills[0].fee, order.fills[0].fee_currency) == (Decimal("0.2002"), "USDT")


def test_a_market_order_larger_than_the_book_goes_on_with_a_tenth_of_what_is_traded():
    order = sent(intent(kind=OrderType.MARKET, amount="3"), depth(amount="1"))
    assert (order.state, order.filled) == (OrderState.OPEN, 1)
    order = advanced(order, piece("100", "101", "100.5", volume="15"), RULES)
    assert summed(order)[1] == (Decimal("1.5"), Decimal("100.6"), False)
    order = advanced(order, piece("100", "101", "101", volume="15", at=1), RULES)
    assert summed(order)[2] == (Decimal("0.5"), Decimal(101), False), "never above what the piece showed"
    assert order.state is OrderState.FILLED


def test_a_limit_order_rests_until_the_price_has_gone_through_it():
    order = sent(intent(price="99"))
    assert not order.fills
    order = advanced(order, piece("99", "100"), RULES)
    assert not order.fills, "to touch the limit is not to go through it"
    order = advanced(order, piece("98.9", "100", at=1), RULES)
    assert summed(order) == [(1, Decimal(99), True)]
    assert order.fills[0].fee == Decimal("0.099")


def test_where_the_market_skipped_the_limit_the_fill_has_the_nearest_price_shown():
    order = advanced(sent(intent(price="99")), piece("97", "98"), RULES)
    assert summed(order) == [(1, Decimal(98), True)]


def test_a_piece_that_began_before_the_order_came_fills_nothing():
    order = accepted(intent(price="99"), depth(), RULES, NOW_MS + 1)
    order = advanced(order, piece("90", "100"), RULES)
    assert not order.fills
    assert order.seen_ms == NOW_MS + 15_000


def test_a_limit_order_that_crosses_takes_no_worse_than_its_limit():
    order = sent(intent(price="100.5", amount="20"))
    assert summed(order) == [(10, Decimal("100.1"), False)]
    order = advanced(order, piece("100", "100.4"), RULES)
    assert summed(order)[1] == (10, Decimal("100.4"), True)


@pytest.mark.parametrize(
    ("force", "state", "filled"),
    [("IOC", OrderState.EXPIRED, 10), ("FOK", OrderState.EXPIRED, 0), ("GTC", OrderState.OPEN, 10)],
)
def test_time_in_force(force, state, filled):
    order = sent(intent(price="100.5", amount="20", time_in_force=force))
    assert (order.state, order.filled) == (state, filled)


def test_a_post_only_order_that_would_take_is_refused():
    with pytest.raises(Refused, match="post-only"):
        sent(intent(price="100.5", time_in_force="PO"))
    assert sent(intent(price="99", time_in_force="PO")).state is OrderState.OPEN


def test_a_stop_order_sells_at_the_market_once_the_price_has_come_down_to_it():
    order = sent(intent(Side.SELL, OrderType.STOP, stop_price="95"))
    order = advanced(order, piece("95.1", "100"), RULES)
    assert (order.triggered, order.fills) == (False, ())
    order = advanced(order, piece("94", "96", at=1), RULES)
    assert summed(order) == [(1, Decimal("94.9"), False)]


def test_a_stop_limit_order_does_not_sell_below_its_limit():
    order = sent(intent(Side.SELL, OrderType.STOP_LIMIT, stop_price="95", price="94.5"))
    order = advanced(order, piece("90", "94"), RULES)  # the market skipped both
    assert (order.triggered, order.fills) == (True, ())
    order = advanced(order, piece("92", "94.6", at=1), RULES)
    assert summed(order) == [(1, Decimal("94.5"), True)]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (intent(price="100.05"), "no multiple"),
        (intent(price="1", amount="1"), "below the least value"),
        (intent(kind=OrderType.STOP, stop_price="101"), "stop orders that buy"),
    ],
)
def test_what_an_exchange_would_refuse_is_refused(wrong, words):
    with pytest.raises(Refused, match=words):
        sent(wrong)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(900, 1100), st.integers(0, 30), st.integers(0, 30), st.integers(0, 60)),
        max_size=12,
    ),
    st.sampled_from(
        [
            intent(kind=OrderType.MARKET, amount="7"),
            intent(Side.SELL, OrderType.MARKET, amount="7"),
            intent(price="99", amount="7"),
            intent(Side.SELL, price="101.5", amount="7"),
            intent(Side.SELL, OrderType.STOP, stop_price="98", amount="7"),
            intent(Side.SELL, OrderType.STOP_LIMIT, stop_price="98", price="97", amount="7"),
        ]
    ),
)
def test_no_price_that_was_not_shown_none_beyond_the_limit_never_more_than_ordered(ways, one):
    order, shown = sent(one, depth(amount="1")), {NOW_MS: (Decimal("99.9"), Decimal("100.1"))}
    for at, (tenths, up, last, volume) in enumerate(ways):
        low, high = Decimal(tenths) / 10, Decimal(tenths + up) / 10
        here = piece(low, high, min(high, low + Decimal(last) / 10), volume=volume, at=at)
        shown[here.end_ms] = (low, high)
        order = advanced(order, here, RULES)
    assert order.filled == sum(fill.amount for fill in order.fills) <= one.amount
    assert (order.state is OrderState.FILLED) == (order.filled == one.amount)
    for fill in order.fills:
        low, high = shown[fill.at_ms]
        assert low <= fill.price <= high
        assert one.price is None or (
            fill.price <= one.price if one.side is Side.BUY else fill.price >= one.price
        )
    assert len({fill.fill_id for fill in order.fills}) == len(order.fills)


@pytest.fixture
def clock():
    return FakeClock(NOW_MS + 42_000)


def broker(clock, account=None, awaited=()):
    source = SimulatedMarket(pairs=PAIRS, seed=7, clock=clock, base=BASE)
    return PaperBroker(
        CandleMarket(source, clock=clock),
        clock=clock,
        account=lambda: account or RICH,
        awaited=lambda: awaited,
    )


def record(one, report, sent_ms, fills=()):
    return OrderRecord(
        intent=one,
        state=report.state,
        exchange_id=report.exchange_id,
        reported=sum((fill.amount for fill in fills), Decimal(0)),
        sent_ms=sent_ms,
        changed_ms=report.at_ms,
        fills=tuple(fills),
    )


def test_quotes_lie_within_the_candle_in_progress(clock):
    here = broker(clock)
    source = here._market._source
    for _ in range(60):
        clock.advance(17_000)
        for pair, quote in here.quotes(PAIRS).items():
            shown = source.standing(pair, clock.now_ms())
            assert shown.low <= quote.bid <= quote.last <= quote.ask <= shown.high
    ahead = source.standing(BTC, clock.now_ms() + 10 * BASE.ms)
    assert ahead == source.standing(BTC, clock.now_ms()), "the future is not told"


def test_the_path_is_the_same_however_it_is_cut(clock):
    source = broker(clock)._market._source
    start = clock.now_ms()
    clock.advance(3 * BASE.ms)
    whole = list(source.path(BTC, start, clock.now_ms()))
    cut, at = [], start
    for step in (1, 14_999, 1, 200_000, 7, 600_000, 3 * BASE.ms):
        cut += source.path(BTC, at, at + step)
        at += step
    assert whole == [each for each in cut if each.end_ms <= clock.now_ms()]
    assert len(whole) == 3 * PIECES
    assert not list(source.path(BTC, clock.now_ms(), clock.now_ms() + BASE.ms)), "the future is not told"


@pytest.mark.parametrize("looks", [1, 7, 60])
def test_fills_do_not_depend_on_how_often_anybody_looks(clock, looks):
    here = broker(clock)
    quote = here.quotes([BTC])[BTC]
    one = intent(amount="3", price=str(here.rules(BTC).price(quote.last * Decimal("0.9995"))))
    here.send(one)
    for _ in range(looks):
        clock.advance(120 * MINUTE_MS // looks)
        here.news()
    found = here.fills(BTC, 0)
    again = broker(FakeClock(NOW_MS + 42_000))
    again.send(one)
    again._clock.advance(120 * MINUTE_MS)
    assert found == again.fills(BTC, 0)
    assert found


def test_a_restart_in_the_middle_changes_no_fill(clock):
    here = broker(clock)
    quote = here.quotes([BTC])[BTC]
    price = here.rules(BTC).price(quote.last * Decimal("0.9995"))
    one = intent(amount="30", price=str(price))
    report, sent_ms = here.send(one), clock.now_ms()
    known = []
    while not (0 < sum(fill.amount for fill in known) < 30):
        clock.advance(15_000)
        known += [fill for news in here.news() for fill in news.fills if fill not in known]
    again = broker(clock)
    again.restore([record(one, report, sent_ms, known)])
    for _ in range(40):
        clock.advance(MINUTE_MS)
        here.news()
        again.news()
    whole = here.fills(BTC, 0)
    assert [*known, *again.fills(BTC, 0)] == list(whole)
    assert len(whole) > len(known) > 0


def test_a_stop_that_was_reached_while_nothing_ran_is_sold_at_its_own_time(clock):
    here = broker(clock)
    quote = here.quotes([BTC])[BTC]
    stop = here.rules(BTC).price(quote.last * Decimal("0.997"))
    one = intent(Side.SELL, OrderType.STOP, amount="0.1", stop_price=str(stop))
    report, sent_ms = here.send(one), clock.now_ms()
    clock.advance(2 * 24 * 60 * MINUTE_MS)
    assert here.order(BTC, one.client_id, "").state is OrderState.FILLED
    again = broker(clock)
    again.restore([record(one, report, sent_ms)])
    assert again.fills(BTC, 0) == here.fills(BTC, 0)
    assert sent_ms < again.fills(BTC, 0)[0].at_ms < clock.now_ms()


def test_an_order_whose_acceptance_never_reached_the_ledger_is_not_known(clock):
    here = broker(clock)
    one = intent(price="1000", amount="1")
    here.restore([replace(record(one, here.send(one), clock.now_ms()), state=OrderState.UNKNOWN)])
    again = broker(clock)
    again.restore([replace(record(one, here.order(BTC, one.client_id, ""), 1), state=OrderState.UNKNOWN)])
    assert again.order(BTC, one.client_id, "") is None


def test_news_tells_each_change_once_and_a_cancelled_order_is_over(clock):
    here = broker(clock)
    one = intent(price="1000", amount="1")
    assert here.send(one).state is OrderState.OPEN
    assert here.news() == []
    assert [each.client_id for each in here.open_orders([BTC])] == [one.client_id]
    assert here.cancel(BTC, one.client_id, "").state is OrderState.CANCELLED
    assert here.cancel(BTC, one.client_id, "") is None
    assert here.open_orders([BTC]) == []
    with pytest.raises(Refused, match="sent before"):
        here.send(one)


def test_orders_that_end_all_at_once_are_answered_for_until_the_ledger_has_them(clock, monkeypatch):
    monkeypatch.setattr(paper, "ENDED_KEPT", 2)
    awaited = {intent(price="1000", attempt=attempt).client_id for attempt in range(5)}
    here = broker(clock, awaited=awaited)
    price = str(here.rules(BTC).price(here.quotes([BTC])[BTC].last * Decimal("0.9995")))
    for attempt in range(5):
        here.send(intent(amount="0.01", price=price, attempt=attempt))
    clock.advance(120 * MINUTE_MS)
    assert [each.state for each in here.news()] == [OrderState.FILLED] * 5
    here.cancel(BTC, here.send(intent(price="1000", attempt=5)).client_id, "")
    here.news()
    assert {here.order(BTC, name, "").state for name in awaited} == {OrderState.FILLED}
    assert {fill.client_id for fill in here.fills(BTC, 0)} == awaited
    awaited.clear()
    here.news()
    assert len({fill.client_id for fill in here.fills(BTC, 0)} | set(here._ended)) == 2


def test_what_the_account_does_not_cover_is_refused(clock):
    here = broker(clock, {"USDT": Balance(free=Decimal(100))})
    here.send(intent(price="1000", amount="0.06"))
    with pytest.raises(Refused, match="are free"):
        here.send(intent(price="1000", amount="0.05", attempt=1))
    with pytest.raises(Refused, match="0 BTC are free"):
        here.send(intent(Side.SELL, price="90000", amount="1", attempt=2))
