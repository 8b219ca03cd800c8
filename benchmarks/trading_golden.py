"""Decisions of freqtrade on random cases, for tests/trading/golden: run by a Python that has freqtrade.

    PEER_PYTHON benchmarks/trading_golden.py tests/trading/golden

It calls freqtrade's own functions and writes down what they were given and what they answered.
"""

# ruff: noqa: ARG002, ARG005 - parts of freqtrade are taken out of it and asked one by one
import json
import random
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

from freqtrade.enums import ExitType, TradingMode
from freqtrade.exceptions import DependencyException, PricingError
from freqtrade.exchange import Exchange
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import LocalTrade, Order, PairLocks, Trade
from freqtrade.plugins.protectionmanager import ProtectionManager
from freqtrade.strategy import IStrategy
from freqtrade.wallets import Wallets

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TICK, FEE = 0.01, 0.001


def maybe(rng, value, share=0.5):
    return value if rng.random() < share else None


def trade_of(rng, **fields):
    rate = round(rng.uniform(50, 150), 2)
    amount = round(rng.uniform(0.5, 3), 3)
    trade = LocalTrade(
        **{
            "id": 1, "pair": "A/USDT", "base_currency": "A", "stake_currency": "USDT", "exchange": "x",
            "is_open": True, "fee_open": FEE, "fee_close": FEE, "open_rate": rate, "amount": amount,
            "stake_amount": rate * amount, "open_date": NOON, "price_precision": TICK, "precision_mode": 4,
            "precision_mode_price": 4, "amount_precision": 0.001, "contract_size": 1, "leverage": 1.0,
            "trading_mode": TradingMode.SPOT, **fields,
        }
    )  # fmt: skip
    trade.recalc_open_trade_value()
    return trade


class Scripted(IStrategy):
    answers = SimpleNamespace(stop=None, exit=None, roi=None)

    def custom_stoploss(self, *args, after_fill, **kwargs):
        return self.answers.stop

    def custom_exit(self, *args, **kwargs):
        return self.answers.exit

    def custom_roi(self, *args, **kwargs):
        return self.answers.roi

    def populate_indicators(self, dataframe, metadata):
        return dataframe

    populate_entry_trend = populate_exit_trend = populate_indicators


def random_rules(rng):
    positive = maybe(rng, round(rng.uniform(0.005, 0.03), 3))
    only = positive is not None and rng.random() < 0.5
    return {
        "stoploss": round(-rng.uniform(0.02, 0.2), 3),
        "minimal_roi": {str(m): round(rng.uniform(-0.01, 0.08), 3) for m in rng.sample((0, 10, 30, 60, 120), rng.randint(1, 3))},
        "trailing_stop": rng.random() < 0.6,
        "trailing_stop_positive": positive,
        "trailing_stop_positive_offset": round((positive or 0) + rng.uniform(0.005, 0.03), 3) if only or rng.random() < 0.5 else 0.0,
        "trailing_only_offset_is_reached": only,
        "use_custom_stoploss": rng.random() < 0.4,
        "use_custom_roi": rng.random() < 0.3,
        "use_exit_signal": rng.random() < 0.8,
        "exit_profit_only": rng.random() < 0.3,
        "exit_profit_offset": round(rng.uniform(0, 0.02), 3),
        "ignore_roi_if_entry_signal": rng.random() < 0.3,
    }  # fmt: skip


def exits(rng):
    rules = random_rules(rng)
    strategy = Scripted({"dry_run": True})
    for key, value in rules.items():
        table = {int(m): v for m, v in value.items()} if key == "minimal_roi" else value
        setattr(strategy, key, table)
    strategy.order_types = {"stoploss_on_exchange": False}
    trade = trade_of(rng)
    looks, rate, minute = [], trade.open_rate, 0
    case = {"rules": rules, "open_rate": trade.open_rate, "amount": trade.amount, "looks": looks}
    for _ in range(8):
        rate = round(rate * (1 + rng.gauss(0.002, 0.02)), 2)
        minute += rng.randint(1, 30)
        given = {
            "rate": rate, "minute": minute, "enter": rng.random() < 0.2, "leave": rng.random() < 0.2,
            "custom_stoploss": maybe(rng, round(-rng.uniform(0.005, 0.1), 4), 0.7),
            "custom_exit": maybe(rng, "my reason", 0.15), "custom_roi": maybe(rng, round(rng.uniform(0, 0.05), 3)),
        }  # fmt: skip
        strategy.answers = SimpleNamespace(
            stop=given["custom_stoploss"], exit=given["custom_exit"], roi=given["custom_roi"]
        )
        found = strategy.should_exit(
            trade, rate, NOON + timedelta(minutes=minute), enter=given["enter"], exit_=given["leave"]
        )
        looks.append(
            {
                **given,
                "exits": [[exit_.exit_type.value, exit_.exit_reason] for exit_ in found],
                "profit": trade.calc_profit_ratio(rate),
                "stop": trade.stop_loss, "initial": trade.initial_stop_loss, "ratio": trade.stop_loss_pct,
                "trailing": trade.is_stop_loss_trailing, "highest": trade.max_rate, "lowest": trade.min_rate,
            }
        )  # fmt: skip
    return case


