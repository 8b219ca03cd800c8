"""Which broker the settings ask for, paper or an exchange, and what else is to be known of it."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, cast

from daemon.core.errors import ConfigError
from daemon.core.market import CandleKey
from daemon.market.ccxt_market import CcxtMarket
from daemon.market.simulated import SimulatedMarket
from daemon.trading.account import stake_of
from daemon.trading.broker import Balance
from daemon.trading.live_checks import Plan, check_stake, check_start
from daemon.trading.orders import ZERO
from daemon.trading.paper import PaperBroker
from daemon.trading.paper_market import CandleMarket
from daemon.trading.prices import Book
from daemon.trading.watched_market import WatchedMarket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from daemon.config import Settings
    from daemon.core.candles import CandleFrame
    from daemon.core.clock import Clock
    from daemon.core.market import Market
    from daemon.core.pair import Pair
    from daemon.trading.broker import Broker
    from daemon.trading.desk import Desk
    from daemon.trading.ledger import Ledger
    from daemon.trading.live import LiveBroker
    from daemon.trading.paper_market import CandleSource, PaperMarket
    from daemon.trading.records import TradeRecord
    from daemon.trading.rules import TradeRules

    Books = Callable[[Pair], Book | None]


def broker_of(
    settings: Settings,
    rules: TradeRules,
    market: Market,
    ledger: Ledger,
    *,
    frame_of: Callable[[CandleKey], CandleFrame],
    clock: Clock,
) -> tuple[Broker, Books]:
    """The broker, and who knows its order books.

    Raises:
        ConfigError: there is no trading with real money there, or the exchange does not let us trade so.
    """
    live = _live(market) if isinstance(market, CcxtMarket) else None
    if not settings.dry_run:
        if live is None:
            raise ConfigError(
                f"dry_run is false, but there is no real money on {market.name}: set it to true"
            )
        check_start(live, _plan(settings, rules, ledger.trades(is_open=True)))
        return live, live.order_book
    if isinstance(market, SimulatedMarket):  # a pair may have left the whitelist with a trade open
        market.list_too([trade.pair for trade in ledger.trades(is_open=True)])
    fee = None if settings.fee is None else Decimal(str(settings.fee))
    if live is None:
        broker = _on_paper(CandleMarket(cast("CandleSource", market), clock=clock, fee=fee), ledger, clock)
        return broker, partial(_depth, broker)
    watched = WatchedMarket(
        live,
        frame_of=lambda pair: frame_of(CandleKey(pair, settings.timeframe)),
        base=settings.timeframe,
        fee=fee,
    )
    return _on_paper(watched, ledger, clock), live.order_book


def _on_paper(market: PaperMarket, ledger: Ledger, clock: Clock) -> PaperBroker:
    """The paper broker, with the orders that the ledger has from earlier runs."""
    broker = PaperBroker(
        market,
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


def _depth(broker: PaperBroker, pair: Pair) -> Book:
    """The order book of a pair: what its candles let paper orders meet."""
    depth = broker.depth(pair)
    asks, bids = (
        tuple((price, amount or ZERO) for price, amount in side) for side in (depth.asks, depth.bids)
    )
    return Book(bids=bids, asks=asks, at_ms=depth.quote.at_ms)


def fee_prices(settings: Settings, broker: Broker) -> Callable[[Pair, int], Decimal | None]:
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
