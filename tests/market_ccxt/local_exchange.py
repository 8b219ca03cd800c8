"""An exchange on this machine that speaks Binance's HTTP for spot candles, faults included.

In tests::

    with LocalExchange(seed=1) as exchange:
        market = CcxtMarket(exchange_id="binance", ccxt_config=exchange.ccxt_config, ...)

By hand (it prints the setting that points ccxt, freqtrade or candled at it)::

    python tests/market_ccxt/local_exchange.py --port 8080 --speed 1 --storm 0.2
"""

import argparse
import asyncio
import json
import threading
import time
from collections import deque
from email.utils import formatdate
from typing import NamedTuple

import numpy as np
from aiohttp import web
from local_candles import LocalCandles
from local_faults import FAULTS, HTTP_FAULTS, spoiled, suffer

from daemon.core.clock import FastClock
from daemon.core.pair import Pair
from daemon.core.timeframe import Timeframe

COINS = ("BTC", "ETH", "SOL", "BNB", "XRP", "ADA", "DOGE", "SHIB")
PAIRS = tuple(Pair(f"{coin}/USDT") for coin in COINS)
INTERVALS = tuple(
    Timeframe(text)
    for text in ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w")
)
START_MS = 1_709_553_630_000  # 2024-03-04 12:00:30 UTC, a Monday
DAY_MS = 86_400_000
FAULT = web.RequestKey("fault", str)


class Seen(NamedTuple):
    """One request: when it came (monotonic seconds), what for, and the fault it met ('' for none)."""

    at_s: float
    path: str
    query: dict
    fault: str


class Told(NamedTuple):
    """One request for silence: from when to when (monotonic seconds) no request may come."""

    from_s: float
    until_s: float


