"""What the desk knows when it looks at its trades: one moment, frozen."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from daemon.trading.signals import SignalKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daemon.core.pair import Pair
    from daemon.trading.broker import Quote
    from daemon.trading.messages import Tick
    from daemon.trading.signals import Signal

_NO_QUOTES: Mapping[Pair, Quote] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at the market and at what the strategy asks for.

    Attributes:
        now_ms: market time, ms UTC.
        candle_ms: open time of the newest closed candle, under which orders are numbered.
        tick: the newest tick; None where its signals are over or there was none yet.
        quotes: prices now.
    """

    now_ms: int
    candle_ms: int
    tick: Tick | None
    quotes: Mapping[Pair, Quote] = field(default_factory=lambda: _NO_QUOTES)

    def signal(self, pair: Pair, kind: SignalKind) -> Signal | None:
        """What the strategy asks for of this kind, blocked or not."""
        if self.tick is None:
            return None
        return next((s for s in self.tick.signals if s.pair == pair and s.kind is kind), None)

    def enters(self, pair: Pair) -> bool:
        """Whether the strategy asks to be in a pair now, even if something bars it."""
        return self.signal(pair, SignalKind.ENTER_LONG) is not None

    def leaves(self, pair: Pair) -> Signal | None:
        """The signal to leave a pair."""
        return self.signal(pair, SignalKind.EXIT_LONG)
