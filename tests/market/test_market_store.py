import logging
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pytest
from market_desk import key

from daemon.core.candles import CandleFrame
from daemon.core.errors import ConfigError
from daemon.market.store import CandleStore
from daemon.state.atomic import set_aside, write_atomic

BTC5 = key("BTC/USDT", "5m")
STEP = BTC5.timeframe.ms


def candles(first, count, price=100.0):
    open_ms = STEP * np.arange(first, first + count, dtype=np.int64)
    values = np.tile([price, price + 2, price - 2, price + 1, 3.5], (count, 1))
    values[:, 4] += np.arange(count)
    return CandleFrame(open_ms, values)


def assert_same(a, b):
    np.testing.assert_array_equal(a.open_ms, b.open_ms)
    np.testing.assert_array_equal(a.values, b.values)


def write_by_freqtrade(path, frame, **dates):
    """As freqtrade's feather handler does: pandas, lz4, level 9."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = frame.to_pandas()
    if dates:
        table["date"] = table["date"].dt.as_unit(dates["unit"])
    table.to_feather(path, compression_level=9, compression="lz4")


def test_what_was_written_is_read(store):
    store.write(BTC5, candles(1000, 500))
    read = store.read(BTC5)
    assert_same(read, candles(1000, 500))
    assert not read.open_ms.flags.writeable
    assert not read.values.flags.writeable


def test_no_file_is_no_candles(store):
    assert len(store.read(BTC5)) == 0


def test_no_candles_can_be_written(store):
    store.write(BTC5, CandleFrame.empty())
    assert len(store.read(BTC5)) == 0


def test_files_are_named_as_freqtrade_names_them(store):
    assert store.path(BTC5) == store.folder / "BTC_USDT-5m.feather"
    futures = key("BTC/USDT:USDT", "1h")
    assert store.path(futures) == store.folder / "futures" / "BTC_USDT_USDT-1h-futures.feather"


def test_freqtrade_reads_what_is_written(store):
    store.write(BTC5, candles(1000, 3))
    frame = pd.read_feather(store.path(BTC5))
    assert list(frame.columns) == ["date", "open", "high", "low", "close", "volume"]
    assert str(frame["date"].dtype) == "datetime64[ms, UTC]"
    assert frame["date"].iloc[0] == pd.Timestamp(1000 * STEP, unit="ms", tz="UTC")
    assert (frame.dtypes.iloc[1:] == "float64").all()


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_files_of_freqtrade_are_read(store, unit):
    write_by_freqtrade(store.path(BTC5), candles(1000, 50), unit=unit)
    assert_same(store.read(BTC5), candles(1000, 50))


def test_dates_as_plain_integers_are_read(store):
    store.folder.mkdir()
    table = candles(1000, 4).to_pandas()
    table["date"] = candles(1000, 4).open_ms
    table.to_feather(store.path(BTC5))
    assert_same(store.read(BTC5), candles(1000, 4))


def test_rows_that_are_no_candles_are_left_out_and_logged(store, caplog):
    store.folder.mkdir()
    table = candles(1000, 10).to_pandas()
    table.loc[2, "close"] = np.nan
    table.loc[4, "high"] = 1.0
    table.loc[6, "date"] += pd.Timedelta(seconds=1)
    table = pd.concat([table.iloc[5:], table.iloc[:6]], ignore_index=True)  # unsorted, one doubled
    table.to_feather(store.path(BTC5))
    read = store.read(BTC5)
    assert read.open_ms.tolist() == [STEP * (1000 + i) for i in (0, 1, 3, 5, 7, 8, 9)]
    record = next(r for r in caplog.records if r.message == "candle_file_rows_left_out")
    assert record.fields["left_out"] == 4
    assert not [r for r in caplog.records if r.message == "candle_file_damaged"]


def damaged_files():
    whole = pa.BufferOutputStream()
    pa.feather.write_feather(pa.table(dict(candles(0, 400).to_pandas())), whole, compression="lz4")
    content = whole.getvalue().to_pybytes()
    yield b""
    yield b"no candles"
    yield content[: len(content) // 2]
    yield content[:-1]
    yield content[:200] + bytes(len(content) - 200)
    other = pa.BufferOutputStream()
    pa.feather.write_feather(pa.table({"date": ["yesterday"], "open": ["high"]}), other)
    yield other.getvalue().to_pybytes()


@pytest.mark.parametrize("content", list(damaged_files()))
def test_damaged_file_is_set_aside_whole_and_logged(store, content, caplog):
    caplog.set_level(logging.WARNING)
    store.folder.mkdir()
    store.path(BTC5).write_bytes(content)
    assert len(store.read(BTC5)) == 0
    record = next(r for r in caplog.records if r.message == "candle_file_damaged")
    assert not store.path(BTC5).exists()
    assert Path(record.fields["moved_to"]).read_bytes() == content
    store.write(BTC5, candles(0, 3))
    assert len(store.read(BTC5)) == 3


def test_any_bit_that_flips_never_raises_and_never_gives_unsound_candles(store):
    store.write(BTC5, candles(1000, 60))
    content = bytearray(store.path(BTC5).read_bytes())
    for at in range(0, len(content), 37):
        broken = bytearray(content)
        broken[at] ^= 1 << (at % 8)
        store.path(BTC5).write_bytes(broken)
        frame = store.read(BTC5)
        CandleFrame(frame.open_ms.copy(), frame.values.copy())


def test_merge_replaces_its_span_and_keeps_the_rest(store):
    store.write(BTC5, candles(0, 100, price=50.0))
    store.merge(BTC5, candles(40, 20, price=70.0))
    read = store.read(BTC5)
    assert len(read) == 100
    assert (read.values[40:60, 0] == 70.0).all()
    assert (np.delete(read.values[:, 0], range(40, 60)) == 50.0).all()


def test_merge_drops_what_is_older_than_the_store_keeps(store):
    bounded = CandleStore(store.folder, write_atomic, set_aside, keep_ms=30 * STEP)
    bounded.write(BTC5, candles(0, 100, price=50.0))
    bounded.merge(BTC5, candles(90, 20, price=70.0))
    assert_same(bounded.read(BTC5)[-20:], candles(90, 20, price=70.0))
    assert bounded.read(BTC5).open_ms[0] == (109 - 30) * STEP


def test_what_the_daemon_itself_holds_is_never_dropped(store):
    bounded = CandleStore(store.folder, write_atomic, set_aside, keep_ms=30 * STEP)
    bounded.write(BTC5, candles(0, 100, price=50.0))
    bounded.merge(BTC5, candles(40, 70, price=70.0))
    assert_same(bounded.read(BTC5), candles(40, 70, price=70.0))


def test_write_that_fails_leaves_the_old_file(store):
    store.write(BTC5, candles(0, 5))

    def half(path, writer):
        raise OSError(28, "No space left on device")

    store._write_atomic = half
    with pytest.raises(OSError, match="No space"):
        store.write(BTC5, candles(0, 9))
    assert len(store.read(BTC5)) == 5


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file_is_a_matter_for_a_human(store):
    store.write(BTC5, candles(0, 5))
    store.path(BTC5).chmod(0)
    with pytest.raises(ConfigError, match="Permission denied"):
        store.read(BTC5)


def test_folder_in_place_of_a_file_is_a_matter_for_a_human(store):
    store.path(BTC5).mkdir(parents=True)
    with pytest.raises(ConfigError, match="BTC_USDT-5m"):
        store.read(BTC5)
