"""The opcodes of a pickle of ``{pair: DataFrame}``, with a place for every column's bytes.

pickle's protocol 5 can hand over the buffers of arrays separately. Here it does so for frames of the right
shape whose arrays were never filled (memory that is never touched costs none); the true bytes are put in
the buffers' places, in the form that the same protocol has for buffers inside the stream.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from daemon.state.stored import DATE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from daemon.core.pair import Pair
    from daemon.state.stored import FrozenColumn, FrozenPair

_BYTEARRAY8 = struct.Struct("<cQ")
_FRAME_LENGTH = 9


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of the pickle: opcodes, or (with ``column``) the values of one column.

    Attributes:
        opcodes: the bytes, without ``column``.
        pair: the column's pair.
        frozen: where the column's values are.
        column: the column.
        dtype: of its values in the file.
    """

    opcodes: bytes = b""
    pair: Pair | None = None
    frozen: FrozenPair | None = None
    column: FrozenColumn | None = None
    dtype: np.dtype[Any] | None = None

    @property
    def is_time(self) -> bool:
        """Whether the column is the candle times."""
        return self.frozen is not None and self.column is self.frozen.times

    def data(self) -> memoryview:
        """The bytes; of a column, its values little endian."""
        if self.frozen is None or self.column is None:
            return memoryview(self.opcodes)
        values = self.frozen.values(self.column, 0, self.frozen.rows)
        return np.ascontiguousarray(values.astype(self.dtype, copy=False)).data.cast("B")


class _Pickler(pickle.Pickler):
    """numpy hands over no buffer for times (the buffer protocol does not know them): show them as integers."""

    def reducer_override(self, obj: object) -> Any:
        if isinstance(obj, np.ndarray) and obj.dtype.kind == "M":
            reduced: Any = obj.view(np.int64).__reduce_ex__(5)
            rebuild, (buffer, _, *rest) = reduced
            return rebuild, (buffer, obj.dtype, *rest)
        return NotImplemented


def pickle_parts(pairs: Mapping[Pair, FrozenPair]) -> Iterator[Part]:
    """The pickle of all pairs' frames, in the order in which it is written. No pair may be empty."""
    # Plain strings as keys: a reader of the pickle need not have candled.
    frames = {str(pair): _empty_frame(frozen) for pair, frozen in pairs.items()}
    columns = {
        address: part for pair in pairs for address, part in _columns(pair, pairs[pair], frames[str(pair)])
    }
    buffers: list[pickle.PickleBuffer] = []
    stream = io.BytesIO()
    _Pickler(stream, protocol=5, buffer_callback=lambda buffer: buffers.append(buffer)).dump(frames)  # noqa: PLW0108 - a true result would keep the buffer inside
    opcodes, filled, done = stream.getvalue(), iter(buffers), 0
    kept = bytearray()
    for opcode, _, found in pickletools.genops(opcodes):
        if opcode.name not in {"FRAME", "NEXT_BUFFER", "READONLY_BUFFER"}:
            continue
        position = found or 0
        kept += opcodes[done:position]
        done = position + (_FRAME_LENGTH if opcode.name == "FRAME" else 1)
        # Frames are only a hint for reading ahead, and would be wrong once the buffers stand inside them.
        if opcode.name == "NEXT_BUFFER":
            raw = next(filled).raw()
            part = columns.pop(_address(np.frombuffer(raw, np.uint8)))
            yield Part(opcodes=bytes(kept + _BYTEARRAY8.pack(b"\x96", len(raw))))
            yield part
            kept.clear()
    if columns:
        raise RuntimeError(f"pickle kept columns to itself: {[part.pair for part in columns.values()]}")
    yield Part(opcodes=bytes(kept + opcodes[done:]))


def _empty_frame(frozen: FrozenPair) -> pd.DataFrame:
    rows = frozen.rows
    arrays: dict[str, Any] = {}
    for column in frozen.columns:
        if column.texts is None:
            arrays[column.name] = np.zeros(rows)
        else:
            categories = pd.CategoricalDtype(pd.Index(column.texts, dtype=object))
            arrays[column.name] = pd.Categorical.from_codes(
                np.zeros(rows, _code_dtype(column)), dtype=categories
            )
    arrays[frozen.times.name] = pd.array(np.zeros(rows, np.int64).view("M8[ms]"), dtype=DATE)
    frame = pd.DataFrame(arrays, copy=False)
    # Plain objects: a `str` index could be read by nobody without pyarrow.
    frame.columns = pd.Index(list(arrays), dtype=object)
    return frame


def _columns(pair: Pair, frozen: FrozenPair, frame: pd.DataFrame) -> Iterator[tuple[int, Part]]:
    """Where in memory the frame's arrays are, and what belongs in their places."""
    for place, column in enumerate((*frozen.columns, frozen.times)):
        values: Any = frame.iloc[:, place].array
        if column is frozen.times:
            yield _address(values.asi8), Part(b"", pair, frozen, column, np.dtype("<i8"))
        elif column.texts is None:
            yield _address(values.to_numpy(copy=False)), Part(b"", pair, frozen, column, np.dtype("<f8"))
        else:
            yield _address(values.codes), Part(b"", pair, frozen, column, values.codes.dtype)


def _code_dtype(column: FrozenColumn) -> type[np.signedinteger[Any]]:
    known = len(column.texts or ())
    return np.int8 if known < 1 << 7 else np.int16 if known < 1 << 15 else np.int32


def _address(array: NDArray[Any]) -> int:
    return int(array.__array_interface__["data"][0])
