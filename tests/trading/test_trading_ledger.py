"""The ledger: what is written is there, once."""

import sqlite3
from datetime import UTC, datetime, timedelta

import pytest
from trading_desk import BTC, ETH, T0, D, begin, fill, intent, report, sent

from daemon.core.errors import ConfigError, Refused, Retryable
from daemon.strategy.locks import PairLock
from daemon.trading.book import IllegalTransition
from daemon.trading.broker import Balance
from daemon.trading.ledger import Ledger, LedgerReader
from daemon.trading.orders import Leg, OrderState
from daemon.trading.positions import position_of
from daemon.trading.records import StopState


def test_a_trade_begins_with_its_intent(ledger):
    trade = begin(ledger, intent())
    (order,) = trade.orders
    assert (trade.trade_id, trade.is_open, trade.enter_tag) == (1, True, "dip")
    assert (order.state, order.intent.trade_id, order.intent.price) == (OrderState.INTENDED, 1, D("100"))
    assert ledger.order(intent().client_id) == order


def test_a_round_trip_survives_the_process(ledger, tmp_path):
    entry = intent()
    trade = sent(ledger, entry)
    ledger.take([report(entry, OrderState.FILLED, "1")], [fill(entry, 1, "1", fee="0.1")], T0)
    ledger.note(trade.trade_id, stop=StopState(price=D("90"), initial=D("90")), custom={"a": [1]})
    leave = intent(leg=Leg.EXIT, price="110", trade_id=trade.trade_id)
    ledger.intend(leave)
    ledger.sending(leave.client_id, T0)
    ledger.take([report(leave, OrderState.FILLED, "1", exchange_id="x2")], [fill(leave, 2, "1", "110")], T0)
    closed = ledger.close_trade(trade.trade_id, T0 + 5, dust=D("0"))
    assert position_of(closed).realized == D("9.9")
    ledger.close()
    with_reader = LedgerReader.open(tmp_path / "example.sqlite")
    assert with_reader.trades() == (closed,)
    with_reader.close()


def test_the_same_intent_is_never_taken_twice(ledger):
    begin(ledger, intent())
    with pytest.raises(Refused):
        begin(ledger, intent())
    assert len(ledger.trades()) == 1


def test_wallet_is_deposits_and_fills_with_what_orders_bind(ledger):
    entry = intent(amount="2")
    ledger.deposit("USDT", D("1000"), T0, "beginning")
    sent(ledger, entry)
    ledger.take([report(entry, OrderState.OPEN, "0.5")], [fill(entry, 1, "0.5", "99", fee="0.1")], T0)
    assert ledger.wallet() == {
        "BTC": Balance(free=D("0.5")),
        "USDT": Balance(free=D("800.4"), used=D("150")),
    }


def test_it_opens_no_other_programs_file(tmp_path):
    with sqlite3.connect(tmp_path / "other.sqlite") as other:
        other.execute("CREATE TABLE mine (a)")
    other.close()
    with pytest.raises(ConfigError, match="another program"):
        Ledger.open(tmp_path / "other.sqlite")


def test_a_cancelled_order_is_not_absent(ledger):
    entry = intent()
    sent(ledger, entry)
    ledger.take([report(entry)], [], T0)
    with pytest.raises(IllegalTransition):
        ledger.absent(entry.client_id, T0)
    assert ledger.next_attempt(BTC, T0, Leg.ENTRY) == 1
    assert ledger.next_attempt(ETH, T0, Leg.ENTRY) == 0


def put_and_fail(ledger):
    with ledger.together():
        ledger.put("b", 1)
        raise ZeroDivisionError


def test_a_batch_within_a_batch_that_raises_undoes_its_own_writes_only(ledger):
    with ledger.together():
        ledger.put("a", 1)
        with pytest.raises(ZeroDivisionError):
            put_and_fail(ledger)
    assert (ledger.get("a"), ledger.get("b")) == (1, None)


def take_and_fail(ledger, entry):
    with ledger.together():
        ledger.take([], [fill(entry, 1, "1")], T0)
        ledger.deposit("USDT", D("5"), T0, "x")
        assert ledger.wallet()["BTC"].free == 1
        raise ZeroDivisionError


