import numpy as np
import pandas as pd
import pytest
from desk import BASE, DAY_MS, NOW_MS, PAIRS

from daemon.core.candles import CandleFrame
from daemon.core.errors import StrategyError
from daemon.core.market import CandleKey
from daemon.core.prediction import Reason
from daemon.core.timeframe import Timeframe
from daemon.features.block import Block
from daemon.features.compute import SPAN, BlockComputer
from daemon.features.plan import BlockKey, Hook
from daemon.features.rows import LiveRow, NoRow
from daemon.features.store import FeatureStore

SOL = PAIRS[2]
QUARTER = Timeframe("15m")


def advanced(store, close_ms, pair=SOL):
    for key in store.plan.blocks(pair):
        store.advance(key, close_ms)
    return store.live_row(pair, close_ms)


def test_a_live_row_is_bit_equal_to_its_row_in_the_training_matrix(store, candles, base_key):
    times = candles(base_key).between(NOW_MS - 2 * DAY_MS, NOW_MS).open_ms
    matrix = store().matrix(SOL, times)
    for i in (0, 1, 57, 288, len(times) - 1):
        close_ms = int(times[i]) + BASE.ms
        row = advanced(store(until_ms=close_ms), close_ms)  # knows nothing after this close
        assert isinstance(row, LiveRow)
        assert row.schema == matrix.schema
        assert row.values.tobytes() == matrix.values[i].tobytes()


def test_rows_do_not_depend_on_how_much_history_lies_before_their_span(hooks, plan, candles, base_key):
    computer = BlockComputer(hooks(), plan, 256)
    key = BlockKey(SOL, BASE, Hook.EXPAND)
    long, short = candles(base_key, days=20), candles(base_key, days=9)
    a = computer.rows(key, long, len(long) - 500, len(long))
    b = computer.rows(key, short, len(short) - 500, len(short))
    assert a.names == b.names
    assert a.values.tobytes() == b.values.tobytes()


def test_the_newest_rows_alone_have_the_bits_that_they_have_among_all(hooks, plan, candles, base_key):
    computer, key = BlockComputer(hooks(), plan, 256), BlockKey(SOL, BASE, Hook.EXPAND)
    frame = candles(base_key)[-700:]
    whole, newest = computer.call(key, frame), computer.call(key, frame, first=697)
    assert newest.names == whole.names
    assert newest.values.tobytes() == whole.values[697:].tobytes()


def test_growing_candle_by_candle_gives_the_rows_of_one_sweep(hooks, plan, candles, base_key):
    key, whole = BlockKey(SOL, BASE, Hook.EXPAND), candles(base_key)
    first_ms = int(whole.open_ms[-40])
    swept = Block(key, BlockComputer(hooks(), plan, 256)).extend(whole, first_ms)
    grown = Block(key, BlockComputer(hooks(), plan, 256))
    for end in range(len(whole) - 39, len(whole) + 1):
        view = grown.extend(whole[:end], first_ms)
    assert view.open_ms.tolist() == swept.open_ms.tolist()
    assert view.values.tobytes() == swept.values.tobytes()


def test_a_higher_timeframe_is_visible_only_from_its_own_close(store):
    close_ms = QUARTER.floor(NOW_MS) + 2 * BASE.ms  # ten minutes into a quarter of an hour
    built = store(until_ms=close_ms)
    row = advanced(built, close_ms)
    at_quarter = advanced(store(until_ms=close_ms - 2 * BASE.ms), close_ms - 2 * BASE.ms)
    names = list(row.schema.names)
    column = names.index("%-rsi-period_10_SOL/USDT_15m")
    assert row.values[column] == at_quarter.values[column]
    assert row.values[names.index("%-rsi-period_10_SOL/USDT_5m")] != at_quarter.values[0]


def test_shifted_columns_are_the_earlier_candles_rows(store, candles, base_key):
    times = candles(base_key).between(NOW_MS - DAY_MS, NOW_MS).open_ms
    matrix = store().matrix(SOL, times)
    names = list(matrix.schema.names)
    now, before = (names.index(f"%-rsi-period_10{middle}_SOL/USDT_5m") for middle in ("", "_shift-1"))
    assert np.array_equal(matrix.values[1:, before], matrix.values[:-1, now])


def test_a_missing_candle_makes_no_row_and_is_named(store, plan, hooks, candles):
    built = store(until_ms=NOW_MS - BASE.ms)  # the newest candle has not come
    row = advanced(built, NOW_MS)
    assert row == NoRow(Reason.MISSING_CANDLE, "SOL/USDT 5m")


def test_a_correlated_pairs_missing_candle_is_named(hooks, plan, candles):
    def frame_of(key):
        late = key == CandleKey(PAIRS[0], QUARTER)
        return candles(key, NOW_MS - (QUARTER.ms if late else 0))

    built = FeatureStore(plan, BlockComputer(hooks(), plan, 256), frame_of)
    assert advanced(built, NOW_MS) == NoRow(Reason.MISSING_CORRELATED, "BTC/USDT 15m")


