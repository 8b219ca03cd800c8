"""Reading the configuration again: who is told what, in which order; pairs on their way in."""

import threading
import time
from types import SimpleNamespace

import pytest

from daemon.config import Settings
from daemon.core.clock import FakeClock
from daemon.core.errors import ConfigError, Refused, Retryable
from daemon.core.market import CandleKey
from daemon.core.pair import Pair
from daemon.core.timeframe import Timeframe
from daemon.runtime.newcomers import Newcomers, Ready
from daemon.runtime.reload import Reloading
from daemon.runtime.supervision import stack_of
from daemon.runtime.world import must_trade

BTC, ETH, SOL = (Pair(f"{coin}/USDT") for coin in ("BTC", "ETH", "SOL"))
FIVE = Timeframe("5m")


def settings(pairs=(BTC, ETH), **more):
    return Settings.model_validate(
        {
            "timeframe": "5m",
            "stake_currency": "USDT",
            "strategy": "Mine",
            "exchange": {"name": "simulated", "pair_whitelist": [str(pair) for pair in pairs]},
            "freqai": {
                "identifier": "x",
                "train_period_days": 2,
                "feature_parameters": {"include_timeframes": ["5m"], "indicator_periods_candles": [10]},
            },
            **more,
        }
    )


class Parts:
    """Notes what everybody is told; the engine has the candles of a pair once `have` was called."""

    def __init__(self, feed):
        self.feed = feed
        self.engines, self.told, self.error = [], [], None

    def check(self, found):
        if self.error is not None:
            raise self.error

    def engine(self, settings, pairs, joining):
        self.engines.append((settings.max_open_trades, pairs, tuple(ready.pair for ready in joining)))

    def others(self, settings, pairs):
        self.told.append((settings.max_open_trades, pairs))


class Coming:
    """Newcomers that are ready when the test says so."""

    def __init__(self):
        self.asked, self.done, self.forgiven = set(), [], 0

    def figures(self):
        return {}

    def ask(self, pairs):
        self.asked.update(pairs)

    def ready(self):
        done, self.done = self.done, []
        return [Ready(pair=pair, keys=(), candles=None) for pair in done]

    def forgive(self):
        self.forgiven += 1


class Room:
    def __init__(self):
        self.file = settings()
        self.held = []
        self.feed = {CandleKey(pair, FIVE) for pair in (BTC, ETH)}
        self.parts, self.coming, self.asked = Parts(self.feed), Coming(), threading.Event()
        self.reloading = Reloading(
            self.file,
            read=self.read,
            parts=self.parts,
            newcomers=self.coming,
            feed=self.feed,
            held=lambda: self.held,
            asked=self.asked,
            clock=FakeClock(),
        )

    def read(self):
        if isinstance(self.file, Exception):
            raise self.file
        return self.file

    def reload(self, pairs=(BTC, ETH), **more):
        self.file = settings(pairs, **more)
        self.asked.set()
        self.reloading.step()


@pytest.fixture
def room():
    return Room()


def test_nothing_happens_where_nothing_was_asked_or_nothing_has_changed(room):
    room.reloading.step()
    room.reload()
    assert (room.parts.engines, room.parts.told) == ([], [])


def test_settings_are_handed_to_everybody_once(room):
    room.reload(max_open_trades=5)
    room.reloading.step()
    assert room.parts.engines == [(5, (BTC, ETH), ())]
    assert room.parts.told == [(5, (BTC, ETH))]


def test_a_new_pair_is_handled_once_it_is_ready_and_told_to_others_once_the_engine_has_it(room):
    room.reload([SOL, BTC, ETH])
    assert room.coming.asked == {SOL}
    assert room.parts.told == [(None, (BTC, ETH))]
    room.coming.done = [SOL]
    room.reloading.step()
    assert room.parts.engines[-1] == (None, (SOL, BTC, ETH), (SOL,))
    assert room.parts.told == [(None, (BTC, ETH))]
    room.feed.add(CandleKey(SOL, FIVE))
    room.reloading.step()
    room.reloading.step()
    assert room.parts.told[1:] == [(None, (SOL, BTC, ETH))]


def test_a_pair_that_is_ready_after_it_was_taken_out_again_does_not_join(room):
    room.reload([BTC, ETH, SOL])
    room.reload([BTC, ETH])
    room.coming.done = [SOL]
    room.reloading.step()
    assert all(pairs == (BTC, ETH) for _, pairs, _ in room.parts.engines)


def test_a_pair_that_left_with_a_trade_open_is_handled_until_that_is_closed(room):
    room.held = [ETH]
    room.reload([BTC])
    assert room.reloading.pairs == (BTC, ETH)
    assert room.reloading.leaving == {ETH}
    room.held = []
    room.reloading.step()
    assert room.parts.engines[-1] == (None, (BTC,), ())
    assert room.parts.told[-1] == (None, (BTC,))


def test_a_pair_whose_trade_was_open_at_the_start_is_prepared(room):
    room.held = [SOL]
    room.reloading.step()
    assert room.coming.asked == {SOL}


