"""Pickles are read without running anything that is in them."""

import builtins
import io
import os
import pickle
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas._libs.internals import _unpickle_block
from pandas.core.internals.managers import BlockManager

from daemon.core.errors import Corrupt
from daemon.state.safe_pickle import read_frames


class Call:
    """An object whose pickle asks for a call."""

    def __init__(self, function, *args, state=None):
        self._reduced = (function, args, state) if state else (function, args)

    def __reduce__(self):
        return self._reduced


class Nested:
    """An object whose pickle asks for an attribute of an attribute."""

    def __reduce__(self):
        return getattr, (Call(__import__, "os"), "system")


def frame(n=3):
    return pd.DataFrame(
        {
            "&-x": np.arange(n, dtype=float),
            "date_pred": pd.date_range("2024", periods=n, freq="5min", tz="UTC"),
        }
    )


def read(content, protocol=5):
    return read_frames(
        io.BytesIO(content if isinstance(content, bytes) else pickle.dumps(content, protocol=protocol))
    )


MARK = "/tmp/candled-pickle-was-run"
COMMAND = f"touch {MARK}"
EXPLOITS = {
    "os.system": lambda: pickle.dumps({"A/B": Call(os.system, COMMAND)}),
    "eval": lambda: pickle.dumps({"A/B": Call(eval, f"__import__('os').system('{COMMAND}')")}),
    "exec": lambda: pickle.dumps({"A/B": Call(exec, f"import os; os.system('{COMMAND}')")}),
    "subprocess": lambda: pickle.dumps({"A/B": Call(subprocess.Popen, ["touch", MARK])}),
    "getattr": lambda: pickle.dumps({"A/B": Nested()}),
    "open": lambda: pickle.dumps({"A/B": Call(builtins.open, MARK, "w")}),
    "hidden in a value": lambda: pickle.dumps(
        {"A/B": pd.DataFrame({"x": pd.Series([Call(os.system, COMMAND)], dtype=object)})}
    ),
    "hidden in attrs": lambda: pickle.dumps({"A/B": _with_attrs()}),
    "pandas' own eval": lambda: pickle.dumps({"A/B": Call(pd.eval, f"__import__('os').system('{COMMAND}')")}),
    "pandas' own reader": lambda: pickle.dumps({"A/B": Call(pd.read_pickle, "/etc/hostname")}),
    "numpy's own loader": lambda: pickle.dumps({"A/B": Call(np.load, "/etc/hostname")}),
    "a dotted name": lambda: b"\x80\x04\x8c\x06pandas\x8c\x0fio.common.os.system\x93\x8c\x02id\x85R.",
    "a global opcode": lambda: b"cos\nsystem\n(S'%s'\ntR." % COMMAND.encode(),
    "an instance opcode": lambda: b"(S'%s'\nios\nsystem\n." % COMMAND.encode(),
    "a build on a module": lambda: b"\x80\x04\x8c\x02os\x8c\x07environ\x93}\x8c\x01a\x8c\x01bsb.",
}


def _with_attrs():
    found = frame()
    found.attrs["x"] = Call(os.system, COMMAND)
    return found


@pytest.mark.parametrize("name", EXPLOITS)
def test_nothing_in_a_pickle_is_run(name):
    with pytest.raises(Corrupt, match=r"refused|is not a pickle"):
        read(EXPLOITS[name]())
    assert not os.path.exists(MARK)  # noqa: PTH110 - a plain look


def _object_array_over_bytes():
    """Addresses of one's choice as Python objects: numpy itself builds this, and dies of it."""
    return Call(np.ndarray, (1,), np.dtype(object), b"AAAAAAAA")


MEMORY_TRICKS = {
    "an object array over bytes": lambda: {"A/B": _blocks(_object_array_over_bytes(), slice(0, 1, 1))},
    "an object array from a buffer": lambda: {
        "A/B": _blocks(Call(np.frombuffer, b"AAAAAAAA", object), slice(0, 1, 1))
    },
    "a placement beyond the axis": lambda: {"A/B": _blocks(np.zeros((1, 3)), slice(10**6, 10**6 + 1, 1))},
    "more places than columns": lambda: {"A/B": _blocks(np.zeros((2, 3)), slice(0, 2, 1))},
    "a block shorter than its frame": lambda: {"A/B": _blocks(np.zeros((1, 1)), slice(0, 1, 1))},
}


def _blocks(values, places):
    """A frame of one column and three rows whose block is what is given."""
    block = Call(_unpickle_block, values, places, 2)
    blocks = Call(BlockManager, (block,), [pd.Index(["x"], dtype=object), pd.RangeIndex(3)])
    return Call(pd.DataFrame, state={"_mgr": blocks, "_typ": "dataframe"})


@pytest.mark.parametrize("name", MEMORY_TRICKS)
def test_no_memory_is_reached_through_numpy_or_pandas(name):
    with pytest.raises(Corrupt):
        read(MEMORY_TRICKS[name]())


