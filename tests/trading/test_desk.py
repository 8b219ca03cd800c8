"""The desk: from signals to orders to closed trades, whatever fails on the way."""

from dataclasses import replace
from decimal import Decimal

import pytest
from desk_scene import BTC, CANDLE_MS, ETH, Scene, document, flaky

from daemon.config import Settings
from daemon.core.errors import RateLimited, Refused, Retryable
from daemon.runtime.trading_room import desk_terms
from daemon.strategy.attributes import reapply_settings
from daemon.strategy.persistence import Trade
from daemon.trading.broker import AnswerLost
from daemon.trading.ledger_connection import LedgerFault
from daemon.trading.orders import Leg, OrderState, OrderType
from daemon.trading.positions import position_of

D = Decimal
ON_EXCHANGE = {"entry": "limit", "exit": "limit", "stoploss": "market", "stoploss_on_exchange": True}


@pytest.fixture
def scene(tmp_path):
    made = []

    def placed(body="", **changes):
        made.append(Scene(tmp_path, body, **changes))
        return made[-1]

    yield placed
    for each in made:
        each.close()


def closed(here):
    """Reason and rule of the one closed trade."""
    (trade,) = here.trades(is_open=False)
    return trade.exit_reason, trade.exit_detail


# entries


def test_a_signal_becomes_a_trade(scene):
    here = scene()
    here.tick(("enter_long", "rise"))
    (trade,) = here.trades(is_open=True)
    (order,) = trade.orders
    assert (trade.pair, trade.enter_tag, order.state) == (BTC, "rise", OrderState.FILLED)
    assert (order.filled, order.average) == (1, 100)
    assert here.wallet["USDT"].total == D("899.9"), "stake and fee are paid"
    here.tick("enter_long")
    assert len(here.trades()) == 1, "one trade of a pair at a time"


@pytest.mark.parametrize(
    ("signal", "words"),
    [(("enter_long", "", "no model: BTC/USDT"), "signal: no model"), ("enter_short", "")],
)
def test_a_signal_that_is_blocked_or_short_enters_nothing(scene, signal, words):
    here = scene()
    here.tick(signal)
    assert not here.trades()
    assert words in str(dict(here.desk._entries.gates))


def test_an_old_candle_is_not_entered_on(scene):
    here = scene()
    here.clock.advance(CANDLE_MS - 500)
    here.tick("enter_long")  # of the candle that has just closed
    assert len(here.trades()) == 1
    late = scene(
        exchange={"name": "simulated", "pair_whitelist": [str(ETH)]}, db_url=f"sqlite:///{here.folder}/b"
    )
    late.tick()
    late.desk._tick = None
    late.clock.advance(2)
    late.looks()
    assert not late.trades()


def test_no_more_trades_than_allowed(scene):
    here = scene(max_open_trades=1)
    here.enter()
    here.tick("enter_long", pair=ETH)
    assert len(here.trades()) == 1
    assert "max_open_trades: 1 are open" in here.desk._entries.gates[ETH]


def test_a_pair_that_was_left_is_not_entered_again_on_the_same_candle(scene):
    here = scene()
    here.enter()
    here.tick("exit_long")
    assert closed(here)[0] == "exit_signal"
    here.tick("enter_long")
    assert not here.trades(is_open=True)
    assert "Auto lock" in here.desk._entries.gates[BTC][0]
    here.clock.advance(CANDLE_MS)
    here.tick("enter_long")
    assert len(here.trades(is_open=True)) == 1


def test_an_entry_that_is_not_filled_in_time_ends_and_leaves_nothing(scene):
    here = scene(unfilledtimeout={"entry": 10, "exit": 10, "unit": "minutes"})
    here.ask("enter", pair="BTC/USDT", price="90")
    (trade,) = here.trades(is_open=True)
    assert trade.orders[0].state is OrderState.OPEN
    assert here.wallet["USDT"].used > 0
    here.looks(119)
    assert here.trades(is_open=True)
    here.looks(2)
    assert not here.trades(is_open=True)
    (order,) = here.trades()[0].orders
    assert (order.state, "not filled within 10 min" in order.detail) == (OrderState.CANCELLED, True)
    assert here.wallet["USDT"].free == 1000


# exits


