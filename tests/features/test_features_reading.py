import numpy as np
import pytest
from desk import BASE, DAY_MS, NOW_MS, PAIRS

from daemon.core.candles import CandleFrame
from daemon.core.errors import StrategyError
from daemon.core.market import CandleKey
from daemon.core.pair import Pair
from daemon.core.prediction import Reason
from daemon.core.timeframe import Timeframe
from daemon.features.block import BlockView
from daemon.features.columns import Part, ReadColumns, widened
from daemon.features.compute import SPAN, BlockComputer
from daemon.features.plan import BlockKey, Hook
from daemon.features.reading import read_columns
from daemon.features.rows import LiveRow, NoRow
from daemon.features.store import FeatureStore

SOL, QUARTER = PAIRS[2], Timeframe("15m")
WARM_UP = 64


@pytest.fixture
def reading(hooks, plan, candles):
    """reading(strategy, until_ms, days, frame_of): a store for what the trial of the strategy found."""

    def built(strategy="ReadsExpanded", until_ms=NOW_MS, days=20, frame_of=None):
        loaded = hooks(strategy)
        reads = read_columns(loaded, plan, SOL, candles)
        frames = frame_of or (lambda key: candles(key, until_ms, days))
        return FeatureStore(plan, BlockComputer(loaded, plan, WARM_UP, reads), frames)

    return built


def live(store, close_ms):
    for key in store.plan.blocks(SOL):
        store.advance(key, close_ms)
    return store.live_row(SOL, close_ms)


@pytest.mark.parametrize(
    ("strategy", "standard", "targets"),
    [
        ("Quiet", False, False),
        ("Plain", False, False),
        ("ReadsExpanded", True, False),
        ("ReadsWherePresent", True, False),
        ("ReadsForTargets", True, True),
    ],
)
def test_the_trial_finds_which_hooks_read_columns(hooks, plan, candles, strategy, standard, targets):
    found = read_columns(hooks(strategy), plan, SOL, candles)
    assert found == ReadColumns(standard=standard, targets=targets)


@pytest.mark.parametrize(
    ("strategy", "words"),
    [
        ("WritesOver", r"standard writes over '%-rsi-period_10_SOL/USDT_5m', which another hook has made"),
        ("Drops", r"standard drops '%-rsi-period_10_SOL/USDT_5m'"),
        ("BrokenStandard", "no_such_column"),
    ],
)
def test_what_a_hook_must_not_do_with_them_is_said(hooks, plan, candles, strategy, words):
    with pytest.raises(StrategyError, match=words):
        read_columns(hooks(strategy), plan, SOL, candles)


def test_a_hook_that_drops_them_later_is_an_error_too(hooks, plan, candles, base_key):
    computer = BlockComputer(hooks("Drops"), plan, WARM_UP, ReadColumns(standard=True))
    store = FeatureStore(plan, computer, candles)
    with pytest.raises(StrategyError, match=r"drops '%-rsi-period_10_SOL/USDT_5m': a feature"):
        store.matrix(SOL, candles(base_key)[-50:].open_ms)


def test_the_hook_sees_the_columns_of_its_pair_as_of_each_candle(reading, candles, base_key):
    times = candles(base_key).between(NOW_MS - DAY_MS, NOW_MS).open_ms
    matrix = reading().matrix(SOL, times)
    column = dict(zip(matrix.schema.names, matrix.values.T, strict=True))
    now, later = (column[f"%-ema-period_10_SOL/USDT_{tf}"].astype(np.float64) for tf in ("5m", "15m"))
    assert column["%-distance"] == pytest.approx(now / later - 1, abs=3e-7)
    smooth, before = column["%-smooth"], column["%-rsi-period_10_shift-1_SOL/USDT_5m"]
    assert smooth[1:] == pytest.approx(0.2 * before[1:] + 0.8 * smooth[:-1], rel=1e-5)


def test_features_of_features_keep_the_digits_that_float32_has_not(reading, candles, base_key):
    frame = candles(base_key)[-400:]
    shown = reading("ReadsForTargets").widened(SOL, frame)
    assert (shown["%-raw_price_gen_SOL/USDT_5m"].to_numpy() == frame.close).all()


def test_live_rows_are_bit_equal_to_training_rows(reading, candles, base_key):
    times = candles(base_key).between(NOW_MS - 5 * DAY_MS, NOW_MS).open_ms
    matrix = reading().matrix(SOL, times)
    assert matrix.values.dtype == np.float32
    spans = times // (SPAN * BASE.ms)
    assert len(set(spans.tolist())) > 1
    edge = int(np.flatnonzero(np.diff(spans))[-1])
    for i in (0, edge, edge + 1, len(times) - 2, len(times) - 1):
        close_ms = int(times[i]) + BASE.ms
        row = live(reading(until_ms=close_ms), close_ms)
        assert isinstance(row, LiveRow)
        assert row.values.dtype == np.float32
        assert row.schema == matrix.schema
        assert row.values.tobytes() == matrix.values[i].tobytes()


def test_a_higher_timeframes_candle_that_comes_in_late_changes_the_rows_it_belongs_to(
    reading, candles, base_key
):
    late_ms = QUARTER.newest_closed(NOW_MS)
    shown = {"until_ms": late_ms}

    def frame_of(key):
        frame = candles(key)
        return frame.between(0, shown["until_ms"] - 1) if key.timeframe == QUARTER else frame

    store = reading(frame_of=frame_of)
    assert live(store, NOW_MS) == NoRow(Reason.MISSING_CANDLE, "SOL/USDT 15m")
    shown["until_ms"] = NOW_MS
    row = live(store, NOW_MS)
    assert isinstance(row, LiveRow)
    assert row.values.tobytes() == live(reading(), NOW_MS).values.tobytes()
    times = candles(base_key)[-10:].open_ms
    assert store.matrix(SOL, times).values.tobytes() == reading().matrix(SOL, times).values.tobytes()


