"""Orders that wait for their fill."""

from dataclasses import replace
from decimal import Decimal

import pytest
from decisions import MARKET, MINUTE_MS, NOON_MS, Plain, d, order_of, record_of, rules_of, terms_of, trade_of

from daemon.trading.orders import Leg, OrderState
from daemon.trading.timeouts import Waiting, check_waiting, emergency_due, timed_out_exits

LIMITS = replace(MARKET, min_cost=Decimal(10))


class Opinions(Plain):
    said = None

    def check_entry_timeout(self, pair, trade, order, current_time, **kwargs):
        return self._answer("entry", order)

    def check_exit_timeout(self, pair, trade, order, current_time, **kwargs):
        return self._answer("exit", order)

    def adjust_entry_price(
        self, trade, order, pair, current_time, proposed_rate, current_order_rate, **kwargs
    ):
        return self._answer("price", current_order_rate)

    def _answer(self, name, fallback):
        if self.said is None or self.said[0] != name:
            return False if name != "price" else fallback
        if isinstance(self.said[1], Exception):
            raise self.said[1]
        return self.said[1]


@pytest.fixture
def said(monkeypatch):
    return lambda name, value: monkeypatch.setattr(Opinions, "said", (name, value))


def waiting(order, minutes, strategy=Plain, close_ms=NOON_MS, market=LIMITS, first=None, **config):
    record = record_of(*((first,) if first else ()), order)
    return check_waiting(
        order, trade_of(record), rate=d(100), now_ms=NOON_MS + int(minutes * MINUTE_MS), newest_close_ms=close_ms,
        terms=terms_of(strategy, market, **config),
    )  # fmt: skip


def entry(fills=(), **fields):
    return order_of(1, 100, fills=list(fills), state=OrderState.OPEN, **fields)


def leave(fills=(), **fields):
    return order_of(1, 110, leg=Leg.EXIT, fills=list(fills), state=OrderState.OPEN, **fields)


def test_an_order_waits_as_long_as_the_configuration_says():
    timeout = {"unfilledtimeout": {"entry": 10, "exit": 30}}
    assert waiting(entry(), 9.99, **timeout).verdict is Waiting.KEEP
    found = waiting(entry(), 10, **timeout)
    assert (found.verdict, found.detail) == (Waiting.TIMED_OUT, "timed out: not filled within 10 min")
    assert waiting(leave(), 29.9, first=order_of(1, 100, number=1), **timeout).verdict is Waiting.KEEP
    assert waiting(leave(), 30, first=order_of(1, 100, number=1), **timeout).verdict is Waiting.TIMED_OUT


def test_a_wait_may_be_of_seconds():
    timeout = {"unfilledtimeout": {"entry": 30, "unit": "seconds"}}
    assert waiting(entry(), 0.49, **timeout).verdict is Waiting.KEEP
    assert waiting(entry(), 0.5, **timeout).verdict is Waiting.TIMED_OUT


def test_an_order_that_has_ended_or_lies_as_a_stop_waits_for_nothing():
    ended = order_of(1, 100, fills=[], state=OrderState.CANCELLED)
    stop = order_of(1, 90, leg=Leg.STOP, fills=[], state=OrderState.OPEN)
    for order in (ended, stop):
        assert waiting(order, 1_000).verdict is Waiting.KEEP


@pytest.mark.parametrize(("name", "order"), [("entry", entry()), ("exit", leave())])
def test_the_strategy_may_end_the_wait(said, name, order):
    first = order_of(1, 100, number=1) if name == "exit" else None
    assert waiting(order, 1, Opinions, first=first).verdict is Waiting.KEEP
    said(name, True)
    found = waiting(order, 1, Opinions, first=first)
    assert (found.verdict, found.detail) == (Waiting.TIMED_OUT, f"timed out: check_{name}_timeout said so")


def test_a_cancel_that_would_leave_too_little_to_be_sold_is_not_made():
    assert waiting(entry([(0.05, 100)]), 10).verdict is Waiting.KEEP
    assert waiting(entry([(0.5, 100)]), 10).verdict is Waiting.TIMED_OUT
    sold = leave([(0.95, 110)], number=1)
    assert waiting(sold, 10, first=order_of(1, 100)).verdict is Waiting.KEEP


def test_the_strategy_may_move_an_order_once_per_candle(said):
    said("price", 98.5)
    assert waiting(entry(), 1, Opinions).verdict is Waiting.KEEP
    found = waiting(entry(), 6, Opinions, close_ms=NOON_MS + 5 * MINUTE_MS)
    assert (found.verdict, found.price) == (Waiting.REPLACE, Decimal("98.5"))
    assert found.detail == "replaced: adjust_order_price moved it from 100 to 98.5"
    assert waiting(entry(), 6, close_ms=NOON_MS + 5 * MINUTE_MS).verdict is Waiting.KEEP


def test_the_strategy_may_cancel_an_order_or_keep_it(said):
    said("price", None)
    assert waiting(entry(), 6, Opinions, close_ms=NOON_MS + MINUTE_MS).verdict is Waiting.CANCEL
    said("price", 100)
    assert waiting(entry(), 6, Opinions, close_ms=NOON_MS + MINUTE_MS).verdict is Waiting.KEEP


@pytest.mark.parametrize("name", ["entry", "price"])
def test_a_callback_that_raises_keeps_the_order_and_is_named(said, name):
    said(name, ValueError("no idea"))
    found = waiting(entry(), 6, Opinions, close_ms=NOON_MS + MINUTE_MS)
    assert found.verdict is Waiting.KEEP
    assert "no idea" in found.fault
    assert waiting(entry(), 10, Opinions, close_ms=NOON_MS + MINUTE_MS).verdict is Waiting.TIMED_OUT


def test_after_enough_exits_that_timed_out_the_trade_is_closed_at_the_market():
    cancelled = [
        order_of(
            1, 110, leg=Leg.EXIT, fills=[], state=OrderState.CANCELLED, number=i, detail=f"timed out: {i}"
        )
        for i in range(3)
    ]
    record = record_of(order_of(1, 100), *cancelled)
    assert timed_out_exits(record) == 3
    assert emergency_due(record, rules_of(unfilledtimeout={"exit_timeout_count": 4})) is None
    assert emergency_due(record, rules_of()) is None
    found = emergency_due(record, rules_of(unfilledtimeout={"exit_timeout_count": 3}))
    assert (found.reason, found.detail) == (
        "emergency_exit", "emergency_exit: 3 exit orders timed out (exit_timeout_count 3)"
    )  # fmt: skip


def test_a_replaced_or_filled_exit_is_no_time_out():
    late = order_of(1, 110, leg=Leg.EXIT, fills=[], state=OrderState.CANCELLED, detail="timed out: x")
    moved = order_of(
        1, 110, leg=Leg.EXIT, fills=[], state=OrderState.CANCELLED, number=1, detail="replaced: x"
    )
    assert timed_out_exits(record_of(order_of(1, 100), late, moved)) == 0
    assert timed_out_exits(record_of(order_of(1, 100), moved, late)) == 1
