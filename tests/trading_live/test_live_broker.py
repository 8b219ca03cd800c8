from decimal import Decimal

import pytest
from live_desk import BTC, intent
from trading_exchange import KEYS

from daemon.core.errors import ConfigError, RateLimited, Refused, Retryable
from daemon.core.pair import Pair
from daemon.core.timeframe import Timeframe
from daemon.trading.broker import AnswerLost, Balance
from daemon.trading.live_errors import ClockOff
from daemon.trading.live_values import opening_price
from daemon.trading.orders import OrderState, Side

LOW, PLACE = "30000", "POST order"


def known(exchange, client_id):
    """How many orders the exchange has under an id."""
    return sum(order.client_id == client_id for order in exchange.book.orders)


def fills_of(exchange, broker):
    return broker.fills(BTC, exchange.now_ms() - 3_600_000)


def test_rules_are_the_exchange_filters(broker):
    rules = broker.rules(BTC)
    assert (rules.amount_step, rules.price_step) == (Decimal("0.00001"), Decimal("0.01"))
    assert (rules.min_cost, rules.min_amount) == (5, Decimal("0.00001"))
    assert (rules.max_amount, rules.max_market_amount, rules.max_cost) == (9000000, 1000000, 9000000)
    assert rules.taker_fee == Decimal("0.001")
    assert broker.rules(Pair("SHIB/USDT")).amount_step == 1


def test_quotes_are_of_the_pairs_that_are_asked_for(exchange, broker):
    quotes = broker.quotes([BTC, Pair("ETH/USDT")])
    assert set(quotes) == {"BTC/USDT", "ETH/USDT"}
    assert (quotes[BTC].bid, quotes[BTC].ask) == (exchange.book.bid("BTCUSDT"), exchange.book.ask("BTCUSDT"))


def test_a_pair_that_is_not_there_is_left_out_and_spoils_nothing(broker):
    assert set(broker.quotes([BTC, Pair("NOPE/USDT")])) == {"BTC/USDT"}


def test_a_pair_that_the_exchange_refuses_has_its_markets_asked_for_again(exchange, broker, monkeypatch):
    eth = Pair("ETH/USDT")
    exchange.delist(eth)
    with pytest.raises(Refused):  # by the markets of a moment ago it is there
        broker.quotes([BTC, eth])
    assert broker.unlisted([BTC, eth]) == frozenset(), "not more often than once a minute"
    monkeypatch.setattr("daemon.market.ccxt_market._MARKETS_AGAIN_S", 0.0)
    with pytest.raises(Refused):
        broker.quotes([BTC, eth])
    assert broker.unlisted([BTC, eth]) == frozenset(), "one answer may be incomplete"
    assert broker.unlisted([BTC, eth]) == {eth}
    assert set(broker.quotes([BTC, eth])) == {BTC}


def test_the_order_book_is_best_first(exchange, broker):
    exchange.move(BTC, "10000.05")  # 9999.97 < 10000.05, but as texts it is the other way round
    book = broker.order_book(BTC, 20)
    assert [price for price, _ in book.bids] == sorted((p for p, _ in book.bids), reverse=True)
    assert [price for price, _ in book.asks] == sorted(p for p, _ in book.asks)
    assert (book.bids[0], book.asks[0]) == ((Decimal("10000.05"), 1), (Decimal("10000.06"), 1))
    assert len(book.bids) == 20


def test_a_market_order_is_filled_and_every_fill_is_told_to_the_last_digit(exchange, broker):
    order = intent("0.01")
    report = broker.send(order)
    assert (report.client_id, report.state, report.filled) == (
        order.client_id,
        OrderState.FILLED,
        Decimal("0.01"),
    )
    fills = fills_of(exchange, broker)
    assert [(f.fill_id, f.amount, f.price, f.fee, f.fee_currency, f.exchange_id) for f in fills] == [
        (str(t.number), t.qty, t.price, t.fee, "BTC", report.exchange_id) for t in exchange.book.trades
    ]
    assert len(fills) > 1
    assert sum(f.amount for f in fills) == report.filled


