"""The trading room on a real exchange's client."""

import json
import queue
import threading
from types import SimpleNamespace

import pytest
from live_desk import BTC
from trading_exchange import KEYS

from daemon.app_reload import _Told
from daemon.config import load_settings
from daemon.config.reloading import reloaded
from daemon.core.clock import SystemClock
from daemon.core.errors import ConfigError, Refused
from daemon.core.pair import Pair
from daemon.market.ccxt_market import CcxtMarket
from daemon.runtime.account_ledger import opened_ledger
from daemon.runtime.trading_room import desk_of
from daemon.strategy.loader import load_strategy
from daemon.trading import live
from daemon.trading.ledger_files import RESTORED
from daemon.trading.messages import Command, Inbox
from daemon.trading.orders import Leg, OrderState, OrderType, Side
from daemon.trading.plans import OrderPlan

ETH = Pair("ETH/USDT")


def settings_for(exchange, folder, pairs=(BTC,), **changes):
    document = {
        "timeframe": "5m",
        "stake_currency": "USDT",
        "stake_amount": 50,
        "dry_run": False,
        "strategy": "CandledExampleStrategy",
        "user_data_dir": str(folder),
        "exchange": {
            "name": "binance",
            **KEYS,
            "ccxt_config": exchange.ccxt_config,
            "pair_whitelist": [str(pair) for pair in pairs],
        },
        "freqai": {
            "identifier": "room",
            "train_period_days": 2,
            "live_retrain_hours": 1,
            "feature_parameters": {
                "include_timeframes": ["5m"],
                "include_corr_pairlist": [],
                "indicator_periods_candles": [10],
                "label_period_candles": 6,
            },
        },
        **changes,
    }
    file = folder / "config.json"
    file.write_text(json.dumps(document), "utf-8")
    return load_settings([file], env={})


@pytest.fixture
def room(exchange, tmp_path, unhurried):
    """room(**changes): settings, strategy, market and desk of a live daemon; all is put away at the end."""
    made = []

    def built(**changes):
        settings = settings_for(exchange, tmp_path, **changes)
        market = CcxtMarket(
            exchange_id="binance",
            ccxt_config=exchange.ccxt_config,
            ccxt_async_config={"timeout_on_exit": 0, "timeout": 60_000},
            clock=SystemClock(),
            credentials=KEYS,
            stream=True,
        )
        strategy = load_strategy(settings.strategy, paths=[], config=settings.raw)
        desk = desk_of(
            settings,
            ledger=opened_ledger(settings, SystemClock().now_ms()),
            strategy=strategy,
            market=market,
            frame_of=None,
            clock=SystemClock(),
            inbox=Inbox(threading.Event()),
            stop=threading.Event(),
            beat=lambda: None,
        )
        made.extend([desk, market])
        return SimpleNamespace(
            settings=settings, strategy=strategy, market=market, desk=desk, notifier=None, keys=()
        )

    yield built
    for each in made:
        each.close()


def test_one_connection_listens_to_the_account_and_gives_books(room, monkeypatch):
    streams = []

    class Counted(live.LiveStream):
        def __init__(self, market):
            streams.append(self)
            super().__init__(market)

    monkeypatch.setattr(live, "LiveStream", Counted)
    assert len(room().desk._entries._ground.order_book(BTC).bids) == 20
    assert len(streams) == 1


def test_a_pair_that_joins_must_have_a_least_order_that_the_stake_covers(room, exchange, tmp_path):
    parts = room()
    told = _Told(parts, engine=None, trainer=None, desk=parts.desk, metrics=None)
    both = [BTC, "ETH/USDT"]
    told.check(reloaded(parts.settings, settings_for(exchange, tmp_path, both)))
    with pytest.raises(ConfigError, match=r"stake_amount 5 is below .*: ETH/USDT 5\.\d+$"):
        told.check(reloaded(parts.settings, settings_for(exchange, tmp_path, both, stake_amount=5)))
    assert told._terms.rules.stake_amount == 50, "nothing has changed"


# a pair that is gone


