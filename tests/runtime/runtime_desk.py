"""The engine with a clock, a market and a strategy that do as they are told."""

import threading
from types import SimpleNamespace

import numpy as np
from desk import BASE, NOW_MS, PAIRS

from daemon.core.candles import CandleFrame
from daemon.core.clock import FakeClock
from daemon.core.errors import StrategyError
from daemon.core.prediction import Abstention, Prediction, Reason
from daemon.market.feed import FeedReport
from daemon.runtime.engine import Engine
from daemon.runtime.engine_options import EngineOptions
from daemon.runtime.strategy_signals import StrategySignals
from daemon.runtime.tally import Tally
from daemon.state.folder import StateFolder
from daemon.state.history import PredictionHistory

FIRST_MS = NOW_MS - 400 * BASE.ms


class ScriptedFeed:
    """Every candle of the exchange's own time, but for what the script withholds.

    hidden: (pair, open_ms) that are not served; silent: pairs that are not served at all for now; down: nobody is.
    """

    def __init__(self, now_ms):
        self.exchange_ms = now_ms
        self.hidden = set()
        self.silent = set()
        self.down = False
        self.updates = 0
        self._shown_ms = dict.fromkeys(PAIRS, FIRST_MS)

    def update(self, close_ms, budget_s, stop=None):
        assert budget_s > 0
        self.updates += 1
        for pair in self._shown_ms:
            if not self.down and pair not in self.silent:
                self._shown_ms[pair] = max(self._shown_ms[pair], min(close_ms, BASE.floor(self.exchange_ms)))
        return FeedReport(
            appended={}, missing={}, changed={}, revisions=0, gaps=0, requests=0, disagreements=0
        )

    def frame(self, key):
        times = np.arange(FIRST_MS, self._shown_ms[key.pair], BASE.ms, dtype=np.int64)
        kept = np.array([(key.pair, ms) not in self.hidden for ms in times.tolist()], bool)
        values = np.tile([100.0, 102.0, 99.0, 101.0, 5.0], (int(kept.sum()), 1))
        return CandleFrame(times[kept], values)

    def price(self, pair):
        return 101.0


class ScriptedForecaster:
    """Predicts wherever there is a candle; notes what it was asked."""

    def __init__(self, feed):
        self._feed = feed
        self.asked = []
        self.before = lambda: None

    def advance(self, pairs, close_ms):
        self.before()
        return {}

    def outcome(self, pair, close_ms, *, late):
        self.asked.append((pair, close_ms, late))
        candle_ms = close_ms - BASE.ms
        if candle_ms not in self._feed.frame(SimpleNamespace(pair=pair)).open_ms:
            return Abstention(pair=pair, candle_ms=candle_ms, reason=Reason.MISSING_CANDLE, late=late)
        values = {"&-s_close": 0.01}
        return Prediction(pair=pair, candle_ms=candle_ms, values=values, model="m1", late=late)

    def forget_before(self, base_ms):
        pass


class ScriptedHooks:
    """A strategy that always enters; faults: pair -> what populate_* does instead."""

    strategy = SimpleNamespace(file="mine.py")

    def __init__(self):
        self.faults = {}
        self.called = []

    def bot_loop_start(self, now):
        pass

    def populate(self, frame, metadata):
        pair = metadata["pair"]
        self.called.append((pair, int(frame["date"].iloc[-1].timestamp() * 1000)))
        frame["enter_long"] = 1
        fault = self.faults.get(pair)
        if isinstance(fault, str):
            raise StrategyError(fault)
        return frame if fault is None else fault(frame)


class Frames:
    """The newest candles; what the strategy made of them is noted."""

    def __init__(self, feed):
        self._feed = feed
        self.kept = {}

    def frame(self, pair):
        return self._feed.frame(SimpleNamespace(pair=pair))[-50:].to_pandas()

    def keep(self, pair, analysed):
        self.kept[pair] = analysed


class EngineDesk:
    """An engine with all that is around it; `restarted` is another one on the same folder, as after a kill."""

    def __init__(self, path, clock=None, feed=None, pairs=PAIRS, statistics=None):
        self.path, self.pairs = path, pairs
        path.mkdir(exist_ok=True)
        self.clock = clock or FakeClock(NOW_MS)
        self.feed = feed or ScriptedFeed(NOW_MS)
        self.history = PredictionHistory.open(StateFolder(path))
        self.forecaster = ScriptedForecaster(self.feed)
        self.hooks = ScriptedHooks()
        self.frames = Frames(self.feed)
        self.tally = Tally(self.clock)
        self.between_ticks, self.stop = threading.Event(), threading.Event()
        self.verdict = str
        self.engine = Engine(
            EngineOptions(pairs=pairs, base=BASE, grace_ms=2000, keep_ms=100 * BASE.ms),
            clock=self.clock,
            feed=self.feed,
            forecaster=self.forecaster,
            history=self.history,
            asked=StrategySignals(self.hooks, self.frames),
            tally=self.tally,
            between_ticks=self.between_ticks,
            stop=self.stop,
            statistics=statistics,
            examined=self.examined,
        )

    def examined(self):
        """What the truth checks say of the strategy; `verdict` says it."""
        return self.verdict()

    def restarted(self, pairs=None):
        return EngineDesk(self.path, self.clock, self.feed, pairs or self.pairs)

    def passes(self, candles=0.0, ms=0):
        """Time passes, for the exchange as for us."""
        by_ms = int(candles * BASE.ms) + ms
        self.clock.advance(by_ms)
        self.feed.exchange_ms += by_ms

    def tick(self, candles=1):
        """Go to three seconds behind a later close, and step."""
        close_ms = BASE.floor(self.clock.now_ms()) + candles * BASE.ms
        self.passes(ms=close_ms + 3000 - self.clock.now_ms())
        return self.engine.step()

    def recorded(self, pair=PAIRS[0]):
        """(candles after NOW_MS's last, late, abstention) of every row of a pair."""
        frame = self.history.frame(pair)
        times = frame["date_pred"].astype("int64").tolist() if len(frame) else []
        counts = [(ms - NOW_MS) // BASE.ms + 1 for ms in times]
        late, abstention = (frame[name].tolist() if len(frame) else [] for name in ("late", "abstention"))
        return list(zip(counts, map(bool, late), abstention, strict=True))

    def candles(self, pair=PAIRS[0]):
        return [count for count, _, _ in self.recorded(pair)]

    def entries(self):
        """Signals that nothing blocks: (pair, candle)."""
        return [
            (signal.pair, (signal.candle_ms - NOW_MS) // BASE.ms + 1)
            for signal in self.tally.recent_signals()
            if not signal.blocked
        ]
