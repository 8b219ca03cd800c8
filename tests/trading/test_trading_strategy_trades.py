"""Trades as strategies see them, and what strategies write. Sums over orders: test_decisions_golden.py."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from decisions import (
    MARKET,
    MINUTE_MS,
    NOON_MS,
    A,
    Plain,
    d,
    loaded,
    order_of,
    record_of,
    rules_of,
    terms_of,
    trade_of,
)

from daemon.core.clock import FakeClock
from daemon.core.errors import StrategyError
from daemon.core.pair import Pair
from daemon.strategy.locks import MemoryLocks, PairLock, PairLocks, use_locks
from daemon.strategy.persistence import Order, Trade, use_trades
from daemon.strategy.ports import bind_trading
from daemon.strategy.provider import DataProvider
from daemon.trading.account import Account
from daemon.trading.broker import Balance
from daemon.trading.callbacks import Callbacks
from daemon.trading.orders import Leg, OrderState
from daemon.trading.records import StopState
from daemon.trading.strategy_sources import StrategySources

NOON = datetime.fromtimestamp(NOON_MS / 1000, tz=UTC)


@pytest.fixture
def sources():
    """Sources that `Trade` and `PairLocks` answer from; the clock stands at noon."""
    ledger, reads = {}, []

    def closed():
        reads.append(len(ledger))
        return [record for record in ledger.values() if not record.is_open]

    made = StrategySources(rules_of(), "simulated", lambda _: MARKET, closed)
    made.ledger, made.reads = ledger, reads
    use_trades(made)
    use_locks(made, FakeClock(NOON_MS))
    yield made
    use_trades(None)
    use_locks(MemoryLocks())


def publish(sources, *records, free=1000, locks=(), **account):
    sources.ledger.update({record.trade_id: record for record in records})
    sources.publish(
        open_trades=[record for record in records if record.is_open],
        closed_trades=[record for record in records if not record.is_open],
        account=Account(
            stake_currency="USDT", balances={"USDT": Balance(free=d(free), used=d(5))}, **account
        ),
        locks=locks,
    )


def several():
    won = record_of(order_of(1, 100), order_of(1, 110, leg=Leg.EXIT), closed_ms=NOON_MS, exit_reason="roi")
    lost = record_of(
        order_of(2, 50), order_of(2, 40, leg=Leg.EXIT, at_ms=NOON_MS + MINUTE_MS), trade_id=2, pair=Pair("B/USDT"),
        closed_ms=NOON_MS + MINUTE_MS, exit_reason="stop_loss", enter_tag="dip",
    )  # fmt: skip
    held = record_of(order_of(1, 200), trade_id=3, opened_ms=NOON_MS + 5 * MINUTE_MS, enter_tag="dip")
    never = record_of(order_of(1, 9, fills=[], state=OrderState.CANCELLED), trade_id=4, closed_ms=NOON_MS)
    return won, lost, held, never


# one trade


def test_an_open_trade_shows_what_strategies_ask_for():
    stop = StopState(price=d(95), initial=d(90), ratio=-0.05, initial_ratio=-0.1, trailing=True)
    record = record_of(stop=stop, highest=d(105), lowest=d(97), enter_tag="up")
    trade = trade_of(record, exchange="binance")
    assert (trade.pair, trade.base_currency, trade.stake_currency, trade.exchange) == (
        "A/USDT",
        "A",
        "USDT",
        "binance",
    )
    assert (trade.open_rate, trade.amount, trade.stake_amount, trade.max_stake_amount) == (100, 1, 100, 100)
    assert (trade.stop_loss, trade.stop_loss_pct, trade.initial_stop_loss, trade.initial_stop_loss_pct) == (
        95, -0.05, 90, -0.1
    )  # fmt: skip
    assert (trade.max_rate, trade.min_rate, trade.is_stop_loss_trailing) == (105, 97, True)
    assert (trade.is_short, trade.leverage, trade.trade_direction, trade.enter_tag, trade.buy_tag) == (
        False, 1.0, "long", "up", "up"
    )  # fmt: skip
    assert (trade.open_date_utc, trade.close_date, trade.is_open, trade.timeframe) == (NOON, None, True, 5)
    assert (trade.entry_side, trade.exit_side, trade.has_open_position, trade.has_open_orders) == (
        "buy", "sell", True, False
    )  # fmt: skip
    assert (trade.fee_open, trade.fee_open_currency) == (pytest.approx(0.001), "USDT")
    assert trade.calc_profit(110) == pytest.approx(110 * 0.999 - 100.1)
    assert (trade.close_profit, trade.realized_profit) == (None, 0)
    assert trade.date_last_filled_utc == NOON
    assert repr(trade).startswith("Trade(id=1, pair=A/USDT, amount=1.00000000")


def test_a_closed_trade_has_its_profit():
    trade = trade_of(several()[0])
    assert (trade.is_open, trade.close_rate, trade.exit_reason, trade.close_date_utc) == (
        False,
        110,
        "roi",
        NOON,
    )
    assert trade.close_profit_abs == pytest.approx(110 * 0.999 - 100 * 1.001)
    assert trade.close_profit == pytest.approx((110 * 0.999) / (100 * 1.001) - 1)


@pytest.mark.parametrize(
    ("orders", "dust", "reason", "ended_min"),
    [
        ([(Leg.ENTRY, 0, 1), (Leg.EXIT, 2, "0.99")], "0.01", "roi", 2),
        ([(Leg.ENTRY, 0, 1)], "1", "force_exit", 9),
        ([(Leg.ENTRY, 0, 1), (Leg.EXIT, 2, "0.5")], "0.5", "settled_by_hand", 9),
        ([(Leg.ENTRY, 0, 1), (Leg.EXIT, 2, 1)], "0", "settled_by_hand", 2),
        ([(Leg.ENTRY, 2, 1), (Leg.EXIT, 2, 1)], "0", "roi", 2),
        ([], "0", "", 9),
    ],
)
def test_a_trade_ends_with_its_last_sale_or_when_the_rest_was_given_up(orders, dust, reason, ended_min):
    made = [
        order_of(amount, 100, leg=leg, number=i, at_ms=NOON_MS + at * MINUTE_MS)
        for i, (leg, at, amount) in enumerate(orders)
    ] or [order_of(1, 100, fills=[], state=OrderState.CANCELLED)]
    record = record_of(*made, dust=d(dust), exit_reason=reason, closed_ms=NOON_MS + 9 * MINUTE_MS)
    assert trade_of(record).close_date_utc == NOON + timedelta(minutes=ended_min)


def test_a_fee_in_the_coin_makes_the_position_smaller_and_the_cost_stays_exact():
    order = order_of(1, 100)
    (fill,) = order.fills
    paid = replace(order, fills=(replace(fill, fee=Decimal("0.001"), fee_currency="A"),))
    trade = trade_of(record_of(paid))
    assert trade.amount == pytest.approx(0.999)
    assert trade.open_trade_value == pytest.approx(100)
    assert trade.orders[0].safe_amount_after_fee == pytest.approx(0.999)


def test_a_fee_in_a_third_currency_counts_at_the_usual_rate():
    order = order_of(1, 100)
    (fill,) = order.fills
    paid = replace(order, fills=(replace(fill, fee=Decimal("0.01"), fee_currency="BNB"),))
    assert trade_of(record_of(paid)).fee_open == pytest.approx(0.001)
    assert trade_of(record_of(paid), fee=Decimal("0.002")).fee_open == pytest.approx(0.002)
    assert trade_of(record_of(paid)).fee_open_currency == "BNB"


def test_before_the_first_fill_a_trade_shows_what_it_asks_for():
    trade = trade_of(record_of(order_of(2, 100, fills=[], state=OrderState.OPEN)))
    assert (trade.amount, trade.open_rate, trade.stake_amount, trade.has_open_orders) == (0, 100, 200, True)
    assert trade.open_orders_ids == ["entry0"]
    assert trade.calc_profit_ratio(110) == 0


def test_orders_show_what_strategies_ask_for():
    open_order = order_of(2, 100, fills=[(0.5, 99)], state=OrderState.OPEN, exchange_id="77")
    stop = order_of(1, 90, leg=Leg.STOP, fills=[], state=OrderState.OPEN)
    leave = order_of(0.5, 110, leg=Leg.EXIT)
    gone = order_of(1, 1, fills=[], state=OrderState.DROPPED, number=9)
    trade = trade_of(record_of(open_order, stop, leave, gone))
    first, lies, sold = trade.orders
    assert (first.ft_order_side, first.ft_is_open, first.status, first.order_id) == (
        "buy",
        True,
        "open",
        "77",
    )
    assert (first.filled, first.remaining, first.average, first.price, first.safe_price) == (
        0.5,
        1.5,
        99,
        100,
        99,
    )
    assert (first.cost, first.stake_amount_filled, first.order_filled_date) == (49.5, 49.5, None)
    assert (lies.ft_order_side, sold.ft_order_side, sold.status) == ("stoploss", "sell", "closed")
    assert sold.order_filled_utc == sold.order_date_utc == NOON
    assert (trade.nr_of_successful_entries, trade.nr_of_successful_exits) == (0, 1)
    assert trade.open_orders == [first]
    assert trade.open_sl_orders == trade.sl_orders == [lies]
    assert trade.has_open_sl_orders
    assert trade.select_filled_orders("sell") == trade.select_filled_orders() == [sold]
    assert trade.select_filled_or_open_orders() == [first, lies, sold]
    assert trade.select_order("buy", is_open=True) is first
    assert trade.select_order("sell", is_open=False, only_filled=True) is sold
    assert trade.select_order("buy", is_open=False) is None
    assert first.trade is trade


# queries


def test_queries_answer_from_what_is_published(sources):
    publish(sources, *several())
    assert [trade.id for trade in Trade.get_trades()] == [1, 2, 3]
    assert [trade.id for trade in Trade.get_open_trades()] == [3]
    assert (Trade.get_open_trade_count(), Trade.total_open_trades_stakes()) == (1, 200)
    expected = 110 * 0.999 - 100.1 + 2 * (40 * 0.999 - 50.05)
    assert Trade.get_total_closed_profit() == pytest.approx(expected)
    assert [trade.id for trade in Trade.get_trades_proxy(pair="B/USDT", is_open=False)] == [2]
    assert Trade.get_trades_proxy(close_date=NOON)[0].id == 2
    assert [trade.id for trade in Trade.get_trades_proxy(open_date=NOON)] == [3]
    assert Trade.get_best_pair()[0] == "A/USDT"
    assert [entry["exit_reason"] for entry in Trade.get_exit_reason_performance()] == ["roi", "stop_loss"]
    assert Trade.get_enter_tag_performance("B/USDT")[0]["count"] == 1


@pytest.mark.parametrize(
    ("condition", "ids"),
    [
        (lambda: Trade.pair == "A/USDT", [1, 3]),
        (lambda: Trade.pair != "A/USDT", [2]),
        (lambda: [Trade.is_open.is_(False), Trade.close_profit < 0], [2]),
        (lambda: Trade.close_profit > 0, [1]),
        (lambda: Trade.close_date >= NOON.replace(tzinfo=None), [1, 2]),
        (lambda: Trade.close_date > NOON, [2]),
        (lambda: Trade.close_date.is_(None), [3]),
        (lambda: Trade.close_date == None, [3]),  # noqa: E711 - as SQL conditions are written
        (lambda: Trade.close_date.is_not(None), [1, 2]),
        (lambda: Trade.id.in_([1, 3]), [1, 3]),
        (lambda: Trade.id.not_in([1, 3]), [2]),
        (lambda: Trade.id.between(2, 3), [2, 3]),
        (lambda: (Trade.enter_tag == "dip") & Trade.is_open.is_(True), [3]),
        (lambda: (Trade.id == 1) | (Trade.id == 2), [1, 2]),
        (lambda: ~(Trade.id == 1), [2, 3]),
    ],
)
def test_conditions_are_applied(sources, condition, ids):
    publish(sources, *several())
    assert [trade.id for trade in Trade.get_trades(condition())] == ids


def test_an_order_is_no_condition(sources):
    publish(sources, *several())
    with pytest.raises(StrategyError, match=r"Trade\.id: desc is an order"):
        Trade.get_trades(Trade.id.desc())
    with pytest.raises(StrategyError, match="True is no condition"):
        Trade.get_trades([True])


def test_answers_are_sorted_as_asked(sources):
    publish(sources, *several())
    query = Trade.get_trades().order_by(Trade.close_date.desc(), Trade.id)
    assert [trade.id for trade in query] == [2, 1, 3]
    assert [trade.id for trade in Trade.get_trades().order_by(Trade.stake_amount)][-1] == 3
    assert query.limit(1).all()[0].id == query.first().id == 2
    assert query.filter(Trade.is_open.is_(True)).count() == 1


def test_open_orders_of_all_trades(sources):
    publish(sources, record_of(order_of(2, 100, fills=[], state=OrderState.OPEN)), *several()[:1])
    assert [order.id for order in Order.get_open_orders()] == ["entry0"]


def test_what_a_strategy_does_to_a_trade_changes_nothing(sources):
    publish(sources, *several())
    trade = Trade.get_open_trades()[0]
    trade.amount = 0
    trade.orders.clear()
    assert Trade.get_open_trades()[0].amount == 1
    assert len(Trade.get_open_trades()[0].orders) == 1


def test_a_closed_trade_that_is_open_again_is_shown_once(sources):
    won = several()[0]
    publish(sources, won)
    publish(sources, replace(won, closed_ms=None))
    assert [(trade.id, trade.is_open) for trade in Trade.get_trades()] == [(1, True)]


def test_closed_trades_are_read_when_they_are_asked_for_and_once(sources):
    won, lost, held, _ = several()
    publish(sources, won, held)
    assert [trade.id for trade in Trade.get_open_trades()] == [3]
    assert sources.reads == []
    assert [trade.id for trade in Trade.get_trades_proxy(is_open=False)] == [1]
    publish(sources, lost)
    assert [trade.id for trade in Trade.get_trades_proxy(is_open=False)] == [1, 2]
    assert sources.reads == [2]


def test_a_trade_is_shown_as_it_was_published_though_the_ledger_knows_more(sources):
    won = several()[0]
    publish(sources, replace(won, closed_ms=None))
    sources.ledger[1] = won
    assert Trade.get_trades_proxy(is_open=False) == []
    assert [(trade.id, trade.is_open) for trade in Trade.get_trades()] == [(1, True)]
    publish(sources, won)
    assert [(trade.id, trade.is_open) for trade in Trade.get_trades()] == [(1, False)]


def test_custom_data_of_a_closed_trade_comes_from_the_ledger(sources):
    won = replace(several()[0], custom={"a": 1})
    publish(sources, won)
    assert dict(sources.custom(1)) == {"a": 1}
    sources.keep_custom(1, "b", 2)
    assert dict(sources.changes().custom) == {1: {"a": 1, "b": 2}}


# what strategies write


def test_custom_data_is_seen_at_once_handed_back_and_kept(sources):
    record = record_of(custom={"a": 1})
    publish(sources, record)
    trade = Trade.get_open_trades()[0]
    trade.set_custom_data("b", {"x": (1, 2)})
    assert (trade.get_custom_data("a"), trade.get_custom_data("b"), trade.get_custom_data("c", 9)) == (
        1, {"x": [1, 2]}, 9
    )  # fmt: skip
    found = sources.changes()
    assert dict(found.custom) == {1: {"a": 1, "b": {"x": [1, 2]}}}
    assert dict(sources.changes().custom) == {}
    assert trade.get_custom_data("b") == {"x": [1, 2]}
    trade.delete_custom_data("a")
    assert [entry.cd_key for entry in trade.get_all_custom_data()] == ["b"]
    assert trade.get_custom_data_entry("b").value == {"x": [1, 2]}
    trade.delete_custom_data()
    assert trade.get_all_custom_data() == []
    assert dict(sources.changes().custom) == {1: {}}


def test_custom_data_that_was_written_meanwhile_stays_over_what_is_published(sources):
    publish(sources, record_of())
    Trade.get_open_trades()[0].set_custom_data("a", 1)
    publish(sources, record_of())
    assert Trade.get_open_trades()[0].get_custom_data("a") == 1


def test_custom_data_must_be_json(sources):
    publish(sources, record_of())
    with pytest.raises(StrategyError, match=r"set_custom_data\('a'\): JSON cannot hold it"):
        Trade.get_open_trades()[0].set_custom_data("a", object())


def test_a_lock_is_seen_at_once_handed_back_and_kept(sources):
    lock = PairLocks.lock_pair("A/USDT", NOON + timedelta(hours=1), "why")
    assert PairLocks.is_pair_locked("A/USDT")
    publish(sources)
    assert PairLocks.is_pair_locked("A/USDT")
    assert sources.changes().locks == (lock,)
    publish(sources, locks=(lock,))
    PairLocks.unlock_pair("A/USDT")
    assert not PairLocks.is_pair_locked("A/USDT")
    publish(sources, locks=(lock,))
    assert not PairLocks.is_pair_locked("A/USDT")
    assert [gone.reason for gone in sources.changes().lifted] == ["why"]


def test_locks_end_by_market_time(sources):
    clock = FakeClock(NOON_MS)
    use_locks(sources, clock)
    PairLocks.lock_pair("A/USDT", NOON + timedelta(hours=1))
    clock.advance(60 * MINUTE_MS)
    assert not PairLocks.is_pair_locked("A/USDT")


def test_strategies_write_from_any_thread(sources):
    publish(sources, record_of())

    def write(number):
        for i in range(50):
            sources.keep_custom(1, f"{number}-{i}", i)
            sources.add(
                PairLock(pair="A/USDT", lock_time=NOON, lock_end_time=NOON, reason=f"{number}-{i}", side="*")
            )

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = sources.changes()
    assert len(found.custom[1]) == len(found.locks) == 200


class Market:
    def order_book(self, pair, places):
        return {"bids": [[1.0, 2.0]][:places], "asks": []}

    def ticker(self, pair):
        return {"symbol": pair, "bid": 1.0}

    def market(self, pair):
        return None


def test_a_strategy_sees_the_account_and_the_market(sources):
    strategy = loaded()
    strategy.instance.dp = DataProvider(strategy.instance.config)
    bind_trading(strategy, trades=sources, locks=sources, account=sources, market=Market())
    publish(sources, tied_up=d(200), closed_profit=d(20))
    wallets, dp = strategy.instance.wallets, strategy.instance.dp
    assert (wallets.get_free("USDT"), wallets.get_used("USDT"), wallets.get_total("USDT")) == (1000, 5, 1005)
    assert wallets.get_total("A") == 0
    assert wallets.get_total_stake_amount() == pytest.approx(1188)
    assert wallets.get_available_stake_amount() == pytest.approx(988)
    assert wallets.get_starting_balance() == pytest.approx(1180 * 0.99)
    assert wallets.get_trade_stake_amount("A/USDT", 3) == pytest.approx(396)
    assert dp.orderbook("A/USDT", 1) == {"bids": [[1.0, 2.0]], "asks": []}
    assert (dp.ticker("A/USDT")["bid"], dp.market("A/USDT")) == (1.0, None)


# callbacks


def test_order_filled_gets_the_order_of_its_copy():
    class Filled(Plain):
        got = None

        def order_filled(self, pair, trade, order, current_time, **kwargs):
            Filled.got = (pair, order is trade.orders[0], current_time)
            order.filled = 0

    trade = trade_of(record_of())
    Callbacks(loaded(Filled)).order_filled(trade, trade.orders[0], now_ms=NOON_MS)
    assert Filled.got == ("A/USDT", True, NOON)
    assert trade.orders[0].filled == 1


def test_an_exit_of_a_strategy_does_not_stop_the_daemon():
    class Leaving(Plain):
        def custom_exit(self, **kwargs):
            raise SystemExit(1)

    with pytest.raises(StrategyError, match=r"SystemExit.*\[custom_exit A/USDT\]"):
        terms_of(Leaving).callbacks.custom_exit(
            trade_of(record_of()), now_ms=NOON_MS, current_rate=1.0, current_profit=0.0
        )


def test_a_reason_that_is_too_long_is_cut():
    class Talking(Plain):
        def custom_sell(self, pair, trade, current_time, current_rate, current_profit, **kwargs):
            return "x" * 300

    said = terms_of(Talking).callbacks.custom_exit(
        trade_of(record_of()), now_ms=NOON_MS, current_rate=1.0, current_profit=0.0
    )
    assert said == "x" * 255


@pytest.mark.parametrize("value", ["lots", float("nan"), [1]])
def test_a_stake_that_is_no_number_is_the_strategys_fault(value):
    class Vague(Plain):
        def custom_stake_amount(self, **kwargs):
            return value

    with pytest.raises(StrategyError, match=r"is not a number \[custom_stake_amount A/USDT\]"):
        terms_of(Vague).callbacks.custom_stake_amount(A, now_ms=NOON_MS, proposed_stake=1.0)
