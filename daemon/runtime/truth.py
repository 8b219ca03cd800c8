"""Does the strategy look ahead? A sample of the truth checks at every start, all of them for ``candled check``."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from daemon.core.errors import ConfigError, StrategyError
from daemon.core.market import CandleKey
from daemon.core.pair import Pair
from daemon.core.timeframe import Timeframe
from daemon.core.words import UNEXAMINED
from daemon.features.examination import MEASURED_ON, Examination
from daemon.features.findings import Finding, TruthFindings, worst_first
from daemon.features.lookahead import Depth
from daemon.features.plan import BlockKey, Hook
from daemon.market.store import CandleStore
from daemon.runtime.explain import fetched
from daemon.runtime.recipe import feature_plan
from daemon.runtime.world import candle_folder, market_clock, recorded_ms, strategy_folders
from daemon.state.folder import StateFolder
from daemon.state.history import PredictionHistory
from daemon.state.pair_dictionary import PairDictionary
from daemon.strategy.hooks import Hooks
from daemon.strategy.loader import load_strategy
from daemon.strategy.ports import bind

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping, Sequence

    from daemon.config import Settings
    from daemon.core.candles import CandleFrame
    from daemon.core.clock import Clock
    from daemon.features.columns import ReadColumns
    from daemon.features.examination import Report
    from daemon.features.plan import FeaturePlan
    from daemon.features.stand_in import Stage
    from daemon.runtime.preparation import Tried

    Frames = dict[CandleKey, CandleFrame]

log = logging.getLogger(__name__)

SAMPLE = Depth(candles=700, moments=10, fewest=6, altered=1, oddities=False)
"""What is looked at at the start, of each block of one pair."""
SAMPLE_S = 1.0
"""Real seconds of the sample, behind which each block is cut no more than ``SAMPLE.fewest`` times."""
WHOLE = Depth()


class TruthGate:
    """Keeps a strategy from entering anything until its sample was taken, and for good if that found something.

    Predictions need not wait for it: the engine takes the sample when it has recorded them and before the strategy is
    asked for signals, or before, when no candle is due.

    Attributes:
        sample: takes the sample; its answer is None if it was told to stop. Unset, nothing opens the gate.
    """

    def __init__(self) -> None:
        self.sample: Callable[[], TruthFindings | None] = lambda: None
        self._findings: TruthFindings | None = None

    @property
    def reason(self) -> str:
        """Why nothing may be entered as far as is known; empty if nothing speaks against it. In any thread."""
        return UNEXAMINED if self._findings is None else self._findings.reason

    def examined(self) -> str:
        """Take the sample if it was not taken yet, by one thread alone; return `reason`."""
        if self._findings is None:
            self._findings = self.sample()
        return self.reason


class _Stopped(Exception):
    """The examination was told to stop."""


def anew(settings: Settings, clock: Clock) -> Callable[[Stage], Hooks]:
    """How another instance of the strategy is made, for an examination."""

    def load(stage: Stage) -> Hooks:
        strategy = load_strategy(settings.strategy, paths=strategy_folders(settings), config=settings.raw)
        bind(strategy, predictions=stage, candles=stage, clock=clock)
        hooks = Hooks(strategy)
        hooks.bot_start()
        return hooks

    return load


def sampled(
    load: Callable[[Stage], Hooks],
    plan: FeaturePlan,
    tried: Tried,
    *,
    frame_of: Callable[[CandleKey], CandleFrame],
    pairs: Sequence[Pair],
    extra_returns: Mapping[str, float | str],
    clock: Clock,
    stop: threading.Event,
    beat: Callable[[], None],
) -> TruthFindings | None:
    """Look for later candles in the features and signals of the pair that the strategy was tried on.

    Args:
        load: loads the strategy anew.
        plan: which features there are.
        tried: what its trial has shown.
        frame_of: candles.
        pairs: the whitelist.
        extra_returns: ``extra_returns_per_train``.
        clock: for how long it may take.
        stop: ends the examination between two cuts.
        beat: called before each cut: slow hooks are no reason to take the thread for one that hangs.

    Returns:
        What was found; it is logged, too. A strategy that raises under examination is found nothing of: where it
        raises live, it gives no signals. None: told to stop before all was looked at.
    """
    ends_s = clock.monotonic_s() + SAMPLE_S

    def enough() -> bool:
        beat()
        if stop.is_set():
            raise _Stopped
        return clock.monotonic_s() >= ends_s

    pair, found = tried.pair, list[Finding]()
    try:
        examination = Examination(
            load,
            plan,
            frame_of,
            pairs=pairs,
            extra=extra_returns,
            enough=enough,
        )
        for key in _own_blocks(plan, pair):
            if len(frame_of(key.candles)):
                report = examination.block(key, tried.reads, SAMPLE, tried.labels)
                found += report.examined.findings
        found += examination.signals(pair, tried.reads, SAMPLE, tried.labels).examined.findings
    except StrategyError as exc:
        log.warning("truth_not_checked", extra={"fields": {"pair": pair, "error": str(exc)}})
    except _Stopped:
        return None
    truth = TruthFindings(findings=worst_first(found))
    _tell(truth)
    return truth


def _tell(truth: TruthFindings) -> None:
    for finding in truth.findings:
        log.error("strategy_not_true", extra={"fields": {"finding": finding.text}})
    if truth.blocks_entries:
        fields = {"why": truth.reason, "remedy": "mend the strategy; `candled check` shows everything"}
        log.error("entries_blocked", extra={"fields": fields})


def checked(
    settings: Settings, pairs: Sequence[Pair], progress: Callable[[str], None] = lambda _text: None
) -> dict[str, Any]:
    """Hold a strategy against all truth checks, on the candles that are stored or can be fetched.

    Args:
        settings: which strategy and market.
        pairs: whose features and signals.
        progress: is told what is looked at next.

    Returns:
        JSON values: strategy, clean, findings (each with its text) and parts: what is known of each block and of
        each pair's signals.

    Raises:
        ConfigError: there are no candles.
        StrategyError: a hook raised.
    """
    plan = feature_plan(settings)
    folder = StateFolder(settings.identifier_folder)
    clock = market_clock(
        settings, recorded_ms(settings, PredictionHistory.read(folder), PairDictionary.read(folder))
    )
    frames: Frames = {}
    examination = Examination(
        anew(settings, clock),
        plan,
        frames.__getitem__,
        pairs=settings.pairs,
        extra=settings.freqai.extra_returns_per_train,
    )
    beside = [CandleKey(Pair(pair), Timeframe(length)) for pair, length in examination.candles_read()]
    progress("candles")
    frames.update(_frames(settings, [*plan.candle_keys(pairs), *beside], clock))
    parts: dict[BlockKey | Pair, dict[str, Any]] = {}
    for pair in pairs:
        if not len(frames[CandleKey(pair, plan.base)]):
            raise ConfigError(
                f"no {plan.base} candles of {pair}: neither in {candle_folder(settings)} nor from "
                f"{settings.exchange.name}"
            )
        reads = examination.reads(pair)
        labels = examination.labels(pair, reads)
        for key in plan.blocks(pair):
            if key in parts or not len(frames[key.candles]):
                continue
            progress(f"{key.candles} {key.hook}")
            report = examination.block(key, reads, WHOLE, labels if key.pair == pair else ())
            parts[key] = _figures(examination.measured(key, reads, report))
        progress(f"{pair} signals")
        report = examination.signals(pair, reads, WHOLE, labels)
        parts[pair] = _figures(report) | {"ignored": _ignored(examination, pair, reads)}
    found = [finding for part in parts.values() for finding in part["findings"]]
    return {
        "strategy": settings.strategy,
        "clean": not found,
        "findings": found,
        "parts": list(parts.values()),
    }


def _ignored(examination: Examination, pair: Pair, reads: ReadColumns) -> list[str]:
    return list(examination.features_of_targets(pair, reads))


def _own_blocks(plan: FeaturePlan, pair: Pair) -> list[BlockKey]:
    return [*plan.expanded(pair), BlockKey(pair, plan.base, Hook.STANDARD)]


def _frames(settings: Settings, keys: Sequence[CandleKey], clock: Clock) -> Frames:
    """The newest stored candles; where a file has too few, those of the exchange, which are not stored."""
    store = CandleStore(candle_folder(settings), lambda _path, _writer: None, lambda path: path)
    keys = list(dict.fromkeys(keys))
    frames = {key: store.read(key) for key in keys}
    if any(len(frame) < MEASURED_ON // 2 for frame in frames.values()):
        now_ms = clock.now_ms()
        since = {key: key.timeframe.floor(now_ms) - MEASURED_ON * key.timeframe.ms for key in keys}
        frame_of = fetched(settings, store, keys, since, clock)
        frames = {key: frame_of(key) for key in keys}
    return {key: frame[-MEASURED_ON:] for key, frame in frames.items()}


def _figures(report: Report) -> dict[str, Any]:
    examined, warm_up, empty = report.examined, report.warm_up, report.empty
    return {
        "place": report.place,
        "part": report.part,
        "candles": report.candles,
        "columns": examined.columns,
        "moments": examined.moments,
        "findings": [finding.figures() for finding in examined.findings],
        "warm_up": None if warm_up is None else warm_up.candles,
        "unsettled": [] if warm_up is None else list(warm_up.unsettled),
        "last_digits": list(examined.last_digits),
        "missing": {} if empty is None else {name: round(share, 6) for name, share in empty.missing.items()},
        "constant": [] if empty is None else list(empty.constant),
        "raised": dict(examined.raised),
    }
