"""Trades and pair locks, as strategies name them."""

from datetime import UTC, datetime, timedelta

import pytest

from daemon.strategy.locks import MemoryLocks, PairLocks
from daemon.strategy.persistence import Order, Trade, use_trades

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def locks(monkeypatch):
    monkeypatch.setattr(PairLocks, "store", MemoryLocks())
    return PairLocks


@pytest.fixture
def nothing_trades():
    """Whoever traded before in this process is forgotten."""
    use_trades(None)


@pytest.mark.usefixtures("nothing_trades")
def test_every_query_for_trades_finds_none():
    assert Trade.get_open_trades() == Trade.get_trades_proxy(pair="A/B", is_open=False) == []
    conditions = [Trade.pair == "A/B", Trade.is_open.is_(False), Trade.close_date >= NOON, Trade.id.in_([1])]
    query = Trade.get_trades(conditions).order_by(Trade.close_date.desc()).limit(3)
    assert (query.all(), query.first(), query.count(), list(query)) == ([], None, 0, [])
    assert (
        Trade.get_open_trade_count()
        == Trade.total_open_trades_stakes()
        == Trade.get_total_closed_profit()
        == 0
    )
    assert Order.get_open_orders() == []


def test_a_condition_says_what_it_asks():
    condition = Trade.pair == "A/B"
    assert (condition.field, condition.operator, condition.value) == ("pair", "==", "A/B")


def test_a_field_that_trades_do_not_have_is_named():
    with pytest.raises(AttributeError, match="candled's Trade has no 'weather'"):
        _ = Trade.weather


def test_a_lock_holds_until_its_end(locks):
    locks.lock_pair("A/B", NOON, "why", now=NOON - timedelta(hours=1))
    assert locks.is_pair_locked("A/B", NOON - timedelta(seconds=1))
    assert not locks.is_pair_locked("A/B", NOON)
    assert not locks.is_pair_locked("C/D", NOON - timedelta(seconds=1))


def test_a_lock_of_all_pairs_holds_for_each(locks):
    locks.lock_pair("*", NOON, now=NOON - timedelta(hours=1), side="long")
    before = NOON - timedelta(minutes=1)
    assert locks.is_global_lock(before, "long")
    assert locks.is_pair_locked("C/D", before, "long")
    assert not locks.is_pair_locked("C/D", before, "short")


def test_the_same_lock_is_set_once_and_ended_ones_go(locks):
    early = NOON - timedelta(hours=1)
    first = locks.lock_pair("A/B", NOON, "why", now=early)
    assert locks.lock_pair("A/B", NOON, "why", now=early) is first
    later = locks.lock_pair("A/B", NOON + timedelta(hours=2), "why", now=early)
    assert locks.get_pair_longest_lock("A/B", early) is later
    locks.lock_pair("C/D", NOON + timedelta(days=1), now=NOON)
    assert [lock.pair for lock in locks.get_all_locks()] == ["A/B", "C/D"]


def test_locks_are_lifted_by_pair_or_by_reason(locks):
    early = NOON - timedelta(hours=1)
    for pair, reason in (("A/B", "x"), ("C/D", "x"), ("E/F", "y")):
        locks.lock_pair(pair, NOON, reason, now=early)
    locks.unlock_pair("A/B", early)
    locks.unlock_reason("y", early)
    assert [lock.pair for lock in locks.get_pair_locks(None, early)] == ["C/D"]


def test_a_strategys_locks_end_with_a_candle(sound, locks):
    instance = sound().instance
    end = datetime.now(UTC) + timedelta(days=1)
    instance.lock_pair("A/B", end)
    (lock,) = locks.get_all_locks()
    assert end < lock.lock_end_time <= end + timedelta(minutes=5)
    assert lock.lock_end_time.minute % 5 == lock.lock_end_time.second == 0
    assert instance.is_pair_locked("A/B")
    assert not instance.is_pair_locked("A/B", candle_date=end + timedelta(hours=1))
    instance.unlock_pair("A/B")
    assert not instance.is_pair_locked("A/B")
