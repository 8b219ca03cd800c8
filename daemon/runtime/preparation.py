"""Before the first candle: history in memory, the strategy tried on it, its warm-up measured."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from daemon.core.candles import CandleFrame
from daemon.core.errors import ConfigError, StrategyError
from daemon.core.market import CandleKey
from daemon.features.checks import WarmUp, longest_tail, measured_warm_up
from daemon.features.columns import widened
from daemon.features.compute import SPAN, BlockComputer
from daemon.features.labels import label_columns
from daemon.features.plan import BlockKey, Hook
from daemon.features.reading import computed_parts, read_columns
from daemon.runtime.targets import check_targets

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Collection, Mapping, Sequence

    import pandas as pd

    from daemon.core.pair import Pair
    from daemon.features.columns import ReadColumns
    from daemon.features.labels import LabelColumn
    from daemon.features.plan import FeaturePlan
    from daemon.market.feed import Feed
    from daemon.strategy.hooks import Hooks

log = logging.getLogger(__name__)

FIRST_GUESS = 512
"""Candles of warm-up that the first download counts on; a strategy that needs more costs a second one."""
MEASURED_ON = 4096
"""Candles on which the warm-up is measured, at most."""


def candles_since(
    keys: Sequence[CandleKey],
    plan: FeaturePlan,
    now_ms: int,
    train_period_ms: int,
    warm_up: int,
    *,
    nested: bool = False,
) -> dict[CandleKey, int]:
    """Open time of the first candle of each series that the oldest training row needs.

    Args:
        keys: the series.
        plan: which features there are.
        now_ms: market time.
        train_period_ms: length of the training window.
        warm_up: candles before a span that a computation starts at.
        nested: a hook computes features from features, which must reach back to where its own computation starts.
    """
    first_row_ms = plan.base.floor(now_ms) - train_period_ms
    if nested:
        first_row_ms -= (SPAN + warm_up) * plan.base.ms
    return {
        key: key.timeframe.floor(first_row_ms) - (SPAN + warm_up + plan.shifts + 1) * key.timeframe.ms
        for key in keys
    }


def fetch_history(
    feed: Feed,
    keys: Sequence[CandleKey],
    plan: FeaturePlan,
    *,
    now_ms: int,
    train_period_ms: int,
    warm_up: int,
    nested: bool = False,
    stop: threading.Event,
    progress: Callable[[CandleKey, int, int], None] | None,
) -> None:
    """Have every candle in memory that training and prediction need."""
    since = candles_since(keys, plan, now_ms, train_period_ms, warm_up, nested=nested)
    log.info(
        "fetching_candles", extra={"fields": {"series": len(since), "days": train_period_ms // 86_400_000}}
    )
    report = feed.warm_up(since, stop, progress)
    missing = {str(key): why for key, why in report.missing.items()}
    counts = {"candles": sum(report.appended.values()), "requests": report.requests, "gaps": report.gaps}
    log.info("candles_fetched", extra={"fields": {**counts, **({"missing": missing} if missing else {})}})


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the trial of a strategy has measured, and on what.

    Attributes:
        pair: whose candles it was measured on.
        warm_up: candles before a row that its features need; every feature settles within them.
        reads: which of its hooks read columns that others made.
        tails: timeframe -> the longest tail that could be tried: on more candles, another warm-up may be found.
    """

    pair: Pair
    warm_up: int
    reads: ReadColumns
    tails: Mapping[str, int]

    def holds_for(self, pair: Pair, tails: Mapping[str, int]) -> bool:
        """Whether a measurement on these candles could try nothing that was not tried."""
        return pair == self.pair and all(tail <= self.tails.get(name, -1) for name, tail in tails.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What a trial of the strategy has shown.

    Attributes:
        pair: whose candles it was tried on.
        labels: its targets.
        warm_up: candles before a row that its features need.
        reads: which of its hooks read columns that others made.
        measured: what the next start need not measure again; None if some feature never settles, of which every start
            has to tell.
    """

    pair: Pair
    labels: list[LabelColumn]
    warm_up: int
    reads: ReadColumns
    measured: Measured | None


def tried_strategy(
    hooks: Hooks,
    computer: BlockComputer,
    plan: FeaturePlan,
    *,
    pairs: Sequence[Pair],
    model: str,
    feed: Feed,
    extra_returns: Collection[str] = (),
    known: Measured | None = None,
) -> Tried:
    """Try the strategy on the pair with the longest history; on the next one where it fails.

    A strategy that fails with one pair may do its work with the others.

    Args:
        hooks: the strategy.
        computer: calls its feature hooks.
        plan: which features there are.
        pairs: the whitelist.
        model: ``freqaimodel``, which the targets must fit.
        feed: candles.
        extra_returns: names of ``extra_returns_per_train``.
        known: what an earlier trial of the same strategy has measured; the targets are tried all the same.

    Raises:
        StrategyError: it fails with every pair; the first failure is told.
        ConfigError: the exchange has no candles of any of them.
    """
    lengths = {pair: len(feed.frame(CandleKey(pair, plan.base))) for pair in pairs}
    served = sorted((pair for pair in pairs if lengths[pair]), key=lambda pair: -lengths[pair])
    if not served:
        raise ConfigError(
            f"the exchange has no {plan.base} candles of {', '.join(pairs)}: "
            "choose other pairs in exchange.pair_whitelist"
        )
    faults: list[StrategyError] = []
    for pair in served:
        try:
            return _tried(
                hooks, computer, plan, pair, model=model, feed=feed, extra_returns=extra_returns, known=known
            )
        except StrategyError as exc:
            faults.append(exc)
            log.warning("strategy_failed_on_trial", extra={"fields": {"pair": pair, "error": str(exc)}})
    raise faults[0]


def _tried(
    hooks: Hooks,
    computer: BlockComputer,
    plan: FeaturePlan,
    pair: Pair,
    *,
    model: str,
    feed: Feed,
    extra_returns: Collection[str],
    known: Measured | None,
) -> Tried:
    tails = _tails(plan, pair, feed)
    if known is not None and not known.holds_for(pair, tails):
        known = None
    reads = read_columns(hooks, plan, pair, feed.frame) if known is None else known.reads
    if reads.any:
        fields = {"standard": reads.standard, "targets": reads.targets}
        log.info("hooks_read_features", extra={"fields": fields})
    trial = BlockComputer(hooks, plan, computer.warm_up, reads)
    labels = strategy_labels(hooks, trial, plan, pair, feed)
    check_targets(labels, model, extra_returns)
    if known is not None:
        log.info("warm_up_known", extra={"fields": {"candles": known.warm_up}})
        return Tried(pair=pair, labels=labels, warm_up=known.warm_up, reads=reads, measured=known)
    found = strategy_warm_up(trial, plan, pair, feed)
    measured = Measured(pair=pair, warm_up=found.candles, reads=reads, tails=tails)
    return Tried(
        pair=pair,
        labels=labels,
        warm_up=found.candles,
        reads=reads,
        measured=None if found.unsettled else measured,
    )


def strategy_warm_up(computer: BlockComputer, plan: FeaturePlan, pair: Pair, feed: Feed) -> WarmUp:
    """Measure how many candles before a row the strategy's features need, on one pair's history.

    Raises:
        StrategyError: a hook raised.
    """
    keys = [BlockKey(pair, timeframe, Hook.EXPAND) for timeframe in plan.timeframes]
    longest, unsettled = 0, list[str]()
    for key in [*keys, BlockKey(pair, plan.base, Hook.STANDARD)]:
        frame = _newest(feed, key.candles)
        if not len(frame):
            longest = max(longest, computer.warm_up)  # nothing to measure on: better too many than none
            continue
        shown = _shown(computer, plan, key, feed)
        found = measured_warm_up(computer, key, frame, least=longest, shown=shown)
        longest = max(longest, found.candles)
        unsettled += found.unsettled
        if found.unsettled:
            fields = {
                "timeframe": key.timeframe,
                "candles": found.candles,
                "features": list(found.unsettled[:8]),
                "remedy": "these depend on candles however far back: use a window of fixed length",
            }
            log.warning("features_never_settle", extra={"fields": fields})
    log.info("warm_up_measured", extra={"fields": {"candles": longest}})
    return WarmUp(longest, tuple(unsettled))


def _tails(plan: FeaturePlan, pair: Pair, feed: Feed) -> dict[str, int]:
    """How long a tail can be tried on each series of a pair."""
    timeframes = dict.fromkeys([*plan.timeframes, plan.base])
    return {
        str(timeframe): longest_tail(len(_newest(feed, CandleKey(pair, timeframe))))
        for timeframe in timeframes
    }


def strategy_labels(
    hooks: Hooks, computer: BlockComputer, plan: FeaturePlan, pair: Pair, feed: Feed
) -> list[LabelColumn]:
    """The strategy's targets, tried on one pair's newest candles.

    Raises:
        StrategyError: the hook raised, or made no target.
    """
    frame = _newest(feed, CandleKey(pair, plan.base))
    if not computer.reads.targets:
        return label_columns(hooks, pair, frame)
    parts = computed_parts(computer, plan, plan.blocks(pair), partial(_newest, feed))
    return label_columns(hooks, pair, frame, partial(widened, parts, plan.base))


def _shown(
    computer: BlockComputer, plan: FeaturePlan, key: BlockKey, feed: Feed
) -> Callable[[CandleFrame], pd.DataFrame]:
    """What the hook of a block is given for candles on trial."""
    if key.hook is not Hook.STANDARD or not computer.reads.standard:
        return CandleFrame.to_pandas
    parts = computed_parts(computer, plan, plan.expanded(key.pair), partial(_newest, feed))
    return partial(widened, parts, plan.base)


def _newest(feed: Feed, key: CandleKey) -> CandleFrame:
    return feed.frame(key)[-MEASURED_ON:]
