"""Gates, limits of risk, protections: what keeps an entry from being made."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from decisions import MINUTE_MS, NOON_MS, A, d, rules_of

from daemon.config.own import RiskSettings
from daemon.core.pair import Pair
from daemon.strategy.locks import PairLock
from daemon.strategy.persistence import Trade
from daemon.trading.account import Account
from daemon.trading.broker import Balance
from daemon.trading.gates import DeskFacts, PairFacts, desk_gate, pair_gate
from daemon.trading.protections import drawdown, locks_after_close
from daemon.trading.risk import (
    DAY_MS,
    RiskState,
    breaches,
    observed,
    room,
    too_many_orders,
    worth_of,
)

NOON = datetime.fromtimestamp(NOON_MS / 1000, tz=UTC)
HOUR_MS = 60 * MINUTE_MS


def lock_of(pair="A/USDT", minutes=10, side="*", active=True):
    return PairLock(
        pair=pair, lock_time=NOON, lock_end_time=NOON + timedelta(minutes=minutes), reason="why", side=side, active=active
    )  # fmt: skip


def test_nothing_speaks_against_an_entry():
    assert desk_gate(DeskFacts()).open
    assert pair_gate(PairFacts(pair=A, now_ms=NOON_MS, candle_close_ms=NOON_MS), rules_of()).open


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"state": "paused"}, "paused: "),
        ({"state": "stopped"}, "stopped: "),
        ({"findings": ("1 USDT is missing",)}, "reconciliation: 1 USDT"),
        ({"ledger_fault": "disk full"}, "ledger: disk full"),
        ({"clock_off_ms": -1_001}, "clock: 1001 ms off"),
        ({"breaches": ("max_drawdown",)}, "risk: max_drawdown"),
        ({"orders_fault": "max_orders_per_minute 3"}, "risk: max_orders"),
    ],
)
def test_each_fact_of_the_desk_closes_the_gate_by_its_name(facts, words):
    (reason,) = desk_gate(DeskFacts(**facts)).reasons
    assert reason.startswith(words)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"blocked": "expired: 30 h"}, "signal: expired"),
        ({"candle_close_ms": NOON_MS - 300_000}, "candle: 300 s old, allowed are 300 s"),
        ({"held": True}, "open trade: "),
        ({"open_trades": 3}, "max_open_trades: 3"),
        ({"locks": (lock_of(),)}, "lock: A/USDT until 2026-01-01 12:10 UTC: why"),
        ({"locks": (lock_of("*"),)}, "lock: all pairs until"),
        ({"locks": (lock_of(side="long"),)}, "lock: A/USDT"),
    ],
)
def test_each_fact_of_a_pair_closes_the_gate_by_its_name(facts, words):
    (reason,) = pair_gate(PairFacts(pair=A, now_ms=NOON_MS, **facts), rules_of()).reasons
    assert reason.startswith(words)


@pytest.mark.parametrize(
    "facts",
    [
        {"candle_close_ms": NOON_MS - 299_999},
        {"open_trades": 2},
        {"locks": (lock_of("B/USDT"), lock_of(minutes=0), lock_of(active=False), lock_of(side="short"))},
    ],
)
def test_what_is_just_allowed_leaves_the_gate_open(facts):
    assert pair_gate(PairFacts(pair=A, now_ms=NOON_MS, **facts), rules_of()).open


def test_every_reason_is_told():
    gate = pair_gate(PairFacts(pair=A, now_ms=NOON_MS, held=True, open_trades=3), rules_of())
    assert [reason.split(":")[0] for reason in gate.reasons] == ["open trade", "max_open_trades"]


# limits of risk

LIMITS = RiskSettings(
    max_stake_per_pair=100.0, max_stake=150.0, max_daily_loss=0.05, max_drawdown=0.1, max_orders_per_minute=3
)


def seen(*worths, limits=LIMITS, state=None, step_ms=MINUTE_MS):
    for i, worth in enumerate(worths):
        state = observed(state, d(worth), NOON_MS + i * step_ms, limits)
    return state


def test_the_account_is_worth_its_cash_and_what_is_held():
    assert (
        worth_of("USDT", {"USDT": Balance(free=d(5), used=d(6)), "A": Balance(free=d(1))}, [(d(2), d(10))])
        == 31
    )


def test_a_days_loss_bars_entries_until_the_day_is_over():
    state = seen(1000, 951)
    assert breaches(state, LIMITS) == ()
    state = seen(950, 990, state=state)
    assert breaches(state, LIMITS) == ("max_daily_loss 5.00%: worth 950, 1000 at the day's start",)
    state = observed(state, d(990), NOON_MS + DAY_MS, LIMITS)
    assert breaches(state, LIMITS) == ()
    assert state.day_worth == 990


def test_a_drawdown_bars_entries_until_somebody_resets_it():
    state = seen(1000, 1100, 990, 1200, step_ms=DAY_MS)
    assert breaches(state, LIMITS) == ("max_drawdown 10.00%: worth 990, once 1100",)
    assert breaches(state, RiskSettings()) == ()


def test_money_that_came_in_is_no_profit():
    state = observed(None, d(1000), NOON_MS, LIMITS, d(1000))
    assert observed(state, d(1426), NOON_MS, LIMITS, d(1500)).day_breach == ""
    assert observed(state, d(1425), NOON_MS, LIMITS, d(1500)).day_breach != ""
    assert observed(state, d(500), NOON_MS, LIMITS, d(500)).day_breach == "", "nor is what was taken out lost"


def test_the_state_survives_the_ledger():
    state = seen(1000, 850)
    assert RiskState.of(state.stored()) == state
    assert all(isinstance(value, str | int) for value in state.stored().values())


def test_the_least_room_counts():
    funds = Account(stake_currency="USDT", tied_up=d(120), by_pair={A: d(30), Pair("B/USDT"): d(90)})
    assert room(LIMITS, funds, A) == 30
    assert room(LIMITS, funds, Pair("B/USDT")) == 10
    assert room(LIMITS, replace(funds, tied_up=d(200)), A) == 0
    assert room(RiskSettings(), funds, A) is None


def test_orders_of_the_last_minute_are_counted():
    sent = [NOON_MS - 60_000, NOON_MS - 59_999, NOON_MS - 5, NOON_MS]
    assert too_many_orders(LIMITS, sent, NOON_MS) == "max_orders_per_minute 3: 3 in the last minute"
    assert too_many_orders(LIMITS, sent[:-1], NOON_MS) == ""
    assert too_many_orders(RiskSettings(), sent * 9, NOON_MS) == ""


# protections; which locks: test_decisions_golden.py


def closed(profit=-0.05, minutes_ago=5, pair="A/USDT", reason="stop_loss"):
    return Trade(
        pair=pair, is_open=False, close_date=NOON - timedelta(minutes=minutes_ago), close_profit=profit,
        close_profit_abs=profit * 100, exit_reason=reason,
    )  # fmt: skip


def locks(*trades, there=(), **protection):
    rules = rules_of(protections=[protection] if protection else [])
    return locks_after_close(
        A, trades, now_ms=NOON_MS, rules=rules, starting_balance=1000, earned=0.0, locks=there
    )


def test_a_pair_is_not_entered_again_at_the_candle_of_its_exit():
    (auto,) = locks(closed())
    assert (auto.pair, auto.reason, auto.side) == ("A/USDT", "Auto lock", "long")
    assert auto.lock_end_time == NOON + timedelta(minutes=5)


def test_a_lock_says_which_protection_set_it():
    guard = locks(closed(), method="StoplossGuard", trade_limit=1, stop_duration=60)[1]
    assert guard.reason == "StoplossGuard: 1 stoplosses in 60 min, locked until 2026-01-01 12:55"
    low = locks(closed(), method="LowProfitPairs", required_profit=0.01)[1]
    assert low.reason.startswith("LowProfitPairs: profit -0.05 < 0.01 in 60 min")
    fall = locks(closed(), method="MaxDrawdown", max_allowed_drawdown=0.01)[1]
    assert (fall.pair, fall.reason[:28]) == ("*", "MaxDrawdown: drawdown 0.05 >")


def test_a_lock_that_lasts_longer_is_not_set_again():
    there = [lock_of("*", minutes=600)]
    assert len(locks(closed(), there=there, method="StoplossGuard", trade_limit=1)) == 1
    ended = [replace(there[0], active=False)]
    assert len(locks(closed(), there=ended, method="StoplossGuard", trade_limit=1)) == 3


def test_a_drawdown_is_the_deepest_fall_from_the_highest_sum():
    assert drawdown([0.1, -0.05, 0.02, -0.1, 0.2]) == pytest.approx(0.13)
    assert drawdown([-1.0, 3.0]) == 1
    assert drawdown([100, -300], 1000, relative=True) == pytest.approx(300 / 1100)
    assert drawdown([]) == 0
    assert drawdown([-1], 0, relative=True) == float("inf")


@pytest.mark.parametrize(("at", "hours"), [("13:00", 1), ("11:00", 23)])
def test_a_lock_may_end_at_a_time_of_the_day_this_day_or_the_next(at, hours):
    found = locks(closed(minutes_ago=0), method="CooldownPeriod", unlock_at=at)[1]
    assert found.lock_end_time == NOON + timedelta(hours=hours, minutes=5)


def test_a_trade_before_the_look_back_does_not_count():
    assert len(locks(closed(minutes_ago=60), method="CooldownPeriod", lookback_period=60)) == 1
    assert len(locks(closed(minutes_ago=59), method="CooldownPeriod", lookback_period=60)) == 2
