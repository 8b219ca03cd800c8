"""How trading is shown: in status.json, in the lines under it, and to whom it may concern of troubles."""

import json
from decimal import Decimal

import pytest
from desk_scene import BTC, ETH, Scene

from daemon.cli.trades import orders, trades
from daemon.cli.trading_lines import trading_lines
from daemon.runtime.trading_report import trade_figures, trading_figures
from daemon.trading.messages import DeskView
from daemon.trading.troubles import Troubles


@pytest.fixture
def here(tmp_path):
    scene = Scene(tmp_path)
    yield scene
    scene.close()


def shown(scene):
    scene.desk._shown_s = -1
    scene.looks()
    return json.loads(json.dumps(trading_figures(scene.desk.view)))


def test_the_figures_are_exact_and_add_up(here):
    here.enter()
    here.go("101")
    figures = shown(here)
    (trade,) = figures["open"]
    assert (trade["pair"], trade["amount"], trade["open_rate"], trade["price"]) == (BTC, "1", "100", "101")
    assert Decimal(trade["open_profit"]) == Decimal("0.9"), "what was paid as a fee is gone"
    assert figures["worth"] == "1000.9"
    here.ask("exit", trade="all")
    figures = shown(here)
    assert (figures["open"], figures["closed"]) == ([], 1)
    assert figures["worth"] == figures["balances"]["USDT"]["total"]
    assert Decimal(figures["closed_profit"]) == Decimal(figures["worth"]) - 1000


def test_the_lines_name_trades_gates_and_pauses(here):
    here.enter()
    here.ask("pause")
    here.tick("enter_long", pair=ETH)
    lines = trading_lines(shown(here))
    assert lines[0].startswith("worth 999.9  ·  0 closed trades +0.00  ·  1 open -0.10")
    assert "1 BTC/USDT: 1 bought at 100, now 100 (-0.10%), stop 90" in lines[1]
    assert any(line.startswith("no entries: paused") for line in lines)
    assert trading_lines({}) == trading_lines(trading_figures(DeskView())) == []


def test_a_list_that_is_cut_says_so(here, tmp_path, capsys):
    for pair in (BTC, ETH):
        here.enter(pair)
    config = tmp_path / "config.json"
    config.write_text(json.dumps(here.settings.document), "utf-8")
    trades(config=[config], limit=1)
    assert "the newest 1 of 2 trades; --limit 2 shows all" in capsys.readouterr().err
    orders(config=[config], every=True, limit=1)
    assert "the newest 1 of 2 orders" in capsys.readouterr().err
    trades(config=[config], limit=2)
    assert "newest" not in capsys.readouterr().err


def test_without_a_price_no_profit_of_an_open_trade_is_shown(here, tmp_path, capsys):
    here.enter()
    here.tick("exit_long")
    here.enter(ETH)
    config = tmp_path / "config.json"
    config.write_text(json.dumps(here.settings.document), "utf-8")
    trades(config=[config], every=True)
    closed, left = capsys.readouterr().out.splitlines()[1:]
    assert "-0.20 (-0.20%)" in closed
    assert "%" not in left


def test_a_closed_trade_keeps_profit_rule_and_orders(here):
    trade = here.enter()
    here.go("89", looks=3)
    figures = trade_figures(here.trade(trade.trade_id))
    assert figures["exit_reason"] == "stop_loss"
    assert [order["leg"] for order in figures["orders"]] == ["entry", "exit"]
    assert sum(Decimal(fill["amount"]) for fill in figures["orders"][1]["fills"]) == 1
    assert figures["profit_ratio"] == pytest.approx(-0.111, abs=0.01)


def test_troubles_are_told_when_they_begin_and_when_they_end(caplog):
    caplog.set_level("INFO")
    troubles = Troubles()
    for error in ("no route", "no route", "", ""):
        troubles.put("prices", error)
    assert [record.message for record in caplog.records] == ["desk_failed", "desk_recovered"]
    caplog.clear()
    for error in ("it is worth 4.80", "it is worth 4.79", "it is worth 4.79; it raised"):
        troubles.put("trade 1", error)
    assert [record.fields["error"] for record in caplog.records] == [
        "it is worth 4.80",
        "it is worth 4.79; it raised",
    ], "another fault is told, another figure is not"
    troubles.put("trade 1", "it raised")
    troubles.put("ledger", "full")
    assert str(troubles) == "trade 1: it raised; ledger: full"
    troubles.keep("trade ", set())
    assert str(troubles) == "ledger: full"
