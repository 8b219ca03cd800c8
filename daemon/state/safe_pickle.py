"""Frames from a pickle that somebody else wrote, without running anything that is in it.

An allow-list alone is not enough: with nothing but numpy's and pandas' own constructors a pickle can build
an object array over bytes of its choice, or a block placement beyond its axis, and so read and write
memory at will. So no class that a pickle names is ever imported or called. Each allowed name stands for an
inert record of its arguments, and the few records of which a frame consists are interpreted here, over
checked shapes, into fresh arrays. Every other name is refused.
"""

from __future__ import annotations

import io
import pickle
import re
import struct
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, TypeVar

import numpy as np
import pyarrow as pa

from daemon.core.errors import Corrupt

if TYPE_CHECKING:
    from numpy.typing import NDArray

Frames = dict[str, dict[str, "NDArray[Any]"]]
"""pair -> column -> values: numbers, bool, datetime64, or object (str, float, int, None, datetime64)."""

_T = TypeVar("_T")
# (package, name), wherever in the package the version at hand keeps it.
_ALLOWED = {
    "builtins": {"slice", "bytearray"},
    "datetime": {"timezone", "timedelta"},
    "numpy": {"dtype", "ndarray", "_reconstruct", "_frombuffer", "scalar"},
    "pandas": {
        *("DataFrame", "BlockManager", "_unpickle_block", "Index", "RangeIndex", "_new_Index"),
        *(
            "__pyx_unpickle_NDArrayBacked",
            "Categorical",
            "CategoricalDtype",
            "DatetimeArray",
            "DatetimeTZDtype",
        ),
        *("ArrowStringArray", "StringDtype", "Timestamp", "_unpickle_timestamp", "_nat_unpickle"),
    },
    "pyarrow": {"_restore_array", "chunked_array", "py_buffer", "type_for_alias"},
    "pytz": {"_UTC"},
    "zoneinfo": {"ZoneInfo._unpickle"},
}
_DTYPE = re.compile(r"[fiu][1248]|b1|O8|M8|U\d{1,6}")
_UNIT = re.compile(rb"ns|us|ms|s")
# pandas' codes for the resolution of a time stamp.
_RESOLUTIONS = {10: "ns", 9: "us", 8: "ms", 7: "s"}


class _Inert:
    """What a pickle would have constructed: a name, its arguments, its state."""

    name: ClassVar[str] = ""

    def __init__(self, *args: Any) -> None:
        self.args = args
        self.state: Any = None

    def __new__(cls, *args: Any) -> _Inert:  # noqa: PYI034 - the pickle decides what is made, not a caller
        self = super().__new__(cls)
        self.args, self.state = args, None
        return self

    def __setstate__(self, state: Any) -> None:
        self.state = state


# The unpickler in C makes room for whatever a length or a memo number says before it looks at what is there:
# one flipped bit asks for all memory. The one in Python keeps its memo in a dict, and reads through us.
class _InertUnpickler(pickle._Unpickler):  # noqa: SLF001 - the pure-Python class has no other name
    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)  # noqa: SLF001 - as above

    def find_class(self, module: str, name: str) -> type[_Inert]:
        if name not in _ALLOWED.get(module.partition(".")[0], ()):
            raise Corrupt(f"asks for {module}.{name}, which no history of predictions needs: refused")
        return type(name, (_Inert,), {"name": name})

    def load_bytearray8(self) -> None:
        (length,) = struct.unpack("<Q", self.read(8))  # type: ignore[attr-defined] # not in typeshed
        self.append(bytearray(self.read(length)))  # type: ignore[attr-defined] # not in typeshed

    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8


class _Bounded:
    """A stream that refuses to read more than it has, before anybody makes room for it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        start = stream.tell()
        self._left = stream.seek(0, io.SEEK_END) - start
        stream.seek(start)

    def read(self, n: int = -1) -> bytes:
        if n > self._left:
            raise EOFError
        self._left -= n
        return self._stream.read(n)

    def readline(self) -> bytes:
        line = self._stream.readline()
        self._left -= len(line)
        return line

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[:] = data
        return len(data)


def read_frames(stream: BinaryIO) -> Frames:
    """The frames of a pickled ``{pair: DataFrame}``.

    Raises:
        Corrupt: it is something else, cut off, or asks for what it does not need. Nothing was run.
    """
    try:
        content = _a(dict, _InertUnpickler(_Bounded(stream)).load())
        return {_a(str, pair): _frame(frame) for pair, frame in content.items()}
    except Corrupt:
        raise
    except Exception as exc:  # bytes that are no pickle make the unpickler raise nearly anything
        raise Corrupt(f"is not a pickle of {{pair: DataFrame}}: {type(exc).__name__}: {exc}") from exc


def _frame(value: Any) -> dict[str, NDArray[Any]]:
    blocks, axes = _named(_a(dict, _named(value, "DataFrame").state)["_mgr"], "BlockManager").args[:2]
    names = [str(name) for name in _index(axes[0]).tolist()]
    rows = _length(axes[1])
    columns: dict[int, NDArray[Any]] = {}
    for block in blocks:
        values, placement, *_ = _named(block, "_unpickle_block").args
        array = _values(values)
        array = array.reshape(1, -1) if array.ndim == 1 else array
        places = _placement(placement, len(names))
        if array.ndim != 2 or array.shape != (len(places), rows):
            raise Corrupt("has a block that does not fit its frame")
        columns.update(zip(places, array, strict=True))
    if sorted(columns) != list(range(len(names))) or len(set(names)) != len(names):
        raise Corrupt("has columns without values or without a name of their own")
    return {name: columns[place] for place, name in enumerate(names)}


def _placement(value: Any, limit: int) -> list[int]:
    if isinstance(value, _Inert) and value.name == "slice":
        return list(range(limit))[slice(*(_a(int, each) for each in value.args))]
    return [int(each) for each in _array(value)]


def _index(value: Any) -> NDArray[Any]:
    """Labels of an axis."""
    described = _a(dict, _named(value, "_new_Index").args[1])
    # A range names the columns of an empty frame only.
    return _values(described["data"]) if "data" in described else np.arange(min(_length(value), 1))


def _length(value: Any) -> int:
    """Length of an axis whose labels do not matter."""
    described = _a(dict, _named(value, "_new_Index").args[1])
    if "data" in described:
        return len(_values(described["data"]))
    return len(range(_a(int, described["start"]), _a(int, described["stop"]), _a(int, described["step"])))


def _values(value: Any) -> NDArray[Any]:
    """A block's values, whether numpy's or pandas' own."""
    if isinstance(value, _Inert) and value.name == "ArrowStringArray":
        return _arrow(_a(dict, value.state)["_pa_array"])
    if isinstance(value, _Inert) and value.name == "__pyx_unpickle_NDArrayBacked":
        dtype, data = _a(tuple, value.state)[:2]
        array = _array(data)
        if isinstance(dtype, _Inert) and dtype.name == "CategoricalDtype":
            words = [*_index(_a(dict, dtype.state)["categories"]).tolist(), None]
            return np.array([words[code] for code in array.ravel().tolist()], dtype=object).reshape(
                array.shape
            )
        return array
    return _array(value)