def test_the_stop_loss(scene):
    here = scene(
        order_types={"entry": "limit", "exit": "limit", "stoploss": "market"},
        exit_pricing={"price_side": "other"},
    )
    trade = here.enter()
    assert trade.stop.price == 90
    here.go("90.01")
    assert here.trades(is_open=True)
    here.go("89.5")
    reason, rule = closed(here)
    assert reason == "stop_loss"
    assert "price 89.5 <= stop 90" in rule
    assert "stoploss -0.1" in rule
    assert here.trades()[0].lowest == D("89.5")


def test_roi_and_exit_signal_and_a_trailing_stop_tell_their_rule(scene):
    here = scene(minimal_roi={"0": 0.05}, trailing_stop=True)
    here.enter()
    here.go("104")
    assert here.trades(is_open=True)[0].stop.price in (D("93.6"), D("93.61"))
    here.go("106")
    assert closed(here)[0] == "roi"
    assert "minimal_roi[0]" in closed(here)[1]
    here.clock.advance(CANDLE_MS)
    here.enter(ETH)
    here.go("10.4", ETH)
    here.go("9.3", ETH)
    trade = here.trades(is_open=False)[-1]
    assert trade.exit_reason == "trailing_stop_loss"
    assert "trailing_stop" in trade.exit_detail
    assert "at first 9" in trade.exit_detail


def test_an_exit_that_is_not_filled_is_tried_again(scene):
    here = scene(exit_pricing={"price_side": "ask"}, unfilledtimeout={"exit": 1})
    here.enter()
    here.source.volume = D(0)  # nobody buys
    here.tick("exit_long")
    (trade,) = here.trades(is_open=True)
    assert [order.intent.leg for order in trade.orders] == [Leg.ENTRY, Leg.EXIT]
    here.looks(13)
    here.tick("exit_long")
    (trade,) = here.trades(is_open=True)
    assert [o.state for o in trade.orders[1:]] == [OrderState.CANCELLED, OrderState.OPEN]
    here.source.volume = D(1_000_000)
    here.go("101")
    assert closed(here)[0] == "exit_signal"


def test_a_stop_loss_does_not_wait_for_an_exit_that_rests(scene):
    here = scene(
        exit_pricing={"price_side": "bid"},
        order_types={"entry": "limit", "exit": "limit", "stoploss": "market"},
        unfilledtimeout={"exit": 60},
    )
    here.enter()
    here.source.volume = D(0)
    here.tick("exit_long")
    here.tick()
    here.source.volume = D(1_000_000)
    here.go("85", looks=2)
    (trade,) = here.trades()
    assert trade.exit_reason == "stop_loss"
    assert [order.state for order in trade.orders[1:]] == [OrderState.CANCELLED, OrderState.FILLED]


def test_a_stop_order_lies_at_the_exchange_follows_and_closes_the_trade(scene):
    here = scene(
        order_types={**ON_EXCHANGE, "stoploss_on_exchange_interval": 60},
        trailing_stop=True,
    )
    trade = here.enter()
    (stop,) = trade.alive(Leg.STOP)
    assert (stop.intent.stop_price, stop.intent.amount) == (90, 1)
    here.go("110")
    here.looks(13)
    trade = here.trade(trade.trade_id)
    (stop,) = trade.alive(Leg.STOP)
    assert stop.intent.stop_price == 99
    assert len(trade.orders) == 3
    here.go("98")
    reason, rule = closed(here)
    assert reason == "stoploss_on_exchange"
    assert "stop 99" in rule
    assert position_of(here.trade(trade.trade_id)).amount == 0


def test_nothing_more_is_sold_while_the_executions_of_an_exit_are_not_listed(scene):
    here = scene(order_types=ON_EXCHANGE)
    here.enter()
    here.looks()
    broker = flaky(here)
    listed = broker.send
    broker.send = lambda order: replace(listed(order), fills=())
    broker.fills = lambda *_: ()
    broker.order = lambda *_: replace(here.desk._broker._broker.order(*_), fills=())
    here.tick("exit_long")
    here.tick()
    here.looks(3)
    (trade,) = here.trades(is_open=True)
    assert [order.intent.leg for order in trade.orders] == [Leg.ENTRY, Leg.STOP, Leg.EXIT]
    assert "executions tell 0" in here.desk._truth.obstacles[0]
    del broker.send, broker.order, broker.fills
    here.looks(2)
    assert closed(here)[0] == "exit_signal"


