"""The market that the settings ask for, its clock, and where its candles are kept."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from daemon.config.exchange import SECRETS
from daemon.core.clock import FastClock, SystemClock
from daemon.core.errors import ConfigError, Retryable
from daemon.market.ccxt_market import CcxtMarket
from daemon.market.replay import ReplayMarket
from daemon.market.simulated import SimulatedMarket
from daemon.runtime.preparation import FIRST_GUESS
from daemon.runtime.recipe import DAY_MS, HOUR_MS, feature_plan
from daemon.state.silence import SilenceFile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from daemon.config import Settings
    from daemon.core.clock import Clock
    from daemon.core.market import Market
    from daemon.core.pair import Pair
    from daemon.core.timeframe import Timeframe
    from daemon.state.history import PredictionHistory
    from daemon.state.pair_dictionary import PairDictionary

log = logging.getLogger(__name__)

SILENCE = "exchange_silence"
"""File of the state folder: until when the exchange wants no request, ms UTC."""


def strategy_folders(settings: Settings) -> list[Path]:
    """Where the strategy's file is looked for, in order."""
    folders = (settings.strategy_path, settings.user_data_dir / "strategies")
    return [folder for folder in folders if folder is not None]


def recorded_ms(settings: Settings, history: PredictionHistory, book: PairDictionary) -> int:
    """The newest moment of market time in the state folder; 0 if there is none."""
    candles = [history.last_ms(pair) for pair in settings.pairs]
    closes = [ms + settings.timeframe.ms for ms in candles if ms is not None]
    return max([0, *closes, *(entry.trained_timestamp * 1000 for entry in book.entries.values())])


def warn_of_the_future(ahead_ms: int, base: Timeframe) -> None:
    """Say so where nothing can happen before time has caught up with the record."""
    if ahead_ms > base.ms:
        fields = {
            "hours": round(ahead_ms / HOUR_MS, 1),
            "remedy": "another market's or a wrong clock's record: choose another freqai.identifier, or wait",
        }
        log.warning("record_lies_in_the_future", extra={"fields": fields})


def market_clock(settings: Settings, recorded_ms: int) -> Clock:
    """Real time; on the simulated exchange its own time, which goes on from where the record ends.

    Args:
        settings: which market there is.
        recorded_ms: the newest moment of market time in the state folder; 0 if there is none.
    """
    simulated = settings.candled.simulated
    if settings.exchange.name != SimulatedMarket.name:
        return SystemClock()
    if simulated.replay is None and simulated.speed == 1:
        return SystemClock()
    start_ms = simulated.start_ms
    if simulated.replay is not None:
        plan = feature_plan(settings)
        longest = max(plan.timeframes, key=lambda timeframe: timeframe.ms)
        first_ms, _ = ReplayMarket(
            folder=simulated.replay, pairs=settings.pairs, clock=SystemClock()
        ).span_ms()
        start_ms = first_ms + settings.freqai.train_period_days * DAY_MS + FIRST_GUESS * longest.ms
    return FastClock(max(start_ms, recorded_ms), simulated.speed)


def market_of(settings: Settings, clock: Clock) -> Market:
    """The exchange that the settings name.

    Raises:
        ConfigError: there is no such exchange, or nothing to replay.
    """
    exchange, simulated = settings.exchange, settings.candled.simulated
    if exchange.name != SimulatedMarket.name:
        secrets = {name: getattr(exchange, name) for name in SECRETS}
        return CcxtMarket(
            exchange_id=exchange.name,
            ccxt_config=exchange.ccxt_config,
            ccxt_async_config=exchange.ccxt_async_config,
            clock=clock,
            credentials={
                name: value.get_secret_value() for name, value in secrets.items() if value is not None
            },
            memory=SilenceFile(settings.identifier_folder / SILENCE),
            stream=not settings.dry_run,
        )
    if simulated.replay is not None:
        return ReplayMarket(folder=simulated.replay, pairs=settings.feature_pairs, clock=clock)
    return SimulatedMarket(
        pairs=settings.feature_pairs, seed=simulated.seed, clock=clock, base=settings.timeframe
    )


def must_trade(market: Market, pairs: Sequence[Pair]) -> None:
    """Have the simulated exchange trade these pairs as well; another market must trade them already.

    Raises:
        ConfigError: it does not.
    """
    if isinstance(market, SimulatedMarket):
        market.list_too(pairs)
    if not pairs:
        return
    try:
        listed = market.pairs()
    except Retryable:  # it cannot be asked now: who fetches their candles will wait for it, and see
        return
    unknown = [pair for pair in pairs if pair not in listed]
    if unknown:
        raise ConfigError(
            f"exchange.pair_whitelist: {market.name} does not trade {', '.join(unknown)}: take them out"
        )


def candle_folder(settings: Settings) -> Path:
    """Where candle files lie: each simulated market has a folder of its own, lest two histories are mixed."""
    simulated = settings.candled.simulated
    if settings.exchange.name != SimulatedMarket.name:
        return settings.data_folder
    if simulated.replay is not None:
        return settings.data_folder / f"replay-{simulated.replay.resolve().name}"
    return settings.data_folder / f"seed-{simulated.seed}-{settings.timeframe}"
