"""A feed with all that is around it."""

import threading

import numpy as np

from daemon.core.candles import CandleFrame
from daemon.core.market import CandleKey, CandleRequest
from daemon.core.pair import Pair
from daemon.core.timeframe import Timeframe
from daemon.market.feed import Feed
from daemon.market.simulated import ORIGIN_MS

BTC, ETH = Pair("BTC/USDT"), Pair("ETH/USDT")
FIVE, HOUR = Timeframe("5m"), Timeframe("1h")
START_MS = ORIGIN_MS + 3 * 86_400_000


def key(pair, timeframe):
    return CandleKey(Pair(pair), Timeframe(timeframe))


class Desk:
    """A feed with all that is around it, as a test wants to see it."""

    def __init__(self, market, store, keys, clock, since_ms):
        self.market, self.store, self.keys, self.clock = market, store, keys, clock
        self.since_ms = since_ms
        self.feed = Feed(market=market, store=store, keys=keys, clock=clock)

    def warm_up(self, stop=None, progress=None):
        since = dict.fromkeys(self.keys, self.since_ms)
        return self.feed.warm_up(since, stop or threading.Event(), progress)

    def tick(self, candles=1, budget_s=2.0):
        """Go to 300 ms behind a later boundary of the shortest candles, and update."""
        close_ms = FIVE.floor(self.clock.now_ms()) + candles * FIVE.ms
        self.clock.set(close_ms + 300)
        return self.feed.update(close_ms, budget_s)

    def restarted(self):
        """Another feed on the same files, as after a crash."""
        return Desk(self.market, self.store, self.keys, self.clock, self.since_ms)

    def truth(self, key):
        """All closed candles of the key that the feed should hold."""
        pages, since_ms = [], self.since_ms
        while len(page := self._page(key, since_ms)):
            pages.append(page)
            since_ms = int(page.open_ms[-1]) + 1
        open_ms = np.concatenate([page.open_ms for page in pages])
        values = np.concatenate([page.values for page in pages])
        return CandleFrame(open_ms, values).between(0, key.timeframe.newest_closed(self.clock.now_ms()))

    def _page(self, key, since_ms):
        return self.market.truth.fetch([CandleRequest(key=key, since_ms=since_ms, limit=1000)], 1.0)[0]
