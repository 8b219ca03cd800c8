"""Feature rows of one pair, timeframe and hook: computed once per closed candle, then kept."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from daemon.core.errors import StrategyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from daemon.core.candles import CandleFrame
    from daemon.features.compute import BlockComputer
    from daemon.features.plan import BlockKey

# Rows are forgotten when they are such a part of all: few copies, and yet memory that does not swing.
_FORGOTTEN_SHARE = 32


@dataclass(frozen=True, slots=True)
class BlockView:
    """What a block holds at one moment; it does not change afterwards.

    Attributes:
        names: columns.
        open_ms: int64[n], strictly increasing.
        values: float32[n, columns]; float64 where a hook reads these columns (`BlockComputer.reads`).
    """

    names: tuple[str, ...]
    open_ms: NDArray[np.int64]
    values: NDArray[np.floating[Any]]

    def __len__(self) -> int:
        return len(self.open_ms)

    def at(self, open_ms: int) -> int | None:
        """Index of the row of the candle that opens at ``open_ms``; None if there is none."""
        i = int(np.searchsorted(self.open_ms, open_ms))
        return i if i < len(self.open_ms) and self.open_ms[i] == open_ms else None


EMPTY_VIEW = BlockView((), np.empty(0, np.int64), np.empty((0, 0), np.float32))


class Block:
    """A growing block.

    Rows are added at the end as candles close (by the engine), and at the front when a training wants
    older ones (by the trainer). Computation happens outside the lock; only the splice is inside, so
    neither waits for the other's hooks.
    """

    def __init__(self, key: BlockKey, computer: BlockComputer) -> None:
        self.key = key
        self._computer = computer
        self._lock = threading.Lock()
        self._view = EMPTY_VIEW
        self._buffer: NDArray[np.floating[Any]] = np.empty((0, 0), np.float32)
        self._times = np.empty(0, np.int64)

    @property
    def view(self) -> BlockView:
        """The rows so far."""
        return self._view

    def extend(
        self, frame: CandleFrame, oldest_ms: int, give_way: Callable[[], None] = lambda: None
    ) -> BlockView:
        """Compute the rows of candles behind the newest row; begin at ``oldest_ms`` if there is none.

        Args:
            frame: all candles of this block's pair and timeframe.
            oldest_ms: open time of the first row wanted, where there is no row yet.
            give_way: called before each hook call.
        """
        view = self._sound_view(frame)
        first_ms = int(view.open_ms[-1]) + 1 if len(view) else oldest_ms
        first = int(np.searchsorted(frame.open_ms, first_ms))
        if first == len(frame):
            return view
        rows = self._computer.rows(self.key, frame, first, len(frame), give_way)
        open_ms = frame.open_ms[first:]
        with self._lock:
            current = self._view
            if len(view) and (not len(current) or current.open_ms[-1] < view.open_ms[-1]):
                return current  # rows were found unsound meanwhile: the next call computes from there
            self._check_names(current, rows.names)
            new = int(np.searchsorted(open_ms, current.open_ms[-1], "right")) if len(current) else 0
            self._append(current, rows.names, open_ms[new:], rows.values[new:])
            return self._view

    def reach_back(
        self, frame: CandleFrame, oldest_ms: int, give_way: Callable[[], None] = lambda: None
    ) -> BlockView:
        """Compute the rows from ``oldest_ms`` up to the oldest row that is here."""
        view = self._view if len(self._view) else self.extend(frame, oldest_ms, give_way)
        if not len(view):
            return view
        first, stop = (int(i) for i in np.searchsorted(frame.open_ms, [oldest_ms, view.open_ms[0]]))
        if first >= stop:
            return view
        rows = self._computer.rows(self.key, frame, first, stop, give_way)
        with self._lock:
            current = self._view
            if not len(current):
                return current  # as in `extend`: rows were found unsound or forgotten meanwhile
            self._check_names(current, rows.names)
            new = int(np.searchsorted(frame.open_ms[first:stop], current.open_ms[0]))
            self._show(
                rows.names,
                np.concatenate((frame.open_ms[first : first + new], current.open_ms)),
                np.concatenate((rows.values[:new], current.values)),
            )
            return self._view

    def forget_before(self, open_ms: int) -> None:
        """Drop rows that no training will ask for again; cheap to call often."""
        view = self._view
        drop = int(np.searchsorted(view.open_ms, open_ms))
        if drop > len(view) // _FORGOTTEN_SHARE:
            with self._lock:
                view = self._view
                drop = int(np.searchsorted(view.open_ms, open_ms))
                self._show(view.names, view.open_ms[drop:].copy(), view.values[drop:].copy())

    def _sound_view(self, frame: CandleFrame) -> BlockView:
        """The rows so far, up to the first place where the candles have changed under them.

        A candle that was missing when its neighbours were computed may come in later. From there on the
        rows are computed again, on candles that are now complete.
        """
        with self._lock:
            view = self._view
            if not len(view) or not len(frame):
                return view
            seen = int(np.searchsorted(view.open_ms, frame.open_ms[0]))
            start = int(np.searchsorted(frame.open_ms, view.open_ms[0]))
            mine, times = view.open_ms[seen:], frame.open_ms[start : start + len(view) - seen]
            if len(times) == len(mine) and (not len(mine) or times[-1] == mine[-1]):
                return view
            same = mine[: len(times)] == times
            keep = seen + (len(times) if same.all() else int(np.argmin(same)))
            self._show(view.names, view.open_ms[:keep].copy(), view.values[:keep].copy())
            return self._view

    def _check_names(self, view: BlockView, names: tuple[str, ...]) -> None:
        if len(view) and names != view.names:
            raise StrategyError(
                f"{self.key.pair} {self.key.timeframe}: the hooks now make other columns than before "
                f"({sorted(set(names) ^ set(view.names))[:5]}): they must not depend on the candles' values"
            )

    def _append(
        self,
        view: BlockView,
        names: tuple[str, ...],
        open_ms: NDArray[np.int64],
        values: NDArray[np.floating[Any]],
    ) -> None:
        """Splice rows behind the newest, in place while the buffer has room."""
        n, m = len(view), len(view) + len(open_ms)
        if m > len(self._times) or self._buffer.shape[1:] != values.shape[1:]:
            room = m + m // 2 + 64
            times, buffer = np.empty(room, np.int64), np.empty((room, values.shape[1]), values.dtype)
            times[:n] = view.open_ms
            if n:
                buffer[:n] = view.values
            self._times, self._buffer = times, buffer
        self._times[n:m] = open_ms
        self._buffer[n:m] = values
        self._view = BlockView(names, self._times[:m], self._buffer[:m])

    def _show(
        self,
        names: tuple[str, ...],
        open_ms: NDArray[np.int64],
        values: NDArray[np.floating[Any]],
    ) -> None:
        self._times, self._buffer = open_ms, values
        self._view = BlockView(names, open_ms, values)
