"""The desk in doubt: executions that come late, accounts told late, limits and locks right after a start."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from desk_scene import BTC, CANDLE_MS, ETH, Scene, flaky, without_fills
from trading_desk import intent, report

from daemon.core.errors import ConfigError, Refused, Retryable
from daemon.core.pair import Pair
from daemon.trading import paper
from daemon.trading.book import Contradiction
from daemon.trading.broker import AnswerLost
from daemon.trading.ledger import Ledger
from daemon.trading.ledger_connection import LedgerFault
from daemon.trading.ledger_files import RESTORED
from daemon.trading.orders import Leg, OrderState

D = Decimal
DOWN = (Retryable("no route"), False)
KINDS = {"entry": "market", "exit": "market", "stoploss": "market"}
OTHER = {"price_side": "other"}
AT_MARKET = {"order_types": KINDS, "entry_pricing": OTHER, "exit_pricing": OTHER}


@pytest.fixture
def scene(tmp_path):
    made = []

    def placed(body="", **changes):
        made.append(Scene(tmp_path, body, **changes))
        return made[-1]

    yield placed
    for each in made:
        each.close()


def live(here):
    """The desk asks the exchange for the account, as it does with real money."""
    here.desk._truth._on_paper = False
    return flaky(here)


# executions that come late

ADDS_ONCE = """
    position_adjustment_enable = True

    def adjust_trade_position(self, trade, current_rate, **named):
        if trade.nr_of_successful_entries == 1 and current_rate < 96:
            return 50
