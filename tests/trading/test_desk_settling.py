"""Trades of pairs that are gone, closed by the word of their owner."""

from dataclasses import replace
from decimal import Decimal

import pytest
from desk_scene import BTC, CANDLE_MS, ETH, NOW_MS, Scene, flaky

from daemon.core.errors import Refused, Retryable
from daemon.trading.ledger import Ledger
from daemon.trading.ledger_connection import LedgerFault
from daemon.trading.orders import Fill, Leg, OrderState
from daemon.trading.positions import position_of

D = Decimal
AT_EXCHANGE = {
    "order_types": {"entry": "limit", "exit": "limit", "stoploss": "market", "stoploss_on_exchange": True}
}


@pytest.fixture
def held(tmp_path):
    """held(**changes): a desk that holds ETH, whose market is gone."""
    made = []

    def built(**changes):
        here = Scene(tmp_path, **changes)
        made.append(here)
        here.enter(ETH)
        here.looks()
        del here.source.prices[ETH]
        here.ask("reconcile")
        return here

    yield built
    for each in made:
        each.close()


def test_it_is_closed_at_the_price_and_time_that_the_owner_says(held):
    here = held()
    amount, at_ms = position_of(here.trade(1)).amount, here.clock.now_ms() - 1_000
    before = here.wallet["USDT"].total
    answer = here.ask("settle", trade=1, price="2.5", at_ms=at_ms)
    trade = here.trade(1)
    assert answer["text"] == f"trade 1 ETH/USDT is closed: {trade.exit_detail}"
    assert trade.exit_reason == "settled_by_hand"
    assert trade.exit_detail == f"settled_by_hand: by the owner's word, {amount:f} ETH were sold at 2.5"
    position, sale = position_of(trade), trade.orders[-1]
    assert (position.amount, position.close_rate, position.last_ms) == (0, D("2.5"), at_ms)
    assert position.realized == amount * D("2.5") - position.paid
    assert here.wallet["USDT"].total == before + amount * D("2.5")
    assert "ETH" not in here.wallet
    assert (sale.intent.leg, sale.state) == (Leg.EXIT, OrderState.FILLED)
    assert (sale.sent_ms, sale.exchange_id, sale.detail) == (None, "", "settled_by_hand"), "it never left"
    here.desk._shown_s = -1
    here.looks()
    assert "trade 1" not in here.desk.view.trouble
    assert here.desk.view.closed_profit == position.realized


def test_what_is_written_off_has_brought_nothing(held):
    here = held()
    amount, before = position_of(here.trade(1)).amount, here.wallet["USDT"].total
    assert f"{amount:f} ETH are written off" in here.ask("settle", trade="1", written_off=True)["text"]
    trade = here.trade(1)
    assert (trade.is_open, trade.dust, trade.exit_reason) == (False, amount, "settled_by_hand")
    assert here.wallet["USDT"].total == before
    here = here.again()
    here.looks()
    assert here.desk.view.closed_profit == -position_of(trade).paid


