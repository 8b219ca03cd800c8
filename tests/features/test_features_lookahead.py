"""Planted leaks are found and named; strategies without one raise none."""

import importlib.util
import os
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from desk import BASE, NOW_MS, PAIRS, STRATEGIES, strategy_config

from daemon.core.candles import CandleFrame
from daemon.core.timeframe import Timeframe
from daemon.features.compute import BlockRows
from daemon.features.examination import Examination
from daemon.features.findings import Fault
from daemon.features.lookahead import Depth, Subject, examined
from daemon.features.plan import BlockKey, FeaturePlan, Hook
from daemon.runtime.truth import SAMPLE
from daemon.strategy.hooks import Hooks
from daemon.strategy.loader import load_strategy
from daemon.strategy.ports import bind

SOL = PAIRS[2]
PLAN = FeaturePlan(base=BASE, timeframes=(BASE,), correlated=(), periods=(10,), shifts=1)
NESTED = FeaturePlan(
    base=BASE, timeframes=(BASE, Timeframe("15m")), correlated=PAIRS[:1], periods=(10,), shifts=1
)
DEEP = Depth(candles=700, moments=20, altered=1)
BASIC, STANDARD = "%-leak_gen_SOL/USDT_5m", "%-leak"
EXPANDED = "%-leak-period_10_SOL/USDT_5m"
LEAKS = {
    "ShiftedBack": BASIC,
    "CentredRolling": EXPANDED,
    "FullFrameNormalisation": BASIC,
    "WrongResampleLabel": STANDARD,
    "OpenHigherCandle": STANDARD,
    "FilledBackwards": EXPANDED,
    "Pivots": BASIC,
    "LastRowBroadcast": BASIC,
    "DayTransform": STANDARD,
    "FittedScaler": BASIC,
    "LabelAsFeature": STANDARD,
}
CLEAN = [
    *("Plain", "Classes", "Mixed", "SumFromTheStart"),
    *("EveryHook", "ReadsExpanded", "ReadsForTargets", "HandsOn"),
    *("CandledExampleStrategy", "CandledExampleClassifier"),
]


@pytest.fixture
def examination(candles):
    """examination(name, plan, paths): an examination of a strategy, over the simulated market's candles."""

    def made(name, plan=PLAN, paths=(STRATEGIES,)):
        config = strategy_config(
            include_timeframes=[str(timeframe) for timeframe in plan.timeframes],
            include_corr_pairlist=[str(pair) for pair in plan.correlated],
        )

        def load(stage):
            strategy = load_strategy(name, paths=paths, config=config)
            bind(strategy, predictions=stage, candles=stage)
            return Hooks(strategy)

        return Examination(load, plan, cache(lambda key: candles(key, NOW_MS, 15)), pairs=PAIRS)

    return made


def reports(trial, depth, plan=PLAN):
    reads = trial.reads(SOL)
    labels = trial.labels(SOL, reads)
    for key in [*plan.expanded(SOL), BlockKey(SOL, BASE, Hook.STANDARD)]:
        yield trial.block(key, reads, depth, labels)
    yield trial.signals(SOL, reads, depth, labels)


def findings(trial, depth, plan=PLAN):
    return [found for report in reports(trial, depth, plan) for found in report.examined.findings]


@pytest.mark.parametrize("depth", [DEEP, SAMPLE], ids=["whole", "sample"])
@pytest.mark.parametrize(("name", "column"), LEAKS.items())
def test_a_planted_leak_is_found_and_named_and_nothing_else(examination, name, column, depth):
    (found,) = findings(examination(name), depth)
    assert (found.fault, found.column) == (Fault.LOOKS_AHEAD, column)
    assert found.candle_ms <= found.known_ms < NOW_MS
    assert found.text.startswith(f"{column} (feature_engineering_")
    assert f"SOL/USDT 5m) looks ahead: at candle 2025-12-{found.text.split('2025-12-')[1][:8]}" in found.text


def test_a_sum_from_the_first_candle_on_is_named_by_the_warm_up(examination):
    trial = examination("SumFromTheStart")
    key, reads = BlockKey(SOL, BASE, Hook.EXPAND), trial.reads(SOL)
    report = trial.measured(key, reads, trial.block(key, reads, SAMPLE))
    assert report.examined.findings == ()
    assert report.warm_up.unsettled == (BASIC,)


def test_the_target_that_a_feature_is_made_of_is_named(examination):
    (found,) = findings(examination("LabelAsFeature"), SAMPLE)
    assert found.label == "&-s_close"
    assert found.text.endswith("its values are those of the target &-s_close")


@pytest.mark.parametrize("name", CLEAN)
def test_a_strategy_that_looks_back_only_raises_nothing(examination, name):
    nested = name in {"EveryHook", "ReadsExpanded", "ReadsForTargets", "HandsOn"}
    plan = NESTED if nested else PLAN
    for report in reports(examination(name, plan), Depth(candles=700, moments=20, fewest=20), plan):
        assert report.examined.findings == ()
        assert report.examined.last_digits == ()
        assert report.examined.moments >= 20