"""


def test_an_addition_whose_executions_are_not_known_is_not_made_again(scene):
    here = scene(ADDS_ONCE, **AT_MARKET)
    here.enter()
    broker = flaky(here)
    broker.after = without_fills
    broker.plan["fills"] = DOWN
    here.go("95", looks=5)
    (trade,) = here.trades()
    assert [order.intent.leg for order in trade.orders] == [Leg.ENTRY, Leg.ENTRY]
    broker.plan.clear()
    here.looks(3)
    assert [order.settled for order in here.trades()[0].orders] == [True, True]


def test_no_stop_order_for_what_was_sold_though_the_executions_are_not_known(scene):
    here = scene(**AT_MARKET | {"order_types": KINDS | {"stoploss_on_exchange": True}})
    here.enter()
    broker = flaky(here)
    broker.after = without_fills
    broker.plan["fills"] = DOWN
    here.tick("exit_long")
    here.tick()
    here.looks(3)
    (trade,) = here.trades()
    assert [order.intent.leg for order in trade.orders] == [Leg.ENTRY, Leg.STOP, Leg.EXIT]


def test_a_fill_that_a_reconciliation_finds_is_told_as_every_other(scene, caplog):
    caplog.set_level("INFO")
    here = scene()
    broker = flaky(here)
    broker.after = without_fills
    listed = broker.fills
    broker.fills = lambda *_: ()
    here.tick("enter_long")
    assert "fill" not in caplog.messages
    broker.order = lambda *_: None
    broker.fills = listed
    here.ask("reconcile")
    assert caplog.messages.count("fill") == 1


def test_what_an_entry_costs_counts_though_its_executions_are_not_known(scene):
    here = scene(candled={"risk": {"max_stake": 150}})
    broker = flaky(here)
    broker.after = without_fills
    broker.plan["fills"] = DOWN
    here.tick("enter_long")
    here.tick("enter_long", pair=ETH)
    assert sum(o.intent.amount * o.intent.price for t in here.trades() for o in t.orders) <= D("151")


def test_nothing_is_entered_while_nobody_knows_what_a_market_order_costs(scene):
    here = scene(**AT_MARKET, candled={"risk": {"max_stake": 150}})
    broker = flaky(here)
    broker.after = without_fills
    broker.plan["fills"] = DOWN
    here.tick("enter_long")
    here.tick("enter_long", pair=ETH)
    assert len(here.trades()) == 1
    assert "not known" in here.desk._entries.gates[ETH][0]
    broker.plan.clear()
    here.looks(2)
    assert len(here.trades()) == 2


# the account, told late


def test_entries_on_one_tick_share_an_unlimited_stake(scene):
    here = scene(stake_amount="unlimited", tradable_balance_ratio=0.5)
    live(here)
    here.looks()
    here.tick("enter_long")
    here.tick("enter_long", pair=ETH)
    stakes = [t.orders[0].intent.amount * t.orders[0].intent.price for t in here.trades()]
    assert [round(stake) for stake in stakes] == [250, 250]


def test_what_was_just_bought_is_not_counted_twice_in_the_accounts_worth(scene):
    here = scene(candled={"risk": {"max_drawdown": 0.05}})
    live(here)
    here.looks()
    here.enter()
    here.looks(20)
    assert here.desk._risk.breaches() == ()
    assert here.desk._risk._state.peak_worth <= 1000


def test_an_account_that_cannot_be_asked_keeps_no_trade_from_its_stop(scene):
    here = scene(ADDS_ONCE)
    broker = live(here)
    here.enter()
    here.enter(pair=ETH)
    broker.plan["balances"] = DOWN
    here.clock.advance(60_000)
    here.source.go("5", ETH)
    here.looks(3)
    assert [t.pair for t in here.trades(is_open=False)] == [ETH]
    here.tick("enter_long", pair=ETH)
    assert "balances" in here.desk._entries.gates["*"][0], "nothing is entered in doubt"


# limits and locks, right after a start and within one look


def test_a_broken_limit_bars_the_first_look_after_a_start(scene):
    here = scene(candled={"risk": {"max_drawdown": 0.01}})
    here.enter()
    here.go("89", looks=2)
    here.clock.advance(CANDLE_MS)
    here = here.again()
    here.tick("enter_long", pair=ETH)
    assert len(here.trades()) == 1


def test_a_broken_limit_bars_though_something_held_has_no_price(scene):
    here = scene(candled={"risk": {"max_drawdown": 0.01}})
    here.enter()
    here.enter(pair=ETH)
    here.go("89", looks=2)
    here.clock.advance(CANDLE_MS)
    here = here.again()
    broker = flaky(here)
    broker.after = lambda name, found: {} if name == "quotes" else found
    here.looks(2)
    assert "max_drawdown" in here.desk._entries.gates["*"][0]
    assert "ETH/USDT" in here.desk.view.trouble, "a trade that has no price is not looked after: that is told"


def test_limits_begin_anew_by_what_the_account_is_worth_then(scene):
    here = scene(candled={"risk": {"max_daily_loss": 0.01}})
    here.enter()
    here.go("80", looks=2)
    here = here.again()
    here.ask("resume", risk=True)
    here.looks()
    assert here.desk._risk._state.day_worth == here.wallet["USDT"].total


def test_orders_of_the_last_minute_count_after_a_restart(scene):
    here = scene(candled={"risk": {"max_orders_per_minute": 1}})
    here.tick("enter_long")
    here = here.again()
    here.tick("enter_long", pair=ETH)
    assert len(here.trades()) == 1
    assert "max_orders_per_minute" in here.desk._entries.gates["*"][0]


def test_two_stops_at_one_look_count_as_two(scene):
    here = scene(
        protections=[
            {"method": "StoplossGuard", "trade_limit": 2, "lookback_period": 60, "stop_duration": 60}
        ]
    )
    here.enter()
    here.enter(pair=ETH)
    here.source.go("80")
    here.source.go("8", ETH)
    here.looks(2)
    assert len(here.trades(is_open=False)) == 2
    here.clock.advance(CANDLE_MS)
    here.tick("enter_long")
    assert "StoplossGuard" in here.desk._entries.gates[BTC][0]


def test_the_configuration_says_how_a_start_finds_the_daemon(scene):
    here = scene(initial_state="stopped")
    here.looks()
    here = here.again(initial_state="running")
    here.looks()
    assert "*" not in here.desk._entries.gates
    here.ask("pause", why="holidays")
    here = here.again(initial_state="running")
    here.looks()
    assert "paused" in here.desk._entries.gates["*"][0], "what a human asked for lasts"


def test_stopped_means_no_entries_and_no_exits_but_those_by_command_until_resumed(scene):
    here = scene(max_open_trades=3)
    here.enter()
    here.enter(ETH)
    here = here.again(initial_state="stopped")
    here.source.go("80")
    here.looks(3)
    here.tick("exit_long", pair=ETH)
    assert len(here.trades(is_open=True)) == 2, "neither a stop-loss nor a signal"
    here.ask("exit", trade="2")
    here.looks()
    assert [trade.trade_id for trade in here.trades(is_open=True)] == [1]
    here.tick("enter_long", pair=ETH)
    assert len(here.trades()) == 2
    here.ask("resume")
    here.looks()
    assert here.trade(1).exit_reason == "stop_loss"
    here.close()


@pytest.mark.parametrize("cancels", [True, False])
def test_orders_that_are_open_at_the_end_are_cancelled_if_it_is_wanted_but_no_stop_order(scene, cancels):
    here = scene(
        order_types={"entry": "limit", "exit": "limit", "stoploss": "market", "stoploss_on_exchange": True},
        cancel_open_orders_on_exit=cancels,
    )
    here.enter()
    here.looks()
    here.ask("enter", pair=str(ETH), price="9")
    here.desk.close()
    states = {(o.intent.pair, o.intent.leg): o.state for t in here.trades() for o in t.orders}
    assert states[BTC, Leg.STOP] is OrderState.OPEN
    assert states[ETH, Leg.ENTRY] is (OrderState.CANCELLED if cancels else OrderState.OPEN)


# exits


def test_a_part_that_cannot_be_sold_leaves_the_stop_order_where_it_is(scene):
    here = scene(
        """
    position_adjustment_enable = True

    def adjust_trade_position(self, trade, current_rate, **named):
        if current_rate > 104:
            return -50

    def custom_exit_price(self, **named):
        raise ValueError("no price")