def begun(parts, kind=OrderType.LIMIT):
    """A trade in ETH, and the id of its order: with a limit it rests, at the market it is filled."""
    desk = parts.desk
    desk.step()
    rules, bid = desk.broker.rules(ETH), desk.broker.quotes([ETH])[ETH].bid
    price = rules.price(bid / 2)
    plan = OrderPlan(
        pair=ETH,
        leg=Leg.ENTRY,
        side=Side.BUY,
        type=kind,
        amount=rules.amount(50 / bid),
        price=price if kind is OrderType.LIMIT else None,
        expected=price,
    )
    return desk._orders.begin(plan, 0, strategy="S", timeframe="5m").orders[0].intent.client_id


def believed(parts, times=2):
    """The markets are asked for again, and once more: one answer alone may be incomplete."""
    for _ in range(times):
        parts.market._pairs_due_s = 0.0
        parts.market.pairs()
    parts.desk._truth.soon()


def told(desk, do, **arguments):
    """What a command is answered, or the error."""
    answer = queue.SimpleQueue()
    desk._inbox.put(Command(do=do, arguments=arguments, answer=answer))
    desk.step()
    return answer.get(timeout=60)


def shown(desk):
    desk._shown_s = -1
    desk.step()
    return desk.view


@pytest.mark.parametrize("whitelisted", [False, True])
def test_a_pair_that_is_gone_is_named_with_its_remedy_and_bars_nothing_of_the_others(
    room, exchange, caplog, whitelisted
):
    parts = room(pairs=[BTC, ETH], force_entry_enable=True)
    name = begun(parts)
    if not whitelisted:  # a daemon that starts with it is refused; there it goes while it runs
        parts.desk.close()
        parts = room(force_entry_enable=True)
    exchange.delist(ETH)
    believed(parts)
    desk = parts.desk
    view = shown(desk)
    order = desk._ledger.order(name)
    assert (desk._truth.obstacles, order.state) == ((), OrderState.OPEN), "it is kept as it was"
    assert view.trouble.count("ETH/USDT") == 1
    assert "pair ETH/USDT: binance does not list it any more" in view.trouble
    assert ("pair_whitelist" in view.trouble) is whitelisted
    assert "leaving trade 1" in told(desk, "exit", trade="1")["text"]
    assert shown(desk).trouble == view.trouble, "and said once"
    told_of = [r.message for r in caplog.records if "ETH/USDT" in str(getattr(r, "fields", ""))]
    assert told_of.count("desk_failed") == 1
    assert "exchange_failed" not in caplog.messages
    assert isinstance(told(desk, "enter", pair=str(ETH)), Refused)
    assert isinstance(told(desk, "enter", pair=str(BTC)), dict)
    assert [trade.pair for trade in desk._ledger.trades(is_open=True)] == [ETH, BTC]
    exchange.list_again(ETH)
    parts.market._pairs_due_s = 0.0
    desk.step()  # a price has come: what has happened since is asked for first
    assert shown(desk).trouble == ""
    assert desk._ledger.order(name).state is OrderState.CANCELLED, "as soon as it can be asked for, it is"


def test_a_pair_that_one_answer_lacks_is_in_doubt_and_not_gone(room, exchange):
    parts = room(pairs=[BTC, ETH], force_entry_enable=True)
    begun(parts, OrderType.MARKET)
    parts.desk.step()
    exchange.delist(ETH)
    believed(parts, times=1)
    desk = parts.desk
    desk.step()
    assert not desk._truth.unlisted
    assert "could not be asked" in " ".join(desk._truth.obstacles)
    assert set(desk.broker.quotes([BTC, ETH])) == {BTC}, "others have their prices"
    assert isinstance(told(desk, "enter", pair=str(BTC)), Refused)
    exchange.list_again(ETH)
    believed(parts, times=1)
    desk.step()
    assert (desk._truth.obstacles, shown(desk).trouble) == ((), "")


def test_markets_that_are_refused_end_no_daemon(room, exchange, monkeypatch):
    parts = room(pairs=[BTC, ETH])
    begun(parts)
    parts.desk.step()

    async def refused(_deadline_s):
        raise Refused("markets of binance: params error")

    monkeypatch.setattr(parts.market._client, "pairs", refused)
    parts.market._pairs_due_s = 0.0
    parts.desk._orders.ask_again()
    parts.desk.step()
    assert parts.market.pairs() >= {BTC, ETH}