def test_balances_are_exact_and_tell_what_open_orders_bind(exchange, broker):
    broker.send(intent("0.01"))
    broker.send(intent("0.001", LOW))
    assert broker.balances() == {
        asset: Balance(free=free, used=locked) for asset, (free, locked) in exchange.book.balances().items()
    }
    assert broker.balances()["USDT"].used == 30


def test_a_balance_that_no_float_can_hold_is_exact(exchange, broker):
    much = Decimal("123456789012.12345678")
    exchange.do(lambda book, _now_ms: book.free.update(USDT=much))
    assert broker.balances()["USDT"].free == much


def test_a_limit_order_is_filled_in_parts(exchange, broker):
    order = intent("0.01", LOW)
    assert broker.send(order).state is OrderState.OPEN
    seen = set()
    for _ in range(20):
        exchange.move(BTC, "29999.00")
        report = broker.order(BTC, order.client_id, "")
        seen.add(report.state)
        if report.state is OrderState.FILLED:
            break
    assert seen == {OrderState.OPEN, OrderState.FILLED}
    assert report.filled == sum(fill.amount for fill in fills_of(exchange, broker)) == Decimal("0.01")


def test_a_stop_order_lies_at_the_exchange_and_sells_when_the_price_falls(exchange, broker):
    broker.send(intent("0.01"))
    order = intent("0.005", stop=LOW, side=Side.SELL)
    assert broker.send(order).state is OrderState.OPEN
    assert [report.client_id for report in broker.open_orders([BTC])] == [order.client_id]
    exchange.move(BTC, "29990.00")
    assert broker.order(BTC, order.client_id, "").state is OrderState.FILLED


def test_a_stop_limit_order_becomes_a_limit_order(exchange, broker):
    broker.send(intent("0.01"))
    order = intent("0.005", "29000", LOW, side=Side.SELL)
    broker.send(order)
    placed = exchange.book.find("BTCUSDT", client_id=order.client_id)
    assert (placed.type, placed.stop, placed.price) == ("STOP_LOSS_LIMIT", Decimal(LOW), Decimal(29000))


@pytest.mark.parametrize(("tif", "kind"), [("PO", "LIMIT_MAKER"), ("IOC", "LIMIT"), ("GTC", "LIMIT")])
def test_time_in_force_is_handed_on(exchange, broker, tif, kind):
    order = intent("0.001", LOW, time_in_force=tif)
    broker.send(order)
    placed = exchange.book.find("BTCUSDT", client_id=order.client_id)
    assert placed.type == kind
    assert placed.tif == ("GTC" if tif == "PO" else tif)


def test_what_ended_before_it_was_filled_says_so(exchange, broker):
    report = broker.send(intent("0.001", LOW, time_in_force="IOC"))
    assert (report.state, report.filled) == (OrderState.EXPIRED, 0)


def test_a_cancelled_order_keeps_its_client_id(broker):
    order = intent("0.001", LOW)
    sent = broker.send(order)
    report = broker.cancel(BTC, order.client_id, sent.exchange_id)
    assert (report.client_id, report.state) == (order.client_id, OrderState.CANCELLED)
    assert broker.open_orders([BTC]) == ()


def test_an_order_that_is_filled_while_it_is_cancelled_is_not_known_as_open(exchange, broker):
    order = intent("0.001", LOW)
    sent = broker.send(order)
    exchange.script("race", path="DELETE order")
    assert broker.cancel(BTC, order.client_id, sent.exchange_id) is None
    assert broker.order(BTC, order.client_id, sent.exchange_id).state is OrderState.FILLED


def test_an_order_that_never_was_is_none(broker):
    assert broker.order(BTC, "cd00", "") is None


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (intent("0.000123456", LOW), "no multiple"),
        (intent("0.001", "30000.001"), "no multiple"),
        (intent("0.0001", LOW), "below the least value"),
        (intent("0.0001"), "NOTIONAL"),
        (intent("3", LOW, side=Side.SELL), "insufficient balance"),
        (intent("0.01", "99999.00", time_in_force="PO"), "immediately match"),
        (intent("0.000123456"), "nearest is 0.00012"),
    ],
)
def test_what_the_filters_or_the_funds_forbid_is_refused(exchange, broker, order, words):
    with pytest.raises(Refused, match=words):
        broker.send(order)
    assert exchange.book.orders == []


