"""A local exchange that trades: Binance's signed endpoints for spot over `ExchangeBook`, faults included.

In tests::

    with TradingExchange(seed=1) as exchange:
        market = CcxtMarket(exchange_id="binance", ccxt_config=exchange.ccxt_config, credentials=KEYS, ...)

As a process of its own, whose memory outlives every daemon that talks to it (it prints the settings)::

    python tests/trading_live/trading_exchange.py --port 8080 --pace 60 --storm 0.2

``GET /local/book`` shows its whole book, ``POST /local/calm`` ends the storm.
"""

import argparse
import asyncio
import contextlib
import hashlib
import hmac
import json
import sys
import threading
import time
from decimal import Decimal, InvalidOperation
from email.utils import formatdate
from pathlib import Path
from urllib.parse import parse_qsl

from aiohttp import WSMsgType, web
from ccxt import pro

sys.path.append(str(Path(__file__).parents[1] / "market_ccxt"))

from exchange_book import OPEN, Denied, ExchangeBook, Symbol
from local_candles import BASE, _text
from local_exchange import FAULT, PAIRS, LocalExchange, Seen, Told
from local_faults import suffer

from daemon.core.pair import Pair

MORE = (
    "LTC",
    "LINK",
    "AVAX",
    "DOT",
    "TRX",
    "ATOM",
    "UNI",
    "ETC",
    "FIL",
    "NEAR",
    "APT",
    "ARB",
    "OP",
    "INJ",
    "SUI",
    "TON",
)
ALL_PAIRS = (*PAIRS, *(Pair(f"{coin}/USDT") for coin in MORE))
KEYS = {"key": "local-key", "secret": "local-secret"}
DEPOSIT = {"USDT": Decimal(100_000), "BNB": Decimal(2)}
# Decimals of amounts, such that amount times price has eight at most, as on the real exchange.
_STEP_DECIMALS = {2: 5, 3: 3, 1: 3, 4: 1, 5: 1, 6: 0, 8: 0}
TRADE_FAULTS = (
    "too_many",  # refused, with Retry-After
    "ban",
    "unavailable",  # 503, acted on or not
    "reset",
    "hang",
    "truncated",
    "page",
    "unknown",  # -1007: execution status unknown; acted on or not
    "busy",  # -1001, not acted on
    "duplicate",  # each row of the answer twice
    "stale",  # answered from a replica that lags behind
    "race",  # the order is filled while it is being cancelled
)
_NEARLY_MS = 800
_REFUSED = ("too_many", "ban", "busy")
_IN_THE_ANSWER = ("duplicate", "stale", "race")
_ORDER_TYPES = ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT"]