@pytest.mark.parametrize("fault", ["file", "parts"])
def test_what_is_wrong_changes_nothing_and_is_told_to_who_asked(room, fault, caplog):
    answers = []

    def ask():
        with pytest.raises(Refused, match="no good"):
            room.reloading.ask()
        answers.append(True)

    if fault == "file":
        room.file = ConfigError("no good")
    else:
        room.file, room.parts.error = settings([BTC]), ConfigError("no good")
    asking = threading.Thread(target=ask)
    asking.start()
    assert room.asked.wait(60)
    room.reloading.step()
    asking.join(60)
    assert answers == [True]
    assert (room.parts.engines, room.parts.told, room.reloading.pairs) == ([], [], (BTC, ETH))
    assert caplog.messages == ["reload_refused"]


def newcomers(prepared, keys_of=lambda pair: (CandleKey(pair, FIVE),), clock=None):
    """Newcomers over a feed that has everything."""

    class Everything:
        def __contains__(self, key):
            return True

        def beside(self, keys):
            assert not keys
            return SimpleNamespace(warm_up=lambda *_: SimpleNamespace(appended={}))

    features = SimpleNamespace(
        plan=SimpleNamespace(base=FIVE, shifts=0),
        warm_up=1,
        reads=SimpleNamespace(any=False),
        prepare=lambda pair, *_: prepared(pair),
    )
    return Newcomers(
        feed=Everything(),
        features=features,
        keys_of=keys_of,
        train_period_ms=0,
        clock=clock or FakeClock(),
        stop=threading.Event(),
        give_way=lambda: None,
    )


def test_a_pair_whose_features_hang_is_named_with_the_stack_and_left_behind(caplog):
    clock, hangs, free, done = FakeClock(), threading.Event(), threading.Event(), threading.Event()

    def prepared(pair):
        if pair == BTC:
            hangs.set()
            free.wait(600)
        else:
            done.set()

    made = newcomers(prepared, clock=clock)
    made.ask([BTC, ETH])
    left = made._thread
    assert hangs.wait(60)
    while "free.wait(600)" not in stack_of(left):  # it is about to
        time.sleep(0.01)
    clock.advance(90_000)  # at once: the whole process stood still
    made.ask([BTC, ETH])
    for _ in range(25):
        clock.advance(4_000)
        made.ask([BTC, ETH])
    assert not done.is_set()
    clock.advance(4_000)
    made.ask([BTC, ETH])
    assert done.wait(60)
    made._thread.join(60)
    assert made.figures()["BTC/USDT"] == "the strategy's features took longer than 100 s"
    (hang,) = (r.fields for r in caplog.records if r.getMessage() == "thread_hangs")
    assert (hang["thread"], hang["seconds"]) == ("newcomers", 104)
    assert "free.wait(600)" in hang["stack"]
    free.set()
    left.join(60)
    assert [ready.pair for ready in made.ready()] == [ETH]


def test_a_thread_that_was_left_behind_takes_no_other_pair_when_its_strategy_raises_at_last(caplog):
    clock, hangs, free, busy, go_on = FakeClock(), *(threading.Event() for _ in range(4))

    def prepared(pair):
        if pair == BTC:
            hangs.set()
            free.wait(600)
            raise RuntimeError("at last")
        if pair == ETH:
            busy.set()
            go_on.wait(600)

    made = newcomers(prepared, clock=clock)
    made.ask([BTC, ETH, SOL])
    left = made._thread
    assert hangs.wait(60)
    for _ in range(26):
        clock.advance(4_000)
        made.ask([BTC, ETH, SOL])
    assert busy.wait(60)
    free.set()
    left.join(60)
    go_on.set()
    made._thread.join(60)
    assert [ready.pair for ready in made.ready()] == [ETH, SOL]
    assert made.figures()["BTC/USDT"] == "the strategy's features took longer than 100 s"
    assert [r.getMessage() for r in caplog.records].count("pair_cannot_join") == 1


def test_a_pair_that_cannot_come_is_told_once_and_the_others_come(caplog):
    done = threading.Event()

    def keys_of(pair):
        if pair == BTC:
            raise ConfigError("no such pair")
        return ()

    made = newcomers(lambda _: done.set(), keys_of)
    made.ask([BTC, ETH])
    assert done.wait(60)
    made._thread.join(60)
    assert [ready.pair for ready in made.ready()] == [ETH]
    assert made.figures() == {"BTC/USDT": "no such pair"}
    made.ask([BTC])
    made._thread.join(60)
    assert made.figures() == {"BTC/USDT": "no such pair"}
    assert [r.getMessage() for r in caplog.records].count("pair_cannot_join") == 1
    made.forgive()
    made.ask([BTC])
    made._thread.join(60)
    assert [r.getMessage() for r in caplog.records].count("pair_cannot_join") == 2


def test_only_pairs_that_the_exchange_trades_may_come():
    class Market:
        name = "somewhere"

        def __init__(self, error=None):
            self.error = error

        def pairs(self):
            if self.error:
                raise self.error
            return {BTC}

    must_trade(Market(), [BTC])
    with pytest.raises(ConfigError, match=r"somewhere does not trade ETH/USDT, SOL/USDT: take them out"):
        must_trade(Market(), [BTC, ETH, SOL])
    must_trade(Market(Retryable("down")), [ETH])
