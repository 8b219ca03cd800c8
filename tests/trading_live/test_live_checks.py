from dataclasses import replace
from decimal import Decimal

import pytest
from live_desk import BTC
from trading_exchange import KEYS

from daemon.core.errors import ConfigError, Retryable
from daemon.core.pair import Pair
from daemon.trading.live_checks import Plan, check_start, late_ms, least_stake
from daemon.trading.reconcile import GRACE_MS

PLAN = Plan(
    pairs=(BTC, Pair("ETH/USDT")),
    stake=Decimal(20),
    trades=3,
    stake_currency="USDT",
    stoploss=Decimal("-0.1"),
)


def test_what_can_be_done_passes(broker):
    check_start(broker, PLAN)
    check_start(broker, replace(PLAN, stake=None))


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({}, "exchange.key, exchange.secret: live trading on binance needs them"),
        ({"key": "local-key"}, "exchange.secret: live trading on binance needs it"),
        ({**KEYS, "key": "other"}, "Invalid API-key"),
    ],
)
def test_without_keys_that_the_exchange_takes_nothing_starts(exchange, connect, keys, words):
    with pytest.raises(ConfigError, match=words):
        check_start(connect(exchange, keys=keys), PLAN)


def test_missing_keys_are_told_before_anything_is_asked(exchange, connect):
    with pytest.raises(ConfigError):
        check_start(connect(exchange, keys={}), PLAN)
    assert exchange.requests == []


def test_a_whitelist_outside_the_markets_is_told_by_name(broker):
    plan = replace(PLAN, pairs=(BTC, Pair("NOPE/USDT"), Pair("GONE/USDT")))
    with pytest.raises(ConfigError, match="does not trade NOPE/USDT, GONE/USDT on its spot market"):
        check_start(broker, plan)


def test_a_pair_that_is_not_trading_now_is_outside(broker):
    broker._ccxt.markets["ETH/USDT"]["active"] = False
    with pytest.raises(ConfigError, match="does not trade ETH/USDT"):
        check_start(broker, PLAN)


def test_a_stake_below_the_least_order_is_told_with_it(broker):
    with pytest.raises(ConfigError, match=r"stake_amount 5 is below .* BTC/USDT 5\.\d+, ETH/USDT 5\.\d+"):
        check_start(broker, replace(PLAN, stake=Decimal(5)))


def test_a_share_of_an_account_that_is_too_small_is_told(broker):
    with pytest.raises(ConfigError, match=r'stake_amount "unlimited" \(0.00100000 of 100000'):
        check_start(broker, replace(PLAN, stake=None, tradable=Decimal("1e-8"), trades=1))


def test_a_share_is_one_of_all_that_there_is_also_while_trades_hold_it(broker, exchange):
    exchange.do(lambda book, _now_ms: book.free.update(USDT=Decimal(1)))
    with pytest.raises(ConfigError, match="unlimited"):
        check_start(broker, replace(PLAN, stake=None))
    check_start(broker, replace(PLAN, stake=None, tied_up=Decimal(60)))


def test_the_least_stake_can_still_be_sold_after_the_stop_loss(broker):
    rules, price = broker.rules(BTC), Decimal(43000)
    least = least_stake(rules, price, PLAN)
    assert least * (1 + PLAN.stoploss) >= rules.min_cost
    assert least_stake(rules, price, replace(PLAN, stoploss=Decimal(-1))) < rules.min_cost * 2


@pytest.mark.parametrize(
    ("skew_ms", "words"),
    [
        (-30_000, r"\d\d\.\d s ahead of binance's, which allows 1\.0 s"),
        (30_000, r"\d\d\.\d s behind .* 10\.0 s"),
    ],
)
def test_a_clock_that_the_exchange_does_not_allow_is_told(exchange, connect, skew_ms, words):
    exchange.skew_ms = skew_ms
    with pytest.raises(Retryable, match=words):  # a service tries again: a clock is set in time
        check_start(connect(exchange), PLAN)


def test_a_clock_within_the_window_passes(exchange, connect):
    exchange.skew_ms = 6000
    check_start(connect(exchange), PLAN)


def test_a_lost_order_is_waited_for_as_long_as_the_exchange_would_take_it(exchange, connect):
    assert late_ms(connect(exchange)) == 15_000
    assert late_ms(connect(exchange, options={"recvWindow": 60_000})) == 65_000
    other = connect(exchange)
    other.name = "okx"
    assert late_ms(other) == GRACE_MS


def test_an_exchange_that_cannot_be_asked_by_our_ids_is_refused(broker):
    broker.name = "kraken"
    with pytest.raises(ConfigError, match=r"live trading on kraken is not supported.*binance"):
        check_start(broker, PLAN)