@pytest.mark.parametrize("fault", ["unavailable", "reset", "hang", "truncated", "page", "unknown"])
def test_an_answer_that_is_lost_leaves_the_order_unknown_and_it_is_never_sent_again(exchange, connect, fault):
    broker = connect(exchange, **({"timeout": 700} if fault == "hang" else {}))
    broker.rules(BTC)
    broker.balances()
    for _ in range(6):
        order = intent("0.001", LOW)
        exchange.script(fault, path=PLACE)
        with pytest.raises(AnswerLost):
            broker.send(order)
        there = known(exchange, order.client_id)
        assert there <= 1
        report = broker.order(BTC, order.client_id, "")
        assert (report is not None) == bool(there)
    assert len(exchange.asked("POST /api/v3/order")) == 6


def test_a_duplicate_is_asked_for_and_not_taken_for_a_refusal(exchange, broker):
    order = intent("0.001", LOW)
    broker.send(order)
    with pytest.raises(AnswerLost, match="Duplicate"):
        broker.send(order)
    assert known(exchange, order.client_id) == 1


def test_the_exchange_takes_a_client_id_again_once_its_order_has_ended(exchange, broker):
    # Which is why nothing above may rely on the exchange to refuse a second sending.
    order = intent("0.01")
    broker.send(order)
    broker.send(order)
    assert known(exchange, order.client_id) == 2


def test_who_is_told_to_wait_sends_nothing_and_nothing_has_happened(exchange, broker):
    exchange.retry_after = 3600
    exchange.script("too_many", path=PLACE)
    for _ in range(3):
        with pytest.raises(RateLimited):
            broker.send(intent("0.001", LOW))
    with pytest.raises(RateLimited):
        broker.balances()
    assert exchange.book.orders == []
    assert len(exchange.asked(PLACE.replace(" ", " /api/v3/"))) == 1
    assert exchange.too_early(0.0) == []


def test_a_silence_outlives_the_process(exchange, connect):
    class Memory:
        until_ms = 0

        def recall(self):
            return self.until_ms

        def remember(self, until_ms):
            self.until_ms = until_ms

    memory = Memory()
    exchange.retry_after = 3600
    exchange.script("too_many", path=PLACE)
    with pytest.raises(RateLimited):
        connect(exchange, memory=memory).send(intent("0.001", LOW))
    requests = len(exchange.requests)
    with pytest.raises(RateLimited):
        connect(exchange, memory=memory).send(intent("0.001", LOW))
    assert len(exchange.requests) == requests


def test_where_nobody_listens_nothing_has_left(exchange, connect):
    broker = connect(exchange)
    broker.rules(BTC)
    broker._ccxt.urls["api"]["private"] = "http://127.0.0.1:1/api/v3"
    with pytest.raises(Retryable) as told:
        broker.send(intent("0.001", LOW))
    assert not isinstance(told.value, AnswerLost)


def test_a_wrong_key_is_for_a_human(exchange, connect):
    with pytest.raises(ConfigError, match="Invalid API-key"):
        connect(exchange, keys={**KEYS, "key": "other"}).balances()


def test_a_wrong_secret_is_for_a_human(exchange, connect):
    with pytest.raises(ConfigError, match="Signature"):
        connect(exchange, keys={**KEYS, "secret": "other"}).send(intent("0.001", LOW))


def test_requests_are_stamped_by_the_exchange_clock(exchange, connect):
    exchange.skew_ms = -3_600_000
    broker = connect(exchange)
    assert broker.balances()["USDT"].free == 100_000
    assert broker.clock_off_ms() == pytest.approx(3_600_000, abs=15_000)


def test_a_clock_that_is_set_refuses_one_order_and_is_looked_at_again(exchange, broker):
    exchange.skew_ms = 40_000
    with pytest.raises(ClockOff):
        broker.send(intent("0.001", LOW))
    assert broker.send(intent("0.001", LOW)).state is OrderState.OPEN
    exchange.skew_ms = -40_000
    assert broker.balances()  # a question is asked again by itself
    assert broker.clock_off_ms() == pytest.approx(40_000, abs=15_000)
    assert len(exchange.book.orders) == 1