class TradingExchange(LocalExchange):
    """`LocalExchange` with an account.

    Args:
        bnb: whether fees are paid in BNB.
        brief: (attribute) whether the clock, where `jumpy`, is nearly right again some seconds after each jump.
        lag_ms: (attribute) how far behind a replica is that gives a stale answer.
        pace: how fast prices follow the candles' way, market seconds per second of the clock; 0: they stand
            until a test moves them.
        by_hand: how often, on average per real second, the account's owner cancels an order himself.
        options: see `LocalExchange`.
    """

    def __init__(self, *, bnb=False, pace=0.0, by_hand=0.0, deposit=DEPOSIT, **options):
        super().__init__(**options)
        self.kinds = TRADE_FAULTS
        self.skew_ms = 0
        self.lag_ms = 1500
        self.jumpy, self.brief = False, False
        self._right_s = 0.0
        self.gone = {}
        self._listeners, self._pushes = [], set()
        self._pace = pace
        self._start_ms = self.clock.now_ms()
        self._by_hand = by_hand
        self._decimals = {name: self.candles._prices[pair][1] for name, pair in self.candles.pairs.items()}
        symbols = [self._symbol(pair) for pair in self.candles.pairs.values()]
        self.deposit = dict(deposit)
        self.book = ExchangeBook(
            symbols, deposit, seed=options.get("seed", 1), bnb=bnb, true_ms=self.clock.now_ms
        )
        self.book.listener = self._push
        for name in self.book.symbols:
            self.book.prices[name] = self._candle_price(name)

    @property
    def ccxt_config(self):
        """Points every address that ccxt knows of at this exchange: nothing of it can leave the machine."""
        urls = _elsewhere(pro.binance().urls["api"], f"{self.url}/elsewhere")
        urls |= {"public": f"{self.url}/api/v3", "private": f"{self.url}/api/v3"}
        urls["ws"]["ws-api"]["spot"] = f"{self.url.replace('http', 'ws')}/ws-api/v3"
        return {"urls": {"api": urls}, "rateLimit": 1, "hostname": "127.0.0.1"}

    def now_ms(self):
        """What this exchange takes for the time."""
        return self.clock.now_ms() + self.skew_ms

    def move(self, pair, price):
        """Set a pair's price and fill what it crosses."""
        self._sync(lambda: self.book.move(pair.replace("/", ""), Decimal(price), self.now_ms()))

    def do(self, act):
        """What ``act(book, now_ms)`` returns, in the exchange's own thread."""
        return self._sync(lambda: act(self.book, self.now_ms()))

    def delist(self, pair):
        """The pair is gone as if it had never been there: its orders end untold, and whoever names it is refused."""

        def act():
            name = pair.replace("/", "")
            self._listeners.clear()
            for order in [each for each in self.book.open_orders() if each.symbol == name]:
                self.book.cancel(order, self.now_ms())
            self.gone[name] = self.book.symbols.pop(name)

        self._sync(act)

    def list_again(self, pair):
        """Undo `delist`."""
        name = pair.replace("/", "")
        self._sync(lambda: self.book.symbols.update({name: self.gone.pop(name)}))

    def _sync(self, act):
        async def called():
            return act()

        return asyncio.run_coroutine_threadsafe(called(), self._loop).result(60)

    def _symbol(self, pair):
        base, quote = pair.split("/")
        decimals = self._decimals[base + quote]
        step = Decimal(1).scaleb(-_STEP_DECIMALS[decimals])
        return Symbol(base=base, quote=quote, tick=Decimal(1).scaleb(-decimals), step=step, min_qty=step)

    def _candle_price(self, name):
        now_ms = self._start_ms + int((self.clock.now_ms() - self._start_ms) * self._pace)
        rows = self.candles.rows(self.candles.pairs[name], BASE, now_ms - BASE.ms, now_ms, now_ms)
        return Decimal(_text(int(rows[-1][4]), self._decimals[name])).normalize()

    # the server

    def _routes(self, app):
        super()._routes(app)
        for path, handler in {
            "depth": self._depth,
            "ticker/bookTicker": self._tickers,
            "ticker/24hr": self._tickers,
            "openOrders": self._signed(self._open_orders),
            "order": self._signed(self._get_order),
            "myTrades": self._signed(self._my_trades),
            "account": self._signed(self._account),
        }.items():
            app.router.add_get(f"/api/v3/{path}", handler)
        app.router.add_post("/api/v3/order", self._signed(self._new_order))
        app.router.add_delete("/api/v3/order", self._signed(self._cancel_order))
        app.router.add_get("/ws-api/v3", self._stream)
        app.router.add_get("/local/book", self._show)
        app.router.add_post("/local/calm", self._calm)
        app.on_startup.append(self._begin)

    async def _begin(self, _app):
        if self._pace:
            self._life = asyncio.create_task(self._live())

    async def _live(self):
        """Prices go on; now and then the account's owner does something himself, or the clock is set."""
        every_s = 0.05
        while True:
            await asyncio.sleep(every_s)
            now_ms = self.now_ms()
            for name in self.book.symbols:
                self.book.move(name, self._candle_price(name), now_ms)
            if self._rng.random() < self._by_hand * every_s and (orders := self.book.open_orders()):
                self.book.cancel(orders[int(self._rng.integers(len(orders)))], now_ms)
            if self.jumpy and self._rng.random() < every_s / 20:
                self.skew_ms = int(self._rng.integers(-40_000, 40_000))
                self._right_s = time.monotonic() + self._rng.uniform(0.5, 4)
            elif self.brief and abs(self.skew_ms) > _NEARLY_MS and time.monotonic() > self._right_s:
                self.skew_ms = int(self._rng.integers(-_NEARLY_MS, _NEARLY_MS))

    @web.middleware
    async def _weather(self, request, handler):
        if request.path.startswith("/local/"):
            return await handler(request)
        if request.path.startswith("/ws-api/"):
            self.requests.append(Seen(time.monotonic(), f"GET {request.path}", {}, ""))
            return await handler(request)
        fault = self._fault(request)
        self.requests.append(Seen(time.monotonic(), f"{request.method} {request.path}", {}, fault))
        request[FAULT] = fault
        if fault in _REFUSED:
            response = await self._refusal(request, fault)
        else:
            try:
                body = await self._acted(request, handler, fault)
                response = await self._answered(request, body, fault)
            except Denied as no:
                response = web.json_response({"code": no.code, "msg": no.words}, status=no.status)
        if not response.prepared:
            response.headers["Date"] = formatdate(self.now_ms() / 1000, usegmt=True)
        return response

    async def _refusal(self, request, fault):
        if fault == "busy":
            body = {"code": -1001, "msg": "Internal error; unable to process your request. Please try again."}
            return web.json_response(body, status=400)
        now_s = time.monotonic()
        self.told.append(Told(now_s, now_s + (self.retry_after or 0)))
        return await suffer(fault, request, {}, self.retry_after)

    async def _acted(self, request, handler, fault):
        """What the request brings about, unless it is lost on its way in."""
        if fault in {"unavailable", "reset", "hang", "unknown"} and self._rng.random() < 0.5:
            return {}
        return await handler(request)

    async def _answered(self, request, body, fault):
        if isinstance(body, web.StreamResponse):
            return body
        if fault == "unknown":
            words = "Timeout waiting for response from backend server. Send status unknown."
            return web.json_response({"code": -1007, "msg": words}, status=408)
        if fault == "duplicate" and isinstance(body, list):
            body = [row for row in body for _ in range(2)]
        if fault and fault not in _IN_THE_ANSWER:
            return await suffer(fault, request, body, self.retry_after)
        return web.json_response(body)

    def _fault(self, request):
        name = f"{request.method} {request.path.rsplit('/', 1)[1]}"
        if self._scripts.get(name):
            return self._scripts[name].popleft()
        if self._rng.random() >= self.storm:
            return ""
        if not self._next:
            self._next = [str(kind) for kind in self._rng.permutation(self.kinds)]
        return self._next.pop()

    # what is asked

    async def _ping(self, _request):
        return {}

    async def _time(self, _request):
        return {"serverTime": self.now_ms()}

    async def _klines(self, request):
        request[FAULT] = ""
        return await super()._klines(request)

    async def _exchange_info(self, _request):
        symbols = [_described(symbol) for symbol in self.book.symbols.values()]
        return {"timezone": "UTC", "serverTime": self.now_ms(), "rateLimits": [], "symbols": symbols}

    def _asked_symbols(self, request):
        if "symbols" in request.query:
            return json.loads(request.query["symbols"])
        return [request.query["symbol"]] if "symbol" in request.query else list(self.book.symbols)

    async def _tickers(self, request):
        rows = []
        for name in self._asked_symbols(request):
            if name not in self.book.symbols:
                raise Denied(-1121, "Invalid symbol.")
            bid, ask = self.book.bid(name), self.book.ask(name)
            row = {"symbol": name, "bidPrice": str(bid), "bidQty": "10", "askPrice": str(ask), "askQty": "10"}
            if request.path.endswith("24hr"):
                row |= {"lastPrice": str(bid), "closeTime": self.now_ms(), "openTime": 0, "count": 1}
            rows.append(row)
        return rows[0] if "symbol" in request.query else rows

    async def _depth(self, request):
        name, limit = request.query["symbol"], int(request.query.get("limit", 100))
        tick = self.book.symbols[name].tick
        bids = [[str(self.book.bid(name) - k * tick), "1"] for k in range(min(limit, 20))]
        asks = [[str(self.book.ask(name) + k * tick), "1"] for k in range(min(limit, 20))]
        return {"lastUpdateId": 1, "bids": bids, "asks": asks}

    def _signed(self, handler):
        async def checked(request):
            text = request.query_string if request.method in {"GET", "DELETE"} else await request.text()
            head, _, signature = text.rpartition("&signature=")
            wanted = hmac.new(KEYS["secret"].encode(), head.encode(), hashlib.sha256).hexdigest()
            if request.headers.get("X-MBX-APIKEY") != KEYS["key"]:
                raise Denied(-2015, "Invalid API-key, IP, or permissions for action.", 401)
            if not hmac.compare_digest(wanted, signature):
                raise Denied(-1022, "Signature for this request is not valid.")
            asked = dict(parse_qsl(head))
            self._check_time(int(asked["timestamp"]), int(asked.get("recvWindow", 5000)))
            if "symbol" in asked and asked["symbol"] not in self.book.symbols:
                raise Denied(-1121, "Invalid symbol.")
            return await handler(asked, request[FAULT])

        return checked

    def _check_time(self, sent_ms, window_ms):
        now_ms = self.now_ms()
        if sent_ms >= now_ms + 1000:
            raise Denied(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
        if now_ms - sent_ms > window_ms:
            raise Denied(-1021, "Timestamp for this request is outside of the recvWindow.")

    async def _new_order(self, asked, _fault):
        try:
            qty, price, stop = (Decimal(asked.get(key, "0")) for key in ("quantity", "price", "stopPrice"))
        except InvalidOperation:
            raise Denied(-1100, "Illegal characters found in a parameter.") from None
        order = self.book.submit(
            symbol=asked["symbol"],
            side=asked["side"],
            kind=asked["type"],
            qty=qty,
            price=price,
            stop=stop,
            client_id=asked["newClientOrderId"],
            tif=asked.get("timeInForce", "GTC"),
            now_ms=self.now_ms(),
        )
        answer = _order(order)
        answer["transactTime"] = answer.pop("updateTime")
        fills = [trade for trade in self.book.trades if trade.order == order.number]
        answer["fills"] = [
            {
                "price": str(trade.price),
                "qty": str(trade.qty),
                "commission": f"{trade.fee:.8f}",
                "commissionAsset": trade.fee_asset,
                "tradeId": trade.number,
            }
            for trade in fills
        ]
        return answer

    def _found(self, asked):
        number = int(asked["orderId"]) if asked.get("orderId") else None
        return self.book.find(asked["symbol"], number=number, client_id=asked.get("origClientOrderId"))

    async def _stream(self, request):
        """The user's stream: signed for by one message, and then every change of an order."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        try:
            async for message in socket:
                if message.type is not WSMsgType.TEXT:
                    break
                asked = json.loads(message.data)
                signature = asked["params"].pop("signature")
                head = "&".join(f"{name}={value}" for name, value in sorted(asked["params"].items()))
                wanted = hmac.new(KEYS["secret"].encode(), head.encode(), hashlib.sha256).hexdigest()
                if not hmac.compare_digest(wanted, signature):
                    error = {"code": -1022, "msg": "Signature for this request is not valid."}
                    await socket.send_json({"id": asked["id"], "status": 400, "error": error})
                    continue
                self._listeners.append(socket)
                await socket.send_json({"id": asked["id"], "status": 200, "result": {"subscriptionId": 0}})
        finally:
            if socket in self._listeners:
                self._listeners.remove(socket)
        return socket

    def _push(self, order, now_ms):
        """Tell all who listen."""
        told = {"subscriptionId": 0, "event": _event(order, now_ms, self.book.trades)}
        for socket in self._listeners:
            self._pushes.add(task := asyncio.ensure_future(_sent(socket, told)))
            task.add_done_callback(self._pushes.discard)

    def hang_up(self):
        """Break every stream."""

        async def closed():
            for socket in list(self._listeners):
                await socket.close()

        asyncio.run_coroutine_threadsafe(closed(), self._loop).result(60)

    async def _get_order(self, asked, fault):
        order = self._found(asked)
        seen_ms = self._seen_ms(fault)
        if order is None or order.seen[0][0] > seen_ms:
            raise Denied(-2013, "Order does not exist.")
        return _order(order, seen_ms)

    def _seen_ms(self, fault):
        """Up to when the replica that answers knows of things, by the true clock."""
        return self.clock.now_ms() - (self.lag_ms if fault == "stale" else 0)

    async def _cancel_order(self, asked, fault):
        order = self._found(asked)
        if order is None:
            raise Denied(-2011, "Unknown order sent.")
        if fault == "race":
            self.book.fill_whole(order, self.now_ms())
        self.book.cancel(order, self.now_ms())
        # As on the real exchange, the cancellation has a client id of its own, in the order's place.
        return _order(order) | {"origClientOrderId": order.client_id, "clientOrderId": f"x{order.number}"}

    async def _open_orders(self, asked, fault):
        seen_ms = self._seen_ms(fault)
        orders = [order for order in self.book.orders if asked.get("symbol") in (None, order.symbol)]
        return [
            answer
            for order in orders
            if order.seen[0][0] <= seen_ms and (answer := _order(order, seen_ms))["status"] in OPEN
        ]

    async def _my_trades(self, asked, fault):
        first_ms, last_ms = int(asked.get("startTime", 0)), int(asked.get("endTime", 10**15))
        if "startTime" in asked and "endTime" in asked and last_ms - first_ms > 86_400_000:
            raise Denied(-1127, "More than 24 hours between startTime and endTime.")
        limit = min(int(asked.get("limit", 500)), 1000)
        first = int(asked.get("fromId", 0))
        rows = [
            trade
            for trade in self.book.trades
            if trade.symbol == asked["symbol"]
            and trade.number >= first
            and first_ms <= trade.at_ms <= last_ms
            and trade.true_ms <= self._seen_ms(fault)
        ]
        chosen = rows[:limit] if "fromId" in asked or "startTime" in asked else rows[-limit:]
        return [_trade(trade) for trade in chosen]

    async def _account(self, _asked, _fault):
        balances = [
            {"asset": asset, "free": f"{free:.8f}", "locked": f"{locked:.8f}"}
            for asset, (free, locked) in self.book.balances().items()
        ]
        return {"canTrade": True, "updateTime": self.now_ms(), "accountType": "SPOT", "balances": balances}

    # what only the test asks

    async def _show(self, _request):
        orders = [
            {"number": o.number, "client_id": o.client_id, "symbol": o.symbol, "side": o.side}
            | {"status": o.status, "qty": str(o.qty), "executed": str(o.executed), "value": str(o.value)}
            for o in self.book.orders
        ]
        trades = [
            {"number": t.number, "order": t.order, "symbol": t.symbol, "side": t.side, "price": str(t.price)}
            | {"qty": str(t.qty), "fee": str(t.fee), "fee_asset": t.fee_asset, "at_ms": t.at_ms}
            for t in self.book.trades
        ]
        balances = {asset: [str(free), str(locked)] for asset, (free, locked) in self.book.balances().items()}
        faults = {}
        for seen in self.requests:
            if seen.fault:
                faults[seen.fault] = faults.get(seen.fault, 0) + 1
        return web.json_response(
            {
                "orders": orders,
                "trades": trades,
                "balances": balances,
                "deposit": {asset: str(amount) for asset, amount in self.deposit.items()},
                "requests": len(self.requests),
                "faults": faults,
                "told": len(self.told),
                "too_early": [
                    [seen.at_s, seen.path] for seen in self.too_early(0.5)
                ],  # its clients share the machine's cores
            }
        )

    async def _calm(self, _request):
        self.storm, self.jumpy, self._by_hand, self.skew_ms = 0.0, False, 0.0, 0
        return web.json_response({})


async def _sent(socket, told):
    with contextlib.suppress(ConnectionError, RuntimeError):
        await socket.send_json(told)


def _elsewhere(urls, url):
    """Every address, at every depth, replaced by one."""
    return {name: _elsewhere(known, url) if isinstance(known, dict) else url for name, known in urls.items()}


def _event(order, now_ms, trades):
    """What the user's stream says of an order, and of the execution that it has just met."""
    traded = order.status in {"PARTIALLY_FILLED", "FILLED"}
    trade = {}
    if traded:
        last = trades[-1]
        trade = {"t": last.number, "l": str(last.qty), "L": str(last.price), "m": last.maker}
        trade |= {"n": f"{last.fee:.8f}", "N": last.fee_asset}
    return {
        "e": "executionReport",
        "E": now_ms,
        "s": order.symbol,
        "c": f"x{order.number}" if order.status == "CANCELED" else order.client_id,
        "C": order.client_id if order.status == "CANCELED" else "",
        "S": order.side,
        "o": order.type,
        "f": order.tif,
        "q": f"{order.qty:.8f}",
        "p": f"{order.price:.8f}",
        "P": f"{order.stop:.8f}",
        "x": "TRADE" if traded else order.status,
        "X": order.status,
        "i": order.number,
        "z": f"{order.executed:.8f}",
        "Z": f"{order.value:.8f}",
        "n": "0",
        "N": None,
        "T": now_ms,
        "O": order.created_ms,
        **trade,
    }


def _described(symbol):
    """A market as ``exchangeInfo`` tells it."""
    return {
        "symbol": symbol.name,
        "status": "TRADING",
        "baseAsset": symbol.base,
        "quoteAsset": symbol.quote,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "orderTypes": _ORDER_TYPES,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": f"{symbol.tick:.8f}",
                "maxPrice": "1000000.00000000",
                "tickSize": f"{symbol.tick:.8f}",
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": f"{symbol.min_qty:.8f}",
                "maxQty": f"{symbol.max_qty:.8f}",
                "stepSize": f"{symbol.step:.8f}",
            },
            {
                "filterType": "MARKET_LOT_SIZE",
                "minQty": "0.00000000",
                "maxQty": f"{symbol.max_market_qty:.8f}",
                "stepSize": "0.00000000",
            },
            {
                "filterType": "NOTIONAL",
                "minNotional": f"{symbol.min_notional:.8f}",
                "maxNotional": "9000000.00000000",
            },
        ],
        "permissions": ["SPOT"],
    }


