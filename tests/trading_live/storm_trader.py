"""A trader without a strategy, to be killed at any moment: random orders by the rules of the ledger.

What it does with orders is what the daemon does: committed before the request, asked for until known, taken by
reconciliation. It ends by itself when the wanted number of orders is in the ledger and everything is settled.

    python storm_trader.py SETTINGS.json LEDGER.sqlite ORDERS SEED
"""

import json
import random
import sys
import time
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from loopback import guard
from trading_exchange import KEYS

from daemon.core.clock import SystemClock
from daemon.core.errors import Refused, Retryable
from daemon.core.pair import Pair
from daemon.market.ccxt_market import CcxtMarket
from daemon.state.silence import SilenceFile
from daemon.trading.book import Contradiction
from daemon.trading.broker import AnswerLost
from daemon.trading.ledger import Ledger
from daemon.trading.live import LiveBroker
from daemon.trading.orders import Intent, Leg, OrderReport, OrderState, OrderType, Side, client_id
from daemon.trading.positions import position_of
from daemon.trading.reconciliation import Reconciliation

PAIRS = tuple(Pair(f"{coin}/USDT") for coin in ("BTC", "ETH", "SOL", "BNB", "XRP", "ADA", "DOGE", "SHIB"))
GRACE_MS, CONFIRM_MS, RECONCILE_S = 4000, 6000, 3.0


