"""A strategy on trial: every block and the signals of one pair, held against the truth checks.

The strategy is loaded anew for a trial, twice: nothing that an instance has seen before may matter, and the
instance that trades is left alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from daemon.core.candles import CandleFrame
from daemon.core.market import CandleKey
from daemon.features.checks import WarmUp, measured_warm_up, unsettled_newest
from daemon.features.columns import handed_on, widened
from daemon.features.compute import BlockComputer
from daemon.features.findings import Fault, Finding, worst_first
from daemon.features.labels import LabelColumn, LabelKind, label_columns
from daemon.features.lookahead import Examined, Subject, examined
from daemon.features.missing import Emptiness, emptiness
from daemon.features.plan import FEATURE, HANDED_ON, BlockKey, Hook
from daemon.features.reading import computed_parts, read_columns
from daemon.features.stand_in import SignalRows, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd

    from daemon.core.pair import Pair
    from daemon.features.columns import ReadColumns
    from daemon.features.compute import BlockRows
    from daemon.features.lookahead import Depth
    from daemon.features.plan import FeaturePlan
    from daemon.strategy.hooks import Hooks

MEASURED_ON = 4096
"""Candles on which the warm-up is measured and missing values are counted, at most."""
LIVE_ROWS = 999
"""Candles of the frame that ``populate_*`` get live (`daemon.runtime.strategy_view.CANDLES`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What is known of one block, or of the signals, of one pair.

    Attributes:
        place: the candles, ``ADA/USDT 5m``.
        part: which hooks: ``expand``, ``standard`` or ``signals``.
        candles: how many were looked at.
        examined: what came out.
        warm_up: how far back the rows look; for the signals, how far their live frame reaches.
        empty: missing and constant columns, by full name; None for the signals.
    """

    place: str
    part: str
    candles: int
    examined: Examined
    warm_up: WarmUp | None = None
    empty: Emptiness | None = None


class Examination:
    """Examines a strategy pair by pair.

    Args:
        load: loads the strategy anew, bound to a stage and started.
        plan: which features there are.
        frame_of: candles.
        pairs: the whitelist.
        extra: extra returns, by name.
        enough: true when time is over.
    """

    def __init__(
        self,
        load: Callable[[Stage], Hooks],
        plan: FeaturePlan,
        frame_of: Callable[[CandleKey], CandleFrame],
        *,
        pairs: Sequence[Pair],
        extra: Mapping[str, float | str] | None = None,
        enough: Callable[[], bool] = lambda: False,
    ) -> None:
        self._plan = plan
        self._frame_of = frame_of
        self._enough = enough
        self._stage = Stage(frame_of, pairs)
        self._stage.extra = extra or {}
        self._hooks, self._others = load(self._stage), load(self._stage)

    def reads(self, pair: Pair) -> ReadColumns:
        """Which hooks read columns that other hooks made; see `read_columns`."""
        return read_columns(self._hooks, self._plan, pair, self._frame_of)

    def candles_read(self) -> list[tuple[str, str]]:
        """Pairs and timeframes that the strategy reads beside its features."""
        return self._hooks.candles_read(self._stage.whitelist())

    def features_of_targets(self, pair: Pair, reads: ReadColumns) -> tuple[str, ...]:
        """Columns with ``%`` that set_freqai_targets makes: features in FreqAI, which may look ahead there.

        Raises:
            StrategyError: the hook raised.
        """
        shown = self._targets_shown(pair, reads)(self._newest(CandleKey(pair, self._plan.base)))
        known = set(shown.columns)
        made = self._hooks.targets(shown, {"pair": str(pair)})
        return tuple(
            name
            for name in made.columns
            if FEATURE in name and name not in known and not name.startswith("&")
        )

    def block(
        self, key: BlockKey, reads: ReadColumns, depth: Depth, labels: Sequence[LabelColumn] = ()
    ) -> Report:
        """Look for later candles in the columns of one block.

        Args:
            key: the block.
            reads: see `reads`.
            depth: how thoroughly.
            labels: the pair's targets over its newest base candles, to name the one that a feature is.

        Raises:
            StrategyError: a hook raised.
        """
        computer, other = (BlockComputer(each, self._plan, 0, reads) for each in (self._hooks, self._others))
        shown = self._shown(computer, key)
        frame = self._frame_of(key.candles)
        subject = Subject(
            call=lambda candles: computer.call(key, candles, shown),
            again=lambda candles: other.call(key, candles, shown),
            place=str(key.candles),
            hook_of=partial(_hook_of, key),
            name_of=partial(_full_name, key),
            longer=[*self._plan.timeframes],
        )
        result = examined(subject, frame, depth, self._enough)
        own = labels if key.timeframe == self._plan.base else ()
        found = [*_named_labels(key, result.full), *_with_labels(result, key, own)]
        return Report(
            place=str(key.candles),
            part=str(key.hook),
            candles=min(len(frame), depth.candles),
            examined=replace(result, findings=worst_first(found)),
        )

    def measured(self, key: BlockKey, reads: ReadColumns, report: Report) -> Report:
        """The report with the block's warm-up, and its missing and constant columns, on all of its candles."""
        computer = BlockComputer(self._hooks, self._plan, 0, reads)
        shown = self._shown(computer, key)
        frame = self._frame_of(key.candles)[-MEASURED_ON:]
        warm_up = measured_warm_up(computer, key, frame, shown=shown)
        empty = emptiness(computer.call(key, frame, shown), warm_up.candles)
        named = partial(_full_name, key)
        return replace(
            report,
            warm_up=WarmUp(warm_up.candles, tuple(map(named, warm_up.unsettled))),
            empty=Emptiness(
                {named(name): share for name, share in empty.missing.items()},
                tuple(map(named, empty.constant)),
            ),
        )

    def labels(self, pair: Pair, reads: ReadColumns) -> list[LabelColumn]:
        """The pair's targets over its newest base candles.

        Raises:
            StrategyError: the hook raised, or made no target.
        """
        frame = self._newest(CandleKey(pair, self._plan.base))
        return label_columns(self._hooks, pair, frame, self._targets_shown(pair, reads))

    def signals(self, pair: Pair, reads: ReadColumns, depth: Depth, labels: Sequence[LabelColumn]) -> Report:
        """Look for later candles in the columns of ``populate_*``, on predictions that are made up.

        Raises:
            StrategyError: a hook raised.
        """
        base = self._plan.base
        self._stage.labels = labels
        self._hand_on(pair, reads)
        mine, others = (SignalRows(each, self._stage, pair, base) for each in (self._hooks, self._others))
        others.words, others.numbers = mine.words, mine.numbers  # the same number for a text
        key = CandleKey(pair, base)
        frame = self._frame_of(key)
        subject = Subject(
            call=mine,
            again=others,
            place=str(key),
            hook_of=lambda _name: "populate_*",
            longer=self._plan.timeframes,
            words=mine.words,
        )
        result = examined(subject, frame, depth, self._enough)
        unsettled = (
            unsettled_newest(mine, frame[-depth.candles :], LIVE_ROWS) if depth.candles > LIVE_ROWS else ()
        )
        return Report(
            place=str(key),
            part="signals",
            candles=min(len(frame), depth.candles),
            examined=replace(result, findings=tuple(_with_labels(result, None, labels))),
            warm_up=WarmUp(LIVE_ROWS, unsettled),
        )

    def _newest(self, key: CandleKey) -> CandleFrame:
        return self._frame_of(key)[-MEASURED_ON:]

    def _targets_shown(self, pair: Pair, reads: ReadColumns) -> Callable[[CandleFrame], pd.DataFrame]:
        """What the targets hook is given for candles."""
        if not reads.targets:
            return CandleFrame.to_pandas
        computer = BlockComputer(self._hooks, self._plan, 0, reads)
        parts = computed_parts(computer, self._plan, self._plan.blocks(pair), self._newest)
        return partial(widened, parts, self._plan.base)

    def _shown(self, computer: BlockComputer, key: BlockKey) -> Callable[[CandleFrame], pd.DataFrame]:
        """What the hook of a block is given for candles."""
        if key.hook is not Hook.STANDARD or not computer.reads.standard:
            return CandleFrame.to_pandas
        parts = computed_parts(computer, self._plan, self._plan.expanded(key.pair), self._newest)
        return partial(widened, parts, self._plan.base)

    def _hand_on(self, pair: Pair, reads: ReadColumns) -> None:
        """Have the features that begin with ``%%`` in the frames of ``populate_*``, computed once and for all."""
        computer = BlockComputer(self._hooks, self._plan, 0, reads)
        parts = [
            part
            for part in computed_parts(computer, self._plan, self._plan.blocks(pair), self._newest)
            if any(name.startswith(HANDED_ON) for name in part.view.names)
        ]
        base = self._plan.base
        self._stage.features = lambda open_ms: {
            name: values
            for part in parts
            for name, values in handed_on(part, part.view.names, base, open_ms).items()
        }


def _hook_of(key: BlockKey, name: str) -> str:
    if key.hook is Hook.STANDARD:
        return "feature_engineering_standard"
    return "feature_engineering_expand_" + ("basic" if name.endswith("_gen") else "all")


def _full_name(key: BlockKey, name: str) -> str:
    return key.column_names((name,), 0)[0].replace(":", "")


def _named_labels(key: BlockKey, rows: BlockRows) -> list[Finding]:
    """Features that are targets by their names: FreqAI would train on them and for them."""
    return [
        Finding(
            fault=Fault.LABEL,
            place=str(key.candles),
            hook=_hook_of(key, name),
            column=_full_name(key, name),
        )
        for name in rows.names
        if "&" in name
    ]


def _with_labels(result: Examined, key: BlockKey | None, labels: Sequence[LabelColumn]) -> list[Finding]:
    """The findings, each with the target whose values its column has."""
    by_name = {name if key is None else _full_name(key, name): i for i, name in enumerate(result.full.names)}
    return [
        replace(found, label=_same_label(result.full.values[:, by_name[found.column]], labels))
        if found.column in by_name
        else found
        for found in result.findings
    ]


def _same_label(column: np.ndarray, labels: Sequence[LabelColumn]) -> str:
    """The target that a column equals wherever both have a value; empty if there is none."""
    for label in labels:
        if label.kind is not LabelKind.NUMBER:
            continue
        n = min(len(column), len(label.numbers))
        one, two = column[-n:].astype(np.float64), label.numbers[-n:]
        both = np.isfinite(one) & np.isfinite(two)
        if both.sum() > n // 2 and np.allclose(one[both], two[both], rtol=1e-5, atol=0):
            return label.name
    return ""
