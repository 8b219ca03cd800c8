"""The account and the orders of the local exchange, in memory and exact: what a storm is judged by.

No network here, and no clock: every call is told what time it is. Prices move only by `move`.
"""

from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal

import numpy as np

ZERO = Decimal(0)
_DIGITS = Decimal("1e-8")
OPEN = ("NEW", "PARTIALLY_FILLED")
MARKET_TYPES = ("MARKET", "STOP_LOSS")
STOP_TYPES = ("STOP_LOSS", "STOP_LOSS_LIMIT")
FEE, BNB_FEE = Decimal("0.001"), Decimal("0.00075")
# Value of one level of the opposite side, quote currency: an order of some hundred takes several of them.
_LEVEL = Decimal(60)
_LEVELS = 50


class Denied(Exception):
    """The exchange's no, by Binance's code and words."""

    def __init__(self, code, words, status=400):
        super().__init__(words)
        self.code, self.words, self.status = code, words, status


@dataclass(frozen=True)
class Symbol:
    """A market and its filters."""

    base: str
    quote: str
    tick: Decimal
    step: Decimal
    min_qty: Decimal
    max_qty: Decimal = Decimal(9000000)
    max_market_qty: Decimal = Decimal(1000000)
    min_notional: Decimal = Decimal(5)

    @property
    def name(self):
        return self.base + self.quote


@dataclass(eq=False)
class Order:
    """An order as the exchange has it; `seen` is every state it ever was in, for stale answers."""

    number: int
    client_id: str
    symbol: str
    side: str
    type: str
    tif: str
    qty: Decimal
    price: Decimal
    stop: Decimal
    created_ms: int
    status: str = "NEW"
    executed: Decimal = ZERO
    value: Decimal = ZERO
    updated_ms: int = 0
    triggered: bool = True
    seen: list = field(default_factory=list)

    @property
    def left(self):
        return self.qty - self.executed

    @property
    def open(self):
        return self.status in OPEN

    def note(self, now_ms, true_ms):
        self.updated_ms = now_ms
        self.seen.append((true_ms, now_ms, self.status, self.executed, self.value))


@dataclass(frozen=True)
class Trade:
    """One execution."""

    number: int
    order: int
    symbol: str
    side: str
    price: Decimal
    qty: Decimal
    fee: Decimal
    fee_asset: str
    at_ms: int
    maker: bool
    true_ms: int


