"""Entries and exits as orders: price, size, confirmation. Numbers of stakes and prices: test_decisions_golden.py."""

from dataclasses import replace
from decimal import Decimal

import pytest
from decisions import MARKET, NOON_MS, A, Plain, d, order_of, record_of, rules_of, terms_of, trade_of

from daemon.core.errors import Refused, StrategyError
from daemon.trading.account import Account, account_of, stake_of
from daemon.trading.adjusting import adjustment
from daemon.trading.broker import Balance
from daemon.trading.entries import EntryMode, EntryWish, plan_entry
from daemon.trading.exits import ExitDecision, ExitKind
from daemon.trading.leaving import ExitWish, least_sellable, plan_exit, plan_stop_order, stop_order_outdated
from daemon.trading.orders import Leg, OrderState, OrderType
from daemon.trading.prices import Book, deep_enough
from daemon.trading.records import StopState

LIMITS = replace(MARKET, min_cost=Decimal(10), min_amount=Decimal("0.01"))


class Opinions(Plain):
    """Its callbacks answer what the test put here."""

    said: dict = {}  # noqa: RUF012
    asked: list = []  # noqa: RUF012

    def _answer(self, name, fallback, kwargs):
        self.asked.append((name, kwargs))
        value = self.said.get(name, fallback)
        if isinstance(value, Exception):
            raise value
        return value

    def custom_stake_amount(self, **kwargs):
        return self._answer("stake", kwargs["proposed_stake"], kwargs)

    def custom_entry_price(self, **kwargs):
        return self._answer("entry_price", kwargs["proposed_rate"], kwargs)

    def custom_exit_price(self, **kwargs):
        return self._answer("exit_price", kwargs["proposed_rate"], kwargs)

    def confirm_trade_entry(self, **kwargs):
        return self._answer("confirm_entry", True, kwargs)

    def confirm_trade_exit(self, **kwargs):
        return self._answer("confirm_exit", True, kwargs)

    def adjust_trade_position(self, **kwargs):
        return self._answer("adjust", None, kwargs)


@pytest.fixture
def said(monkeypatch):
    """said(**answers): what the strategy answers; returns the list of its calls."""
    monkeypatch.setattr(Opinions, "asked", [])

    def set_to(**answers):
        monkeypatch.setattr(Opinions, "said", answers)
        return Opinions.asked

    return set_to


def account(free=1000, tied=0, **by_pair):
    return Account(
        stake_currency="USDT", balances={"USDT": Balance(free=d(free))}, tied_up=d(tied), by_pair=by_pair
    )


def planned(strategy=Opinions, market=LIMITS, funds=None, config=None, **wish):
    terms = terms_of(strategy, market, **(config or {}))
    values = {"pair": A, "price": d(100), "now_ms": NOON_MS, **wish}
    return plan_entry(EntryWish(**values), funds or account(), terms)


def test_an_entry_is_sized_by_the_stake_and_rounded_down_to_the_lot():
    plan = planned(Plain, config={"stake_amount": 99.99}, tag="up")
    assert (plan.amount, plan.price, plan.type, plan.leg) == (
        Decimal("0.999"),
        100,
        OrderType.LIMIT,
        Leg.ENTRY,
    )
    assert (plan.reason, plan.stake, plan.time_in_force) == ("up", Decimal("99.9"), "GTC")


def test_unlimited_is_a_share_of_what_may_be_traded_with():
    plan = planned(Plain, config={"max_open_trades": 4, "tradable_balance_ratio": 1.0})
    assert plan.amount == Decimal("2.5")


def test_a_market_order_has_no_price_but_an_expected_one():
    config = {
        "order_types": {"entry": "market"},
        "entry_pricing": {"price_side": "other"},
        "stake_amount": 100,
    }
    plan = planned(Plain, config=config)
    assert (plan.type, plan.price, plan.expected, plan.time_in_force) == (OrderType.MARKET, None, 100, "GTC")


def test_a_forced_entry_may_have_a_kind_of_its_own():
    config = {"order_types": {"force_entry": "market"}, "stake_amount": 100}
    assert planned(Plain, config=config, mode=EntryMode.FORCED).type is OrderType.MARKET
    assert planned(Plain, config=config).type is OrderType.LIMIT


def test_the_strategys_stake_is_kept_within_its_bounds(said):
    asked = said(stake=5000)
    assert planned(config={"tradable_balance_ratio": 1.0}).stake == 1000
    assert asked[0][0] == "entry_price"
    bounds = asked[1][1]
    assert (bounds["min_stake"], bounds["max_stake"]) == (pytest.approx(10 * 1.05 / 0.9), 1000)
    said(stake=10)
    assert planned().stake == Decimal("11.6")
    said(stake=5)
    with pytest.raises(Refused, match="more than 30 % below the least stake"):
        planned()
    said(stake=0)
    with pytest.raises(Refused, match=r"A/USDT: the stake is 0"):
        planned()