def wallets_of(config, free, tied, profit):
    wallets = Wallets.__new__(Wallets)
    wallets._config, wallets._stake_currency, wallets._is_backtest = config, "USDT", True
    wallets.get_free = lambda currency: free
    return wallets, patch.multiple(
        Trade, total_open_trades_stakes=lambda: tied, get_total_closed_profit=lambda: profit
    )


def stakes(rng):
    config = {
        "stake_currency": "USDT",
        "stake_amount": "unlimited" if rng.random() < 0.5 else round(rng.uniform(20, 600), 2),
        "tradable_balance_ratio": rng.choice((0.99, 0.5, 1.0)),
        "amend_last_stake_amount": rng.random() < 0.5,
        "last_stake_amount_min_ratio": rng.choice((0.5, 0.2, 0.9)),
        "amount_reserve_percent": rng.choice((0.05, 0.0, 0.2)),
        "max_open_trades": rng.randint(1, 6),
    }
    if rng.random() < 0.3:
        config["available_capital"] = round(rng.uniform(100, 1500), 2)
    free, tied, profit = (round(rng.uniform(*span), 2) for span in ((0, 1500), (0, 800), (-100, 100)))
    tied = 0.0 if rng.random() < 0.3 else tied
    wallets, patched = wallets_of(config, free, tied, profit)
    limits = {
        "cost": {"min": maybe(rng, rng.choice((5.0, 10.0, 50.0)), 0.8), "max": maybe(rng, 300.0, 0.3)},
        "amount": {"min": maybe(rng, 0.1, 0.8), "max": maybe(rng, 5.0, 0.3)},
    }
    price, stoploss = round(rng.uniform(20, 150), 2), -rng.choice((0.05, 0.1, 0.5, 0.99, 1.0))
    wanted, already = round(rng.uniform(-5, 400), 2), rng.choice((0.0, 0.0, 120.0))
    exchange = Exchange.__new__(Exchange)
    exchange._config, exchange._markets = config, {"A/USDT": {"limits": limits}}
    with patched, patch.object(Exchange, "markets", exchange._markets), \
         patch.object(Exchange, "_contracts_to_amount", lambda self, pair, value: value), \
         patch.object(Exchange, "_get_max_notional_from_tiers", lambda self, pair, leverage: None), \
         patch.object(Exchange, "close", lambda self: None):  # fmt: skip
        least = exchange.get_min_pair_stake_amount("A/USDT", price, stoploss)
        most = exchange.get_max_pair_stake_amount("A/USDT", price)
        try:
            proposed = wallets.get_trade_stake_amount("A/USDT", config["max_open_trades"], update=False)
        except DependencyException:
            proposed = None
        fitted = wallets.validate_stake_amount("A/USDT", wanted, least, most, already)
        answers = {
            "total": wallets.get_total_stake_amount(), "available": wallets.get_available_stake_amount(),
            "starting": wallets.get_starting_balance(), "proposed": proposed, "least": least,
            "most": None if most == float("inf") else most, "fitted": fitted,
        }  # fmt: skip
    return {
        "config": config, "free": free, "tied": tied, "profit": profit, "limits": limits, "price": price,
        "stoploss": stoploss, "wanted": wanted, "already": already, **answers,
    }  # fmt: skip


def prices(rng):
    bid = round(rng.uniform(90, 100), 2)
    ask, last = round(bid + rng.uniform(0.01, 1), 2), round(bid + rng.uniform(-1, 2), 2)
    pricing = {
        "price_side": rng.choice(("same", "other", "bid", "ask")), "price_last_balance": rng.choice((0.0, 0.5, 1.0)),
        "use_order_book": rng.random() < 0.4, "order_book_top": rng.randint(1, 4),
    }  # fmt: skip
    book = {
        "bids": [[round(bid - i * 0.05, 2), 1.0] for i in range(3)],
        "asks": [[round(ask + i * 0.05, 2), 1.0] for i in range(3)],
    }
    side = rng.choice(("entry", "exit"))
    exchange = Exchange.__new__(Exchange)
    exchange._config = {f"{side}_pricing": pricing}
    exchange._entry_rate_cache, exchange._exit_rate_cache = {}, {}
    exchange._cache_lock = __import__("threading").Lock()
    ticker = {"bid": bid, "ask": ask, "last": last}
    with patch.object(Exchange, "close", lambda self: None):
        try:
            rate = exchange.get_rate("A/USDT", True, side, False, order_book=book, ticker=ticker)
        except PricingError:
            rate = None
        del exchange
    custom, distance = round(rng.uniform(90, 110), 2), rng.choice((0.02, 0.0, 0.05))
    bot = SimpleNamespace(config={"custom_price_max_distance_ratio": distance})
    return {
        "side": side, "pricing": pricing, "book": book, **ticker, "rate": rate, "custom": custom,
        "distance": distance, "bounded": FreqtradeBot.get_valid_price(bot, custom, bid),
    }  # fmt: skip