class LocalExchange:
    """The exchange; it serves from a thread of its own, on the loopback interface only.

    ``storm`` is the share of requests that meet a fault, one of ``kinds``, drawn by ``seed``.
    ``script`` names the faults of the next requests one by one.
    """

    def __init__(self, *, pairs=PAIRS, seed=1, clock=None, start_ms=START_MS, speed=1.0, days=30, storm=0.0):
        self.clock = clock or FastClock(start_ms, speed)
        self.candles = LocalCandles(pairs, seed, self.clock.now_ms() - days * DAY_MS)
        self.storm = storm
        self.kinds = FAULTS
        self.retry_after = 1
        self.requests = []
        self.told = []
        self._stalls = []
        self._scripts = {}
        self._next = []
        self._rng = np.random.default_rng(seed)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="exchange", daemon=True)
        self.url = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self, port=0):
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._serve(port), self._loop).result(60)
        return self

    def stop(self):
        self._loop.call_soon_threadsafe(self._pulse.cancel)
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()

    @property
    def ccxt_config(self):
        """Points ccxt at this exchange, at a pace for tests."""
        return {"urls": {"api": {"public": f"{self.url}/api/v3"}}, "rateLimit": 1}

    def truth(self, pair, timeframe):
        """All candles that are closed by now."""
        return self.candles.truth(pair, Timeframe(timeframe), self.clock.now_ms())

    def script(self, *faults, path="klines"):
        """What befalls the next requests for a path, in the order in which they come; '' for nothing."""
        self._scripts.setdefault(path, deque()).extend(faults)

    def asked(self, path="klines"):
        """Requests for a path so far."""
        return [seen for seen in self.requests if seen.path.endswith(path)]

    def too_early(self, grace_s=0.3):
        """Requests that came while all clients had been told to wait.

        Those of the first ``grace_s`` were on their way when the answer that told was, too. Time in which the machine
        (or this thread) stood still does not count: what waited meanwhile was on its way.
        """
        return [
            seen
            for seen in self.requests
            if any(
                told.from_s + grace_s + self._stalled_s(told.from_s, seen.at_s) < seen.at_s < told.until_s
                for told in self.told
            )
        ]

    def _stalled_s(self, from_s, until_s):
        """How long this exchange stood still between two moments."""
        return sum(
            max(0.0, min(until_s, end_s) - max(from_s, start_s)) for start_s, end_s in list(self._stalls)
        )

    async def _feel_pulse(self):
        """Note when this thread stood still for a twentieth of a second or more."""
        last_s = time.monotonic()
        while True:
            await asyncio.sleep(0.02)
            now_s = time.monotonic()
            if now_s - last_s > 0.05:
                self._stalls.append((last_s, now_s + 0.05))  # and then all that waited comes at once
            last_s = now_s

    async def _serve(self, port):
        self._pulse = asyncio.ensure_future(self._feel_pulse())
        app = web.Application(middlewares=[self._weather])
        self._routes(app)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"

    def _routes(self, app):
        app.router.add_get("/api/v3/ping", self._ping)
        app.router.add_get("/api/v3/time", self._time)
        app.router.add_get("/api/v3/exchangeInfo", self._exchange_info)
        app.router.add_get("/api/v3/klines", self._klines)

    @web.middleware
    async def _weather(self, request, handler):
        fault = self._fault(request.path)
        self.requests.append(Seen(time.monotonic(), request.path, dict(request.query), fault))
        request[FAULT] = fault
        response = await handler(request)
        if fault in {"too_many", "ban"} and self.retry_after is not None:
            now_s = time.monotonic()
            self.told.append(Told(now_s, now_s + self.retry_after))
        if not response.prepared:
            response.headers["Date"] = formatdate(self.clock.now_ms() / 1000, usegmt=True)
        return response

    def _fault(self, path):
        name = path.rsplit("/", 1)[1]
        candles = name == "klines"
        if self._scripts.get(name):
            return self._scripts[name].popleft()
        if self._rng.random() >= self.storm:
            return ""
        # Drawn without putting back, so that each kind has its turn in every storm.
        suitable = [kind for kind in self._next if kind in self.kinds and (candles or kind in HTTP_FAULTS)]
        if not suitable:
            self._next = [str(kind) for kind in self._rng.permutation(self.kinds)]
            suitable = [kind for kind in self._next if candles or kind in HTTP_FAULTS]
        if suitable:
            self._next.remove(suitable[0])
        return suitable[0] if suitable else ""

    async def _answer(self, request, body):
        if request[FAULT] in HTTP_FAULTS:
            return await suffer(request[FAULT], request, body, self.retry_after)
        return web.json_response(body)

    async def _ping(self, request):
        return await self._answer(request, {})

    async def _time(self, request):
        return await self._answer(request, {"serverTime": self.clock.now_ms()})

    async def _exchange_info(self, request):
        symbols = [_symbol(*pair.split("/")) for pair in self.candles.pairs.values()]
        body = {"timezone": "UTC", "serverTime": self.clock.now_ms(), "rateLimits": [], "symbols": symbols}
        return await self._answer(request, body)

    async def _klines(self, request):
        query = request.query
        pair = self.candles.pairs.get(query.get("symbol"))
        if pair is None:
            return web.json_response({"code": -1121, "msg": "Invalid symbol."}, status=400)
        if query.get("interval") not in INTERVALS:
            return web.json_response({"code": -1120, "msg": "Invalid interval."}, status=400)
        timeframe = Timeframe(query["interval"])
        now_ms = self.clock.now_ms()
        rows = self._page(pair, timeframe, query, now_ms)
        if request[FAULT] and request[FAULT] not in HTTP_FAULTS:
            rows = spoiled(request[FAULT], rows, self._rng, timeframe.newest_closed(now_ms))
        return await self._answer(request, rows)

    def _page(self, pair, timeframe, query, now_ms):
        limit = min(int(query.get("limit", 500)), 1000)
        last_ms = min(int(query.get("endTime", now_ms)), now_ms)
        if "startTime" in query:
            first_ms = int(query["startTime"])
            last_ms = min(last_ms, timeframe.ceil(max(first_ms, 0)) + (limit - 1) * timeframe.ms)
        else:
            first_ms = timeframe.floor(last_ms) - (limit - 1) * timeframe.ms
        rows = self.candles.rows(pair, timeframe, first_ms, last_ms, now_ms)[:limit]
        return [
            [*row, row[0] + timeframe.ms - 1, "0.00000000", 100, "0.00000000", "0.00000000", "0"]
            for row in self.candles.texts(pair, rows)
        ]


def _symbol(base, quote):
    return {
        "symbol": base + quote,
        "status": "TRADING",
        "baseAsset": base,
        "quoteAsset": quote,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "orderTypes": ["LIMIT", "MARKET"],
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": "0.00000001",
                "maxPrice": "1000000",
                "tickSize": "0.00000001",
            },
            {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000", "stepSize": "0.00001"},
            {"filterType": "NOTIONAL", "minNotional": "5"},
        ],
        "permissions": ["SPOT"],
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--speed", type=float, default=1.0, help="market seconds per real second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", type=int, help="market time at start, ms UTC (default: now)")
    parser.add_argument("--days", type=int, default=60, help="history before that")
    parser.add_argument("--storm", type=float, default=0.0, help="share of requests that meet a fault")
    parser.add_argument("--kinds", nargs="*", choices=FAULTS, default=FAULTS, help="faults of the storm")
    options = parser.parse_args()
    start_ms = options.start or time.time_ns() // 10**6
    exchange = LocalExchange(
        seed=options.seed, start_ms=start_ms, speed=options.speed, days=options.days, storm=options.storm
    )
    exchange.kinds = tuple(options.kinds)
    exchange.start(options.port)
    settings = {"name": "binance", "ccxt_config": exchange.ccxt_config}
    print(json.dumps(settings), flush=True)  # noqa: T201 - a command prints
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        exchange.stop()


if __name__ == "__main__":
    main()