def test_rows_without_their_warm_up_and_that_of_what_they_read_are_missing(hooks, plan, candles, base_key):
    reads = ReadColumns(standard=True)
    begin_ms = SPAN * BASE.ms * (NOW_MS // (SPAN * BASE.ms)) - 100 * BASE.ms

    def frame_of(key):
        return candles(key, days=20).between(begin_ms, NOW_MS)

    store = FeatureStore(plan, BlockComputer(hooks("ReadsExpanded"), plan, WARM_UP, reads), frame_of)
    times = frame_of(base_key).open_ms
    matrix = store.matrix(SOL, times)
    settled = {
        name: int(np.argmin(np.isnan(values)))
        for name, values in zip(matrix.schema.names, matrix.values.T, strict=True)
    }
    assert settled["%-ema-period_10_SOL/USDT_5m"] == WARM_UP
    # 64 quarters of an hour, one more for the shift; then 64 five-minute candles of the hook's own
    assert settled["%-distance"] >= 3 * WARM_UP + WARM_UP
    assert settled["%-distance"] <= 3 * (WARM_UP + 2) + WARM_UP


def test_old_rows_are_kept_as_long_as_a_hook_looks_back_at_them(reading, candles):
    store = reading()
    times = candles(CandleKey(SOL, BASE)).between(NOW_MS - 8 * DAY_MS, NOW_MS).open_ms
    whole = store.matrix(SOL, times)
    store.forget_before(NOW_MS - 2 * DAY_MS)
    recent = times[times >= NOW_MS - 2 * DAY_MS]
    assert store.matrix(SOL, recent).values.tobytes() == whole.values[-len(recent) :].tobytes()


def test_hooks_see_full_names_colons_included():
    key = BlockKey(Pair("ADA/USDT:USDT"), BASE, Hook.EXPAND)
    view = BlockView(("%-rsi-period_10",), np.arange(3) * BASE.ms, np.array([[1.0], [2.0], [3.0]]))
    values = np.full((3, 5), 1.0)
    frame = widened([Part(key, view, 1)], BASE, CandleFrame(view.open_ms, values))
    assert list(frame.columns)[6:] == [
        "%-rsi-period_10_ADA/USDT:USDT_5m",
        "%-rsi-period_10_shift-1_ADA/USDT:USDT_5m",
    ]
    assert frame.iloc[:, 7].tolist()[1:] == [1.0, 2.0]
    assert np.isnan(frame.iloc[0, 7])


def test_a_strategy_that_reads_nothing_gets_candles_only(hooks, plan, candles, base_key):
    loaded = hooks("Plain")
    seen = []
    standard = loaded.standard
    loaded.standard = lambda frame, metadata: (seen.append(list(frame.columns)), standard(frame, metadata))[1]
    store = FeatureStore(
        plan, BlockComputer(loaded, plan, WARM_UP, read_columns(loaded, plan, SOL, candles)), candles
    )
    seen.clear()
    live(store, NOW_MS)
    assert seen == [["date", "open", "high", "low", "close", "volume"]]


def test_a_percent_sign_anywhere_makes_a_feature_and_only_one_in_front_is_shifted(reading, candles, base_key):
    # FreqAI's find_features and populate_features.
    times = candles(base_key)[-100:].open_ms
    matrix = reading("HandsOn").matrix(SOL, times)
    own = [name for name in matrix.schema.names if name.endswith("SOL/USDT_5m")]
    assert own == [
        "%%-rsi-period_10_SOL/USDT_5m",
        "bb_%b-period_10_SOL/USDT_5m",
        "%-raw_price_gen_SOL/USDT_5m",
        "%%-rsi-period_10_shift-1_SOL/USDT_5m",
        "%-raw_price_gen_shift-1_SOL/USDT_5m",
    ]
    assert [name for name in matrix.schema.names if "/" not in name] == ["%%-hour", "share_%"]
    close_ms = int(times[-1]) + BASE.ms
    row = live(reading("HandsOn", until_ms=close_ms), close_ms)
    assert row.values.tobytes() == matrix.values[-1].tobytes()
    price, before = (matrix.schema.names.index(f"%-raw_price_gen{s}_SOL/USDT_5m") for s in ("", "_shift-1"))
    assert np.array_equal(matrix.values[1:, before], matrix.values[:-1, price])


def test_features_that_begin_with_two_percent_signs_are_handed_on(reading, candles, base_key):
    store = reading("HandsOn")
    live(store, NOW_MS)
    times = candles(base_key)[-999:].open_ms
    found = store.handed_on(SOL, times)
    matrix = store.matrix(SOL, times)
    wanted = [name for name in matrix.schema.names if name.startswith("%%")]
    assert list(found) == wanted
    assert len(wanted) == 9  # two timeframes of two pairs, shifted once, and one of the standard hook
    for name, values in found.items():
        assert values.dtype == np.float64
        assert np.array_equal(values, matrix.values[:, matrix.schema.names.index(name)])


@pytest.mark.parametrize("strategy", ["Quiet", "ReadsExpanded"])
def test_other_features_are_not_handed_on(reading, candles, base_key, strategy):
    store = reading(strategy)
    live(store, NOW_MS)
    assert store.handed_on(SOL, candles(base_key)[-5:].open_ms) == {}
