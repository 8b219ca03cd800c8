"""Two strategies with callbacks, decided look by look: a stop-loss that follows, and a position adjuster."""

from dataclasses import replace
from pathlib import Path

import pytest
from decisions import MARKET, MINUTE_MS, NOON_MS, d, order_of, record_of, settings_of

from daemon.strategy.loader import load_strategy
from daemon.strategy.persistence import use_trades
from daemon.trading.account import account_of
from daemon.trading.adjusting import adjustment
from daemon.trading.broker import Balance
from daemon.trading.callbacks import Callbacks
from daemon.trading.entries import EntryMode, EntryWish, plan_entry
from daemon.trading.exits import ExitLook, check_exits
from daemon.trading.orders import ZERO, Leg
from daemon.trading.rules import trade_rules
from daemon.trading.stops import first_stop
from daemon.trading.strategy_sources import StrategySources
from daemon.trading.terms import Terms

STRATEGIES = Path(__file__).parents[1] / "strategies"


class Desk:
    """The little of a desk that decisions need: what strategies keep, and the account."""

    def __init__(self, name):
        settings = settings_of()
        strategy = load_strategy(name, paths=[STRATEGIES], config=settings.raw)
        rules = trade_rules(settings, strategy.instance)
        self.terms = Terms(rules=rules, market=MARKET, callbacks=Callbacks(strategy))
        self.sources = StrategySources(rules, "simulated", lambda _: MARKET, tuple)
        self.now_ms = NOON_MS

    def account(self, *records):
        return account_of("USDT", {"USDT": Balance(free=d(1000))}, records, ZERO)

    def look(self, record, rate, minutes=5):
        """One look: the record with what it found, and what wants the trade closed."""
        self.now_ms += minutes * MINUTE_MS
        self.sources.publish(open_trades=[record], closed_trades=[], account=self.account(record), locks=())
        found = check_exits(
            record, self.sources.shown(record), ExitLook(rate=d(rate), now_ms=self.now_ms), self.terms
        )
        assert found.faults == ()
        custom = self.sources.changes().custom.get(1, record.custom)
        record = replace(record, stop=found.stop, highest=found.highest, lowest=found.lowest, custom=custom)
        return record, found.exits

    def adjust(self, record, rate):
        return adjustment(
            self.sources.shown(record), entry_rate=d(rate), exit_rate=d(rate), now_ms=self.now_ms,
            account=self.account(record), terms=self.terms,
        )  # fmt: skip


@pytest.fixture
def desk():
    """desk(name): one for a strategy."""

    def made(name):
        found = Desk(name)
        use_trades(found.sources)
        return found

    yield made
    use_trades(None)


def test_the_stop_follows_half_of_the_best_profit_and_says_so(desk):
    desk = desk("TrailingStop")
    record = record_of(stop=first_stop(100.0, desk.terms.rules, MARKET))
    stops = []
    for rate in (100, 101, 104, 103, 102.5):
        record, exits = desk.look(record, rate)
        assert exits == ()
        stops.append(float(record.stop.price))
    assert stops[0] == 97
    assert stops == sorted(stops)
    assert 101.9 < stops[-1] < 102.5
    assert record.custom["best"] == pytest.approx(104 * 0.999 / 100.1 - 1)
    record, exits = desk.look(record, 101.9)
    assert exits[0].reason == "trailing_stop_loss"
    assert f"stop {record.stop.price} (custom_stoploss" in exits[0].detail
    assert ", at first 97" in exits[0].detail


def test_the_stop_that_follows_ends_a_trade_after_a_day(desk):
    desk = desk("TrailingStop")
    record = record_of(stop=first_stop(100.0, desk.terms.rules, MARKET))
    record, exits = desk.look(record, 100, minutes=1440)
    assert exits == ()
    record, exits = desk.look(record, 100, minutes=1)
    assert (exits[0].reason, exits[0].detail[:42]) == (
        "a day is over", "custom_exit: the strategy said 'a day is o"
    )  # fmt: skip


def test_the_adjuster_begins_small_adds_twice_and_sells_half_in_profit(desk):
    desk = desk("PositionAdjuster")
    wish = EntryWish(pair=record_of().pair, price=d(100), now_ms=NOON_MS)
    first = plan_entry(wish, desk.account(), desk.terms)
    assert first.stake == pytest.approx(d(330 / 3), abs=d("0.1"))  # a third of a third of 990
    record = record_of(order_of(first.amount, 100))
    assert desk.adjust(record, 100) == (None, "")
    for number, rate in ((1, 99), (2, 97.5)):
        found, _ = desk.adjust(record, rate)
        assert (found.tag, float(found.stake)) == (f"add {number}", pytest.approx(float(first.stake)))
        more = plan_entry(
            replace(
                wish, price=d(rate), mode=EntryMode.ADD, stake=found.stake, trade=desk.sources.shown(record), tag=found.tag
            ),
            desk.account(record), desk.terms,
        )  # fmt: skip
        record = replace(record, orders=(*record.orders, order_of(more.amount, rate, number=number)))
    assert desk.adjust(record, 80) == (None, "")
    found, _ = desk.adjust(record, 101)
    assert (found.decision.reason, found.tag) == ("half out", "half out")
    held = sum(order.filled for order in record.orders)
    assert float(found.amount) == pytest.approx(float(held) / 2, abs=0.001)
    record = replace(record, orders=(*record.orders, order_of(found.amount, 101, leg=Leg.EXIT, number=3)))
    assert desk.adjust(record, 102) == (None, "")
