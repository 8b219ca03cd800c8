"""Decisions equal freqtrade's own, on random cases that freqtrade has answered (benchmarks/trading_golden.py)."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest
from decisions import (
    MARKET,
    MINUTE_MS,
    NOON_MS,
    A,
    Plain,
    d,
    order_of,
    record_of,
    rules_of,
    terms_of,
    trade_of,
)

from daemon.config.trading import EntryPricing, ExitPricing, ProtectionSettings
from daemon.core.errors import Refused, Retryable
from daemon.strategy.persistence import Trade
from daemon.trading.account import Account
from daemon.trading.broker import Balance, Quote
from daemon.trading.exits import ExitLook, check_exits
from daemon.trading.orders import Leg, Side
from daemon.trading.prices import Book, bounded_price, market_price
from daemon.trading.protections import locks_after_close
from daemon.trading.stakes import bounded_stake, least_stake, most_stake, proposed_stake
from daemon.trading.stops import first_stop

GOLDEN = Path(__file__).parent / "golden"


def cases(name):
    return [
        pytest.param(case, id=str(i))
        for i, case in enumerate(json.loads((GOLDEN / f"{name}.json").read_text()))
    ]


class Scripted(Plain):
    """Its callbacks answer what the case says."""

    answers = SimpleNamespace(custom_stoploss=None, custom_exit=None, custom_roi=None)

    def custom_stoploss(self, *args, after_fill, **kwargs):
        return self.answers.custom_stoploss

    def custom_exit(self, *args, **kwargs):
        return self.answers.custom_exit

    def custom_roi(self, *args, **kwargs):
        return self.answers.custom_roi


@pytest.fixture(scope="module")
def scripted():
    return terms_of(Scripted)


@pytest.mark.parametrize("case", cases("exits"))
def test_stops_and_exits_are_freqtrades(case, scripted):
    given = case["rules"]
    roi = tuple(sorted((int(minutes), profit) for minutes, profit in given["minimal_roi"].items()))
    terms = replace(scripted, rules=replace(scripted.rules, **{**given, "minimal_roi": roi}))
    record = record_of(order_of(case["amount"], case["open_rate"]))
    record = replace(record, stop=first_stop(case["open_rate"], terms.rules, MARKET))
    for look in case["looks"]:
        Scripted.answers = SimpleNamespace(**{key: look[key] for key in vars(Scripted.answers)})
        now_ms = NOON_MS + look["minute"] * MINUTE_MS
        seen = ExitLook(rate=d(look["rate"]), now_ms=now_ms, enter=look["enter"], leave=look["leave"])
        found = check_exits(record, trade_of(record), seen, terms)
        words = [[exit_.kind.value, exit_.reason] for exit_ in found.exits]
        assert words == [[kind, reason or kind] for kind, reason in look["exits"]]
        assert trade_of(record).calc_profit_ratio(look["rate"]) == look["profit"]
        assert float(found.stop.price) == look["stop"]
        assert (float(found.stop.initial), found.stop.ratio) == (look["initial"], look["ratio"])
        assert found.stop.trailing == look["trailing"]
        assert (float(found.highest), float(found.lowest)) == (look["highest"], look["lowest"])
        assert found.faults == ()
        record = replace(record, stop=found.stop, highest=found.highest, lowest=found.lowest)


def limit(limits, what, which):
    value = limits[what][which]
    return None if value is None else d(value)


@pytest.mark.parametrize("case", cases("stakes"))
def test_stakes_are_freqtrades(case):
    config, limits = case["config"], case["limits"]
    rules = rules_of(**{**config, "stoploss": case["stoploss"]})
    market = replace(
        MARKET,
        min_cost=limit(limits, "cost", "min") or Decimal(0),
        max_cost=limit(limits, "cost", "max"),
        min_amount=limit(limits, "amount", "min") or Decimal(0),
        max_amount=limit(limits, "amount", "max"),
    )
    account = Account(
        stake_currency="USDT",
        balances={"USDT": Balance(free=d(case["free"]))},
        tied_up=d(case["tied"]),
        closed_profit=d(case["profit"]),
    )
    price = d(case["price"])
    least, most = least_stake(market, price, case["stoploss"], rules), most_stake(market, price)
    assert float(account.total_stake(rules)) == pytest.approx(case["total"])
    assert float(account.available_stake(rules)) == pytest.approx(case["available"])
    assert float(account.starting_balance(rules)) == pytest.approx(case["starting"])
    assert float(least) == pytest.approx(case["least"] or 0)
    assert most is None if case["most"] is None else float(most) == pytest.approx(case["most"])
    assert answer(lambda: proposed_stake(account, rules)) == pytest.approx(case["proposed"] or 0)
    available = account.available_stake(rules)
    fitted = answer(
        lambda: bounded_stake(
            d(case["wanted"]), least=least, most=most, available=available, already=d(case["already"])
        )
    )
    # freqtrade would send a stake below zero where nothing is available and no least stake says so.
    assert fitted == pytest.approx(max(case["fitted"], 0))


def answer(stake):
    """The stake, 0 for none."""
    try:
        return float(stake())
    except Refused:
        return 0.0


@pytest.mark.parametrize("case", cases("prices"))
def test_prices_are_freqtrades(case):
    kind, side = (EntryPricing, Side.BUY) if case["side"] == "entry" else (ExitPricing, Side.SELL)
    quote = Quote(bid=d(case["bid"]), ask=d(case["ask"]), last=d(case["last"]), at_ms=0)
    levels = {
        key: tuple((d(price), d(amount)) for price, amount in case["book"][key]) for key in ("bids", "asks")
    }
    pricing = kind.model_validate(case["pricing"])
    if case["rate"] is None:
        with pytest.raises(Retryable, match="none at place 4"):
            market_price(side, pricing, quote, Book(**levels))
    else:
        assert float(market_price(side, pricing, quote, Book(**levels))) == pytest.approx(
            case["rate"], abs=1e-12
        )
    bounded = bounded_price(case["custom"], d(case["bid"]), case["distance"])
    assert float(bounded) == pytest.approx(case["bounded"], abs=1e-12)


@pytest.mark.parametrize("case", cases("protections"))
def test_protections_are_freqtrades(case):
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    closed = [
        Trade(
            pair=row["pair"], is_open=False, close_date=noon - timedelta(minutes=row["minutes_ago"]),
            close_profit=row["profit"], close_profit_abs=row["profit_abs"], exit_reason=row["reason"],
        )
        for row in case["trades"]
    ]  # fmt: skip
    rules = replace(
        rules_of(), protections=tuple(ProtectionSettings.model_validate(entry) for entry in case["settings"])
    )
    earned = sum(trade.close_profit_abs for trade in closed)
    auto, *found = locks_after_close(
        A, closed, now_ms=NOON_MS, rules=rules, starting_balance=1000.0, earned=earned, locks=()
    )
    assert (auto.reason, auto.lock_end_time - noon) == ("Auto lock", timedelta(minutes=5))
    shown = [[lock.pair, (lock.lock_end_time - noon).total_seconds(), lock.side] for lock in found]
    # freqtrade's own auto lock is set elsewhere; here it may stand for a protection that ends no later.
    expected = [lock for lock in case["locks"] if lock[1] > 300 or lock[0] == "*"]
    assert [lock for lock in shown if lock[1] > 300 or lock[0] == "*"] == expected


@pytest.mark.parametrize("case", cases("positions"))
def test_sums_over_a_trades_orders_are_freqtrades(case):
    orders = [
        order_of(row["amount"], row["price"], leg=Leg.EXIT if row["side"] == "sell" else Leg.ENTRY, number=i)
        for i, row in enumerate(case["orders"])
    ]
    trade = trade_of(record_of(*orders, closed_ms=None if case["is_open"] else NOON_MS))
    assert (trade.nr_of_successful_entries, trade.nr_of_successful_exits) == (case["entries"], case["exits"])
    assert trade.max_stake_amount == pytest.approx(case["max_stake_amount"])
    assert trade.realized_profit == pytest.approx(case["realized_profit"], abs=2e-8)
    for field in ("close_profit", "close_profit_abs"):
        assert getattr(trade, field) == (case[field] and pytest.approx(case[field], abs=2e-8))
    if not case["is_open"]:
        return
    # freqtrade rounds the average of several entries to the price's precision, which we do not.
    tick = {"abs": 0.0051}
    assert trade.open_rate == pytest.approx(case["open_rate"], **tick)
    assert (trade.amount, trade.stake_amount) == pytest.approx((case["amount"], case["stake_amount"]))
    assert trade.calc_profit_ratio(case["at"]) == pytest.approx(case["profit_ratio"], abs=1e-4)
    assert trade.calc_close_rate_for_roi(0.05) == pytest.approx(case["close_rate_for_roi"], abs=0.006)
    profit = trade.calculate_profit(case["at"])
    assert profit.total_profit == pytest.approx(case["profit"]["total_profit"], abs=0.03)
    if len(orders) == 1:
        assert profit == pytest.approx(tuple(case["profit"].values()), abs=2e-8)