def test_a_stop_order_that_was_moved_makes_room_for_a_partial_exit_at_the_same_look(scene):
    here = scene(
        """
    trailing_stop = True
    position_adjustment_enable = True

    def adjust_trade_position(self, trade, current_exit_profit, **named):
        return -40 if current_exit_profit > 0.04 and trade.nr_of_successful_exits == 0 else None
""",
        order_types={**ON_EXCHANGE, "stoploss_on_exchange_interval": 0},
    )
    trade = here.enter()
    here.looks()
    here.desk._shown_s = -1
    here.go("105")
    assert here.desk.view.trouble == ""
    here.looks()
    legs = [order.intent.leg for order in here.trade(trade.trade_id).orders]
    assert legs == [Leg.ENTRY, Leg.STOP, Leg.STOP, Leg.EXIT, Leg.STOP]


def test_an_exit_takes_the_stop_order_back_first(scene):
    here = scene(
        order_types={"entry": "limit", "exit": "limit", "stoploss": "market", "stoploss_on_exchange": True}
    )
    trade = here.enter()
    here.tick("exit_long")
    trade = here.trade(trade.trade_id)
    assert {o.intent.leg: o.state for o in trade.orders} == {
        Leg.ENTRY: OrderState.FILLED,
        Leg.STOP: OrderState.CANCELLED,
        Leg.EXIT: OrderState.FILLED,
    }
    assert trade.closed_ms


# strategies


def test_a_callback_that_raises_enters_nothing_and_says_where(scene):
    here = scene(
        """
    asked = 0

    def confirm_trade_entry(self, *arguments, **named):
        self.asked += 1
        raise RuntimeError("no network")
"""
    )
    here.tick("enter_long")
    here.looks(3)
    assert not here.trades()
    (why,) = here.desk._entries.gates[BTC]
    assert "no network" in why
    assert "mine.py" in why
    assert "confirm_trade_entry" in why
    assert here.strategy.instance.asked == 1, "once a candle"


def test_a_position_stays_protected_though_every_callback_raises(scene):
    here = scene(
        """
    use_custom_stoploss = True

    def custom_stoploss(self, **named):
        raise RuntimeError("stop")

    def custom_exit(self, *arguments, **named):
        raise RuntimeError("exit")

    def confirm_trade_exit(self, *arguments, **named):
        raise RuntimeError("confirm")

    def custom_exit_price(self, *arguments, **named):
        raise RuntimeError("price")
"""
    )
    here.enter()
    here.looks()
    here.desk._shown_s = -1
    here.looks()
    assert "stop" in here.desk.view.trouble
    here.go("89", looks=2)
    assert closed(here)[0] == "stop_loss"


def test_a_stop_loss_goes_out_though_an_exit_before_it_in_rank_is_held_back_by_a_callback(scene):
    here = scene(
        """
    def custom_exit(self, *arguments, **named):
        return "bored"

    def confirm_trade_exit(self, *arguments, exit_reason, **named):
        raise RuntimeError("confirm")
"""
    )
    here.enter()
    here.desk._shown_s = -1
    here.looks()
    assert "confirm" in here.desk.view.trouble
    assert here.trades(is_open=True), "an exit that does not protect waits"
    here.go("89", looks=2)
    assert closed(here)[0] == "stop_loss"


def test_a_strategy_adds_to_its_position_and_takes_some_of_it_out(scene):
    here = scene(
        """
    position_adjustment_enable = True

    def adjust_trade_position(self, trade, current_rate, current_exit_profit, **named):
        if trade.nr_of_successful_entries == 1 and current_rate < 96:
            return 50, "deeper"
        if trade.nr_of_successful_exits == 0 and current_exit_profit > 0.02:
            return -60, "some"
"""
    )
    trade = here.enter()
    here.go("95")
    trade = here.trade(trade.trade_id)
    assert [o.intent.reason for o in trade.orders] == ["", "deeper"]
    assert trade.stop.price == 90, "the stop-loss rises only"
    here.go("102", looks=2)
    trade = here.trade(trade.trade_id)
    assert trade.is_open
    assert [(o.intent.leg, o.intent.reason) for o in trade.orders[2:]] == [(Leg.EXIT, "some")]
    held = position_of(trade)
    assert held.amount == held.bought - held.sold > 0
    here.tick("exit_long")
    assert closed(here)[0] == "exit_signal"