class ExchangeBook:
    """Orders, executions and balances of one account.

    Args:
        symbols: the markets.
        balances: what the account holds at first.
        seed: of the sizes in which orders are filled.
        bnb: whether fees are paid in BNB while there is some.
        true_ms: a clock that nobody sets, by which answers are stale.
    """

    def __init__(self, symbols, balances, *, seed=1, bnb=False, true_ms=lambda: 0):
        self.true_ms = true_ms
        self.listener = lambda order, now_ms: None
        self.symbols = {symbol.name: symbol for symbol in symbols}
        self.free = {asset: Decimal(amount) for asset, amount in balances.items()}
        self.locked = {}
        self.prices = {}
        self.orders = []
        self.trades = []
        self.bnb = bnb
        self._open = {}
        self._rng = np.random.default_rng(seed)

    # prices

    def bid(self, name):
        return self.prices[name]

    def ask(self, name):
        return self.prices[name] + self.symbols[name].tick

    def move(self, name, price, now_ms):
        """Let the price go somewhere: stops are triggered, resting orders are filled, in part at a time."""
        self.prices[name] = Decimal(price)
        for order in [order for order in self._open.values() if order.symbol == name]:
            if not order.triggered and self.bid(name) <= order.stop:
                order.triggered = True
                self._take(order, now_ms)
            elif order.triggered and self._crosses(order):
                self._fill(order, self._part(order), order.price, now_ms, maker=True)

    # orders

    def submit(self, *, symbol, side, kind, qty, client_id, now_ms, tif="GTC", price=ZERO, stop=ZERO):
        """Accept an order, or raise `Denied`."""
        self._check(symbol, side, kind, qty, price, stop, client_id)
        order = Order(
            number=len(self.orders) + 1,
            client_id=client_id,
            symbol=symbol,
            side=side,
            type=kind,
            tif=tif,
            qty=qty,
            price=price,
            stop=stop,
            created_ms=now_ms,
            triggered=kind not in STOP_TYPES,
        )
        self._lock(order)
        self.orders.append(order)
        self._open[order.number] = order
        self._note(order, now_ms)
        if order.triggered:
            self._take(order, now_ms)
        return order

    def cancel(self, order, now_ms):
        """End an open order, or raise `Denied`."""
        if not order.open:
            raise Denied(-2011, "Unknown order sent.")
        self._end(order, "CANCELED", now_ms)

    def find(self, symbol, *, number=None, client_id=None):
        """An order by one of its ids; of several with one client id the newest. None without."""
        for order in reversed(self.orders):
            same = number in (None, order.number) and client_id in (None, order.client_id)
            if order.symbol == symbol and same:
                return order
        return None

    def open_orders(self, symbol=None):
        return [order for order in self._open.values() if symbol in (None, order.symbol)]

    def fill_whole(self, order, now_ms):
        """Somebody takes all that is left of a resting order, just now."""
        if order.open and order.triggered and order.price:
            self._fill(order, order.left, order.price, now_ms, maker=True)

    def balances(self):
        """Free and bound, of every asset that was ever touched."""
        assets = sorted({*self.free, *self.locked})
        return {asset: (self.free.get(asset, ZERO), self.locked.get(asset, ZERO)) for asset in assets}

    def _check(self, name, side, kind, qty, price, stop, client_id):
        symbol = self.symbols[name]
        if qty < symbol.min_qty or qty > symbol.max_qty or qty % symbol.step:
            raise Denied(-1013, "Filter failure: LOT_SIZE")
        if kind in MARKET_TYPES and qty > symbol.max_market_qty:
            raise Denied(-1013, "Filter failure: MARKET_LOT_SIZE")
        if any(value % symbol.tick for value in (price, stop)):
            raise Denied(-1013, "Filter failure: PRICE_FILTER")
        if qty * (price or stop or self.bid(name)) < symbol.min_notional:
            raise Denied(-1013, "Filter failure: NOTIONAL")
        if any(order.client_id == client_id for order in self._open.values()):
            raise Denied(-2010, "Duplicate order sent.")
        if kind in STOP_TYPES and side == "SELL" and self.bid(name) <= stop:
            raise Denied(-2010, "Stop price would trigger immediately.")
        crossing = price >= self.ask(name) if side == "BUY" else price <= self.bid(name)
        if kind == "LIMIT_MAKER" and crossing:
            raise Denied(-2010, "Order would immediately match and take.")
        asset, amount = self._needed(symbol, side, qty, price or self._worst(symbol))
        if self.free.get(asset, ZERO) < amount:
            raise Denied(-2010, "Account has insufficient balance for requested action.")

    def _worst(self, symbol):
        return self.ask(symbol.name) + _LEVELS * symbol.tick

    def _needed(self, symbol, side, qty, price):
        return (symbol.quote, qty * price) if side == "BUY" else (symbol.base, qty)

    def _lock(self, order):
        symbol = self.symbols[order.symbol]
        if order.side == "BUY" and not order.price:
            return  # a market order takes what it costs
        asset, amount = self._needed(symbol, order.side, order.qty, order.price)
        self.free[asset] -= amount
        self.locked[asset] = self.locked.get(asset, ZERO) + amount

    def _unlock(self, order, qty):
        symbol = self.symbols[order.symbol]
        if order.side == "BUY" and not order.price:
            return
        asset, amount = self._needed(symbol, order.side, qty, order.price)
        self.locked[asset] -= amount
        self.free[asset] += amount

    def _end(self, order, status, now_ms):
        self._unlock(order, order.left)
        order.status = status
        del self._open[order.number]
        self._note(order, now_ms)

    # matching

    def _crosses(self, order):
        if not order.price:
            return True
        name = order.symbol
        return order.price >= self.ask(name) if order.side == "BUY" else order.price <= self.bid(name)

    def _part(self, order):
        """A part of what is left, at least one step."""
        symbol = self.symbols[order.symbol]
        share = Decimal(int(self._rng.integers(30, 140))) / 100
        part = (order.left * share / symbol.step).to_integral_value(ROUND_DOWN) * symbol.step
        return min(max(part, symbol.step), order.left)

    def _take(self, order, now_ms):
        """Match an order that has just come, level by level."""
        symbol = self.symbols[order.symbol]
        best = self.ask(symbol.name) if order.side == "BUY" else self.bid(symbol.name)
        levels = self._levels(order, symbol, best)
        if order.tif == "FOK" and sum((qty for _, qty in levels), ZERO) < order.left:
            levels = []
        for price, qty in levels:
            self._fill(order, qty, price, now_ms, maker=False)
        if order.open and (order.type in MARKET_TYPES or order.tif in {"IOC", "FOK"}):
            self._end(order, "EXPIRED", now_ms)

    def _levels(self, order, symbol, best):
        found, left = [], order.left
        away = symbol.tick if order.side == "BUY" else -symbol.tick
        for k in range(_LEVELS):
            price = best + k * away
            beyond = price > order.price if order.side == "BUY" else price < order.price
            if not left or price <= 0 or (order.price and beyond):
                break
            size = _LEVEL * Decimal(int(self._rng.integers(30, 170))) / 100 / price
            qty = min(
                left, max((size / symbol.step).to_integral_value(ROUND_DOWN) * symbol.step, symbol.step)
            )
            found.append((price, qty))
            left -= qty
        return found

    def _fill(self, order, qty, price, now_ms, *, maker):
        symbol = self.symbols[order.symbol]
        self._unlock(order, qty)
        value, buys = qty * price, order.side == "BUY"
        self._add(symbol.base, qty if buys else -qty)
        self._add(symbol.quote, -value if buys else value)
        fee_asset, fee = self._fee(symbol, qty, value, buys=buys)
        self._add(fee_asset, -fee)
        order.executed += qty
        order.value += value
        order.status = "PARTIALLY_FILLED" if order.left else "FILLED"
        if not order.left:
            del self._open[order.number]
        self.trades.append(
            Trade(
                number=len(self.trades) + 1,
                order=order.number,
                symbol=order.symbol,
                side=order.side,
                price=price,
                qty=qty,
                fee=fee,
                fee_asset=fee_asset,
                at_ms=now_ms,
                maker=maker,
                true_ms=self.true_ms(),
            )
        )
        self._note(order, now_ms)

    def _fee(self, symbol, qty, value, *, buys):
        price = self.prices.get(f"BNB{symbol.quote}")
        if self.bnb and price:
            fee = (value * BNB_FEE / price).quantize(_DIGITS, ROUND_DOWN)
            if self.free.get("BNB", ZERO) >= fee:
                return "BNB", fee
        return (
            (symbol.base, (qty * FEE).quantize(_DIGITS, ROUND_DOWN))
            if buys
            else (symbol.quote, (value * FEE).quantize(_DIGITS, ROUND_DOWN))
        )

    def _note(self, order, now_ms):
        order.note(now_ms, self.true_ms())
        self.listener(order, now_ms)

    def _add(self, asset, amount):
        self.free[asset] = self.free.get(asset, ZERO) + amount