def test_a_refusal_that_came_before_a_pair_was_known_to_be_gone_is_not_told_for_ever(room, exchange):
    parts = room(pairs=[BTC, ETH])
    begun(parts)
    exchange.delist(ETH)
    parts.desk._orders.ask_again()
    parts.desk.step()
    assert "order: " in shown(parts.desk).trouble
    believed(parts)
    parts.desk._orders.ask_again()
    parts.desk.step()
    assert "order: " not in shown(parts.desk).trouble


def test_a_backup_is_not_whole_while_a_pair_cannot_be_asked_for(room, exchange):
    parts = room(pairs=[BTC, ETH])
    begun(parts)
    exchange.delist(ETH)
    believed(parts)
    desk = parts.desk
    desk._ledger.put(RESTORED, {"fault": "damaged"})
    desk.step()
    assert "ETH/USDT cannot be asked for" in " ".join(desk._truth.obstacles)
    assert desk._ledger.get(RESTORED)


@pytest.mark.parametrize("lost", [False, True])
def test_what_is_in_doubt_about_a_pair_that_is_gone_is_no_doubt_about_others(room, exchange, caplog, lost):
    parts = room(pairs=[BTC, ETH], force_entry_enable=True)
    desk = parts.desk
    desk.step()
    exchange.lag_ms, exchange.book.listener = 3_600_000, lambda *_: None
    exchange.script(*["unknown"] * lost, path="POST order")
    exchange.script(*["stale"] * (2 * lost), path="GET order")
    name = begun(parts, OrderType.MARKET)
    exchange.delist(ETH)
    exchange.do(lambda book, _now: book.free.update(ETH=0))  # what became of it nobody tells
    believed(parts)
    desk.step()
    state = desk._ledger.order(name).state
    assert state is (OrderState.UNKNOWN if lost else OrderState.FILLED)
    desk._truth._reconciliation._confirm_ms = 0  # it has stood long enough
    desk._truth.soon()
    desk.step()
    assert desk._truth.obstacles == ()
    assert isinstance(told(desk, "enter", pair=str(BTC)), dict)
    assert "trade 1 stays as it is" in shown(desk).trouble
    assert desk._ledger.trade(1).is_open
    assert desk._ledger.order(name).state is state
    assert (
        "less than open trades hold" in str([r.__dict__.get("fields") for r in caplog.records])
    ) is not lost


def test_an_order_of_a_pair_that_is_gone_is_over_when_its_owner_says_so(room, exchange):
    parts = room(pairs=[BTC, ETH], force_entry_enable=True)
    desk, name = parts.desk, begun(parts)
    exchange.delist(ETH)
    believed(parts)
    desk.step()
    assert name in str(told(desk, "settle", trade="1", written_off=True))
    closed = told(desk, "settle", trade="1", written_off=True, orders_ended=True)
    assert closed["text"].endswith("nothing is held")
    assert desk._ledger.order(name).state is OrderState.CANCELLED
    exchange.list_again(ETH)
    believed(parts)
    desk.step()
    assert (desk._truth.obstacles, shown(desk).trouble) == ((), "")
    assert isinstance(told(desk, "enter", pair=str(BTC)), dict)


@pytest.mark.parametrize("price", ["1234.5", None])
def test_a_trade_of_a_pair_that_is_gone_is_closed_as_its_owner_says(room, exchange, price):
    parts = room(pairs=[BTC, ETH], force_entry_enable=True)
    desk = parts.desk
    begun(parts, OrderType.MARKET)
    desk.step()
    word = {"trade": "1", "price": price, "written_off": price is None}
    assert isinstance(told(desk, "settle", **word), Refused), "it can be sold"
    exchange.delist(ETH)
    if price is None:  # the coins are gone with the pair
        exchange.do(lambda book, _now: book.free.update(ETH=0))
    believed(parts)
    desk.step()
    sent = len(desk._ledger.orders())
    assert "is closed" in told(desk, "settle", **word)["text"]
    desk._truth._reconciliation._confirm_ms = 0  # what the exchange has or lacks has stood long enough
    desk.step()
    assert desk._ledger.trade(1).exit_reason == "settled_by_hand"
    assert len(desk._ledger.orders()) == sent + (price is not None)
    assert isinstance(told(desk, "enter", pair=str(BTC)), dict), "ledger and exchange agree"
    exchange.list_again(ETH)
    believed(parts)
    desk.step()
    assert (desk._truth.obstacles, shown(desk).trouble) == ((), "")
    assert not desk._ledger.trade(1).is_open