def template_folders():
    named = os.environ.get("CANDLED_FREQTRADE_TEMPLATES")
    if named:
        return [Path(folder) for folder in named.split(os.pathsep)]
    spec = importlib.util.find_spec("freqtrade")
    return [Path(spec.origin).parent / "templates"] if spec and spec.origin else []


@pytest.mark.parametrize("name", ["FreqaiExampleStrategy", "FreqaiExampleHybridStrategy"])
def test_freqtrades_own_examples_raise_nothing(examination, name):
    folders = template_folders()
    if not any((folder / f"{name}.py").is_file() for folder in folders):
        pytest.skip("freqtrade's example strategies are not on this machine")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # theirs
        assert findings(examination(name, paths=folders), DEEP) == []


@pytest.mark.parametrize("name", ["KeptScaler", "Noise"])
def test_state_between_calls_and_chance_are_found(examination, name):
    (found,) = findings(examination(name), SAMPLE)
    assert (found.fault, found.column) == (Fault.UNSTEADY, BASIC)
    assert "computed again on the same candles" in found.text


def test_what_is_filled_in_backwards_where_nothing_was_traded_is_found(examination):
    (found,) = findings(examination("HoleFilledBackwards"), DEEP)
    assert (found.column, found.without) == (BASIC, pytest.approx(np.nan, nan_ok=True))
    assert "missing when" in found.text


def test_a_feature_with_the_name_of_a_target_is_refused(examination):
    (found,) = findings(examination("NamedAsTarget"), SAMPLE)
    assert (found.fault, found.column) == (Fault.LABEL, "&-leak_%_gen_SOL/USDT_5m")


@pytest.mark.parametrize(("name", "column"), [("SignalAhead", "enter_long"), ("MergedTooEarly", "leak")])
@pytest.mark.parametrize("depth", [DEEP, SAMPLE], ids=["whole", "sample"])
def test_signals_that_change_with_later_candles_are_found(examination, name, column, depth):
    (found,) = findings(examination(name), depth)
    assert (found.fault, found.hook, found.column) == (Fault.LOOKS_AHEAD, "populate_*", column)


def test_last_digits_of_a_computation_over_all_rows_are_told_apart(examination):
    report = next(reports(examination("Convolved"), DEEP))
    assert report.examined.findings == ()
    assert report.examined.last_digits == ("%-mean_change_gen_SOL/USDT_5m",)


def rows_of(frame, values):
    return BlockRows(("%-x",), np.asarray(values, np.float32).reshape(len(frame), 1))


@pytest.fixture
def frame(candles, base_key):
    return candles(base_key)[-400:]


def search(call, frame, **changes):
    subject = Subject(call=call, again=None, place="SOL/USDT 5m", hook_of=lambda _name: "hook")
    return examined(subject, frame, Depth(candles=400, moments=20, fewest=4, **changes))


def test_one_row_of_one_column_that_changes_is_enough(frame):
    odd_ms = int(frame.open_ms[123])

    def call(candles):  # the row knows whether the frame's last candle is there
        return rows_of(candles, (candles.open_ms == odd_ms) & (candles.open_ms[-1] == frame.open_ms[-1]))

    (found,) = search(call, frame, altered=0).findings
    assert (found.candle_ms, found.with_later, found.without, found.share) == (odd_ms, 1.0, 0.0, 1.0)


def test_by_how_much_a_row_changes_is_measured_on_other_candles_where_none_leave_no_value(frame):
    def call(candles):
        return rows_of(candles, np.append(candles.close[1:], np.nan))

    (cut,) = search(call, frame, altered=0).findings
    assert (cut.followed, np.isnan(cut.without), cut.share) == (False, True, np.inf)
    (found,) = search(call, frame, altered=1).findings
    assert found.followed
    assert 0.1 < found.share < np.inf
    assert "is followed by other candles, " in found.text


def test_time_that_is_over_leaves_the_fewest_cuts(frame):
    subject = Subject(
        call=lambda candles: rows_of(candles, candles.close),
        again=None,
        place="",
        hook_of=str,
    )
    depth = Depth(candles=400, moments=20, fewest=4, altered=0, oddities=False)
    assert examined(subject, frame, depth, lambda: True).moments == 4
    assert examined(subject, frame, depth).moments == 20


def test_columns_that_come_with_later_candles_are_found(frame):
    def call(candles):
        names = ("%-a", "%-b") if len(candles) > 300 else ("%-a",)
        return BlockRows(names, np.ones((len(candles), len(names)), np.float32))

    assert [found.column for found in search(call, frame, altered=0).findings] == ["%-b"]


def test_a_frame_of_two_candles_tells_nothing_and_breaks_nothing():
    frame = CandleFrame.from_rows([[300_000 * i, 1, 1, 1, 1, 1] for i in range(2)])
    assert search(lambda candles: rows_of(candles, candles.close), frame).moments == 0