def test_what_a_strategy_keeps_lasts(scene):
    here = scene(
        """
    def custom_exit(self, pair, trade, current_time, current_rate, current_profit, **named):
        seen = trade.get_custom_data("seen", default=0)
        trade.set_custom_data("seen", seen + 1)
        assert len(Trade.get_open_trades()) == 1
        if seen >= 4:
            return "seen enough"

    def order_filled(self, pair, trade, order, current_time, **named):
        trade.set_custom_data("filled", order.ft_order_side)
"""
    )
    trade = here.enter()
    assert here.trade(trade.trade_id).custom["filled"] == "buy"
    seen = here.trade(trade.trade_id).custom["seen"]
    here = here.again()
    here.looks(6)
    assert seen >= 1
    assert closed(here)[0] == "seen enough"
    here.close()


FILLS_TOLD = """
    def order_filled(self, pair, trade, order, current_time, **named):
        Trade.get_trades_proxy(is_open=False)  # from here on closed trades are kept in memory
        trade.set_custom_data(order.ft_order_side, order.safe_filled)
"""


def test_a_strategy_is_told_of_the_fill_that_ends_a_trade_and_what_it_keeps_with_it_lasts(scene):
    here = scene(FILLS_TOLD)
    here.enter()
    here.tick("exit_long")
    here.looks(2)
    assert not here.trades(is_open=True)
    (trade,) = Trade.get_trades_proxy(is_open=False)
    assert trade.get_custom_data("sell") == 1.0
    trade.set_custom_data("seen", value=True)
    here.looks()
    assert dict(here.trade(1).custom) == {"buy": 1.0, "sell": 1.0, "seen": True}


def test_a_strategy_that_raises_over_the_fill_that_ends_a_trade_keeps_it_from_nothing(scene, caplog):
    here = scene(
        """
    def order_filled(self, pair, trade, order, current_time, **named):
        if order.ft_order_side == "sell":
            raise ValueError("a slip")
"""
    )
    here.enter()
    here.tick("exit_long")
    assert closed(here)[0] == "exit_signal"
    assert "a slip" in next(r.fields["error"] for r in caplog.records if r.message == "strategy_failed")
    here.looks(2)


def test_what_a_strategy_keeps_with_a_trade_that_is_not_there_is_told_and_ends_nothing(scene, caplog):
    here = scene()
    trade = here.enter()
    for number in (99, trade.trade_id):
        here.desk._strategy._sources.keep_custom(number, "a", 1)
    here.looks()
    assert "custom_data_lost" in caplog.messages
    assert dict(here.trade(trade.trade_id).custom) == {"a": 1}


def test_the_market_of_now_is_there_for_strategies(scene):
    here = scene()
    here.looks()
    dp = here.strategy.instance.dp
    assert dp.ticker("BTC/USDT")["last"] == 100.0
    assert dp.orderbook("BTC/USDT", 5)["asks"] == [[100.0, 100_000.0]]
    assert dp.market("BTC/USDT")["precision"]["price"] == 0.01
    assert (dp.market("XXX/USDT"), dp.ticker("XXX/USDT")) == (None, {})


def test_a_protection_locks_after_losses(scene):
    here = scene(protections=[{"method": "CooldownPeriod", "stop_duration_candles": 3}])
    here.enter()
    here.tick("exit_long")
    here.clock.advance(CANDLE_MS)
    here.tick("enter_long")
    assert "CooldownPeriod" in here.desk._entries.gates[BTC][0]
    here.clock.advance(3 * CANDLE_MS)
    here.tick("enter_long")
    assert len(here.trades(is_open=True)) == 1


def test_a_trade_ends_together_with_the_locks_that_follow_from_it(scene, monkeypatch):
    here = scene(protections=[{"method": "CooldownPeriod", "stop_duration_candles": 30}])
    here.enter()
    with monkeypatch.context() as patch:

        def fail(*_):
            raise LedgerFault("the disk is full")

        patch.setattr(type(here.desk._ledger), "lock", fail)
        here.tick("exit_long")
        here.looks(2)
        assert here.trades()[0].is_open, "a kill now must not leave a trade that is closed without its lock"
    here.looks(2)
    assert not here.trades()[0].is_open
    assert here.trades()[0].orders[-1].state is OrderState.FILLED
    here.tick("enter_long")
    assert "CooldownPeriod" in here.desk._entries.gates[BTC][0]
    assert len(here.trades()) == 1


# what fails