""",
        order_types={"entry": "limit", "exit": "limit", "stoploss": "market", "stoploss_on_exchange": True},
    )
    here.enter()
    here.go("105", looks=3)
    (trade,) = here.trades()
    assert "no price" in here.desk.view.trouble
    assert [o.intent.leg for o in trade.orders] == [Leg.ENTRY, Leg.STOP]
    assert [o.state for o in trade.alive()] == [OrderState.OPEN]


def test_a_stop_order_that_closes_a_trade_explains_it_though_another_exit_was_tried(scene):
    here = scene(
        order_types={"entry": "limit", "exit": "limit", "stoploss": "market", "stoploss_on_exchange": True},
        exit_pricing={"price_side": "bid"},
        unfilledtimeout={"exit": 1},
    )
    here.enter()
    here.source.volume = D(0)
    here.tick("exit_long")
    here.tick()
    here.looks(15)
    here.source.volume = D(1_000_000)
    here.go("85", looks=2)
    (trade,) = here.trades(is_open=False)
    assert trade.orders[-1].intent.leg is Leg.STOP
    assert trade.exit_reason == "stoploss_on_exchange"
    assert "stop 90" in trade.exit_detail


# values that are none


@pytest.mark.parametrize("price", ["1e40", "1e999999", "1e-999999", "99999999999999999999999999999999.1"])
def test_a_price_beyond_all_bounds_is_refused(scene, price):
    here = scene()
    assert isinstance(here.ask("enter", pair="BTC/USDT", price=price), Refused)


@pytest.mark.parametrize("price", ["1e300", "-5.0"])
@pytest.mark.parametrize("leg", ["entry", "exit"])
def test_a_price_of_the_strategy_that_is_none_ends_no_daemon(scene, price, leg):
    here = scene(
        f"""
    def adjust_{leg}_price(self, **named):
        return {price}
