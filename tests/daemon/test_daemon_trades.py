"""Dry-run trades of the daemon as a user has it: killed at any moment, asked by commands, its account stays."""

import random
import time

import pytest

from daemon.trading.ledger_reads import LedgerReader
from daemon.trading.positions import position_of

EAGER = """
stoploss = -0.02
minimal_roi = {"0": 0.01, "60": 0.0}

def populate_entry_trend(self, dataframe, metadata):
    dataframe.loc[dataframe["do_predict"] == 1, ["enter_long", "enter_tag"]] = (1, "eager")
    return dataframe

def populate_exit_trend(self, dataframe, metadata):
    dataframe.loc[dataframe["close"] < dataframe["close"].shift(2), "exit_long"] = 1
    return dataframe
"""
"""Enters wherever the model predicts, and leaves soon."""


def ledger(place):
    """Everything that the ledger says, as one value: trades with orders and fills, the account."""
    read = LedgerReader.open(place.folder / "user_data" / "mine.dryrun.sqlite")
    try:
        return read.trades(), dict(read.wallet())
    finally:
        read.close()


def trading(place):
    place.mine(EAGER)
    return place


def assert_sound(trades, wallet, beginning=1000):
    """Positions are sums of fills, the account is what they leave, and no order is there twice."""
    orders = [order for trade in trades for order in trade.orders]
    ids = [order.intent.client_id for order in orders]
    fills = [(fill.pair, fill.fill_id) for order in orders for fill in order.fills]
    assert len(set(ids)) == len(ids)
    assert len(set(fills)) == len(fills)
    assert all(order.filled <= order.intent.amount for order in orders)
    money = sum(position_of(trade).received - position_of(trade).paid for trade in trades)
    assert wallet["USDT"].total == beginning + money
    held = [trade.pair for trade in trades if trade.is_open and position_of(trade).amount]
    assert len(set(held)) == len(held), "one trade of a pair at a time"


@pytest.mark.slow
def test_kills_at_random_moments_change_neither_account_nor_trades(place):
    here = trading(place(strategy="Mine", max_open_trades=2))
    moments, before = random.Random(20260102), []
    for turn in range(4):
        daemon = here.start()
        daemon.await_event("ready")
        if turn == 0:
            daemon.await_event("fill")
        time.sleep(moments.uniform(0.2, 2.5))
        daemon.kill()
        trades, wallet = ledger(here)
        assert_sound(trades, wallet)
        known = {fill for trade in trades for order in trade.orders for fill in order.fills}
        assert known >= set(before), "a fill that was known is gone"
        before = known
        closed = [trade for trade in trades if not trade.is_open]
        again, account = ledger(here)
        assert (again, account) == (trades, wallet)
        assert all(trade.exit_detail for trade in closed if position_of(trade).bought)
    last = here.start()
    last.await_event("tick", count=8)
    last.await_that(lambda: any(not trade.is_open for trade in ledger(here)[0]), "a trade that is closed")
    assert last.stop() == 0, last.text()[-3000:]
    assert not last.events(level="error"), last.text()[-3000:]
    trades, wallet = ledger(here)
    assert_sound(trades, wallet)
    assert any(not trade.is_open for trade in trades)
    assert all(order.settled for trade in trades if not trade.is_open for order in trade.orders)
    shown = here.json("profit")
    assert shown["closed"]["trades"] == sum(not t.is_open and bool(position_of(t).bought) for t in trades)


def test_commands_on_the_running_and_the_stopped_daemon(place):
    here = place(strategy="Mine", force_entry_enable=True, candled__simulated__speed=60)
    here.mine("stoploss = -0.5\nminimal_roi = {}")
    assert "does not exist" in here.command("trades").stderr
    daemon = here.start()
    daemon.await_event("ready")

    entered = here.command("enter", "BTC/USDT", "--stake", "100")
    assert entered.returncode == 0, entered.stderr
    assert "trade 1 begun" in entered.stdout
    twice = here.command("enter", "BTC/USDT")
    assert (twice.returncode, "open trade" in twice.stderr) == (1, True)
    (row,) = here.json("trades")
    assert (row["pair"], row["enter_tag"], row["closed_ms"]) == ("BTC/USDT", "force_entry", None)
    assert here.command("pause").returncode == 0
    assert "paused" in here.command("enter", "ETH/USDT").stderr
    daemon.await_that(lambda: here.status.get("trading", {}).get("paused"), "the pause in status.json")
    assert "no entries: paused" in here.command("status").stdout
    daemon.kill()

    # Nobody runs: what is read is the ledger, what needs orders says so, and a pause can be taken back.
    assert [each["trade"] for each in here.json("trades")] == [1]
    assert here.json("orders", "--all")[0]["state"] == "filled"
    assert float(here.json("balance")["balances"]["USDT"]["total"]) < 1000
    exited = here.command("exit", "1")
    assert (exited.returncode, "no daemon runs" in exited.stderr) == (78, True)
    assert "may enter again" in here.command("resume").stdout

    again = here.start()
    again.await_event("ready")
    left = here.command("exit", "all")
    assert "leaving trade 1 BTC/USDT" in left.stdout
    again.await_event("trade_closed", trade=1)
    (row,) = here.json("trades", "--all")
    assert (row["exit_reason"], row["exit_detail"]) == ("force_exit", "force_exit: by command")
    assert here.command("enter", "ETH/USDT").returncode == 0
    stopped = here.command("stop", "--exit-all")
    assert "selling 1 open trade," in stopped.stdout
    assert again.wait() == 0
    trades, wallet = ledger(here)
    assert not any(trade.is_open for trade in trades)
    assert set(wallet) == {"USDT"}
    assert_sound(trades, wallet)
    assert not (here.state / "control.sock").exists()