def test_a_batch_that_raises_leaves_nothing_and_no_sum_remembers_it(ledger):
    entry = intent()
    sent(ledger, entry)
    ledger.wallet()
    with pytest.raises(ZeroDivisionError):
        take_and_fail(ledger, entry)
    assert "BTC" not in ledger.wallet()


def test_reports_of_what_is_not_ours_are_kept_apart(ledger):
    stranger = intent(7)
    found = ledger.take([report(stranger, exchange_id="y")], [fill(stranger, 3, "1")], T0)
    assert [each.client_id for each in found.foreign_orders] == [stranger.client_id]
    assert found.foreign_fills == ledger.foreign_fills() != ()
    assert not ledger.wallet()
    assert ledger.last_fill_ms(BTC) == T0 + 3


def test_an_id_that_the_exchange_knows_and_the_ledger_does_not_is_not_used(ledger):
    ledger.take([report(intent())], [], T0)
    with pytest.raises(Refused, match="already"):
        begin(ledger, intent())
    assert ledger.trades() == ()


def test_one_contradiction_keeps_nothing_else_out_and_stays_until_somebody_has_looked(ledger):
    entry = intent()
    sent(ledger, entry)
    told = [fill(entry, 1, "0.5"), fill(entry, 2, "0.6"), fill(entry, 3, "0.5")]
    found = ledger.take([report(entry)], told, T0)
    assert [each.fill_id for each in found.fills] == ["1", "3"]
    assert len(found.contradictions) == 1
    ledger.take([], told, T0 + 1)
    assert ledger.contradictions() == found.contradictions
    assert ledger.settle_contradictions(T0 + 2) == found.contradictions
    assert ledger.contradictions() == ()
    assert ledger.take([], told, T0 + 3).contradictions == ()


def test_an_absent_order_that_is_filled_after_all_opens_its_trade_again(ledger):
    entry = intent()
    trade = sent(ledger, entry)
    ledger.absent(entry.client_id, T0 + 1)
    assert not ledger.close_trade(trade.trade_id, T0 + 2, dust=D("0")).is_open
    found = ledger.take([], [fill(entry, 1, "0.3")], T0 + 3)
    assert (found.revived, found.reopened) == ((entry.client_id,), (trade.trade_id,))
    assert ledger.order(entry.client_id).state is OrderState.UNKNOWN
    assert ledger.trades(is_open=True)[0].trade_id == trade.trade_id


@pytest.mark.parametrize(
    ("reports", "fills", "why"),
    [
        ([], [], "unknown"),
        ([OrderState.OPEN], [], "open"),
        ([OrderState.FILLED], ["0.5"], "not seen as fills"),
        ([OrderState.FILLED], ["1"], "are left"),
    ],
)
def test_a_trade_is_not_over_while_something_is_open_missing_or_left(ledger, reports, fills, why):
    entry = intent()
    trade = sent(ledger, entry)
    ledger.take(
        [report(entry, state, "0") for state in reports],
        [fill(entry, n, amount) for n, amount in enumerate(fills)],
        T0,
    )
    with pytest.raises(Refused, match=why):
        ledger.close_trade(trade.trade_id, T0, dust=D("0.1"))


def test_what_is_left_below_dust_is_written_off(ledger):
    entry = intent()
    trade = sent(ledger, entry)
    ledger.take([report(entry, OrderState.FILLED, "1")], [fill(entry, 1, "1")], T0)
    leave = intent(leg=Leg.EXIT, trade_id=trade.trade_id, amount="0.95")
    ledger.intend(leave)
    ledger.sending(leave.client_id, T0)
    ledger.take([report(leave, OrderState.FILLED, "0.95", exchange_id="x2")], [fill(leave, 2, "0.95")], T0)
    assert ledger.close_trade(trade.trade_id, T0, dust=D("0.1")).dust == D("0.05")
    with pytest.raises(Refused, match="is closed"):
        ledger.intend(intent(5, trade_id=trade.trade_id))


def test_what_a_sell_binds_and_what_is_still_to_be_booked(ledger):
    entry = intent()
    trade = sent(ledger, entry)
    ledger.take([report(entry, OrderState.FILLED, "1")], [fill(entry, 1, "0.4")], T0)
    assert ledger.wallet()["USDT"] == Balance(free=D("-100"), used=D("60"))
    ledger.take([], [fill(entry, 2, "0.6")], T0)
    ledger.intend(intent(leg=Leg.EXIT, price=None, trade_id=trade.trade_id))
    assert ledger.wallet()["BTC"] == Balance(used=D("1"))