""",
        order_types={"entry": "limit", "exit": "limit", "stoploss": "market"},
        exit_pricing={"price_side": "bid"},
    )
    if leg == "exit":
        here.enter()
    here.source.volume = D(0)
    here.tick("exit_long" if leg == "exit" else "enter_long")
    here.clock.advance(CANDLE_MS)
    here.tick()
    here.looks(2)
    assert len(here.trades()) == 1


def test_orders_that_end_while_the_ledger_cannot_be_written_are_known_when_it_can(scene, monkeypatch):
    monkeypatch.setattr(paper, "ENDED_KEPT", 1)
    sol = Pair("SOL/USDT")
    pairs = [BTC, ETH, sol]
    here = scene(
        max_open_trades=3,
        exchange={"name": "simulated", "pair_whitelist": [str(pair) for pair in pairs]},
    )
    here.source.prices[sol] = [(0, D(10))]
    here.source.volume = D(0)
    for pair in pairs:
        here.tick("enter_long", pair=pair)
    here.source.volume = D(1_000_000)
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "take", lambda *_: _full())
        for pair in pairs:
            here.go("9", pair)  # below what is bid
    assert [trade.orders[0].state for trade in here.trades()] == [OrderState.OPEN] * 3
    here.looks(2)
    assert [trade.orders[0].state for trade in here.trades()] == [OrderState.FILLED] * 3


def _full():
    raise LedgerFault("no space left on the disk")


# a pair that is traded no more


def test_a_pair_that_is_traded_no_more_keeps_its_trade_and_the_daemon_starts(scene):
    here = scene(max_open_trades=3)
    here.enter()
    here.tick("exit_long")
    here.enter(ETH)
    prices = dict(here.source.prices)
    here.source.prices.clear()  # neither that of a closed trade nor that of an open one
    here = here.again(exchange={"name": "simulated", "pair_whitelist": [str(BTC)]})
    here.looks(2)
    here.desk._shown_s = -1
    here.looks()
    assert (
        "pair ETH/USDT: paper on scripted does not list it any more: trade 2 stays" in here.desk.view.trouble
    )
    assert "pair BTC/USDT" in here.desk.view.trouble
    assert "leaving trade 2" in here.ask("exit", trade="2")["text"]
    here.looks(2)
    assert here.trade(2).is_open
    here.source.prices.update(prices)
    here.looks(2)
    assert here.trade(2).exit_reason == "force_exit"
    assert here.trade(2).closed_ms
    here.close()


def test_limits_of_risk_take_what_is_listed_no_more_for_nothing(scene):
    here = scene(candled={"risk": {"max_drawdown": 0.05}})
    here.enter(ETH)
    here.looks()
    del here.source.prices[ETH]
    here.ask("reconcile")
    here.looks()
    assert "max_drawdown" in here.desk._entries.gates["*"][0]


def test_a_trade_that_was_sold_ends_though_its_pair_is_listed_no_more(scene, monkeypatch):
    here = scene()
    here.enter(ETH)
    monkeypatch.setattr(type(here.desk._exits._stops), "_tell", lambda *_: _no_route())
    here.tick("exit_long", pair=ETH)
    (trade,) = here.trades(is_open=True)
    assert [order.state for order in trade.orders] == [OrderState.FILLED] * 2, "the daemon dies then"
    monkeypatch.undo()
    del here.source.prices[ETH]
    here = here.again(exchange={"name": "simulated", "pair_whitelist": [str(BTC)]})
    here.looks(2)
    assert not here.trade(1).is_open


# an exchange that was away


def test_an_exchange_that_was_away_is_reconciled_with_before_anything_is_entered(scene):
    here = scene(max_open_trades=3)
    here.enter()
    broker = flaky(here)
    broker.plan["quotes"] = DOWN
    here.looks(5)
    assert "open_orders" not in broker.calls, "it is not due for minutes yet"
    broker.plan.clear()
    here.tick("enter_long", pair=ETH)
    assert len(here.trades()) == 1
    assert "was away" in here.desk._entries.gates["*"][0]
    here.looks()
    assert "open_orders" in broker.calls
    assert len(here.trades()) == 2


def test_an_order_without_a_price_keeps_no_trade_from_its_stop(scene):
    here = scene(
        """
    position_adjustment_enable = True

    def adjust_trade_position(self, trade, **named):
        return 50 if trade.nr_of_successful_entries == 1 else 0

    def custom_entry_price(self, proposed_rate, **named):
        return proposed_rate if self.dp is None else proposed_rate * 0.99
""",
        entry_pricing={"price_side": "bid", "use_order_book": True, "order_book_top": 1},
        exit_pricing={"price_side": "bid"},
    )
    here.tick("enter_long")
    here.tick()
    here.go("98.9", looks=2)
    trade = here.trades()[0]
    here.go("99.5")
    (trade,) = here.trades()
    assert trade.alive(Leg.ENTRY), "an addition waits"
    here.desk._entries._ground.order_book = lambda pair: None
    here.source.volume = D(0)
    here.go("50", looks=3)
    here.source.volume = D(1_000_000)
    (trade,) = here.trades()
    assert trade.exit_reason == "stop_loss"


def restored(here):
    """A backup has taken the ledger's place, and the account has an order that looks like one of ours."""
    here.desk._ledger.put(RESTORED, {"fault": "damaged", "backup_ms": 0, "at_ms": 0})
    strange = report(intent(7), exchange_id="x7")
    broker = live(here)
    broker.after = lambda name, found: [*found, strange] if name == "open_orders" else found