def test_an_arrow_column_with_offsets_beyond_its_bytes_is_refused():
    pickled = pickle.dumps({"A/B": pd.DataFrame({"s": ["one", "two", "six"]})})
    offsets = np.array([0, 3, 6, 9], np.int64).tobytes()
    assert pickled.count(offsets) == 1
    hurt = pickled.replace(offsets, np.array([0, 3, 6, 2**40], np.int64).tobytes())
    with pytest.raises(Corrupt):
        read(hurt)


@pytest.fixture
def little_memory():
    """Room for half a gigabyte more than is taken, and an error for whoever asks for more."""
    limits = resource.getrlimit(resource.RLIMIT_AS)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + (1 << 29), limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, limits)


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_frames_come_back_as_they_were(protocol):
    n = 6
    content = pd.DataFrame(
        {
            "float": np.linspace(0, 1, n),
            "int": np.arange(n),
            "bool": np.arange(n) % 2 == 0,
            "text": pd.Series(["up", "down", None] * 2),
            "mixed": pd.Series(["up", 0, 1.5, None, np.float64(2), np.str_("x")], dtype=object),
            "class": pd.Categorical(["a", "b", None] * 2),
            "date_pred": pd.date_range("2024-01-01", periods=n, freq="5min", tz="UTC"),
            "plain": pd.date_range("2024-01-01", periods=n, freq="5min"),
            "stamps": pd.Series([pd.Timestamp("2024-01-01", tz="UTC"), pd.NaT, 0] * 2, dtype=object),
        }
    )
    found = read({"A/B": pd.concat([content, content], ignore_index=True).iloc[:n]}, protocol)["A/B"]
    assert list(found) == list(content)
    for name in ("float", "int", "bool"):
        np.testing.assert_array_equal(found[name], content[name])
    assert list(found["text"]) == ["up", "down", None] * 2
    assert list(found["mixed"]) == ["up", 0, 1.5, None, 2, "x"]
    assert list(found["class"]) == ["a", "b", None] * 2
    for name in ("date_pred", "plain"):
        np.testing.assert_array_equal(found[name], content[name].dt.tz_localize(None).to_numpy())
    assert list(found["stamps"][:3]) == [np.datetime64("2024-01-01"), None, 0]


@pytest.mark.parametrize("protocol", [3, 4, 5])
@pytest.mark.parametrize("text", ["", None])
def test_a_column_of_texts_that_all_are_empty(protocol, text):
    content = frame().assign(why=pd.Series([text] * 3, dtype="str"))
    assert read({"A/B": content}, protocol)["A/B"]["why"].tolist() == [text] * 3


def test_an_empty_frame_and_no_frame():
    assert read({}) == {}
    assert read({"A/B": pd.DataFrame()}) == {"A/B": {}}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"rubbish",
        b"\x80\x05",
        pickle.dumps([1, 2]),
        pickle.dumps({"A/B": 5}),
        pickle.dumps({5: frame()}),
    ],
)
def test_what_is_no_history_is_corrupt(content):
    with pytest.raises(Corrupt):
        read(content)


def test_every_cut_is_corrupt():
    whole = pickle.dumps({"A/B": frame(50)})
    for end in range(0, len(whole) - 1, 7):
        with pytest.raises(Corrupt):
            read(whole[:end])


def test_flipped_bits_never_do_worse_than_corrupt(little_memory):
    whole = pickle.dumps({"A/B": frame(20)})
    random = np.random.default_rng(3)
    for _ in range(1500):
        hurt = bytearray(whole)
        hurt[random.integers(len(whole))] ^= 1 << int(random.integers(8))
        try:
            read(bytes(hurt))
        except Corrupt:
            continue


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x05\x96" + bytes([0, 0, 0, 0, 9, 0, 0, 0]),
        b"\x80\x05N" + b"r" + b"\xf0\xff\xff\xff" + b".",
        b"\x80\x05\x8e" + bytes([0] * 5 + [1, 0, 0]),
    ],
    ids=["bytearray", "memo", "bytes"],
)
def test_a_length_that_is_a_lie_takes_no_memory(little_memory, content):
    with pytest.raises(Corrupt):
        read(content)


def test_reading_imports_nothing(tmp_path):
    (tmp_path / "h.pkl").write_bytes(
        pickle.dumps({"A/B": Call(os.system, COMMAND)}).replace(b"posix", b"antig")
    )
    script = (
        "import sys; from daemon.state.safe_pickle import read_frames\n"
        "try:\n    read_frames(open(sys.argv[1], 'rb'))\nexcept Exception as exc:\n    print(type(exc).__name__)\n"
        "print('antig' in sys.modules)"
    )
    out = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "h.pkl"], capture_output=True, text=True, check=True
    )
    assert out.stdout == "Corrupt\nFalse\n"