class Trader:
    def __init__(self, settings, ledger, seed):
        self.clock = SystemClock()
        self.market = CcxtMarket(
            exchange_id=settings["name"],
            ccxt_config=settings["ccxt_config"],
            ccxt_async_config={"timeout_on_exit": 0, "timeout": 700},
            clock=self.clock,
            credentials=KEYS,
            memory=SilenceFile(Path(ledger).with_suffix(".silence")),
            stream=True,
        )
        self.broker = LiveBroker(self.market)
        self.ledger = Ledger.open(Path(ledger))
        self.truth = Reconciliation(self.ledger, self.broker, grace_ms=GRACE_MS, confirm_ms=CONFIRM_MS)
        self.random = random.Random(seed)
        self.quotes = {}
        self.findings = None
        self.compared_s = -1e9
        self.asked_s = {}
        self.heard = 0

    def run(self, wanted):
        while True:
            try:
                if self.step(wanted):
                    return
            except Retryable as exc:
                print(f"{type(exc).__name__}: {exc}", file=sys.stderr)  # noqa: T201 - the test shows it
                time.sleep(0.05)

    def step(self, wanted):
        """One look; true when all is done."""
        now_s = time.monotonic()
        enough = len(self.ledger.orders()) >= wanted
        if now_s - self.compared_s > RECONCILE_S or (enough and not self.ledger.orders(unsettled=True)):
            if self.findings is None:
                print("looks", flush=True)  # noqa: T201 - whoever kills it waits for this
            self.findings = self.truth.compare(PAIRS, self.clock.now_ms())
            self.compared_s = time.monotonic()
            for reason in (*self.findings.reasons, *self.findings.adjusted):
                print(f"finding: {reason}", file=sys.stderr)  # noqa: T201 - the test shows it
            self.quotes = self.broker.quotes(PAIRS)
        if news := self.broker.news():
            self.ledger.take(news, (), self.clock.now_ms())
            self.heard += len(news)
        for order in self.ledger.orders(alive=True):
            self.look_after(order, enough=enough)
        for trade in self.ledger.trades(is_open=True):
            self.lead_out(trade, enough=enough)
        if enough:
            return self.findings.in_step and not self.ledger.orders(unsettled=True)
        while self.may_enter() and len(self.ledger.orders(alive=True)) < 12 and self.random.random() < 0.8:
            self.enter()
        return False

    def may_enter(self):
        """The daemon's gate is closed while anything is in doubt; a storm of so many orders has no time for that."""
        doubts = ("not known yet", "executions tell")
        return all(any(doubt in reason for doubt in doubts) for reason in self.findings.reasons)

    def look_after(self, order, *, enough):
        intent, state = order.intent, order.state
        age_ms = self.clock.now_ms() - (order.sent_ms or intent.created_ms)
        if state is OrderState.OPEN:
            if enough or age_ms > self.random.randint(300, 6000):
                self.cancel(order)
        elif self.due(intent.client_id):
            order = self.truth.ask(order, self.clock.now_ms())
            if order.state is OrderState.CANCELLING:
                self.cancel(order)  # the first request may be lost

    def due(self, name):
        now_s = time.monotonic()
        due = now_s - self.asked_s.get(name, -1e9) > 0.5
        if due:
            self.asked_s[name] = now_s
        return due

    def cancel(self, order):
        intent = order.intent
        self.ledger.cancelling(intent.client_id, self.clock.now_ms())
        report = self.broker.cancel(intent.pair, intent.client_id, order.exchange_id)
        if report is not None:
            self.ledger.take([report], (), self.clock.now_ms())
        else:
            self.truth.ask(order, self.clock.now_ms())

    def enter(self):
        pair = self.random.choice(PAIRS)
        if pair not in self.quotes:
            return
        price = self.quotes[pair].ask * Decimal(self.random.choice(["0.9985", "0.9995", "1", "1.001"]))
        amount = Decimal(self.random.randint(8, 150)) / price
        intent = self.intent(pair, Leg.ENTRY, amount, price, 0)
        if intent is None:
            return
        trade = self.ledger.begin_trade(
            intent, strategy="Storm", timeframe="1m", stake_currency="USDT", enter_tag=""
        )
        self.send(replace(intent, trade_id=trade.trade_id))

    def lead_out(self, trade, *, enough):
        """Sell what can be sold; close what is sold."""
        if not trade.is_open or any(not order.settled for order in trade.orders):
            return
        rules, quote = self.broker.rules(trade.pair), self.quotes.get(trade.pair)
        held = position_of(trade).amount
        if quote is None:
            return
        dust = rules.least_amount(quote.bid * Decimal("0.9"))
        if held < dust or enough:
            self.close(trade, held if enough else dust)
        elif self.random.random() < 0.3:
            price = quote.bid * Decimal(self.random.choice(["0.999", "1", "1.0005"]))
            leg = self.random.choice([Leg.EXIT, Leg.EXIT, Leg.STOP])
            intent = self.intent(trade.pair, leg, held, price, trade.trade_id)
            if intent is not None:
                self.ledger.intend(intent)
                self.send(intent)

    def close(self, trade, dust):
        try:
            self.ledger.close_trade(trade.trade_id, self.clock.now_ms(), dust=dust)
        except Refused:
            return

    def intent(self, pair, leg, amount, price, trade_id):
        rules = self.broker.rules(pair)
        amount, price = rules.amount(amount), rules.price(price)
        if leg is Leg.STOP:
            kind = self.random.choice([OrderType.STOP, OrderType.STOP_LIMIT])
        else:
            kind = self.random.choice([OrderType.MARKET, OrderType.LIMIT, OrderType.LIMIT])
        if amount * price < rules.min_cost * 2:
            return None
        now_ms = self.clock.now_ms()
        candle_ms = now_ms // 60_000 * 60_000
        attempt = self.ledger.next_attempt(pair, candle_ms, leg)
        return Intent(
            client_id=client_id("storm", pair, candle_ms, leg, attempt),
            trade_id=trade_id,
            pair=pair,
            leg=leg,
            side=Side.BUY if leg is Leg.ENTRY else Side.SELL,
            type=kind,
            amount=amount,
            price=price if kind in (OrderType.LIMIT, OrderType.STOP_LIMIT) else None,
            stop_price=rules.price(price * Decimal("0.9995")) if leg is Leg.STOP else None,
            time_in_force=self.random.choice(["GTC", "GTC", "IOC", "PO"])
            if kind is OrderType.LIMIT
            else "GTC",
            candle_ms=candle_ms,
            attempt=attempt,
            created_ms=now_ms,
        )

    def send(self, intent):
        self.ledger.sending(intent.client_id, self.clock.now_ms())
        try:
            report = self.broker.send(intent)
        except Refused as exc:
            report = OrderReport(
                client_id=intent.client_id,
                exchange_id="",
                pair=intent.pair,
                state=OrderState.REJECTED,
                filled=Decimal(0),
                amount=intent.amount,
                at_ms=self.clock.now_ms(),
                detail=str(exc),
            )
        except AnswerLost:
            return
        except Retryable:
            self.ledger.absent(intent.client_id, self.clock.now_ms())
            return
        self.ledger.take([report], (), self.clock.now_ms())
        if report.filled:
            self.truth.take_fills([intent.pair], self.clock.now_ms())


def main():
    settings, ledger, orders, seed = sys.argv[1:]
    guard()
    trader = Trader(json.loads(Path(settings).read_text("utf-8")), ledger, int(seed))
    try:
        trader.run(int(orders))
    except Contradiction as exc:
        print(f"contradiction: {exc}", file=sys.stderr)  # noqa: T201 - the test shows it
        raise
    finally:
        print(f"heard {trader.heard}", file=sys.stderr)  # noqa: T201 - the test shows it
        trader.market.close()


if __name__ == "__main__":
    main()
