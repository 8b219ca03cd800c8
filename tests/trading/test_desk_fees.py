"""Fees in a third currency: valued at their price of then, and named where nobody knows it."""

import json
import sqlite3
from dataclasses import replace
from decimal import Decimal

import pytest
from desk_scene import Scene, flaky
from trading_desk import BTC, T0, begin, fill, intent, report

from daemon.cli.profit import profit
from daemon.core.errors import ConfigError, Refused, Retryable
from daemon.strategy.persistence import Trade
from daemon.trading import schema
from daemon.trading.ledger import Ledger
from daemon.trading.ledger_reads import LedgerReader
from daemon.trading.orders import OrderState
from daemon.trading.positions import position_of

D = Decimal


def in_bnb(name, found):
    """Each execution has cost a thousandth of a BNB."""
    if name not in ("send", "order", "news", "open_orders", "fills") or found is None:
        return found
    if name == "fills":
        return [replace(each, fee=D("0.001"), fee_currency="BNB") for each in found]
    if isinstance(found, (list, tuple)):
        return [in_bnb("order", each) for each in found]
    return replace(found, fills=tuple(in_bnb("fills", found.fills)))


@pytest.fixture
def here(tmp_path):
    scene = Scene(tmp_path)
    scene.asked = []
    flaky(scene).after = in_bnb
    yield scene
    scene.close()


def priced(scene, price):
    def price_at(pair, at_ms):
        scene.asked.append((pair, at_ms))
        if isinstance(price, Exception):
            raise price
        return price

    scene.desk._fees._price_at = price_at


def test_a_fee_is_valued_once_and_counts_in_the_profit_though_the_trade_is_closed_by_then(here):
    priced(here, D(600))
    here.enter()
    here.tick("exit_long")
    here.looks()
    here.desk._shown_s = -1
    here.looks()
    (trade,) = here.trades(is_open=False)
    assert [f.fee_rate for o in trade.orders for f in o.fills] == [600, 600]
    assert position_of(trade).received - position_of(trade).paid == D("-1.2")
    assert here.desk.view.closed_profit == D("-1.2")
    assert [pair for pair, _ in here.asked] == ["BNB/USDT"] * 2, "once for each minute"


def test_a_strategy_sees_the_fee_of_a_closed_trade_at_its_price_though_it_has_asked_before(here):
    priced(here, Retryable("no route"))
    here.enter()
    here.tick("exit_long")
    here.looks()
    assert Trade.get_trades_proxy(is_open=False)[0].close_profit_abs > -1
    priced(here, D(600))
    here.looks(13)
    assert Trade.get_trades_proxy(is_open=False)[0].close_profit_abs == pytest.approx(-1.2)


@pytest.mark.parametrize("price", [None, Refused("there is no such pair")])
def test_a_fee_that_nobody_can_value_is_named_and_asked_for_once(here, price, capsys, tmp_path):
    priced(here, price)
    here.enter()
    here.looks(3)
    here.desk._fees._known.clear()  # as after a restart
    here.looks()
    assert len(here.asked) == 1
    assert position_of(here.trade(1)).unvalued == {"BNB": D("0.001")}
    config = tmp_path / "config.json"
    config.write_text(json.dumps(here.settings.document), "utf-8")
    profit(config=[config])
    assert "nobody knows its price: 0.001 BNB of the fees" in capsys.readouterr().out


@pytest.mark.parametrize("fault", [Retryable("no route"), ConfigError("a proxy wants a password")])
def test_an_exchange_that_does_not_answer_is_asked_again_a_minute_later(here, fault):
    priced(here, fault)
    here.tick("enter_long")
    here.looks(5)
    assert len(here.asked) == 1
    priced(here, D(600))
    here.looks(13)
    assert here.trade(1).orders[0].fills[0].fee_rate == 600


def test_only_fees_in_a_third_currency_wait_for_a_price_and_a_repeated_report_keeps_it(tmp_path):
    ledger = Ledger.open(tmp_path / "ledger.sqlite")
    order = intent()
    begin(ledger, order)
    ledger.sending(order.client_id, T0)
    fills = [fill(order, n, "0.3", fee="0.001", currency=c) for n, c in enumerate(("BTC", "USDT", "BNB"))]
    ledger.take([report(order, OrderState.OPEN)], fills, T0)
    assert [each.fee_currency for each in ledger.unvalued()] == ["BNB"]
    ledger.value_fee(fills[2], D(600))
    ledger.take((), [replace(each, maker=True) for each in fills], T0)
    assert ledger.unvalued() == ()
    assert [f.fee_rate for f in ledger.trade(1).orders[0].fills] == [None, None, 600]
    assert position_of(ledger.trade(1)).paid == D("90.601")
    ledger.close()


def test_a_ledger_without_the_column_is_read_and_brought_up_to_date(tmp_path):
    path = tmp_path / "ledger.sqlite"
    raw = sqlite3.connect(path)
    raw.executescript(
        f"{schema.MIGRATIONS[0]}PRAGMA application_id = {schema.APPLICATION_ID};PRAGMA user_version = 1;"
        "INSERT INTO trades (pair, opened_ms, strategy, timeframe, stake_currency, enter_tag)"
        " VALUES ('BTC/USDT', 0, 'S', '5m', 'USDT', '');"
        "INSERT INTO orders (client_id, trade_id, pair, leg, side, type, amount, price, time_in_force, candle_ms, attempt,"
        " reason, created_ms, state, changed_ms) VALUES ('a', 1, 'BTC/USDT', 'entry', 'buy', 'limit', '1', '100', 'GTC', 0,"
        " 0, '', 0, 'open', 0);"
        "INSERT INTO fills VALUES ('BTC/USDT', '1', 'a', 'a', 'x', 'buy', '1', '100', '0.1', 'BNB', 0, 1);"
    )
    raw.close()
    reader = LedgerReader.open(path)
    assert reader.trades()[0].orders[0].fills[0].fee_rate is None
    reader.close()
    ledger = Ledger.open(path)
    assert [each.fee_currency for each in ledger.unvalued()] == ["BNB"]
    assert ledger.trades(pair=BTC)[0].orders[0].filled == 1
    ledger.close()
