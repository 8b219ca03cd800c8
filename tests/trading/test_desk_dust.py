"""What a trade holds and the exchange does not take: too little of it, or too much for one order."""

from dataclasses import replace
from decimal import Decimal

import pytest
from desk_scene import BTC, Scene

from daemon.core.errors import Refused
from daemon.trading.ledger import Ledger
from daemon.trading.ledger_connection import LedgerFault
from daemon.trading.orders import Leg, OrderState
from daemon.trading.paper import PaperBroker
from daemon.trading.paper_market import CandleMarket
from daemon.trading.positions import position_of

D = Decimal
MARKET = {"entry": "limit", "exit": "limit", "stoploss": "market"}


@pytest.fixture
def here(tmp_path):
    scene = Scene(tmp_path, stake_amount=6, order_types=MARKET, exit_pricing={"price_side": "bid"})
    yield scene
    scene.close()


def shown(scene):
    scene.desk._shown_s = -1
    scene.looks()
    return scene.desk.view.trouble


def test_a_position_worth_less_than_the_least_order_is_kept_by_name_and_sold_when_it_is_worth_enough(here):
    here.enter()
    here.go("80")  # 0.06 of it: 4.80, and the least order is of 5
    assert here.trades(is_open=True)
    assert "0.06 BTC are worth 4.80 USDT, less than the least order of 5" in shown(here)
    here.go("84")
    (trade,) = here.trades()
    assert (trade.exit_reason, trade.is_open, trade.dust) == ("stop_loss", False, 0)
    assert shown(here) == ""


def test_by_command_it_is_written_off_and_the_trade_says_what_was_left(here):
    here.enter()
    here.go("80")
    here.ask("exit", trade="1")
    (trade,) = here.trades(is_open=False)
    assert (trade.exit_reason, trade.dust) == ("force_exit", D("0.06"))
    assert "too little to be sold" in trade.exit_detail


@pytest.mark.parametrize(("price", "is_open"), [("100", False), ("130", True)])
def test_what_is_left_of_a_sale_is_dust_by_the_price_of_now(tmp_path, price, is_open):
    here = Scene(tmp_path, order_types=MARKET, exit_pricing={"price_side": "bid"})
    here.enter()
    here.source.volume = D("9.6")  # a tenth of it is taken
    here.tick("exit_long")
    here.source.volume = D(0)
    here.source.go(price)
    (trade,) = here.trades(is_open=True)
    here.desk._broker.cancel(BTC, trade.orders[-1].intent.client_id, "")  # by hand
    here.looks()
    (trade,) = here.trades()
    assert position_of(trade).amount == D("0.04")
    assert trade.is_open is is_open
    if not is_open:
        assert trade.dust == D("0.04")
        assert "0.04 BTC are left, worth 4.00 USDT" in trade.exit_detail
    here.close()


def test_a_part_that_was_kept_on_purpose_is_no_dust_when_its_price_falls(tmp_path):
    here = Scene(
        tmp_path,
        """
    stoploss = -0.5
    position_adjustment_enable = True

    def adjust_trade_position(self, trade, **named):
        return -86 if trade.nr_of_successful_exits == 0 else None
""",
        order_types=MARKET,
        exit_pricing={"price_side": "bid"},
    )
    here.enter()
    here.looks(2)
    assert position_of(here.trade(1)).amount == D("0.14")
    here.go("35")  # 4.90, and the stop-loss wants it sold
    assert here.trade(1).is_open
    assert "less than the least order" in shown(here)
    here.close()


@pytest.mark.parametrize("on_exchange", [False, True])
def test_what_is_too_much_for_one_order_at_the_market_is_sold_in_parts(tmp_path, monkeypatch, on_exchange):
    here = Scene(tmp_path, order_types={**MARKET, "stoploss_on_exchange": on_exchange})
    here.enter()
    usual = CandleMarket.rules
    monkeypatch.setattr(
        CandleMarket, "rules", lambda self, pair: replace(usual(self, pair), max_market_amount=D("0.4"))
    )
    here.looks(2)
    (trade,) = here.trades(is_open=True)
    assert [order.intent.amount for order in trade.alive(Leg.STOP)] == [D("0.4")] * on_exchange
    here.go("85", looks=4)
    (trade,) = here.trades(is_open=False)
    assert [order.filled for order in trade.orders[1:] if order.fills] == [D("0.4"), D("0.4"), D("0.2")]
    here.close()


def test_an_exit_that_rests_does_not_give_way_to_an_emergency_that_cannot_be_sold(tmp_path, monkeypatch):
    sent, usual = PaperBroker.send, CandleMarket.rules

    def no_stops(self, intent):
        if intent.leg is Leg.STOP:
            raise Refused("no stop orders here")
        return sent(self, intent)

    monkeypatch.setattr(PaperBroker, "send", no_stops)
    here = Scene(
        tmp_path,
        order_types={**MARKET, "emergency_exit": "market", "stoploss_on_exchange": True},
        exit_pricing={"price_side": "ask"},
        unfilledtimeout={"exit": 60},
    )
    here.tick("enter_long")
    here.source.volume = D(0)
    here.looks()
    # What one may sell at the market at once is not worth the least order any more: nothing can be sold there.
    monkeypatch.setattr(
        CandleMarket, "rules", lambda self, pair: replace(usual(self, pair), max_market_amount=D("0.01"))
    )
    here.tick("exit_long")
    (trade,) = here.trades(is_open=True)
    assert OrderState.REJECTED in [order.state for order in trade.orders]
    (resting,) = trade.alive(Leg.EXIT)
    here.looks(5)
    assert [o.intent.client_id for o in here.trade(trade.trade_id).alive()] == [resting.intent.client_id]
    here.source.volume = D(1_000_000)
    here.go("101")
    assert here.trades(is_open=False)[0].exit_reason == "exit_signal"
    here.close()


@pytest.mark.parametrize("ends", ["left of a sale", "by command"])
def test_what_is_written_off_is_told_once_when_it_has_happened(tmp_path, monkeypatch, caplog, ends):
    here = Scene(tmp_path, order_types=MARKET, exit_pricing={"price_side": "bid"}, stake_amount=6)
    here.enter()
    usual = Ledger.close_trade

    def fail(*_, **__):
        raise LedgerFault("the disk is full")

    monkeypatch.setattr(Ledger, "close_trade", fail)
    if ends == "by command":
        here.go("80")
        here.ask("exit", trade="1")
    else:
        here.source.volume = D("0.5")  # a tenth of it is taken
        here.tick("exit_long")
        here.source.volume = D(0)
        (trade,) = here.trades(is_open=True)
        here.desk._broker.cancel(BTC, trade.orders[-1].intent.client_id, "")  # by hand
    here.looks(3)
    (trade,) = here.trades(is_open=True)
    assert "too little to be sold" not in trade.exit_detail
    assert "dust" not in caplog.messages
    monkeypatch.setattr(Ledger, "close_trade", usual)
    here.looks(2)
    (trade,) = here.trades(is_open=False)
    assert trade.exit_detail.count("too little to be sold") == 1
    assert caplog.messages.count("dust") == 1
    here.close()