def test_a_lost_answer_is_asked_for_and_nothing_is_sent_twice(scene):
    here = scene()
    broker = flaky(here)
    broker.plan["send"] = (AnswerLost("no answer"), True)
    broker.plan["order"] = (Retryable("no answer either"), False)
    here.tick("enter_long")
    (trade,) = here.trades(is_open=True)
    assert trade.orders[0].state is OrderState.UNKNOWN
    broker.plan.clear()
    here.looks(2)
    (trade,) = here.trades(is_open=True)
    assert [order.state for order in trade.orders] == [OrderState.FILLED]
    assert broker.calls.count("send") == 1


def test_an_order_whose_answer_was_lost_is_asked_for_at_once(scene):
    here = scene()
    broker = flaky(here)
    broker.plan["send"] = (AnswerLost("no answer"), True)
    here.tick("enter_long")
    assert here.trades()[0].orders[0].state is OrderState.FILLED
    assert broker.calls.count("send") == 1


def test_a_lost_stop_order_bars_an_exit_until_nothing_can_arrive_any_more(scene):
    here = scene(order_types=ON_EXCHANGE)
    here.tick("enter_long")
    here.desk._orders._late_s = 15
    for order in here.trade(1).alive(Leg.STOP):
        here.desk._orders.cancel(order, "for the test")
    broker = flaky(here)
    broker.plan["send"] = (AnswerLost("no answer"), False)
    here.looks()
    assert here.trade(1).orders[-1].state is OrderState.UNKNOWN
    broker.plan.clear()
    here.clock.set(here.clock.now_ms() + 60_000)  # somebody sets the clock: no time has passed
    here.go("80", looks=2)
    assert [order.intent.leg for order in here.trade(1).orders].count(Leg.EXIT) == 0, "it may still arrive"
    here.looks(2)
    trade = here.trade(1)
    assert [o.state for o in trade.orders[-2:]] == [OrderState.ABSENT, OrderState.FILLED]
    assert trade.exit_reason == "stop_loss"


def test_nothing_is_entered_from_the_moment_on_in_which_an_answer_is_lost(scene):
    here = scene()
    broker = flaky(here)
    broker.plan["send"] = (AnswerLost("no answer"), True)
    broker.order = lambda *_: None
    here.desk._orders._late_s = 2 * CANDLE_MS / 1000
    here.tick("enter_long")
    broker.plan.clear()
    here.clock.advance(CANDLE_MS)
    here.tick("enter_long", pair=ETH)
    assert "not known yet" in here.desk._entries.gates["*"][0]
    assert len(here.trades(is_open=True)) == 1
    del broker.order
    here.looks(2, step_ms=1_000)
    assert [trade.pair for trade in here.trades(is_open=True)] == [BTC, ETH]


def test_as_soon_as_a_doubt_is_over_ledger_and_exchange_are_compared_again(scene):
    here = scene()
    broker = flaky(here)
    broker.plan["send"] = (AnswerLost("no answer"), True)
    broker.order = lambda *_: None
    here.tick("enter_long")
    broker.balances = dict  # what it has of an order in doubt shows in the balances
    here.ask("reconcile")
    assert {"USDT", "order"} <= {each.split(":")[0].split()[0] for each in here.desk._truth.obstacles}
    compared = broker.calls.count("open_orders")
    here.looks(5, step_ms=100)
    assert broker.calls.count("open_orders") == compared
    del broker.order, broker.balances
    here.desk._orders.ask_again()
    here.looks(2, step_ms=100)
    assert broker.calls.count("open_orders") == compared + 1
    assert here.desk._truth.obstacles == ()


def test_an_exchange_that_differs_is_compared_less_and_less_often(scene):
    here = scene()
    broker = flaky(here)
    broker.plan["open_orders"] = (Retryable("no route"), False)
    here.looks(60, step_ms=1_000)
    assert broker.calls.count("open_orders") == 6, "at once, and after 2, 4, 8, 16 and 20 s"


def test_nothing_leaves_before_it_is_in_the_ledger_as_sent(scene):
    here = scene()
    broker, known = flaky(here), []
    broker.before = lambda name, *_: (
        known.append(here.trades()[0].orders[-1].state) if name == "send" else None
    )
    here.tick("enter_long")
    assert known == [OrderState.UNKNOWN]
    broker.before = lambda name, *_: (
        known.append(here.trades()[0].orders[-1].state) if name == "cancel" else None
    )
    here.source.volume = D(0)
    here.ask("exit", trade="all")
    here.looks(125)
    assert known[1] is OrderState.CANCELLING