def test_a_note_changes_what_is_given_and_writes_nothing_that_is_so_already(ledger):
    trade = begin(ledger, intent())
    ledger.note(trade.trade_id, highest=D("120.50"), exit_reason="roi", custom={"a": 1})
    before = ledger._tables._connection.total_changes
    found = ledger.note(trade.trade_id, highest=D("120.5"), custom={"a": 1})
    assert ledger._tables._connection.total_changes == before
    assert (found.highest, found.exit_reason, found.lowest) == (D("120.5"), "roi", None)
    with pytest.raises(KeyError):
        ledger.note(99, highest=D("1"))


def test_a_stop_comes_back_as_it_was(ledger):
    stop = StopState(price=D("95"), initial=D("90"), ratio=-0.05, initial_ratio=-0.1, trailing=True, rule="x")
    assert ledger.note(begin(ledger, intent()).trade_id, stop=stop).stop == stop


def test_locks_are_in_force_until_their_end_or_until_they_are_lifted(ledger):
    def lock(pair, minutes, reason="x", side="*"):
        start = datetime.fromtimestamp(T0 / 1000, UTC)
        return PairLock(
            pair=pair,
            lock_time=start,
            lock_end_time=start + timedelta(minutes=minutes),
            reason=reason,
            side=side,
        )

    for each in (
        lock("BTC/USDT", 5),
        lock("BTC/USDT", 5),
        lock("*", 10, "y"),
        lock("ETH/USDT", 20, side="long"),
    ):
        ledger.lock(each)
    assert [each.pair for each in ledger.locks(T0)] == ["BTC/USDT", "*", "ETH/USDT"]
    assert ledger.locks(T0)[0] == lock("BTC/USDT", 5)
    assert [each.pair for each in ledger.locks(T0 + 6 * 60_000)] == ["*", "ETH/USDT"]
    ledger.lift([lock("*", 10, "y")])
    assert [each.pair for each in ledger.locks(T0)] == ["BTC/USDT", "ETH/USDT"]
    ledger.lift([lock("BTC/USDT", 5)])
    assert [each.pair for each in ledger.locks(T0)] == ["ETH/USDT"]
    assert len(ledger.all_locks()) == 3


def test_orders_are_asked_for_by_how_they_stand(ledger):
    states = [OrderState.OPEN, OrderState.CANCELLED, OrderState.FILLED]
    for n, state in enumerate(states):
        sent(ledger, intent(n))
        ledger.take([report(intent(n), state, exchange_id=f"x{n}")], [], T0)
    begin(ledger, intent(9))
    ledger.drop(intent(9).client_id, T0, "late")

    def names(**wanted):
        return [each.intent.attempt for each in ledger.orders(**wanted)]

    assert names(alive=True) == [0]
    assert names(alive=False) == [1, 2, 9]
    assert names(unsettled=True) == [0, 2]
    assert names(unsettled=False) == [1, 9]
    assert names(trade_id=2) == [1]


def test_trades_are_asked_for_by_pair_and_time(ledger):
    for n, pair in enumerate((BTC, ETH, BTC)):
        begin(ledger, intent(n, pair=pair))
        ledger.drop(intent(n, pair=pair).client_id, T0, "late")
    ledger.close_trade(1, T0 + 10, dust=D("0"))

    def numbers(**wanted):
        return [each.trade_id for each in ledger.trades(**wanted)]

    assert numbers(pair=BTC) == [1, 3]
    assert numbers(is_open=True) == [2, 3]
    assert numbers(is_open=False) == [1]
    assert numbers(since_ms=T0 + 11) == [2, 3]


def test_a_reader_beside_the_writer_sees_what_was_committed(ledger):
    reader = LedgerReader.open(ledger.path)
    assert reader.trades() == ()
    begin(ledger, intent())
    assert reader.trades() == ledger.trades()
    with pytest.raises(Retryable, match="read-only"):
        reader._tables.change("DELETE FROM trades", ())
    reader.close()
