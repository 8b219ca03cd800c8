"""Candles on disk: one feather file per pair and timeframe."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from daemon.core.candles import CandleFrame
from daemon.core.errors import ConfigError, Corrupt
from daemon.market.feather import candle_path, read_candles, write_candles

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from daemon.core.market import CandleKey

    WriteAtomic = Callable[[Path, Callable[[BinaryIO], None]], object]
    SetAside = Callable[[Path], Path]

log = logging.getLogger(__name__)


class CandleStore:
    """The candle files of one exchange, ``user_data/data/<exchange>/`` in freqtrade's layout.

    Args:
        folder: made when the first file is written.
        write_atomic: writes a file so that a crash leaves the old or the new one, never a part.
        set_aside: moves a damaged file out of the way, next to its place, and returns where to.
        keep_ms: candles of a file that are so much older than the newest given to `merge` are dropped by it, unless they
            are given, too; None: none is.
    """

    def __init__(
        self, folder: Path, write_atomic: WriteAtomic, set_aside: SetAside, keep_ms: int | None = None
    ) -> None:
        self.folder = folder
        self._write_atomic = write_atomic
        self._set_aside = set_aside
        self._keep_ms = keep_ms

    def path(self, key: CandleKey) -> Path:
        """The file of these candles, whether it exists or not."""
        return candle_path(self.folder, key)

    def read(self, key: CandleKey) -> CandleFrame:
        """All candles of the file; none if there is no file.

        A damaged file is set aside and logged: candles can be fetched again.

        Raises:
            ConfigError: the file may not be read, or a damaged one may not be moved.
        """
        path = self.path(key)
        try:
            return read_candles(path, key.timeframe)
        except FileNotFoundError:
            return CandleFrame.empty()
        except Corrupt as exc:
            fields = {"key": str(key), "file": str(path), "moved_to": str(self._moved(path)), "why": str(exc)}
            log.warning("candle_file_damaged", extra={"fields": fields})
            return CandleFrame.empty()
        except OSError as exc:
            raise ConfigError(f"cannot read the candle file {path}: {exc.strerror or exc}") from exc

    def write(self, key: CandleKey, frame: CandleFrame) -> None:
        """Replace the file by these candles, atomically.

        Raises:
            OSError: the disk is full, or the folder may not be written.
        """
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._write_atomic(path, lambda stream: write_candles(frame, stream))

    def merge(self, key: CandleKey, frame: CandleFrame) -> None:
        """Put these candles in place of those in the file from the first to the last of them.

        Candles of the file after them stay, and those before them as long as the store keeps any: a file may reach
        farther back than the daemon needs.

        Raises:
            OSError: as `write`.
            ConfigError: as `read`.
        """
        if not len(frame):
            return
        held = self.read(key)
        oldest_ms = 0 if self._keep_ms is None else int(frame.open_ms[-1]) - self._keep_ms
        before = held.between(oldest_ms, int(frame.open_ms[0]) - 1)
        after = held[int(np.searchsorted(held.open_ms, frame.open_ms[-1], side="right")) :]
        parts = [part for part in (before, frame, after) if len(part)]
        open_ms = np.concatenate([part.open_ms for part in parts])
        values = np.concatenate([part.values for part in parts])
        self.write(key, CandleFrame.trusted(open_ms, values))

    def _moved(self, path: Path) -> Path:
        try:
            return self._set_aside(path)
        except OSError as exc:
            raise ConfigError(f"{path} is damaged and cannot be moved: {exc.strerror or exc}") from exc
