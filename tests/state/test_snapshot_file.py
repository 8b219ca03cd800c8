"""The snapshot: an ordinary pickle for others, checked columns for us."""

import io
import pickle
import pickletools
import struct
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from daemon.core.errors import Corrupt
from daemon.core.pair import Pair
from daemon.state.columns import PairColumns
from daemon.state.documents import NewerFormat
from daemon.state.snapshot import Seal, Snapshot, Unsealed, write_snapshot

BTC, ETH = Pair("BTC/USDT"), Pair("ETH/USDT")
SEAL = Seal(generation=3, next_sequence=17, lineage="abc")


def columns(n, seed=0, texts=5):
    random = np.random.default_rng(seed)
    found = PairColumns()
    found.extend(
        np.arange(1, n + 1) * 300_000,
        {
            "&-s_close": random.normal(size=n),
            "do_predict": np.ones(n),
            "model": np.array([f"m{i % texts}" for i in range(n)], dtype=object),
        },
    )
    return found


@pytest.fixture
def pairs():
    return {BTC: columns(1000), ETH: columns(3, seed=1), Pair("NEW/USDT"): PairColumns()}


@pytest.fixture
def path(tmp_path, pairs):
    stream = io.BytesIO()
    write_snapshot(stream, {pair: each.frozen() for pair, each in pairs.items()}, SEAL)
    (tmp_path / "s.pkl").write_bytes(stream.getvalue())
    return tmp_path / "s.pkl"


def test_plain_pandas_reads_it(path, pairs):
    content = pd.read_pickle(path)
    assert list(content) == [BTC, ETH]
    assert type(next(iter(content))) is str
    for pair in (BTC, ETH):
        expected = pairs[pair].frozen().frame()
        found = content[pair].astype({"model": "str"})
        pd.testing.assert_frame_equal(found, expected, check_column_type=False)


def test_a_python_without_candled_or_pyarrow_reads_it(path):
    script = (
        "import sys; sys.modules['pyarrow'] = None; sys.modules['daemon'] = None\n"
        "import pickle; content = pickle.load(open(sys.argv[1], 'rb'))\n"
        "print(sorted(content), len(content['BTC/USDT']), str(content['BTC/USDT']['model'].iloc[-1]))"
    )
    out = subprocess.run(
        [sys.executable, "-I", "-c", script, path],
        capture_output=True,
        text=True,
        check=False,
        cwd=path.parent,
    )
    assert out.stdout == "['BTC/USDT', 'ETH/USDT'] 1000 m4\n", out.stderr


def test_the_pickle_names_nothing_but_numpys_and_pandas_own(path):
    modules = {
        argument.partition(".")[0]
        for opcode, argument, _ in pickletools.genops(path.read_bytes())
        if opcode.name == "SHORT_BINUNICODE"
        and argument.partition(".")[0] in {*sys.stdlib_module_names, "daemon"}
    }
    assert modules <= {"builtins", "datetime"}


def test_we_read_back_every_value(path, pairs):
    snapshot = Snapshot.open(path)
    assert snapshot.seal == SEAL
    assert snapshot.damaged() == (frozenset(), False)
    assert snapshot.span(BTC) == (300_000, 300_000_000)
    for pair in (BTC, ETH):
        again = PairColumns(snapshot.pairs[pair], kept=2)
        pd.testing.assert_frame_equal(again.frozen().frame(), pairs[pair].frozen().frame())


def test_rows_from_the_snapshot_and_from_memory_make_the_next_one(path, pairs, tmp_path):
    snapshot = Snapshot.open(path)
    grown = {pair: PairColumns(stored, kept=2) for pair, stored in snapshot.pairs.items()}
    for each in (grown[BTC], pairs[BTC]):
        for n in range(300):
            each.append((2000 + n) * 300_000, {"&-s_close": n / 7, "model": f"new{n}", "extra": 1.0})
    stream = io.BytesIO()
    write_snapshot(stream, {pair: each.frozen() for pair, each in grown.items()}, SEAL)
    (tmp_path / "next.pkl").write_bytes(stream.getvalue())
    expected = pairs[BTC].frozen().frame()
    pd.testing.assert_frame_equal(
        pd.read_pickle(tmp_path / "next.pkl")[BTC].astype({"model": "str"}), expected, check_column_type=False
    )
    again = Snapshot.open(tmp_path / "next.pkl")
    pd.testing.assert_frame_equal(PairColumns(again.pairs[BTC], kept=1).frozen().frame(), expected)


def fault(path):
    """What is found to be wrong with a snapshot; empty if nothing is."""
    try:
        pairs, between = Snapshot.open(path).damaged()
    except Corrupt as exc:
        return str(exc)
    return sorted(pairs) or ["between"] * between


def test_every_flipped_bit_is_found(path):
    sound = path.read_bytes()
    random = np.random.default_rng(5)
    for at in [0, len(sound) - 1, *random.integers(0, len(sound), 60).tolist()]:
        hurt = bytearray(sound)
        hurt[at] ^= 1 << int(random.integers(8))
        path.write_bytes(hurt)
        assert fault(path)


def test_damage_is_confined_to_its_pair(path):
    sound = bytearray(path.read_bytes())
    place = sound.find(np.float64(1.0).tobytes() * 1000) + 40
    sound[place] ^= 1
    path.write_bytes(sound)
    snapshot = Snapshot.open(path)
    assert snapshot.damaged() == (frozenset({BTC}), False)
    with pytest.raises(Corrupt, match=path.name):
        PairColumns(snapshot.pairs[BTC], kept=1).frozen().frame()
    assert len(PairColumns(snapshot.pairs[ETH]).frozen().frame()) == 3


def test_a_file_without_our_end_is_told_apart(path):
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(Unsealed, match=path.name):
        Snapshot.open(path)
    path.write_bytes(pickle.dumps({}))
    with pytest.raises(Unsealed):
        Snapshot.open(path)


def test_a_newer_format_is_refused(path):
    data = bytearray(path.read_bytes())
    data[-28:-24] = struct.pack("<I", 9)
    data[-4:] = struct.pack("<I", zlib.crc32(data[-36:-4]))
    path.write_bytes(data)
    with pytest.raises(NewerFormat, match="format 9"):
        Snapshot.open(path)


def test_what_is_no_file_is_corrupt(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("/etc/hostname")
    for name in ("folder", "link"):
        with pytest.raises(Corrupt, match=name):
            Snapshot.open(tmp_path / name)


def test_more_texts_than_a_byte_can_number(tmp_path):
    many = columns(1000, texts=700)
    stream = io.BytesIO()
    write_snapshot(stream, {BTC: many.frozen()}, SEAL)
    (tmp_path / "s.pkl").write_bytes(stream.getvalue())
    assert list(pd.read_pickle(tmp_path / "s.pkl")[BTC]["model"]) == [f"m{i % 700}" for i in range(1000)]


def test_two_files_may_be_checked_at_once(path, tmp_path):
    """Neither check sees bytes of the other's file."""
    other = tmp_path / "t.pkl"
    with other.open("wb") as stream:
        write_snapshot(stream, {BTC: columns(20_000, seed=2).frozen()}, SEAL)
    files = [Snapshot.open(file) for file in (path, other)]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda i: files[i % 2].damaged(), range(400)))
    assert set(found) == {(frozenset(), False)}
