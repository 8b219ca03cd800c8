"""Where the stop-loss stands, and when a trade is closed. Numbers: test_decisions_golden.py."""

from dataclasses import replace
from decimal import Decimal

import pytest
from decisions import MARKET, MINUTE_MS, NOON_MS, Plain, d, order_of, record_of, rules_of, terms_of, trade_of

from daemon.trading.exits import ExitKind, ExitLook, check_exits, roi_reached
from daemon.trading.orders import Leg, OrderState
from daemon.trading.stops import first_stop, moved_stop, raised, stop_after_entry


class Following(Plain):
    """The stop follows at 1 %; after a fill it says 20 %."""

    use_custom_stoploss = True

    def custom_stoploss(self, pair, trade, current_time, current_rate, current_profit, after_fill, **kwargs):
        return -0.2 if after_fill else -0.01


class Broken(Plain):
    use_custom_stoploss = use_custom_roi = True

    def custom_stoploss(self, **kwargs):
        raise RuntimeError("no stop")

    def custom_exit(self, **kwargs):
        return 1 / 0

    def custom_roi(self, **kwargs):
        return "lots"


def held(**fields):
    record = record_of(**fields)
    stop = first_stop(100.0, rules_of(), MARKET)
    return record if record.stop else replace(record, stop=stop)


def look(rate, minutes=0, **fields):
    return ExitLook(rate=d(rate), now_ms=NOON_MS + minutes * MINUTE_MS, **fields)


def checked(rate, strategy=Plain, minutes=0, record=None, changed=None, **fields):
    record = record or held()
    return check_exits(
        record, trade_of(record), look(rate, minutes, **fields), terms_of(strategy, changed=changed)
    )


def kinds(check):
    return [exit_.kind for exit_ in check.exits]


def test_a_stop_is_rounded_up_to_the_exchanges_precision():
    stop = first_stop(100.001, rules_of(), MARKET)
    assert stop.price == Decimal("90.01")


def test_a_stop_only_rises():
    stop = first_stop(100.0, rules_of(), MARKET)
    assert raised(stop, 99.0, 0.1, MARKET, rule="trailing_stop") is stop
    higher = raised(stop, 110.0, 0.1, MARKET, rule="trailing_stop")
    assert (higher.price, higher.initial, higher.trailing, higher.rule) == (99, 90, True, "trailing_stop")


def test_after_a_fill_the_strategy_may_lower_the_stop():
    terms = terms_of(Following)
    stop = replace(first_stop(100.0, terms.rules, MARKET), price=Decimal(95))
    trade = trade_of(record_of())
    lower, _ = moved_stop(stop, trade, 100.0, now_ms=NOON_MS, terms=terms, after_fill=True)
    higher, _ = moved_stop(stop, trade, 100.0, now_ms=NOON_MS, terms=terms)
    assert (lower.price, lower.trailing) == (80, False)
    assert (higher.price, higher.trailing) == (99, True)


def test_a_strategy_that_does_not_ask_for_fills_is_not_asked_after_one():
    class Former(Plain):
        use_custom_stoploss = True

        def custom_stoploss(self, pair, trade, current_time, current_rate, current_profit, **kwargs):
            return -0.01

    terms = terms_of(Former)
    stop = first_stop(100.0, terms.rules, MARKET)
    trade = trade_of(record_of())
    assert moved_stop(stop, trade, 100.0, now_ms=NOON_MS, terms=terms, after_fill=True) == (stop, "")
    assert moved_stop(stop, trade, 100.0, now_ms=NOON_MS, terms=terms)[0].price == 99


def test_while_the_first_entry_fills_the_stop_is_set_anew_and_later_only_raised():
    rules = rules_of()
    part = record_of(order_of(2, 100, fills=[(1, 100)], state=OrderState.OPEN))
    stop = stop_after_entry(None, trade_of(part), rules, MARKET)
    assert stop.price == 90
    whole = record_of(order_of(2, 100, fills=[(1, 100), (1, 96)]))
    stop = stop_after_entry(stop, trade_of(whole), rules, MARKET)
    assert (stop.price, stop.trailing) == (Decimal("88.2"), False)
    dearer = record_of(*whole.orders, order_of(2, 120, number=1))
    assert stop_after_entry(stop, trade_of(dearer), rules, MARKET).price == Decimal("98.11")
    cheaper = record_of(*whole.orders, order_of(2, 80, number=1))
    assert stop_after_entry(stop, trade_of(cheaper), rules, MARKET) == stop


def test_the_stop_closes_the_trade_and_says_by_which_value():
    found = checked(90)
    assert kinds(found) == [ExitKind.STOP_LOSS]
    assert found.exits[0].detail.startswith("stop_loss: price 90 <= stop 90.0 (stoploss -0.1)")
    assert kinds(checked(90.01)) == []


