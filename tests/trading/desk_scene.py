"""A whole desk on a market whose prices the test writes, with a real ledger, a real strategy file and a clock that stands."""

import queue
import threading
from dataclasses import replace
from decimal import Decimal
from functools import partial
from itertools import pairwise

from daemon.config.settings import Settings
from daemon.core.clock import FakeClock
from daemon.core.pair import Pair
from daemon.core.timeframe import Timeframe
from daemon.market.path import Piece, Standing
from daemon.runtime.account_ledger import opened_ledger
from daemon.runtime.trading_room import desk_of
from daemon.strategy.loader import load_strategy
from daemon.strategy.ports import bind
from daemon.trading.ledger_reads import LedgerReader
from daemon.trading.messages import Command, Inbox, Tick
from daemon.trading.signals import Signal, SignalKind

NOW_MS = 1_767_225_600_000
BTC, ETH = Pair("BTC/USDT"), Pair("ETH/USDT")
CANDLE_MS = 300_000
STRATEGY = """from freqtrade.strategy import IStrategy
from freqtrade.persistence import Trade

class Mine(IStrategy):
    stoploss = -0.1
    minimal_roi = {}

    def feature_engineering_standard(self, dataframe, metadata, **kwargs):
        dataframe["%-change"] = dataframe["close"].pct_change()
        return dataframe

    def set_freqai_targets(self, dataframe, metadata, **kwargs):
        dataframe["&-s_close"] = dataframe["close"].shift(-6) / dataframe["close"] - 1
        return dataframe

    def populate_indicators(self, dataframe, metadata):
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe

"""


class ScriptedSource:
    """Prices go from one to the next at once; bid and ask are the price."""

    name = "scripted"

    def __init__(self, clock):
        self._clock = clock
        self.prices = {BTC: [(0, Decimal(100))], ETH: [(0, Decimal(10))]}
        self.volume = Decimal(1_000_000)

    def go(self, price, pair=BTC):
        self.prices[pair].append((self._clock.now_ms(), Decimal(str(price))))

    def path(self, pair, after_ms, until_ms, *, at_or_below=None):
        ways = self.prices[pair]
        for (_, before), (end_ms, after) in pairwise(ways):
            low, high = sorted((before, after))
            if after_ms < end_ms <= until_ms and (at_or_below is None or low <= at_or_below):
                yield Piece(
                    start_ms=end_ms - 1, end_ms=end_ms, high=high, low=low, last=after, volume=self.volume
                )

    def standing(self, pair, at_ms):
        if pair not in self.prices:
            return None
        last = self.prices[pair][-1][1]
        return Standing(high=last, low=last, last=last, volume=self.volume)

    def steps(self, pair):
        if pair not in self.prices:
            raise KeyError(pair)
        return Decimal("0.00001"), Decimal("0.01")


