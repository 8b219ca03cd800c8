"""Builds everything that trades, from the settings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from daemon.runtime.account_ledger import account_of_settings, set_aside
from daemon.runtime.trading_broker import broker_of, fee_prices
from daemon.strategy.ports import bind_trading
from daemon.trading.beating import beating
from daemon.trading.callbacks import Callbacks
from daemon.trading.desk import Desk
from daemon.trading.desk_commands import DeskCommands
from daemon.trading.desk_entries import DeskEntries
from daemon.trading.desk_exits import DeskExits
from daemon.trading.desk_fees import DeskFees
from daemon.trading.desk_ground import Ground
from daemon.trading.desk_options import DeskOptions, DeskTerms
from daemon.trading.desk_orders import DeskOrders
from daemon.trading.desk_risk import DeskRisk
from daemon.trading.desk_settling import DeskSettling
from daemon.trading.desk_stops import DeskStops
from daemon.trading.desk_strategy import DeskStrategy
from daemon.trading.desk_truth import DeskTruth
from daemon.trading.desk_view import Showing
from daemon.trading.ledger_files import make_backup
from daemon.trading.live_checks import late_ms
from daemon.trading.reconcile import GRACE_MS
from daemon.trading.rules import trade_rules
from daemon.trading.strategy_market import StrategyMarket
from daemon.trading.strategy_sources import StrategySources

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from daemon.config import Settings
    from daemon.core.candles import CandleFrame
    from daemon.core.clock import Clock
    from daemon.core.market import CandleKey, Market
    from daemon.strategy.loader import LoadedStrategy
    from daemon.trading.broker import Broker
    from daemon.trading.ledger import Ledger
    from daemon.trading.live import LiveBroker
    from daemon.trading.messages import Inbox


def desk_of(
    settings: Settings,
    *,
    ledger: Ledger,
    strategy: LoadedStrategy,
    market: Market,
    frame_of: Callable[[CandleKey], CandleFrame],
    clock: Clock,
    inbox: Inbox,
    stop: threading.Event,
    beat: Callable[[], None],
) -> Desk:
    """Build the desk and what it needs.

    Args:
        settings: the configuration.
        ledger: of this account (`opened_ledger`); the desk closes it in the end.
        strategy: whose callbacks are asked; it is bound to what is traded.
        market: where candles come from.
        frame_of: candles in memory.
        clock: market and real time.
        inbox: the way to the desk.
        stop: set when everything was sold on command.
        beat: called when the exchange has answered, or has not in its time.

    Raises:
        ConfigError: a rule does not fit, or the exchange does not let us trade so.
    """
    rules = trade_rules(settings, strategy.instance)
    known, books = broker_of(settings, rules, market, ledger, frame_of=frame_of, clock=clock)
    broker = beating(known, beat)
    options, late = desk_options(settings), _late_ms(settings, known)
    options = replace(options, grace_ms=max(options.grace_ms, late))
    orders = DeskOrders(ledger, broker, clock=clock, account=account_of_settings(settings), late_ms=late)
    truth = DeskTruth(ledger, broker, orders, clock=clock, options=options, on_paper=settings.dry_run)
    callbacks, balances = Callbacks(strategy), truth.balances
    ground = Ground(ledger, broker, rules=rules, callbacks=callbacks, balances=balances, order_book=books)
    risk = DeskRisk(ledger, settings.candled.risk, settings.stake_currency)
    told = _shown_to(strategy, ledger, broker, ground, clock)
    entries, exits, commands = _deeds(
        settings, ledger, broker, orders, ground=ground, truth=truth, risk=risk, told=told, clock=clock
    )
    return Desk(
        options,
        clock=clock,
        ledger=ledger,
        broker=broker,
        orders=orders,
        exits=exits,
        entries=entries,
        commands=commands,
        truth=truth,
        risk=risk,
        strategy=told,
        fees=DeskFees(ledger, price_at=fee_prices(settings, known), changed=told.after_valued, clock=clock),
        showing=Showing(ledger, settings.stake_currency, ground.closed),
        inbox=inbox,
        backup=lambda ledger, now_ms: make_backup(ledger, now_ms, set_aside),
        stop=stop,
    )


def _shown_to(
    strategy: LoadedStrategy, ledger: Ledger, broker: Broker, ground: Ground, clock: Clock
) -> DeskStrategy:
    """Bind the strategy to what is traded; what tells it of that, and keeps what it writes."""
    sources = StrategySources(ground.rules, broker.name, broker.rules, lambda: ledger.trades(is_open=False))
    bind_trading(
        strategy,
        trades=sources,
        locks=sources,
        account=sources,
        market=StrategyMarket(broker, ground.order_book),
        clock=clock,
    )
    return DeskStrategy(ledger, ground=ground, sources=sources)


def _deeds(
    settings: Settings,
    ledger: Ledger,
    broker: Broker,
    orders: DeskOrders,
    *,
    ground: Ground,
    truth: DeskTruth,
    risk: DeskRisk,
    told: DeskStrategy,
    clock: Clock,
) -> tuple[DeskEntries, DeskExits, DeskCommands]:
    """What opens trades, what looks after them, and what humans may ask for."""
    entries = DeskEntries(ledger, broker, orders, ground=ground, risk=risk, truth=truth, clock=clock)
    stops = DeskStops(ledger, orders, ground=ground, before_close=told.before_close)
    exits = DeskExits(ledger, orders, ground=ground, entries=entries, stops=stops)
    commands = DeskCommands(
        ledger,
        entries=entries,
        exits=exits,
        settling=DeskSettling(ledger, orders, stops=stops, truth=truth),
        truth=truth,
        pairs=settings.pairs,
        may_enter=settings.force_entry_enable,
    )
    return entries, exits, commands


def desk_options(settings: Settings) -> DeskOptions:
    """The part of the settings that decides how often the desk looks."""
    return DeskOptions(
        pairs=settings.pairs,
        base=settings.timeframe,
        stake_currency=settings.stake_currency,
        throttle_s=settings.internals.process_throttle_secs,
        cancel_on_exit=settings.cancel_open_orders_on_exit,
        start=settings.initial_state,
    )


def desk_terms(settings: Settings, strategy: LoadedStrategy) -> DeskTerms:
    """The part of the settings that the desk can change while it runs.

    Raises:
        StrategyError: two rules do not fit together.
    """
    return DeskTerms(
        pairs=settings.pairs,
        watched=settings.pairs,
        rules=trade_rules(settings, strategy.instance),
        limits=settings.candled.risk,
        may_enter=settings.force_entry_enable,
    )


def _late_ms(settings: Settings, broker: Broker) -> int:
    """How long an order whose answer was lost is waited for."""
    chosen = desk_options(settings).late_ms
    if chosen is not None:
        return chosen
    return GRACE_MS if settings.dry_run else late_ms(cast("LiveBroker", broker))