def test_a_request_that_never_arrived_is_absent_in_the_end(scene):
    here = scene()
    broker = flaky(here)
    broker.plan["send"] = (AnswerLost("no answer"), False)
    here.tick("enter_long")
    here.looks(5)
    assert here.trades(is_open=True)[0].orders[0].state is OrderState.UNKNOWN, "it may still arrive"
    here.tick()
    here.looks(20)
    (trade,) = here.trades()
    assert (trade.orders[0].state, trade.is_open) == (OrderState.ABSENT, False)
    assert broker.calls.count("send") == 1


def test_nothing_is_intended_while_the_exchange_asks_for_silence(scene):
    here = scene(order_types=ON_EXCHANGE, max_open_trades=3)
    broker = flaky(here)
    here.tick("enter_long")
    for order in here.trade(1).alive(Leg.STOP):
        here.desk._orders.cancel(order, "for the test")
    broker.plan["send"] = (RateLimited("too many requests", 30.0), False)
    here.looks(5)
    here.tick("enter_long", pair=ETH)
    assert [o.state for o in here.trade(1).orders].count(OrderState.ABSENT) == 1
    assert len(here.trades()) == 1
    assert "asks for silence" in here.desk._entries.gates[ETH][0]
    broker.plan.clear()
    here.looks(6)
    assert here.trade(1).alive(Leg.STOP)


def test_an_order_that_the_exchange_refuses_is_not_sent_again_on_that_candle(scene):
    here = scene()
    broker = flaky(here)
    broker.plan["send"] = (Refused("insufficient funds"), False)
    here.tick("enter_long")
    here.looks(5)
    assert broker.calls.count("send") == 1
    assert "insufficient funds" in here.desk._entries.gates[BTC][0]
    broker.plan.clear()
    here.clock.advance(CANDLE_MS)
    here.tick("enter_long")
    assert len(here.trades(is_open=True)) == 1


def test_an_exchange_that_is_down_is_told_and_trading_goes_on_after_it(scene):
    here = scene()
    here.enter()
    broker = flaky(here)
    for name in ("quotes", "news", "order", "open_orders"):
        broker.plan[name] = (Retryable("no route"), False)
    here.source.go("80")
    here.looks(30)
    assert "no route" in here.desk.view.trouble
    assert here.trades(is_open=True)
    broker.plan.clear()
    here.looks(2)
    assert closed(here)[0] == "stop_loss"


def test_a_full_disk_closes_the_gate_and_sends_nothing(scene, monkeypatch):
    here = scene()
    here.enter()
    broker = flaky(here)
    ledger = type(here.desk._ledger)
    with monkeypatch.context() as patch:
        for name in ("note", "intend", "take", "begin_trade", "put", "sending"):
            patch.setattr(
                ledger, name, lambda *a, **k: (_ for _ in ()).throw(LedgerFault("the disk is full"))
            )
        here.source.go("80")
        here.tick("enter_long", pair=ETH)
        here.looks(3)
        assert "send" not in broker.calls
        assert "ledger: the disk is full" in here.desk.view.trouble
        assert here.desk._entries.ledger_fault == "the disk is full"
    here.looks(3)
    assert closed(here)[0] == "stop_loss"


def test_an_exchange_that_does_not_tell_its_filters_is_no_fault_of_the_ledgers(scene):
    here = scene()
    here.enter()
    here.enter(ETH)
    broker = flaky(here)
    here.desk._exits._ground._broker = broker
    broker.before = lambda name, *pairs: _no_route() if (name, pairs) == ("rules", (BTC,)) else None
    here.source.go("5", ETH)
    here.desk._shown_s = -1
    here.looks()
    assert "trade 1 BTC/USDT: no route" in here.desk.view.trouble
    assert (here.desk._entries.ledger_fault, "ledger" in here.desk.view.trouble) == ("", False)
    assert closed(here)[0] == "stop_loss", "the other trade is looked after"


def test_whatever_else_does_not_answer_is_the_exchange(scene):
    here = scene()
    here.enter()
    here.desk._fees.look = _no_route
    here.desk._shown_s = -1
    here.looks()
    assert "exchange: no route" in here.desk.view.trouble
    assert here.desk._entries.ledger_fault == ""


def _no_route():
    raise Retryable("no route")