def _order(order, seen_ms=None):
    """An order as ``GET /order`` tells it, as it stood at a moment."""
    states = [state for state in order.seen if seen_ms is None or state[0] <= seen_ms]
    _, at_ms, status, executed, value = states[-1]
    return {
        "symbol": order.symbol,
        "orderId": order.number,
        "orderListId": -1,
        "clientOrderId": order.client_id,
        "price": f"{order.price:.8f}",
        "origQty": f"{order.qty:.8f}",
        "executedQty": f"{executed:.8f}",
        "cummulativeQuoteQty": f"{value:.8f}",
        "status": status,
        "timeInForce": order.tif,
        "type": order.type,
        "side": order.side,
        "stopPrice": f"{order.stop:.8f}",
        "time": order.created_ms,
        "updateTime": at_ms,
        "isWorking": order.triggered,
    }


def _trade(trade):
    return {
        "symbol": trade.symbol,
        "id": trade.number,
        "orderId": trade.order,
        "orderListId": -1,
        "price": f"{trade.price:.8f}",
        "qty": f"{trade.qty:.8f}",
        "quoteQty": f"{trade.qty * trade.price:.8f}",
        "commission": f"{trade.fee:.8f}",
        "commissionAsset": trade.fee_asset,
        "time": trade.at_ms,
        "isBuyer": trade.side == "BUY",
        "isMaker": trade.maker,
        "isBestMatch": True,
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--speed", type=float, default=1.0, help="market seconds per real second")
    parser.add_argument("--pace", type=float, default=1.0, help="how fast prices move, beside --speed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--days", type=int, default=3, help="history of candles")
    parser.add_argument("--storm", type=float, default=0.0, help="share of requests that meet a fault")
    parser.add_argument("--by-hand", type=float, default=0.0, help="orders cancelled by hand per second")
    parser.add_argument("--jumpy", action="store_true", help="set the clock now and then")
    parser.add_argument("--brief", action="store_true", help="and soon put it right again")
    parser.add_argument("--pairs", type=int, default=len(PAIRS), help=f"markets, at most {len(ALL_PAIRS)}")
    parser.add_argument("--bnb", action="store_true", help="fees are paid in BNB")
    options = parser.parse_args()
    exchange = TradingExchange(
        pairs=ALL_PAIRS[: options.pairs],
        bnb=options.bnb,
        pace=options.pace,
        by_hand=options.by_hand,
        seed=options.seed,
        start_ms=time.time_ns() // 10**6,
        speed=options.speed,
        days=options.days,
        storm=options.storm,
    )
    exchange.jumpy, exchange.brief = options.jumpy, options.brief
    exchange.start(options.port)
    config = exchange.ccxt_config
    print(json.dumps({"url": exchange.url, "name": "binance", "ccxt_config": config}), flush=True)  # noqa: T201
    threading.Event().wait()


if __name__ == "__main__":
    main()