def test_a_trade_of_a_pair_that_is_gone_is_settled_by_hand_and_stays_so(place):
    trading = {
        "strategy": "Mine",
        "force_entry_enable": True,
        "candled__simulated__replay": "recorded",
        "candled__simulated__speed": 60,
    }
    here = place(**trading)
    here.mine("stoploss = -0.9\nminimal_roi = {}")
    here.recorded(4000)
    daemon = here.start()
    daemon.await_event("ready")
    assert here.command("enter", "ETH/USDT", "--stake", "100").returncode == 0
    daemon.await_that(lambda: here.json("orders") == [], "the whole fill")
    refused = here.command("settle", "1", "--written-off")
    assert (refused.returncode, "candled exit 1" in refused.stderr) == (1, True)
    daemon.kill()

    (here.folder / "recorded" / "ETH_USDT-5m.feather").unlink()
    here.configure(**trading, exchange__pair_whitelist=["BTC/USDT"])
    asleep = here.command("settle", "1", "--written-off")
    assert (asleep.returncode, "no daemon runs" in asleep.stderr) == (78, True)
    daemon = here.start()
    daemon.await_event("ready")
    daemon.await_that(lambda: "candled settle 1" in str(here.status.get("trading")), "the remedy")
    settled = here.command("settle", "1", "--price", "12.5")
    assert settled.returncode == 0, settled.stderr
    daemon.kill()
    (trade,), wallet = ledger(here)
    assert (trade.exit_reason, position_of(trade).close_rate) == ("settled_by_hand", 12.5)
    assert_sound([trade], wallet)
    assert here.json("profit")["closed"]["trades"] == 1


STOPS = """
stoploss = -0.05
minimal_roi = {}
use_custom_stoploss = True

def populate_entry_trend(self, dataframe, metadata):
    dataframe.loc[dataframe["do_predict"] == 1, "enter_long"] = 1
    return dataframe

def custom_stoploss(self, pair, trade, current_time, current_rate, current_profit, after_fill, **kwargs):
    return -0.002
"""
ADDS = """
stoploss = -0.05
minimal_roi = {"0": 0.01, "60": -1}
position_adjustment_enable = True
max_entry_position_adjustment = 1

def populate_entry_trend(self, dataframe, metadata):
    dataframe.loc[dataframe["do_predict"] == 1, "enter_long"] = 1
    return dataframe

def custom_stake_amount(self, pair, current_time, current_rate, proposed_stake, **kwargs):
    return proposed_stake / 2

def adjust_trade_position(self, trade, current_time, current_rate, current_profit, **kwargs):
    if trade.nr_of_successful_entries == 1 and not trade.has_open_orders:
        return trade.stake_amount / 2, "more"
"""


@pytest.mark.parametrize(
    ("body", "reason", "rule"),
    [(STOPS, "trailing_stop_loss", "custom_stoploss"), (ADDS, "roi", "minimal_roi")],
    ids=["a stop of its own that trails", "a position that it adds to"],
)
def test_each_exit_of_a_strategy_with_callbacks_tells_its_rule(place, body, reason, rule):
    here = place(strategy="Mine", max_open_trades=2)
    here.mine(body)
    daemon = here.start()
    daemon.await_event("trade_closed", count=2, reason=reason)
    assert daemon.stop() == 0, daemon.text()[-3000:]
    assert not daemon.events(level="error"), daemon.events(level="error")
    trades, wallet = ledger(here)
    assert_sound(trades, wallet)
    explained = [trade for trade in trades if not trade.is_open and trade.exit_reason == reason]
    assert len(explained) >= 2
    assert all(rule in trade.exit_detail for trade in explained)
    if body is ADDS:
        assert any([o.intent.reason for o in trade.orders][1:2] == ["more"] for trade in explained)


def test_a_ledger_of_another_market_is_refused(place):
    here = place()
    here.run("--candles", "1")
    here.configure(candled__simulated__seed=99)
    refused = here.start()
    assert refused.wait() == 78
    assert "choose another freqai.identifier" in refused.text()