def test_the_strategys_price_stays_near_the_proposed_one(said):
    said(entry_price=50)
    assert planned().price == 98
    said(entry_price=99.123)
    assert planned().price == Decimal("99.12")


def test_an_entry_that_the_strategy_denies_is_refused(said):
    asked = said(confirm_entry=False)
    with pytest.raises(Refused, match="confirm_trade_entry denied"):
        planned(tag="up")
    assert asked[-1][1]["entry_tag"] == "up"
    assert asked[-1][1]["side"] == "long"
    assert planned(mode=EntryMode.ADD, stake=d(20), trade=trade_of(record_of())).amount == Decimal("0.2")


@pytest.mark.parametrize("name", ["stake", "entry_price", "confirm_entry"])
def test_a_callback_that_raises_means_no_entry(said, name):
    said(**{name: ValueError("no idea")})
    with pytest.raises(StrategyError, match=r"ValueError: no idea .*A/USDT\]"):
        planned()


def test_no_stake_and_no_order_beyond_the_limits_of_risk():
    assert planned(Plain, room=d(50)).stake == 50
    with pytest.raises(Refused, match=r"the least stake 11\.6\d{0,6} is more than the 5 that"):
        planned(Plain, room=d(5))


def test_an_account_without_the_stake_is_refused():
    with pytest.raises(Refused, match=r"stake 600.0 USDT is more than the 495.00 that are available"):
        planned(Plain, config={"stake_amount": 600, "tradable_balance_ratio": 0.99}, funds=account(500))


@pytest.mark.parametrize("order_type", ["limit", "market"])
def test_no_more_is_bought_than_can_be_sold_at_the_market_at_once(order_type):
    plan = planned(Plain, market=replace(LIMITS, max_market_amount=d("0.5")), config={
        "order_types": {"entry": order_type}, "entry_pricing": {"price_side": "other"}})  # fmt: skip
    assert plan.amount == d("0.5")


def test_a_trades_stake_is_its_position_and_what_its_open_entry_would_add():
    part = order_of(2, 100, fills=[(0.5, 90)], state=OrderState.OPEN)
    sold = order_of(0.1, 120, leg=Leg.EXIT, number=1)
    assert stake_of(record_of(part)) == Decimal("195.0")
    assert stake_of(record_of(part, sold)) == Decimal("186.0")
    ended = order_of(2, 100, fills=[(0.5, 90)], state=OrderState.CANCELLED)
    assert stake_of(record_of(ended)) == 45
    found = account_of("USDT", {}, [record_of(ended), record_of()], Decimal(0))
    assert (found.tied_up, found.by_pair) == (145, {A: 145})


def test_depth_of_market_wants_bids_to_outweigh_asks():
    condition = rules_of(
        entry_pricing={"check_depth_of_market": {"enabled": True, "bids_to_ask_delta": 2}}
    ).entry_pricing.check_depth_of_market
    assert deep_enough(condition, Book(bids=((d(1), d(4)),), asks=((d(2), d(2)),)))
    assert not deep_enough(condition, Book(bids=((d(1), d(3)),), asks=((d(2), d(2)),)))
    assert not deep_enough(condition, None)
    assert deep_enough(rules_of().entry_pricing.check_depth_of_market, None)


def leaving(kind=ExitKind.ROI, strategy=Opinions, market=LIMITS, config=None, **wish):
    decision = ExitDecision(kind=kind, reason=kind.value, detail="why")
    values = {"pair": A, "trade": trade_of(record_of()), "decision": decision, "rate": d(110), "amount": d(1)}
    return plan_exit(
        ExitWish(**{**values, "now_ms": NOON_MS, **wish}), terms_of(strategy, market, **(config or {}))
    )


def test_an_exit_sells_at_the_rate_with_its_reason():
    plan = leaving(strategy=Plain)
    assert (plan.amount, plan.price, plan.reason, plan.detail, plan.leg) == (1, 110, "roi", "why", Leg.EXIT)


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        (ExitKind.STOP_LOSS, OrderType.MARKET),
        (ExitKind.TRAILING_STOP_LOSS, OrderType.MARKET),
        (ExitKind.EMERGENCY_EXIT, OrderType.MARKET),
        (ExitKind.ROI, OrderType.LIMIT),
        (ExitKind.FORCE_EXIT, OrderType.LIMIT),
    ],
)
def test_the_kind_of_an_exit_order_follows_from_its_reason(kind, found):
    assert leaving(kind, Plain, config={"order_types": {"stoploss": "market"}}).type is found