def test_a_restored_ledger_that_cannot_come_into_step_is_taken_as_it_is_when_a_human_says_so(scene):
    here = scene()
    restored(here)
    here.looks(20)
    assert all("the ledger is a backup" in why for why in here.desk._entries.gates["*"])
    assert "candled resume --settled" in here.desk._entries.gates["*"][-1]
    here.ask("resume", settled=True)
    here.tick("enter_long")
    assert len(here.trades()) == 1


def test_on_paper_a_restored_ledger_is_the_account_and_goes_on(scene):
    here = scene()
    here.desk._ledger.put(RESTORED, {"fault": "damaged", "backup_ms": 0, "at_ms": 0})
    here.tick("enter_long")
    assert len(here.trades()) == 1


def test_without_an_order_book_the_stop_loss_and_time_outs_go_by_the_ticker_and_other_exits_wait(scene):
    here = scene(
        order_types={"entry": "limit", "exit": "limit", "stoploss": "market"},
        exit_pricing={"price_side": "bid", "use_order_book": True, "order_book_top": 1},
        unfilledtimeout={"entry": 10, "exit": 1},
        max_open_trades=3,
    )
    here.enter()
    here.enter(ETH)
    here.source.volume = D(0)
    here.tick("exit_long", pair=ETH)
    here.desk._exits._ground.order_book = lambda _pair: None
    here.looks(13)
    eth = here.trade(2)
    assert [o.state for o in eth.orders[1:]] == [OrderState.CANCELLED], (
        "its time was over, and no other price is known"
    )
    here.desk._shown_s = -1
    here.source.volume = D(1_000_000)
    here.go("80", looks=2)
    assert here.trade(1).exit_reason == "stop_loss"
    assert here.trade(1).closed_ms
    assert "the order book has 0 bids" in here.desk.view.trouble
    assert here.trade(2).is_open


@pytest.mark.parametrize(
    "fault", [ConfigError("the key is not taken"), Refused("no such symbol"), Retryable("no route")]
)
def test_prices_that_the_exchange_denies_end_no_look(scene, fault):
    here = scene()
    here.enter()
    broker = flaky(here)
    broker.plan["quotes"] = (fault, False)
    here.go("80", looks=4)
    assert str(fault) in here.desk.view.trouble
    broker.plan.clear()
    here.looks(2)
    assert here.trade(1).exit_reason == "stop_loss"


@pytest.mark.parametrize(
    "fault", [ConfigError("the key is not taken"), Refused("no such symbol"), Retryable("no route")]
)
def test_an_order_book_that_the_exchange_denies_ends_no_look_and_keeps_no_stop_loss_waiting(scene, fault):
    def denied(_pair):
        raise fault

    here = scene(
        entry_pricing={
            "price_side": "ask",
            "check_depth_of_market": {"enabled": True, "bids_to_ask_delta": 0.1},
        },
        exit_pricing={"price_side": "bid", "use_order_book": True, "order_book_top": 1},
    )
    here.enter()
    here.desk._exits._ground.order_book = denied
    here.tick("enter_long", pair=ETH)
    assert len(here.trades()) == 1
    assert str(fault) in here.desk._entries.gates[ETH][0]
    here.go("80", looks=2)
    assert here.trade(1).exit_reason == "stop_loss"


def test_selling_everything_goes_on_when_the_exchange_is_back(scene):
    here = scene()
    here.enter()
    broker = live(here)
    for name in ("quotes", "news", "order", "open_orders", "balances", "send", "cancel"):
        broker.plan[name] = DOWN
    answer = here.ask("stop", exit_all=True)
    assert "selling 1" in answer["text"]
    here.looks(10)
    assert not here.stop.is_set()
    here = here.again()
    here.looks(2)
    assert not here.trades(is_open=True)
    assert here.stop.is_set()


def test_a_disk_that_fails_behind_a_request_sends_nothing_twice(scene, monkeypatch):
    here = scene()
    broker = flaky(here)
    ledger = type(here.desk._ledger)

    def fail(*_arguments, **_named):
        raise LedgerFault("the disk is full")

    with monkeypatch.context() as patch:
        broker.before = lambda name, *_: patch.setattr(ledger, "take", fail) if name == "send" else None
        here.tick("enter_long")
        here.looks(3)
        assert here.trades()[0].orders[0].state is OrderState.UNKNOWN
    here.looks(3)
    (trade,) = here.trades()
    assert [order.state for order in trade.orders] == [OrderState.FILLED]
    assert broker.calls.count("send") == 1