def test_rows_without_enough_history_are_nan(hooks, plan, candles, base_key):
    frame = candles(base_key)[-300:]
    rows = BlockComputer(hooks(), plan, 256).rows(BlockKey(SOL, BASE, Hook.EXPAND), frame, 0, 300).values
    first_span = int(frame.open_ms[0]) // (SPAN * BASE.ms)
    same_span = (frame.open_ms // (SPAN * BASE.ms)) == first_span
    assert np.isnan(rows[:256][same_span[:256]]).all()
    assert not np.isnan(rows[same_span][256:]).any()


def test_a_candle_that_came_in_late_makes_the_rows_behind_it_anew(hooks, plan, candles, base_key):
    whole = candles(base_key)
    hole = len(whole) - 10
    holed = CandleFrame(np.delete(whole.open_ms, hole), np.delete(whole.values, hole, axis=0))
    key, first_ms = BlockKey(SOL, BASE, Hook.EXPAND), int(whole.open_ms[-50])
    block = Block(key, BlockComputer(hooks(), plan, 256))
    block.extend(holed, first_ms)
    healed = block.extend(whole, first_ms)
    fresh = Block(key, BlockComputer(hooks(), plan, 256)).extend(whole, first_ms)
    assert healed.open_ms.tolist() == fresh.open_ms.tolist()
    assert healed.values.tobytes() == fresh.values.tobytes()


def test_forgetting_old_rows_leaves_the_rest_and_goes_on(hooks, plan, candles, base_key):
    whole = candles(base_key)
    block = Block(BlockKey(SOL, BASE, Hook.EXPAND), BlockComputer(hooks(), plan, 256))
    before = block.extend(whole[:-1], int(whole.open_ms[-200]))
    block.forget_before(int(whole.open_ms[-100]))
    after = block.extend(whole[50:], 0)  # the feed forgot its oldest candles too
    assert len(before) == 199
    assert after.open_ms.tolist() == whole.open_ms[-100:].tolist()


def test_reaching_back_adds_older_rows_in_front(hooks, plan, candles, base_key):
    whole = candles(base_key)
    key, computer = BlockKey(SOL, BASE, Hook.EXPAND), BlockComputer(hooks(), plan, 256)
    block = Block(key, computer)
    block.extend(whole, int(whole.open_ms[-5]))
    view = block.reach_back(whole, int(whole.open_ms[-1500]))
    swept = Block(key, computer).extend(whole, int(whole.open_ms[-1500]))
    assert view.open_ms.tolist() == swept.open_ms.tolist()
    assert view.values.tobytes() == swept.values.tobytes()


def test_infinite_values_become_missing_ones(store):
    row = advanced(store(strategy="Dividing"), NOW_MS)
    column = row.schema.names.index("%-infinite_gen_SOL/USDT_5m")
    assert np.isnan(row.values[column])


def test_a_feature_that_is_no_number_is_named(store):
    with pytest.raises(
        StrategyError, match=r"SOL/USDT 5m: feature '%-word' holds values that are no numbers"
    ):
        advanced(store(strategy="Wordy"), NOW_MS)


def test_columns_that_come_and_go_are_an_error_that_names_them(store, candles, base_key):
    built = store(strategy="Fickle")
    times = candles(base_key).between(NOW_MS - 9 * DAY_MS, NOW_MS).open_ms
    with pytest.raises(StrategyError, match=r"%-month_\d+_gen"):
        built.matrix(SOL, times)


@pytest.mark.parametrize(
    "column",
    [
        np.array([1.5, np.nan, 2.0]),
        np.array([1.5, np.nan, 2.0], np.float32),
        np.array([1, 0, 2], np.int64),
        np.array([True, False, True]),
        pd.array([1, None, 2], "Int64"),
        pd.array([1.5, None, 2.0], "Float64"),
        pd.array([True, None, False], "boolean"),
        np.array([1.5, None, 2], object),
    ],
    ids=lambda column: str(column.dtype),
)
def test_a_feature_may_be_of_any_type_that_holds_numbers(column, hooks, plan, candles, base_key):
    made = hooks()
    frame = candles(base_key)[-3:]

    def expand_basic(dataframe, metadata):
        dataframe["%-x"] = column
        return dataframe

    made.expand_basic = expand_basic
    rows = BlockComputer(made, plan, 256).call(BlockKey(SOL, BASE, Hook.EXPAND), frame)
    found = rows.values[:, rows.names.index("%-x_gen")]
    expected = (
        pd.Series(column)
        .astype(object)
        .map(lambda value: np.nan if value is None or value is pd.NA else value)
    )
    np.testing.assert_array_equal(found, expected.astype(np.float32))
