"""Journal records, one by one."""

import math
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.errors import Corrupt
from daemon.core.pair import Pair
from daemon.state.records import Fault, HistoryRow, Record, decode, encode, scan
from daemon.state.replay import row_values

NAMES = st.sampled_from(["&-x", "do_predict", "model", "DI_values"])
VALUES = st.dictionaries(NAMES, st.floats(allow_nan=False) | st.text('aß☃\n"\\', max_size=6), max_size=4)
ROWS = st.lists(
    st.builds(
        HistoryRow,
        pair=st.sampled_from([Pair("BTC/USDT"), Pair("ETH/USDT:USDT")]),
        candle_ms=st.integers(0, 2**45),
        values=VALUES,
    ),
    min_size=1,
    max_size=6,
)


@given(ROWS, st.integers(0, 2**40))
def test_every_row_comes_back_as_it_was(rows, sequence):
    record = encode(rows, sequence)
    found = [
        (group.pairs[i], int(group.candle_ms[i]), row_values(group, i))
        for group in decode(record)
        for i in range(len(group.pairs))
    ]
    assert sorted(map(repr, found)) == sorted(
        repr((row.pair, row.candle_ms, dict(row.values))) for row in rows
    )
    assert list(scan(record.data, 0)) == [record]
    assert (record.sequence, record.rows) == (sequence, len(rows))


def test_nothing_is_a_value_too():
    row = HistoryRow(pair=Pair("A/B"), candle_ms=1, values={"x": math.nan, "y": math.inf, "z": ""})
    (group,) = decode(encode([row], 0))
    assert np.isnan(group.values[0, 0])
    assert group.values[0, 1] == math.inf
    assert row_values(group, 0)["z"] == ""


@pytest.fixture
def journal(tick):
    return [encode(tick(n), n) for n in range(5)]


def test_a_damaged_record_takes_no_neighbour_with_it(journal):
    data = bytearray(b"".join(record.data for record in journal))
    start = sum(len(record.data) for record in journal[:2])
    for at in (0, 20, len(journal[2].data) - 1):
        hurt = bytearray(data)
        hurt[start + at] ^= 0x10
        found = list(scan(bytes(hurt), 0))
        assert [each for each in found if isinstance(each, Record)] == [*journal[:2], *journal[3:]]
        (fault,) = (each for each in found if isinstance(each, Fault))
        assert (fault.start, fault.end) == (start, start + len(journal[2].data))


def test_a_torn_tail_is_named_incomplete(journal):
    data = b"".join(record.data for record in journal)
    for cut in (1, 30, len(journal[-1].data) - 1):
        *records, fault = scan(data[:-cut], 0)
        assert records == journal[:4]
        assert fault.what.startswith("incomplete")


def test_a_length_beyond_all_reason_is_damage(journal):
    data = bytearray(journal[0].data)
    data[32:36] = struct.pack("<I", 2**31)
    data[40:44] = struct.pack("<I", zlib.crc32(data[:40]))
    (fault,) = scan(bytes(data), 0)
    assert fault.what == "damaged header"


def test_right_checksums_over_nonsense_are_corrupt(journal):
    payload = zlib.compress(b"\xff" * 50)
    record = Record(sequence=0, first_ms=0, last_ms=0, rows=1, data=journal[0].data[:44] + payload)
    with pytest.raises(Corrupt, match="record 0"):
        decode(record)


def test_a_tick_of_fifty_pairs_takes_less_than_a_hundred_bytes_per_row():
    random = np.random.default_rng(1)
    pairs = [Pair(f"COIN{i}/USDT") for i in range(50)]
    names = (
        "&-s_close",
        "&-s_close_mean",
        "&-s_close_std",
        "DI_values",
        "high_price",
        "low_price",
        "close_price",
    )
    rows = [
        HistoryRow(
            pair=pair,
            candle_ms=1_732_000_000_000,
            values=dict(zip(names, random.normal(size=7).tolist(), strict=True))
            | {
                "do_predict": 1.0,
                "late": 0.0,
                "abstention": "",
                "model": f"sub-train-{pair.base}_1732000000",
            },
        )
        for pair in pairs
    ]
    # Journal and copy together stay below the 200 bytes per pair and candle that we allow ourselves.
    assert len(encode(rows, 0).data) / len(rows) < 100
