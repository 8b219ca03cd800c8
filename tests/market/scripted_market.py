"""A market that tells the truth of the simulated exchange, but for what the test tells it to do."""

from daemon.core.candles import CandleFrame
from daemon.core.errors import Retryable
from daemon.core.market import CandleRequest


class ScriptedMarket:
    """Faults by switch.

    hidden: (key, open_ms) that are left out; altered: (key, open_ms) -> factor on the volume;
    errors: key -> error for every request; empty: keys that are answered by nothing;
    lag_ms: how far its time is behind the clock's; newest_lag: key -> answers in which the newest closed
    candle (and what follows) is not there yet; window: serve a window of time, not a number of candles.
    """

    name = "scripted"

    def __init__(self, truth, page_limit=1000):
        self.truth = truth
        self.page_limit = page_limit
        self.hidden = set()
        self.altered = {}
        self.errors = {}
        self.pairs_errors = []
        self.empty = set()
        self.lag_ms = 0
        self.newest_lag = {}
        self.window = False
        self.asked: list[CandleRequest] = []

    def timeframes(self):
        return self.truth.timeframes()

    def pairs(self):
        if self.pairs_errors:
            raise self.pairs_errors.pop(0)
        return self.truth.pairs()

    def now_ms(self):
        return self.truth.now_ms() - self.lag_ms

    def fetch(self, requests, budget_s):
        assert budget_s > 0
        self.asked += requests
        return [self._answer(request) for request in requests]

    def close(self):
        pass

    def _answer(self, request):
        key = request.key
        if key in self.errors:
            return self.errors[key]
        if key in self.empty:
            return CandleFrame.empty()
        rows, since_ms, end_ms = [], request.since_ms, request.since_ms + request.limit * key.timeframe.ms
        while len(rows) < request.limit:
            page = self._truth(key, since_ms)
            if not len(page) or (self.window and page.open_ms[0] >= end_ms):
                break
            rows += self._shown(key, page)
            since_ms = int(page.open_ms[-1]) + key.timeframe.ms
        if self.window:
            rows = [row for row in rows if row[0] < end_ms]
        return CandleFrame.from_rows(rows[: min(request.limit, self.page_limit)])

    def _truth(self, key, since_ms):
        now_ms = self.now_ms()
        page = self.truth.fetch([CandleRequest(key=key, since_ms=since_ms, limit=1000)], 1.0)[0]
        page = page.between(0, now_ms)
        left = self.newest_lag.get(key, 0)
        if left and len(page) and page.open_ms[-1] >= key.timeframe.newest_closed(now_ms):
            self.newest_lag[key] = left - 1
            page = page.between(0, key.timeframe.newest_closed(now_ms) - 1)
        return page

    def _shown(self, key, page):
        for open_ms, values in zip(page.open_ms, page.values, strict=True):
            if (key, int(open_ms)) not in self.hidden:
                factor = self.altered.get((key, int(open_ms)), 1.0)
                yield [open_ms, *values[:4], values[4] * factor]


DOWN = Retryable("network is unreachable")