def test_a_raised_stop_has_a_name_of_its_own():
    record = held(stop=raised(first_stop(100.0, rules_of(), MARKET), 110, 0.1, MARKET, rule="trailing_stop"))
    found = checked(98, record=record)
    assert found.exits[0].reason == "trailing_stop_loss"
    assert "stop 99.0 (trailing_stop -0.1, at first 90.0)" in found.exits[0].detail


def test_extremes_are_seen():
    record = held(highest=d(101), lowest=d(99))
    assert (checked(102, record=record).highest, checked(102, record=record).lowest) == (102, 99)
    assert checked(98, record=record).lowest == 98


def test_roi_counts_by_the_minutes_and_says_which_entry():
    changed = {"minimal_roi": ((0, 0.05), (30, 0.01))}
    assert kinds(checked(102, minutes=29, changed=changed)) == []
    found = checked(102, minutes=30, changed=changed)
    assert kinds(found) == [ExitKind.ROI]
    assert found.exits[0].detail == "roi: profit 1.7962% > 1.0000% (minimal_roi[30]) after 30 min"
    assert roi_reached(10, rules_of(minimal_roi={"20": 0.1})) is None


def test_the_lower_of_the_strategys_roi_and_the_tables_counts():
    rules = rules_of(minimal_roi={"0": 0.05})
    assert roi_reached(7, rules, 0.02) == (7, 0.02)
    assert roi_reached(7, rules, 0.08) == (0, 0.05)


def test_an_entry_signal_holds_roi_back_where_it_is_asked_to():
    changed = {"minimal_roi": ((0, 0.01),), "ignore_roi_if_entry_signal": True}
    assert kinds(checked(105, changed=changed, enter=True)) == []
    assert kinds(checked(105, changed=changed)) == [ExitKind.ROI]


def test_an_exit_signal_closes_the_trade_under_its_tag():
    assert checked(101, leave=True, exit_tag="down").exits[0].reason == "down"
    assert checked(101, leave=True).exits[0].reason == "exit_signal"
    assert kinds(checked(101, leave=True, enter=True)) == []
    assert kinds(checked(101, leave=True, changed={"use_exit_signal": False})) == []


def test_exit_signals_wait_for_their_profit_where_asked_to():
    changed = {"exit_profit_only": True, "exit_profit_offset": 0.01}
    assert kinds(checked(101, leave=True, changed=changed)) == []
    assert kinds(checked(102, leave=True, changed=changed)) == [ExitKind.EXIT_SIGNAL]


def test_signals_come_before_the_stop_and_roi_before_a_trailing_stop():
    assert kinds(checked(80, leave=True)) == [ExitKind.EXIT_SIGNAL, ExitKind.STOP_LOSS]
    record = held(stop=raised(first_stop(100.0, rules_of(), MARKET), 120, 0.1, MARKET, rule="trailing_stop"))
    changed = {"minimal_roi": ((0, 0.01),)}
    found = checked(107, record=record, changed=changed)
    assert kinds(found) == [ExitKind.ROI, ExitKind.TRAILING_STOP_LOSS]


@pytest.mark.parametrize(("rate", "found"), [(90, []), (89.2, []), (89, [ExitKind.STOP_LOSS])])
def test_a_stop_order_at_the_exchange_acts_itself_unless_the_price_fell_through_its_limit(rate, found):
    order = order_of(1, 90, leg=Leg.STOP, fills=[], state=OrderState.OPEN)
    record = held(orders=(order_of(1, 100), order))
    assert kinds(checked(rate, record=record)) == found


def test_callbacks_that_raise_leave_the_position_protected():
    found = checked(89, Broken)
    assert kinds(found) == [ExitKind.STOP_LOSS]
    assert found.stop.price == 90
    faults = checked(100, Broken).faults
    assert [fault.split("[")[-1] for fault in faults] == [
        "custom_stoploss A/USDT]", "custom_roi A/USDT]", "custom_exit A/USDT]"
    ]  # fmt: skip
    assert "RuntimeError: no stop" in faults[0]
    assert "'lots' is not a number" in faults[1]
    assert "ZeroDivisionError" in faults[2]


def test_a_strategy_sees_the_present_stop_and_extremes():
    class Looking(Plain):
        def custom_exit(self, pair, trade, current_time, current_rate, current_profit, **kwargs):
            trade.amount = 0
            return f"{trade.stop_loss} {trade.max_rate} {trade.stop_loss_pct} {current_time:%H:%M} {trade.amount}"

    record = held()
    found = checked(110, Looking, minutes=5, record=record, changed={"trailing_stop": True})
    assert found.exits[0].reason == "99.0 110.0 -0.1 12:05 0"
    assert trade_of(record).amount == 1