def test_an_exit_that_the_strategy_denies_is_refused(said):
    asked = said(confirm_exit=False)
    with pytest.raises(Refused, match="confirm_trade_exit denied"):
        leaving()
    assert (asked[-1][1]["exit_reason"], asked[-1][1]["sell_reason"]) == ("roi", "roi")
    assert leaving(whole=False, amount=d(0.5)).amount == Decimal("0.5")


def test_a_strategy_is_not_asked_whether_a_human_may_sell(said):
    asked = said(confirm_exit=False)
    assert leaving(ExitKind.FORCE_EXIT).amount == 1
    assert not [name for name, _ in asked if name == "confirm_exit"]


@pytest.mark.parametrize("name", ["exit_price", "confirm_exit"])
def test_a_callback_that_raises_holds_back_an_exit_but_never_a_protective_one(said, name):
    said(**{name: ValueError("no idea")})
    with pytest.raises(StrategyError, match="no idea"):
        leaving(ExitKind.ROI)
    plan = leaving(ExitKind.STOP_LOSS)
    assert (plan.price, plan.amount) == (110, 1)
    assert "no idea" in plan.faults[0]


def test_a_strategy_may_still_deny_a_stop(said):
    said(confirm_exit=False)
    with pytest.raises(Refused):
        leaving(ExitKind.STOP_LOSS)


def test_a_stop_order_lies_below_the_price_with_its_limit():
    stop = StopState(price=d(90), initial=d(90), ratio=-0.1)
    plan = plan_stop_order(A, stop, d("1.0005"), rules=rules_of(), market=LIMITS)
    assert (plan.type, plan.stop_price, plan.price, plan.amount) == (
        OrderType.STOP_LIMIT, 90, Decimal("89.10"), Decimal(1)
    )  # fmt: skip
    market = plan_stop_order(A, stop, d(1), rules=rules_of(order_types={"stoploss": "market"}), market=LIMITS)
    assert (market.type, market.price) == (OrderType.STOP, None)


def test_a_stop_order_follows_the_stop_at_its_interval():
    stop, rules = StopState(price=d(95), initial=d(90)), rules_of()
    assert stop_order_outdated(d(90), NOON_MS, stop, NOON_MS + 60_000, rules)
    assert not stop_order_outdated(d(90), NOON_MS, stop, NOON_MS + 59_999, rules)
    assert not stop_order_outdated(d(95), NOON_MS, stop, NOON_MS + 60_000, rules)


def test_dust_is_what_the_exchange_would_not_take():
    assert least_sellable(d(100), LIMITS) == Decimal("0.100")
    assert least_sellable(d(5000), LIMITS) == Decimal("0.010")


def adjusted(stake, record=None, market=LIMITS, **config):
    Opinions.said = {"adjust": stake}
    config = {"position_adjustment_enable": True, **config}
    return adjustment(
        trade_of(record or record_of()),
        entry_rate=d(100), exit_rate=d(101), now_ms=NOON_MS, account=account(),
        terms=terms_of(Opinions, market, **config),
    )  # fmt: skip


def test_a_strategy_adds_to_a_trade_as_often_as_it_may(said):
    asked = said()
    found, why = adjusted((30, "more"))
    assert (found.stake, found.tag, why) == (30, "more", "")
    assert asked[0][1]["min_stake"] == pytest.approx(10.5)
    assert "further entries already" in adjusted(30, max_entry_position_adjustment=0)[1]
    assert adjusted(30, max_entry_position_adjustment=1)[0].stake == 30
    assert adjusted(30, position_adjustment_enable=False) == (None, "")


def test_a_strategy_takes_out_what_leaves_enough_to_be_sold(said):
    said()
    found, _ = adjusted((-40, "half"))
    assert (found.amount, found.decision.kind, found.decision.reason) == (
        Decimal("0.4"), ExitKind.PARTIAL_EXIT, "half"
    )  # fmt: skip
    assert adjusted(-100)[0].amount == 1
    assert "what would be left" in adjusted(-95)[1]
    assert "less than the exchange's least amount" in adjusted(-0.01)[1]


@pytest.mark.parametrize("nothing", [None, 0, (None, "tag"), ()])
def test_no_wish_changes_nothing(said, nothing):
    said()
    assert adjusted(nothing) == (None, "")


def test_an_adjuster_that_raises_changes_nothing(said):
    said()
    with pytest.raises(StrategyError, match=r"no idea .*\[adjust_trade_position A/USDT\]"):
        adjusted(ValueError("no idea"))
