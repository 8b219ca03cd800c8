"""Builds everything that trades, from the settings."""

from __future__ import annotations

import logging
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, cast

from daemon.core.errors import ConfigError
from daemon.core.market import CandleKey
from daemon.market.ccxt_market import CcxtMarket
from daemon.market.simulated import SimulatedMarket
from daemon.runtime.account_ledger import account_of_settings, set_aside
from daemon.strategy.ports import bind_trading
from daemon.trading.account import stake_of
from daemon.trading.beating import beating
from daemon.trading.broker import Balance
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
from daemon.trading.live_checks import Plan, check_stake, check_start, late_ms
from daemon.trading.orders import ZERO
from daemon.trading.paper import PaperBroker
from daemon.trading.paper_market import CandleMarket
from daemon.trading.prices import Book
from daemon.trading.reconcile import GRACE_MS
from daemon.trading.rules import trade_rules
from daemon.trading.strategy_market import StrategyMarket
from daemon.trading.strategy_sources import StrategySources
from daemon.trading.watched_market import WatchedMarket

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Sequence

    from daemon.config import Settings
    from daemon.core.candles import CandleFrame
    from daemon.core.clock import Clock
    from daemon.core.market import Market
    from daemon.core.pair import Pair
    from daemon.strategy.loader import LoadedStrategy
    from daemon.trading.broker import Broker
    from daemon.trading.ledger import Ledger
    from daemon.trading.live import LiveBroker
    from daemon.trading.messages import Inbox
    from daemon.trading.paper_market import CandleSource, PaperMarket
    from daemon.trading.records import TradeRecord
    from daemon.trading.rules import TradeRules

log = logging.getLogger(__name__)


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
    live = _live(market) if isinstance(market, CcxtMarket) else None
    known = _broker(settings, rules, market, live, ledger, frame_of=frame_of, clock=clock)
    broker = beating(known, beat)
    callbacks = Callbacks(strategy)
    options, late = desk_options(settings), _late_ms(settings, known)
    options = replace(options, grace_ms=max(options.grace_ms, late))
    orders = DeskOrders(ledger, broker, clock=clock, account=account_of_settings(settings), late_ms=late)
    truth = DeskTruth(ledger, broker, orders, clock=clock, options=options, on_paper=settings.dry_run)
    books = _books(known) if live is None else live.order_book
    ground = Ground(
        ledger,
        broker,
        rules=rules,
        callbacks=callbacks,
        balances=truth.balances,
        order_book=books,
    )
    sources = StrategySources(rules, broker.name, broker.rules, lambda: ledger.trades(is_open=False))
    told = DeskStrategy(ledger, ground=ground, sources=sources)
    risk = DeskRisk(ledger, settings.candled.risk, settings.stake_currency)
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
    bind_trading(
        strategy,
        trades=sources,
        locks=sources,
        account=sources,
        market=StrategyMarket(broker, books),
        clock=clock,
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
        fees=DeskFees(ledger, price_at=_price_at(settings, known), changed=told.after_valued, clock=clock),
        showing=Showing(ledger, settings.stake_currency, ground.closed),
        inbox=inbox,
        backup=lambda ledger, now_ms: make_backup(ledger, now_ms, set_aside),
        stop=stop,
    )


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


def _price_at(settings: Settings, broker: Broker) -> Callable[[Pair, int], Decimal | None]:
    """Who knows what a fee in a third currency was worth; on paper there are none."""
    return (lambda _pair, _at_ms: None) if settings.dry_run else cast("LiveBroker", broker).price_at


def check_joining(settings: Settings, rules: TradeRules, desk: Desk, pairs: Sequence[Pair]) -> None:
    """Whether the stake is enough for pairs that join the running daemon, as a start finds out for all.

    Raises:
        ConfigError: it is not.
        Refused: a pair has no price.
        Retryable: the exchange does not answer.
    """
    if settings.dry_run or not pairs:
        return
    broker, held = desk.broker, [trade.record for trade in desk.view.trades]
    free = broker.balances().get(settings.stake_currency, Balance()).free
    terms = {pair: broker.rules(pair) for pair in pairs}
    check_stake(_plan(settings, rules, held), terms, broker.quotes(pairs), free)


def _plan(settings: Settings, rules: TradeRules, held: Iterable[TradeRecord]) -> Plan:
    """What a live start is checked for; ``held``: open trades."""
    return Plan(
        pairs=settings.pairs,
        stake=rules.stake_amount,
        trades=rules.most_trades,
        stake_currency=rules.stake_currency,
        tied_up=sum(map(stake_of, held), ZERO),
        tradable=rules.tradable_balance_ratio,
        reserve=rules.amount_reserve_percent,
        stoploss=Decimal(str(rules.stoploss)),
    )


def _broker(
    settings: Settings,
    rules: TradeRules,
    market: Market,
    live: LiveBroker | None,
    ledger: Ledger,
    *,
    frame_of: Callable[[CandleKey], CandleFrame],
    clock: Clock,
) -> Broker:
    if not settings.dry_run:
        if live is None:
            raise ConfigError(
                f"dry_run is false, but there is no real money on {market.name}: set it to true"
            )
        check_start(live, _plan(settings, rules, ledger.trades(is_open=True)))
        return live
    if isinstance(market, SimulatedMarket):  # a pair may have left the whitelist with a trade open
        market.list_too([trade.pair for trade in ledger.trades(is_open=True)])
    fee = None if settings.fee is None else Decimal(str(settings.fee))
    meets: PaperMarket
    if live is not None:
        meets = WatchedMarket(
            live,
            frame_of=lambda pair: frame_of(CandleKey(pair, settings.timeframe)),
            base=settings.timeframe,
            fee=fee,
        )
    else:
        meets = CandleMarket(cast("CandleSource", market), clock=clock, fee=fee)
    broker = PaperBroker(
        meets,
        clock=clock,
        account=ledger.wallet,
        awaited=lambda: {order.intent.client_id for order in ledger.orders(unsettled=True)},
    )
    broker.restore(ledger.orders(alive=True))
    return broker


def _live(market: CcxtMarket) -> LiveBroker:
    """The orders' side of an exchange's connection: one, for it listens to the account."""
    from daemon.trading.live import LiveBroker  # noqa: PLC0415 - ccxt takes a second, for those who need it only

    return LiveBroker(market)


def _books(broker: Broker) -> Callable[[Pair], Book | None]:
    """The order book of a pair: what its candles let paper orders meet."""

    def book(pair: Pair) -> Book | None:
        if not isinstance(broker, PaperBroker):
            return None
        depth = broker.depth(pair)
        asks, bids = (
            tuple((price, amount or ZERO) for price, amount in side) for side in (depth.asks, depth.bids)
        )
        return Book(bids=bids, asks=asks, at_ms=depth.quote.at_ms)

    return book