def test_a_lock_that_the_strategy_has_just_set_bars_this_very_tick(scene):
    here = scene()
    here.looks()
    until = datetime.fromtimestamp(here.clock.now_ms() / 1000, UTC) + timedelta(hours=1)
    here.strategy.instance.lock_pair(str(BTC), until, "news")
    here.tick("enter_long")
    assert not here.trades()
    assert "news" in here.desk._entries.gates[BTC][0]


def test_lifting_one_lock_leaves_the_others(scene):
    here = scene()
    here.looks()
    now = datetime.fromtimestamp(here.clock.now_ms() / 1000, UTC)
    here.strategy.instance.lock_pair(str(BTC), now + timedelta(hours=2), "news")
    here.looks()
    here.strategy.instance.lock_pair(str(BTC), now + timedelta(hours=1))
    here.looks()
    lock = next(each for each in here.desk._ledger.locks(here.clock.now_ms()) if not each.reason)
    here.desk._strategy._sources.lift([lock])
    here.looks()
    assert [each.reason for each in here.desk._ledger.locks(here.clock.now_ms())] == ["news"]


def test_a_trouble_is_over_with_the_order_that_it_was_about(scene):
    here = scene()
    broker = flaky(here)
    broker.plan["send"] = (AnswerLost("no answer"), True)
    here.tick("enter_long")
    assert "no answer" in here.desk._orders.trouble
    broker.plan.clear()
    here.looks(3)
    assert here.trades()[0].orders[0].settled
    assert here.desk._orders.trouble == ""


@pytest.mark.parametrize("ends", [False, True])
def test_what_cannot_be_true_of_an_order_is_shown_until_it_is_asked_for_again_or_over(scene, ends):
    here = scene(exit_pricing={"price_side": "ask"})
    here.enter()
    here.source.volume = D(0)
    here.tick("exit_long")
    (waits,) = here.trade(1).alive(Leg.EXIT)
    broker = flaky(here)
    broker.plan["order"] = (Contradiction("two ids"), False)
    here.looks(2)
    here.enter(ETH)  # another order's state says nothing about it
    assert f"order {waits.intent.client_id}: two ids" in here.desk._orders.trouble
    if ends:
        here.desk._orders.cancel(here.trade(1).alive(Leg.EXIT)[0], "for the test")
    else:
        broker.plan.clear()
    here.looks(2)
    assert waits.intent.client_id not in here.desk._orders.trouble
    assert bool(here.desk._orders.trouble) is ends, "the other order's is still there"


def test_nothing_is_added_to_a_trade_that_was_told_to_leave(scene):
    here = scene(
        """
    position_adjustment_enable = True

    def adjust_trade_position(self, trade, **named):
        return 50

    def custom_exit_price(self, proposed_rate, **named):
        return proposed_rate * 1.02  # nobody buys so dear: the exit stays open
"""
    )
    here.tick("enter_long")
    here.ask("exit", trade="all")
    before = len(here.trades()[0].orders)
    here.looks(3)
    assert len(here.trades()[0].orders) == before


# the end of a trade


def test_a_market_that_does_not_answer_when_a_trade_ends_holds_no_ledger_and_loses_nothing(scene):
    here = scene(protections=[{"method": "CooldownPeriod", "stop_duration_candles": 30}])
    broker = live(here)
    sources = here.desk._strategy._sources
    asked, slow = [], [True]

    def rules(pair):
        asked.append(here.desk._ledger._tables._connection.in_transaction)
        if slow[0]:
            raise Retryable("no filters within 30 s")
        return broker.rules(pair)

    def see(name, *_):
        if name == "balances":
            asked.append(here.desk._ledger._tables._connection.in_transaction)

    here.enter()
    sources._market, broker.before = rules, see
    here.tick("exit_long")
    (trade,) = here.trades(is_open=True)
    assert trade.orders[-1].fills, "what ended it is known"
    slow[0] = False
    here.looks()
    (trade,) = here.trades(is_open=False)
    assert trade.exit_reason == "exit_signal"
    here.tick("enter_long")
    assert "CooldownPeriod" in here.desk._entries.gates[BTC][0]
    assert len(asked) > 3
    assert not any(asked), "nobody waits for the exchange while the ledger is held"


def _no_route():
    raise Retryable("no route")
