"""Rules, trades and strategies for tests of decisions."""

import copy
import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

from daemon.config import Settings
from daemon.core.pair import Pair
from daemon.strategy.attributes import apply_settings
from daemon.strategy.interface import IStrategy
from daemon.strategy.loader import LoadedStrategy
from daemon.trading.broker import MarketRules
from daemon.trading.callbacks import Callbacks
from daemon.trading.orders import Fill, Intent, Leg, OrderState, OrderType, Side
from daemon.trading.records import OrderRecord, TradeRecord
from daemon.trading.rules import trade_rules
from daemon.trading.strategy_trades import strategy_trade
from daemon.trading.terms import Terms

NOON_MS = 1_767_268_800_000  # 2026-01-01 12:00 UTC
MINUTE_MS = 60_000
A = Pair("A/USDT")
DOCUMENT = {
    "timeframe": "5m",
    "stake_currency": "USDT",
    "strategy": "Plain",
    "exchange": {"name": "simulated", "pair_whitelist": ["A/USDT", "B/USDT"]},
    "freqai": {
        "identifier": "t",
        "train_period_days": 30,
        "feature_parameters": {"include_timeframes": ["5m"]},
    },
}
MARKET = MarketRules(
    amount_step=Decimal("0.001"),
    price_step=Decimal("0.01"),
    maker_fee=Decimal("0.001"),
    taker_fee=Decimal("0.001"),
)


class Plain(IStrategy):
    """A strategy that has a stop-loss and no opinion."""

    stoploss = -0.1


def d(value):
    return Decimal(str(value))


_settings = {}


def settings_of(**config):
    """Settings of `DOCUMENT` with these keys; each is read once."""
    key = json.dumps(config, sort_keys=True)
    if key not in _settings:
        _settings[key] = Settings.model_validate({**copy.deepcopy(DOCUMENT), **config})
    return _settings[key]


def loaded(strategy=Plain, **config):
    """A strategy of a class, as the daemon loads one."""
    instance = strategy(dict(settings_of(**config).raw))
    limits = apply_settings(instance, {})
    return LoadedStrategy(
        name=strategy.__name__,
        instance=instance,
        file=Path(__file__),
        digest="",
        modules=SimpleNamespace(files={}),
        limits=limits,
    )


def rules_of(strategy=Plain, changed=None, **config):
    """Its rules under a configuration; ``changed`` replaces some afterwards."""
    return replace(trade_rules(settings_of(**config), loaded(strategy, **config).instance), **(changed or {}))


def terms_of(strategy=Plain, market=MARKET, changed=None, **config):
    callbacks = Callbacks(loaded(strategy, **config))
    return Terms(rules=rules_of(strategy, changed, **config), market=market, callbacks=callbacks)


def order_of(
    amount,
    price,
    *,
    leg=Leg.ENTRY,
    fills=None,
    state=OrderState.FILLED,
    fee="0.001",
    number=0,
    at_ms=NOON_MS,
    **fields,
):
    """An order that was filled as a whole, unless ``fills`` says how much at which price."""
    side = Side.BUY if leg is Leg.ENTRY else Side.SELL
    parts = [(amount, price)] if fills is None else fills
    name = f"{leg}{number}"
    intent = Intent(
        client_id=name, trade_id=1, pair=A, leg=leg, side=side, type=OrderType.LIMIT, amount=d(amount), price=d(price),
        candle_ms=at_ms, created_ms=at_ms, attempt=number,
    )  # fmt: skip
    made = tuple(
        Fill(
            fill_id=f"{name}-{i}", client_id=name, exchange_id="", pair=A, side=side, amount=d(part), price=d(at),
            at_ms=at_ms, fee=d(part) * d(at) * d(fee), fee_currency="USDT",
        )
        for i, (part, at) in enumerate(parts)
    )  # fmt: skip
    filled = sum((fill.amount for fill in made), Decimal(0))
    values = {
        "intent": intent,
        "state": state,
        "reported": filled,
        "sent_ms": at_ms,
        "changed_ms": at_ms,
        "fills": made,
    }
    return OrderRecord(**{**values, **fields})


def record_of(*orders, **fields):
    """A trade of these orders; without any, of one entry of 1 at 100."""
    values = {
        "trade_id": 1, "pair": A, "opened_ms": NOON_MS, "strategy": "Plain", "timeframe": "5m", "stake_currency": "USDT",
        "orders": orders or (order_of(1, 100),), "dust": Decimal(0),
    }  # fmt: skip
    return TradeRecord(**{**values, **fields})


def trade_of(record, **options):
    return strategy_trade(record, MARKET, **options)