def test_protections_go_by_what_was_written_off(held):
    protections = [
        {"method": "CooldownPeriod", "stop_duration_candles": 5},
        {
            "method": "StoplossGuard",
            "lookback_period_candles": 50,
            "trade_limit": 1,
            "stop_duration_candles": 5,
        },
        {"method": "LowProfitPairs", "lookback_period_candles": 50, "trade_limit": 1, "stop_duration": 60},
        {
            "method": "MaxDrawdown",
            "lookback_period_candles": 50,
            "trade_limit": 1,
            "stop_duration_candles": 5,
            "max_allowed_drawdown": 0.01,
        },
    ]
    here = held(protections=protections)
    here.clock.advance(60 * CANDLE_MS)  # bought before all that they look back at
    assert "closed" in here.ask("settle", trade="1", written_off=True)["text"]
    (shown,) = here.desk._strategy._sources.trades(is_open=False)
    assert (shown.close_profit, shown.close_rate) == (-1, None)
    assert shown.close_profit_abs == pytest.approx(float(-position_of(here.trade(1)).paid))
    reasons = " ".join(lock.reason or "" for lock in here.desk._ledger.locks(here.clock.now_ms()))
    assert "LowProfitPairs" in reasons
    assert "MaxDrawdown" in reasons


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({}, "either the price of the sale, or that it is written off"),
        ({"price": "3", "written_off": True}, "either the price of the sale, or that it is written off"),
        ({"price": "0"}, "not a number above 0"),
        ({"price": "1e60"}, "it must lie between"),
        ({"price": "1e-999999"}, "it must lie between"),
        ({"price": "1." + 28 * "1"}, "in 28 digits at most"),
        (
            {"price": "3", "at_ms": 1},
            "not sold before what is known of it happened (2026-01-01T00:00:02.000)",
        ),
        ({"price": "3", "at_ms": 10**15}, "yet to be sold"),
        ({"price": "3", "at_ms": "yesterday"}, "not a time in milliseconds"),
        ({"written_off": True, "at_ms": NOW_MS + 5_000}, "nothing was sold"),
        ({"price": "3", "trade": "2"}, "no open trade '2'"),
        ({"price": "3", "trade": "all"}, "no open trade 'all'"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(held, wrong, words):
    here = held()
    before = here.trades()
    answer = here.ask("settle", **{"trade": "1"} | wrong)
    assert isinstance(answer, Refused)
    assert words in str(answer)
    assert here.trades() == before


def test_a_pair_that_can_be_traded_is_left_to_the_rules(held):
    here = held()
    here.enter(BTC)
    answer = here.ask("settle", trade="2", price="50")
    assert isinstance(answer, Refused)
    assert "candled exit 2" in str(answer)
    assert here.trade(2).is_open


def test_orders_that_may_be_open_are_over_when_the_owner_says_so_and_not_before(held):
    here = held(**AT_EXCHANGE)
    stop = here.trade(1).orders[-1].intent.client_id
    refused = here.ask("settle", trade="1", price="3")
    assert isinstance(refused, Refused)
    assert stop in str(refused)
    assert "--orders-ended" in str(refused)
    assert here.trade(1).orders[-1].state is OrderState.OPEN
    assert "closed" in here.ask("settle", trade="1", price="3", orders_ended=True)["text"]
    trade = here.trade(1)
    assert [order.settled for order in trade.orders] == [True] * 3
    assert position_of(trade).amount == 0
    here.source.prices[ETH] = [(0, D(10))]
    here.go("1", ETH, looks=2)  # listed again, and below the stop: on paper, too, the order is gone
    assert here.trade(1) == trade
    assert here.desk._truth.obstacles == ()


def test_what_an_order_has_sold_unseen_is_looked_at_before_the_rest_is_settled(held):
    here = held(**AT_EXCHANGE)
    stop = here.trade(1).orders[-1].intent
    sold = Fill(
        fill_id="1",
        client_id=stop.client_id,
        exchange_id="",
        pair=ETH,
        side=stop.side,
        amount=D(4),
        price=D(8),
        at_ms=here.clock.now_ms() + 500,
    )
    flaky(here).after = lambda name, found: (
        replace(found, filled=D(4), fills=(sold,)) if name == "cancel" else found
    )
    word = {"trade": "1", "price": "3", "orders_ended": True}
    answer = here.ask("settle", **word)
    assert isinstance(answer, Refused)
    assert "filled further" in str(answer)
    assert here.trade(1).is_open
    assert "6 ETH were sold at 3" in here.ask("settle", **word)["text"]
    assert position_of(here.trade(1)).received == 50


def test_an_order_that_nobody_could_cancel_is_over_by_the_owners_word(held):
    here = held(**AT_EXCHANGE)
    flaky(here).plan["cancel"] = (Retryable("no route"), False)
    here.ask("settle", trade="1", written_off=True, orders_ended=True)
    stop = here.trade(1).orders[-1]
    assert not here.trade(1).is_open
    assert (stop.state, stop.detail.split(":")[0]) == (OrderState.CANCELLED, "settled_by_hand")


def test_fills_that_were_reported_and_are_never_listed_are_given_up(held, monkeypatch):
    here = held()
    entry = here.trade(1).orders[0]
    ledger = Ledger.open(here.settings.ledger_file)
    name = entry.intent.client_id
    ledger._tables.update("orders", {"reported": "99", "settled": 0}, client_id=name)
    ledger.close()
    assert isinstance(here.ask("settle", trade="1", price="3"), Refused)
    assert "closed" in here.ask("settle", trade="1", price="3", orders_ended=True)["text"]
    assert here.trade(1).orders[0].fills == entry.fills
    assert here.trade(1).orders[0].state is OrderState.FILLED


@pytest.mark.parametrize("write", ["close_trade", "_book", "lock"])
def test_a_kill_in_between_leaves_it_as_it_was(held, monkeypatch, write):
    protections = [{"method": "CooldownPeriod", "stop_duration_candles": 5}]
    here = held(**AT_EXCHANGE, protections=protections)
    here.desk._orders.cancel(here.trade(1).alive()[0], "by hand")
    before, wallet = here.trade(1), here.wallet

    def full(*_, **__):
        raise LedgerFault("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, write, full)
        assert isinstance(here.ask("settle", trade="1", price="3", orders_ended=True), LedgerFault)
        assert (here.trade(1), here.wallet) == (before, wallet)
    assert "closed" in here.ask("settle", trade="1", price="3", orders_ended=True)["text"]
    assert position_of(here.trade(1)).amount == 0
    assert here.desk._ledger.locks(here.clock.now_ms())
