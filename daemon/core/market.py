"""The port through which candles come in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.core.candles import CandleFrame
    from daemon.core.errors import CandledError
    from daemon.core.pair import Pair
    from daemon.core.timeframe import Timeframe


class CandleKey(NamedTuple):
    """What a series of candles is named by."""

    pair: Pair
    timeframe: Timeframe

    def __str__(self) -> str:
        return f"{self.pair} {self.timeframe}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CandleRequest:
    """Ask for candles that open at or after ``since_ms``, at most ``limit`` of them, oldest first."""

    key: CandleKey
    since_ms: int
    limit: int


class Market(Protocol):
    """An exchange, as far as candles go.

    Rules: answers hold sound candles only (`CandleFrame` refuses the rest), in order, without
    duplicates, none before ``since_ms``, never more than asked for; the candle in progress may be the
    last one. A request that failed is answered by its error, in its place, and never spoils the
    others. No request is sent while the exchange asks for silence. All methods may be called from any
    thread.
    """

    name: str
    page_limit: int
    """Most candles that one request is answered with."""

    def timeframes(self) -> frozenset[Timeframe]:
        """Candle lengths that the exchange serves."""
        ...

    def pairs(self) -> frozenset[Pair]:
        """Pairs that are traded on the exchange.

        Raises:
            Retryable: the exchange could not be asked.
        """
        ...

    def now_ms(self) -> int:
        """The exchange's own time: which candle is closed is decided by it, not by our clock."""
        ...

    def fetch(self, requests: Sequence[CandleRequest], budget_s: float) -> list[CandleFrame | CandledError]:
        """Answer every request, in the order of the requests, within ``budget_s`` real seconds.

        Passing faults are retried within the budget. What is not answered by its end is answered by
        `Retryable`.
        """
        ...

    def close(self) -> None:
        """Let go of connections and threads; a running `fetch` ends soon."""
        ...
