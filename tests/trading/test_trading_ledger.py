"""The ledger: what is written is there, once."""

import sqlite3

import pytest
from trading_desk import BTC, ETH, T0, D, begin, fill, intent, report, sent

from daemon.core.errors import ConfigError, Refused
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
