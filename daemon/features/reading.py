"""Which of a strategy's hooks read columns that other hooks made: found out by calling them with and without."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from daemon.core.candles import CandleFrame
from daemon.core.errors import StrategyError
from daemon.core.market import CandleKey
from daemon.features.block import BlockView
from daemon.features.columns import Part, ReadColumns, widened
from daemon.features.compute import BlockComputer
from daemon.features.plan import FEATURE, Hook

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from daemon.core.pair import Pair
    from daemon.features.plan import BlockKey, FeaturePlan
    from daemon.strategy.hooks import Hooks

TRIED_ON = 512
"""Candles of each series on which the hooks are tried: what a hook reads does not depend on how many there are."""


def read_columns(
    hooks: Hooks, plan: FeaturePlan, pair: Pair, frame_of: Callable[[CandleKey], CandleFrame]
) -> ReadColumns:
    """Try the standard hook and the targets hook of a strategy on one pair.

    A hook reads the columns if it raises without them, or makes other columns or other values.

    Args:
        hooks: the strategy.
        plan: which features there are.
        pair: whose candles the trial is made on.
        frame_of: candles; the newest `TRIED_ON` of each series are used.

    Raises:
        StrategyError: a hook raises either way, or writes over columns that it reads, or drops them.
    """

    def newest(key: CandleKey) -> CandleFrame:
        return frame_of(key)[-TRIED_ON:]

    frame, metadata = newest(CandleKey(pair, plan.base)), {"pair": str(pair)}
    computer = BlockComputer(hooks, plan, 0, ReadColumns(standard=True, targets=True))
    own = computed_parts(computer, plan, plan.expanded(pair), newest)
    name, hook = "feature_engineering_standard", partial(_called, hooks.standard, metadata)
    shown = widened(own, plan.base, frame)
    standard = hooks.overrides(name) and _reads(name, hook, FEATURE, frame.to_pandas(), shown)
    computer.reads = ReadColumns(standard=standard, targets=True)
    every = computed_parts(computer, plan, plan.blocks(pair), newest)
    name, hook = "set_freqai_targets", partial(_called, hooks.targets, metadata)
    targets = _reads(name, hook, "&", frame.to_pandas(), widened(every, plan.base, frame))
    return ReadColumns(standard=standard, targets=targets)


def computed_parts(
    computer: BlockComputer,
    plan: FeaturePlan,
    keys: Sequence[BlockKey],
    frame_of: Callable[[CandleKey], CandleFrame],
) -> list[Part]:
    """Blocks over whole series, each computed from its first candle on: for trials, not for models.

    Args:
        computer: calls the hooks.
        plan: which features there are.
        keys: the blocks; a pair's expanded ones before its standard one. Series without candles are left out.
        frame_of: candles.

    Raises:
        StrategyError: a hook raised.
    """
    parts: list[Part] = []
    for key in keys:
        frame = frame_of(key.candles)
        if not len(frame):
            continue
        beside = key.hook is Hook.STANDARD and computer.reads.standard
        shown = partial(widened, tuple(parts), plan.base) if beside else CandleFrame.to_pandas
        rows = computer.call(key, frame, shown)
        parts.append(Part(key, BlockView(rows.names, frame.open_ms, rows.values), plan.shifts_of(key)))
    return parts


def _reads(
    name: str,
    hook: Callable[[pd.DataFrame], pd.DataFrame | StrategyError],
    mark: str,
    bare_frame: pd.DataFrame,
    shown: pd.DataFrame,
) -> bool:
    bare, wide = hook(bare_frame), hook(shown.copy(deep=False))
    if isinstance(wide, StrategyError):
        if isinstance(bare, StrategyError):
            raise wide
        return False
    _refuse_writing(name, shown, wide)
    if isinstance(bare, StrategyError):
        return True
    known = frozenset(shown.columns)
    before = _made(bare, mark, frozenset())
    return before != _made(wide, mark, known) or not all(bare[name].equals(wide[name]) for name in before)


def _called(
    hook: Callable[[pd.DataFrame, dict[str, str]], pd.DataFrame],
    metadata: dict[str, str],
    frame: pd.DataFrame,
) -> pd.DataFrame | StrategyError:
    try:
        return hook(frame, metadata)
    except StrategyError as exc:
        return exc


def _made(frame: pd.DataFrame, mark: str, known: frozenset[str]) -> list[str]:
    names = [str(name) for name in frame.columns if mark in str(name) and name not in known]
    return list(dict.fromkeys(names))


def _refuse_writing(name: str, shown: pd.DataFrame, made: pd.DataFrame) -> None:
    for column in shown.columns:
        if FEATURE not in str(column):
            continue
        if column not in made.columns:
            raise StrategyError(
                f"{name} drops {column!r}: a feature that is not wanted must not be made by the hook that makes it"
            )
        if not shown[column].equals(made[column]):
            raise StrategyError(
                f"{name} writes over {column!r}, which another hook has made: "
                "give the changed feature a name of its own"
            )
