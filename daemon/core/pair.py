"""Trading pairs."""

from __future__ import annotations

import re
from typing import Self

_COIN = r"[A-Za-z0-9$][A-Za-z0-9.\-$]*"
_PATTERN = re.compile(rf"{_COIN}/{_COIN}(:{_COIN})?")


class Pair(str):
    """A trading pair in ccxt's unified notation: ``BASE/QUOTE`` or ``BASE/QUOTE:SETTLE``.

    It is a string, so it serves as a key in files that FreqAI's users know; it cannot be constructed
    from anything else than a pair.

    Raises:
        ValueError: the text is not a pair.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check the notation."""
        if not _PATTERN.fullmatch(text):
            raise ValueError(f"{text!r} is not a pair: write it as BASE/QUOTE, for example 'BTC/USDT'")
        return super().__new__(cls, text)

    @property
    def base(self) -> str:
        """The coin that is bought or sold, ``BTC`` of ``BTC/USDT``."""
        return self.split("/", 1)[0]

    @property
    def quote(self) -> str:
        """The coin in which the price is given, ``USDT`` of ``BTC/USDT``."""
        return self.split("/", 1)[1].split(":", 1)[0]

    @property
    def coin(self) -> str:
        """The base coin as it may stand in a file name: other signs than letters, digits and ``_`` replaced."""
        return re.sub(r"\W", "_", self.base, flags=re.ASCII)

    @property
    def file_stem(self) -> str:
        """The pair as freqtrade writes it in file names: ``BTC_USDT``, ``BTC_USDT_USDT``."""
        return re.sub(r"[^A-Za-z0-9]", "_", self)
