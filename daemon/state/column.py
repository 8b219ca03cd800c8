"""One column of a pair's resident rows: numbers, or codes of texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from daemon.core.errors import Corrupt
from daemon.state import arrays
from daemon.state.stored import FrozenColumn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from daemon.state.stored import StoredColumn


class Column:
    """Values of one column in the resident rows: float64, or int32 codes with a table of texts."""

    def __init__(self, *, text: bool, capacity: int, stored: StoredColumn | None = None) -> None:
        self.text = text
        self.stored = None if stored is None else stored.segment
        self.array: NDArray[Any] = np.zeros(capacity, np.int32) if text else np.full(capacity, np.nan)
        self.texts: list[str]
        self._code: dict[str, int]
        self._table: NDArray[Any]
        # The empty text is always code 0: rows without a value need no special case.
        self._begin(stored.texts if stored and stored.texts else ("",))

    def coded(self, value: float | str | None) -> float | int:
        """What stands in the array for a value; None is NaN or the empty text."""
        if self.text:
            return 0 if value is None else self.code(str(value))
        return np.nan if value is None else float(value)

    def code(self, word: str) -> int:
        """The code of a text, new if need be."""
        code = self._code.get(word)
        if code is None:
            code = self._code[word] = len(self.texts)
            self.texts.append(word)
        return code

    def shown(self, array: NDArray[Any]) -> NDArray[Any]:
        """Values as the world sees them: a read-only view of numbers, or an object array of texts."""
        if self.text:
            if len(self._table) != len(self.texts):
                self._table = np.array(self.texts, dtype=object)
            return cast("NDArray[Any]", self._table[array])
        view = array.view()
        view.flags.writeable = False
        return view

    def blank(self, n: int) -> NDArray[Any]:
        """What is shown for ``n`` candles without a row."""
        return np.full(n, "", dtype=object) if self.text else np.full(n, np.nan)

    def frozen(self, name: str, place: slice, older: slice | None = None) -> FrozenColumn:
        """The column as it is now.

        Args:
            name: of the column.
            place: which of the resident rows it shows.
            older: which of the rows in the snapshot, where some are left out: then the words that no row uses any
                more are left out, too, so that a record that is bounded has bounded words.
        """
        resident, words = self.array[place], tuple(self.texts) if self.text else None
        if not self.text or older is None:
            return FrozenColumn(name, self.stored, words, resident)
        used = np.zeros(len(self.texts), np.bool_)
        used[0] = used[resident] = True
        if self.stored is not None and older.start < older.stop:
            try:
                used[self.stored.read(0, older.stop)[older.start :]] = True
            except Corrupt:
                # Then it can hardly be written, which is told there; if it can, no word may be missing.
                return FrozenColumn(name, self.stored, words, resident)
        codes = np.flatnonzero(used)
        recode = np.zeros(len(used), np.int32)
        recode[codes] = np.arange(len(codes), dtype=np.int32)
        return FrozenColumn(
            name, self.stored, tuple(self.texts[code] for code in codes), recode[resident], recode
        )

    def rebase(self, place: slice, stored: StoredColumn | None) -> None:
        """Forget all rows but some; the older ones are in another snapshot now, whose words begin the table."""
        array, words = self.array[place], self.texts
        if stored is not None and stored.texts is not None and len(stored.texts) < len(words):
            self._begin(stored.texts)
            recode = np.zeros(len(words), np.int32)
            present = np.unique(array)
            recode[present] = [self.code(words[code]) for code in present]
            array = recode[array]
        # A copy, lest a part of the old array hold all of it.
        self.array = arrays.larger(array, len(array), len(array))
        self.stored = None if stored is None else stored.segment

    def _begin(self, words: Sequence[str]) -> None:
        self.texts = list(words)
        self._code = {word: code for code, word in enumerate(self.texts)}
        self._table = np.array(self.texts, dtype=object)