def document(folder, **changes):
    return {
        "timeframe": "5m",
        "stake_currency": "USDT",
        "dry_run": True,
        "dry_run_wallet": 1000,
        "stake_amount": 100,
        "max_open_trades": 2,
        "force_entry_enable": True,
        "strategy": "Mine",
        "user_data_dir": str(folder / "user_data"),
        "exchange": {"name": "simulated", "pair_whitelist": [str(BTC), str(ETH)]},
        "freqai": {
            "enabled": True,
            "identifier": "mine",
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


class Scene:
    """One desk. `again` is the same after a kill: another process on the same ledger."""

    def __init__(self, folder, body="", *, clock=None, source=None, wrap=None, **changes):
        self.folder = folder
        self.body, self.changes, self.wrap = body, changes, wrap
        self.clock = clock or FakeClock(NOW_MS + 1_000)
        self.source = source or ScriptedSource(self.clock)
        self.later = []
        self.settings = Settings.model_validate(document(folder, **changes))
        folder.joinpath("mine.py").write_text(STRATEGY + body, "utf-8")
        self.strategy = load_strategy("Mine", paths=[folder], config=self.settings.raw)
        bind(self.strategy, predictions=None, candles=None, clock=self.clock)
        self.stop = threading.Event()
        self.inbox = Inbox(threading.Event())
        self.desk = desk_of(
            self.settings,
            ledger=opened_ledger(self.settings, self.clock.now_ms()),
            strategy=self.strategy,
            market=self.source,
            frame_of=None,
            clock=self.clock,
            inbox=self.inbox,
            stop=self.stop,
            beat=lambda: None,
        )
        if wrap is not None:
            wrap(self.desk)

    def again(self, **changes):
        self.close()
        later = Scene(
            self.folder,
            self.body,
            clock=self.clock,
            source=self.source,
            wrap=self.wrap,
            **{**self.changes, **changes},
        )
        self.later.append(later)
        return later

    def close(self):
        self.desk._ledger.close()
        for scene in self.later:
            scene.close()

    @property
    def ledger(self):
        return LedgerReader.open(self.settings.ledger_file)

    def looks(self, count=1, step_ms=5_000):
        for _ in range(count):
            self.clock.advance(step_ms)
            self.desk.step()

    def tick(self, *signals, pair=BTC):
        """A tick with signals such as ``"enter_long"`` or ``("exit_long", "tag")``, then a look."""
        base = Timeframe("5m")
        close_ms = base.floor(self.clock.now_ms())
        made = []
        for one in signals:
            kind, tag, blocked = (*((one,) if isinstance(one, str) else one), "", "")[:3]
            made.append(
                Signal(
                    pair=pair,
                    candle_ms=close_ms - CANDLE_MS,
                    kind=SignalKind(kind),
                    tag=tag,
                    blocked=blocked,
                )
            )
        self.inbox.put(Tick(close_ms=close_ms, candle_ms=close_ms - CANDLE_MS, signals=tuple(made)))
        self.looks(step_ms=1_000)

    def enter(self, pair=BTC):
        """Begin a trade by a signal, which is taken back at the next tick."""
        self.tick("enter_long", pair=pair)
        trade = self.trades(is_open=True)[-1]
        self.clock.advance(CANDLE_MS)
        self.tick()
        return self.trade(trade.trade_id)

    def go(self, price, pair=BTC, *, looks=1):
        self.clock.advance(1_000)
        self.source.go(price, pair)
        self.looks(looks)

    def ask(self, do, **arguments):
        """What a command is answered, or the error."""
        answer = queue.SimpleQueue()
        self.inbox.put(Command(do=do, arguments=arguments, answer=answer))
        self.looks(step_ms=1_000)
        return answer.get(timeout=5)

    def trades(self, **wanted):
        ledger = self.ledger
        try:
            return ledger.trades(**wanted)
        finally:
            ledger.close()

    def trade(self, number):
        return next(each for each in self.trades() if each.trade_id == number)

    @property
    def wallet(self):
        ledger = self.ledger
        try:
            return dict(ledger.wallet())
        finally:
            ledger.close()


class Flaky:
    """Stands before the paper broker and fails as it is told: ``lost`` before or after the deed, ``down``."""

    def __init__(self, broker):
        self._broker = broker
        self.plan = {}
        self.calls = []
        self.before = lambda *_: None
        self.after = lambda _name, found: found

    def __getattr__(self, name):
        return partial(self._call, name)

    def _call(self, name, *arguments):
        self.calls.append(name)
        self.before(name, *arguments)
        error, after = self.plan.get(name, (None, False))
        if error is not None and not after:
            raise error
        found = getattr(self._broker, name)(*arguments)
        if error is not None:
            raise error
        return self.after(name, found)


def without_fills(name, found):
    """What most exchanges answer: how an order stands, without its executions."""
    if name in ("send", "order", "cancel") and found is not None:
        return replace(found, fills=())
    return [replace(each, fills=()) for each in found] if name in ("news", "open_orders") else found


def flaky(scene):
    """Put a `Flaky` between the desk and its broker, everywhere."""
    desk = scene.desk
    broker = Flaky(desk._broker)
    broker.name = "flaky"
    for part in (desk, desk._prices, desk._orders, desk._entries, desk._truth, desk._truth._reconciliation):
        part._broker = broker
    return broker