@pytest.mark.parametrize("looks", range(6))
def test_another_process_goes_on_where_the_first_was(scene, looks):
    here = scene(minimal_roi={"0": 0.05})
    here.enter()
    here.source.go("104")
    here.looks(looks)
    before = here.trades(), here.wallet
    here = here.again()
    assert (here.trades(), here.wallet) == before
    here.go("106")
    assert closed(here)[0] == "roi"
    assert here.wallet["USDT"].total > 1000
    here.close()


def test_the_dry_runs_money_is_given_once(scene):
    here = scene()
    here.enter()
    here = here.again(dry_run_wallet=5000)
    assert here.wallet["USDT"].total == D("899.9")
    here.close()


# commands


def test_enter_and_exit(scene):
    here = scene()
    answer = here.ask("enter", pair="btc/usdt", stake="50", tag="by hand")
    assert "trade 1 begun" in answer["text"]
    (trade,) = here.trades(is_open=True)
    assert (trade.enter_tag, trade.orders[0].filled) == ("by hand", D("0.5"))
    assert isinstance(here.ask("enter", pair="BTC/USDT"), Refused)
    assert isinstance(here.ask("enter", pair="XXX/USDT"), Refused)
    assert isinstance(here.ask("enter", pair="BTC/USDT", stake="-1"), Refused)
    assert isinstance(here.ask("exit", trade="7"), Refused)
    assert isinstance(here.ask("dance"), Refused)
    assert "leaving trade 1" in here.ask("exit", trade="1")["text"]
    assert closed(here) == ("force_exit", "force_exit: by command")
    assert here.ask("exit", trade="all")["trades"] == []


def test_entering_by_command_has_to_be_allowed(scene):
    here = scene(force_entry_enable=False)
    assert "force_entry_enable" in str(here.ask("enter", pair="BTC/USDT"))


def test_an_exit_by_command_goes_on_after_a_restart(scene):
    here = scene()
    here.enter()
    here.source.volume = D(0)
    here.ask("exit", trade="all")
    assert here.trades(is_open=True)
    here = here.again()
    here.source.volume = D(1_000_000)
    here.go("99", looks=130)
    assert closed(here)[0] == "force_exit"
    here.close()


def test_an_exit_by_command_that_nobody_takes_ends_at_the_market(scene):
    here = scene(
        order_types={"entry": "limit", "exit": "limit", "stoploss": "market", "emergency_exit": "market"},
        exit_pricing={"price_side": "ask"},
        unfilledtimeout={"exit": 1, "exit_timeout_count": 2},
    )
    here.enter()
    here.source.volume = D(0)
    here.ask("exit", trade="all")
    here.looks(40)
    (trade,) = here.trades(is_open=True)
    kinds = [order.intent.type for order in trade.orders if order.intent.leg is Leg.EXIT]
    assert kinds[:3] == [OrderType.LIMIT, OrderType.LIMIT, OrderType.MARKET]
    here.source.volume = D(1_000_000)
    here.go("95", looks=13)
    reason, detail = closed(here)
    assert reason == "force_exit"
    assert "exit orders timed out (exit_timeout_count 2)" in detail


def test_a_stop_loss_does_not_wait_for_an_exit_by_command_that_rests(scene):
    here = scene(
        """
    def confirm_trade_exit(self, pair, trade, order_type, amount, rate, time_in_force, exit_reason, **kwargs):
        return False  # which a command does not ask about
""",
        order_types={"entry": "limit", "exit": "limit", "stoploss": "market"},
        exit_pricing={"price_side": "bid"},
        unfilledtimeout={"exit": 60},
    )
    here.enter()
    here.source.volume = D(0)
    here.ask("exit", trade="all")
    here.looks()
    (trade,) = here.trades(is_open=True)
    assert [order.intent.type for order in trade.alive()] == [OrderType.LIMIT]
    here.source.volume = D(1_000_000)
    here.go("85", looks=3)
    reason, detail = closed(here)
    assert reason == "force_exit"
    assert "stop_loss" in detail


def test_a_pause_lasts_and_exits_go_on(scene):
    here = scene()
    here.enter()
    here.ask("pause")
    here = here.again()
    here.tick("enter_long", pair=ETH)
    assert "paused" in here.desk._entries.gates["*"][0]
    assert len(here.trades()) == 1
    here.go("80")
    assert closed(here)[0] == "stop_loss"
    here.ask("resume")
    here.tick("enter_long", pair=ETH)
    assert len(here.trades(is_open=True)) == 1
    here.close()