def protections(rng):
    methods = {
        "CooldownPeriod": {},
        "StoplossGuard": {"trade_limit": rng.randint(1, 3), "required_profit": rng.choice((0.0, -0.02)), "only_per_pair": rng.random() < 0.4},
        "MaxDrawdown": {"trade_limit": rng.randint(1, 3), "max_allowed_drawdown": rng.choice((0.02, 0.1)), "calculation_mode": rng.choice(("ratios", "equity"))},
        "LowProfitPairs": {"trade_limit": rng.randint(1, 3), "required_profit": rng.choice((0.0, 0.02))},
    }  # fmt: skip
    settings = []
    for method in rng.sample(list(methods), rng.randint(1, 3)):
        stop = rng.choice(({"stop_duration": 33}, {"stop_duration_candles": 4}, {"unlock_at": "12:30"}, {}))
        look = rng.choice(({"lookback_period": 90}, {"lookback_period_candles": 12}, {}))
        settings.append({"method": method, **methods[method], **stop, **look})
    trades, rows = [], []
    for _ in range(rng.randint(1, 6)):
        row = {
            "pair": rng.choice(("A/USDT", "B/USDT")), "minutes_ago": rng.randint(0, 150),
            "profit": round(rng.gauss(-0.01, 0.03), 4), "profit_abs": round(rng.gauss(-2, 6), 3),
            "reason": rng.choice(("stop_loss", "trailing_stop_loss", "roi", "exit_signal")),
        }  # fmt: skip
        closed = NOON - timedelta(minutes=row["minutes_ago"])
        trades.append(
            trade_of(
                rng, pair=row["pair"], is_open=False, close_date=closed, close_profit=row["profit"],
                close_profit_abs=row["profit_abs"], exit_reason=row["reason"],
            )
        )  # fmt: skip
        rows.append(row)
    PairLocks.use_db, PairLocks.timeframe, PairLocks.locks = False, "5m", []
    LocalTrade.bt_trades, LocalTrade.bt_trades_open, Trade.use_db = trades, [], False
    manager = ProtectionManager({"timeframe": "5m"}, settings)
    manager.stop_per_pair("A/USDT", NOON, "long", 1000.0)
    manager.global_stop(NOON, "long", 1000.0)
    locks = [
        [lock.pair, int((lock.lock_end_time.replace(tzinfo=UTC) - NOON).total_seconds()), lock.side]
        for lock in PairLocks.locks
    ]
    return {"settings": settings, "trades": rows, "locks": locks}


def positions(rng):
    """Orders filled in turn; amounts on the step, so that nothing is lost by rounding."""
    trade = trade_of(rng)
    Trade.use_db = False
    held, rows, rate = 0.0, [], trade.open_rate
    for i in range(rng.randint(1, 5)):
        rate = round(rate * (1 + rng.gauss(0, 0.03)), 2)
        sell = i > 0 and held > 0 and rng.random() < 0.5
        last = sell and rng.random() < 0.4
        amount = round(held if last else rng.uniform(0.1, 0.5) * held if sell else rng.uniform(0.5, 2), 3)
        held = round(held - amount if sell else held + amount, 3)
        side = "sell" if sell else "buy"
        rows.append({"side": side, "amount": amount, "price": rate})
        trade.orders.append(
            Order(
                order_id=str(i), ft_order_side=side, ft_pair="A/USDT", ft_is_open=False, ft_amount=amount,
                ft_price=rate, status="closed", side=side, price=rate, average=rate, amount=amount, filled=amount,
                remaining=0.0, cost=amount * rate, order_date=NOON, order_filled_date=NOON, funding_fee=0.0,
            )
        )  # fmt: skip
        trade.recalc_trade_from_orders()
        if held == 0:
            trade.close(rate, show_msg=False)
            break
    at = round(rate * 1.01, 2)
    return {
        "orders": rows, "is_open": trade.is_open, "amount": trade.amount, "stake_amount": trade.stake_amount,
        "max_stake_amount": trade.max_stake_amount, "open_rate": trade.open_rate,
        "realized_profit": trade.realized_profit, "close_profit": trade.close_profit,
        "close_profit_abs": trade.close_profit_abs, "at": at, "profit_ratio": trade.calc_profit_ratio(at),
        "profit": trade.calculate_profit(at)._asdict() if hasattr(trade.calculate_profit(at), "_asdict") else vars(trade.calculate_profit(at)),
        "close_rate_for_roi": trade.calc_close_rate_for_roi(0.05) if trade.is_open else None,
        "entries": trade.nr_of_successful_entries, "exits": trade.nr_of_successful_exits,
    }  # fmt: skip


def main():
    folder = Path(sys.argv[1])
    assert ExitType.ROI.value == "roi"
    for maker, count in ((exits, 50), (stakes, 120), (prices, 80), (protections, 60), (positions, 50)):
        rng = random.Random(maker.__name__)
        cases = [maker(rng) for _ in range(count)]
        (folder / f"{maker.__name__}.json").write_text(
            json.dumps(cases, indent=None, separators=(",", ":")) + "\n"
        )
        print(maker.__name__, len(cases))


if __name__ == "__main__":
    main()