def _array(value: Any) -> NDArray[Any]:
    """A numpy array, made anew from its description."""
    record = _named(value, "_reconstruct", "_frombuffer")
    if record.name == "_reconstruct":
        _, shape, dtype, fortran, data = _a(tuple, record.state)
    else:
        data, dtype, shape, order = record.args[:4]
        fortran = order == "F"
    kind = _dtype(dtype)
    shape = tuple(_a(int, each) for each in _a(tuple, shape))
    if kind == np.dtype(object):
        flat = np.empty(len(_a(list, data)), dtype=object)
        flat[:] = [_scalar(each) for each in data]
    else:
        raw = _bytes(data)
        flat = np.frombuffer(raw, kind) if raw else np.empty(0, kind)
    return flat.reshape(shape, order="F" if fortran else "C")


def _dtype(value: Any) -> np.dtype[Any]:
    record = _named(value, "dtype")
    code, state = _a(str, record.args[0]), _a(tuple, record.state)
    if not _DTYPE.fullmatch(code) or state[1] not in {"<", "|", "="}:
        raise Corrupt(f"has values of an unexpected type: {code!r}")
    if code == "M8":
        unit, step, *_ = state[-1][1]
        if not _UNIT.fullmatch(_a(bytes, unit)) or step != 1:
            raise Corrupt("has times of an unexpected unit")
        return np.dtype(f"<M8[{unit.decode()}]")
    return np.dtype("O" if code == "O8" else f"<{code}")


def _scalar(value: Any) -> Any:
    """An element of an object array."""
    if isinstance(value, _Inert):
        if value.name == "_unpickle_timestamp":
            stamp, _, _, *resolution = value.args
            unit = _RESOLUTIONS[resolution[0] if resolution else 10]
            return np.array(_a(int, stamp), np.int64).astype(f"M8[{unit}]")[()]
        if value.name == "_nat_unpickle":
            return None
        dtype, data = _named(value, "scalar").args
        return np.frombuffer(_bytes(data), _dtype(dtype))[0].item()
    if value is None or isinstance(value, str | float | int):
        return value
    raise Corrupt(f"has a value of an unexpected type: {type(value).__name__}")


def _arrow(value: Any) -> NDArray[Any]:
    """A column of text as pandas 3 keeps it, after Arrow's own full validation."""
    record = _named(value, "_restore_array", "chunked_array")
    if record.name == "chunked_array":
        chunks = [_arrow(each) for each in _a(list, record.args[0])]
        return np.concatenate(chunks) if chunks else np.empty(0, dtype=object)
    described = _a(tuple, record.args[0])
    kind, length, nulls, offset = described[:4]
    alias = _named(kind, "type_for_alias").args[0]
    if alias not in {"large_string", "string"}:
        raise Corrupt(f"has values of an unexpected type: {alias!r}")
    buffers = [
        None if each is None else pa.py_buffer(_bytes(_named(each, "py_buffer").args[0]))
        for each in described[4]
    ]
    # Any length or offset beyond the buffers is found by the validation, before a byte is read.
    array = pa.Array.from_buffers(pa.type_for_alias(alias), length, buffers, nulls, offset)
    array.validate(full=True)
    return np.array(array.to_pylist(), dtype=object)


def _bytes(value: Any) -> bytes:
    if isinstance(value, _Inert) and value.name == "bytearray":
        (value,) = value.args or (b"",)  # of texts that all are empty
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    raise Corrupt(f"has a {type(value).__name__} where bytes are due")


def _named(value: Any, *names: str) -> _Inert:
    if isinstance(value, _Inert) and value.name in names:
        return value
    raise Corrupt(f"has a {getattr(value, 'name', '') or type(value).__name__} where a {names[0]} is due")


def _a(kind: type[_T], value: Any) -> _T:
    if isinstance(value, kind):
        return value
    raise Corrupt(f"has a {type(value).__name__} where a {kind.__name__} is due")