def test_questions_are_asked_again_while_their_faults_may_pass(exchange, broker):
    exchange.script("unavailable", "reset", "page", "busy", path="GET account")
    assert broker.balances()["USDT"].total == 100_000


def test_rows_that_come_twice_are_one(exchange, broker):
    broker.send(intent("0.01"))
    broker.send(intent("0.001", LOW))
    exchange.script("duplicate", path="GET openOrders")
    exchange.script("duplicate", path="GET myTrades")
    assert len(broker.open_orders([BTC])) == 1
    assert len(fills_of(exchange, broker)) == len(exchange.book.trades)


def test_fills_come_over_as_many_pages_and_days_as_it_takes(exchange, connect, monkeypatch):
    broker = connect(exchange)
    broker.rules(BTC)
    spot = broker._ccxt.features["spot"]["fetchMyTrades"]
    monkeypatch.setitem(spot, "limit", 10)
    day_ms, now_ms = 86_400_000, exchange.now_ms()

    def trade(book, _now_ms):
        for days in (40, 13, 12, 0):
            for k in range(4):
                order = {"symbol": "BTCUSDT", "side": "BUY", "kind": "MARKET", "qty": Decimal("0.002")}
                book.submit(**order, client_id=f"x{days}{k}", now_ms=now_ms - days * day_ms - 1000 + k // 2)

    exchange.do(trade)
    fills = broker.fills(BTC, now_ms - 39 * day_ms)
    wanted = [str(t.number) for t in exchange.book.trades if t.at_ms > now_ms - 39 * day_ms]
    assert [fill.fill_id for fill in fills] == wanted
    assert len(wanted) > 15


def test_more_fills_in_one_millisecond_than_a_page_holds_are_told_and_not_looped_over(
    exchange, broker, monkeypatch
):
    monkeypatch.setitem(broker._ccxt.features["spot"]["fetchMyTrades"], "limit", 1)
    monkeypatch.setattr("daemon.trading.live._LIST_S", 3.0)
    broker.send(intent("0.01"))
    with pytest.raises(Retryable, match="all that is told at once"):
        fills_of(exchange, broker)


def test_a_look_back_without_end_has_one(exchange, broker, monkeypatch):
    monkeypatch.setattr("daemon.trading.live_fills._WINDOWS", 2)
    broker.send(intent("0.01"))
    assert len(broker.fills(BTC, 0)) == len(exchange.book.trades)
    assert len(exchange.asked("GET /api/v3/myTrades")) <= 3


def test_a_price_of_significant_digits_is_not_traded(broker, monkeypatch):
    monkeypatch.setattr(broker._ccxt, "precisionMode", 3)
    with pytest.raises(ConfigError, match="significant digits"):
        broker.rules(BTC)


def test_nothing_can_leave_this_machine(exchange, broker):
    from loopback import BREACHES, Breach  # noqa: PLC0415 - only here it is meant to be hit

    broker._ccxt.urls["api"]["private"] = "http://192.0.2.1:9/api/v3"
    with pytest.raises((Retryable, Breach)):
        broker.balances()
    assert BREACHES
    BREACHES.clear()


def test_the_price_of_a_moment_is_that_of_its_minute(exchange, broker):
    bnb, at_ms = Pair("BNB/USDT"), exchange.now_ms() - 600_000
    minute_ms = at_ms // 60_000 * 60_000
    rows = exchange.candles.rows(bnb, Timeframe("1m"), minute_ms, minute_ms + 60_000, exchange.now_ms())
    assert broker.price_at(bnb, at_ms) == Decimal(int(rows[0][1])).scaleb(-exchange._decimals["BNBUSDT"])
    assert broker.price_at(Pair("NOPE/USDT"), at_ms) is None
    assert broker.price_at(bnb, 1) is None
    assert opening_price([[0, 1.0], None, [60_000, 2.0]], 59_999, "") == 1, "not of the minute behind a gap"