def test_stop_exit_all_sells_everything_and_then_stops(scene):
    here = scene()
    here.enter()
    here.enter(ETH)
    assert not here.stop.is_set()
    here.ask("stop", exit_all=True)
    here.looks(2)
    assert not here.trades(is_open=True)
    assert here.stop.is_set()
    assert {trade.exit_reason for trade in here.trades()} == {"force_exit"}
    here = here.again()
    here.looks()
    assert not here.stop.is_set(), "it is done, and said so"
    assert here.desk._entries.gates["*"], "but nothing is entered until somebody resumes"
    here.close()


def test_a_lock_is_lifted_by_command(scene):
    here = scene(protections=[{"method": "CooldownPeriod", "stop_duration_candles": 30}])
    here.enter()
    here.tick("exit_long")
    here.clock.advance(CANDLE_MS)
    assert isinstance(here.ask("unlock", pair="ETH/USDT"), Refused)
    assert "1 lock lifted: BTC/USDT (Cooldown" in here.ask("unlock", pair="btc/usdt")["text"]
    here.tick("enter_long")
    assert len(here.trades(is_open=True)) == 1
    assert here.ask("unlock", pair="all")["text"] == "0 locks lifted"


# limits


def test_limits_of_risk_hold_and_last(scene):
    limits = {"risk": {"max_drawdown": 0.01, "max_stake": 150}}
    here = scene(candled=limits)
    here.enter()
    here.tick("enter_long", pair=ETH)
    assert here.trades()[-1].orders[0].filled <= D("5.01"), "what max_stake leaves"
    here.go("89", looks=2)
    assert "max_drawdown" in here.desk._entries.gates["*"][0]
    here = here.again()
    here.looks()
    here.looks()
    assert "max_drawdown" in here.desk._entries.gates["*"][0]
    here.ask("resume", risk=True)
    here.looks()
    assert "*" not in here.desk._entries.gates
    here.close()


# a reload


def retold(here, **changes):
    """The desk with other settings, handed over as a reload does it."""
    settings = Settings.model_validate(document(here.folder, **{**here.changes, **changes}))
    reapply_settings(here.strategy.instance, here.strategy.limits, settings.raw, changes)
    here.desk.take(desk_terms(settings, here.strategy))


def test_other_limits_hold_from_the_next_look_on(scene):
    here = scene(max_open_trades=1)
    here.enter(BTC)
    here.tick("enter_long", pair=ETH)
    assert len(here.trades()) == 1
    retold(here, max_open_trades=2, stake_amount=50)
    here.looks()
    assert [trade.pair for trade in here.trades()] == [BTC, ETH]
    assert position_of(here.trade(2)).paid < 51


def test_other_limits_of_risk_hold_from_the_next_look_on(scene):
    here = scene()
    retold(here, candled={"risk": {"max_stake": 30}})
    here.tick("enter_long")
    assert all(position_of(trade).paid < 31 for trade in here.trades())
    retold(here)
    here.tick("enter_long", pair=ETH)
    assert position_of(here.trade(2)).paid > 90


def test_a_pair_that_left_the_whitelist_is_not_entered_any_more_and_its_trade_is_looked_after(scene):
    here = scene(max_open_trades=3)
    without = {"exchange": {"name": "simulated", "pair_whitelist": [str(BTC)]}}
    retold(here, **without)
    here.tick("enter_long", pair=ETH)
    assert here.trades() == ()
    retold(here)
    here.enter(ETH)
    retold(here, **without)
    assert isinstance(here.ask("enter", pair="ETH/USDT"), Refused)
    here.tick("exit_long", pair=ETH)
    here.looks()
    assert closed(here)[0] == "exit_signal"


def test_a_pair_that_is_gone_is_not_asked_to_leave_the_whitelist_when_it_has_left(scene):
    here = scene(max_open_trades=3)
    here.enter(ETH)
    del here.source.prices[ETH]
    here.ask("reconcile")
    here.looks()
    assert "pair_whitelist" in str(here.desk._troubles)
    terms = desk_terms(here.settings, here.strategy)
    here.desk.take(replace(terms, pairs=(BTC,), watched=(BTC, ETH)))
    here.looks()
    assert "pair_whitelist" not in str(here.desk._troubles)
    assert "pair ETH/USDT" in str(here.desk._troubles)
