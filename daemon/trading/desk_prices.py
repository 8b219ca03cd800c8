"""The prices that the desk sees, and what it makes of there being none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.core.errors import ConfigError, Refused, Retryable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from daemon.core.clock import Clock
    from daemon.core.pair import Pair
    from daemon.trading.broker import Broker, Quote
    from daemon.trading.desk_truth import DeskTruth
    from daemon.trading.troubles import Troubles

AWAY_S = 15.0
"""When an exchange has given no prices for so many real seconds, it is reconciled with before anything is entered."""


class DeskPrices:
    """Asks for them.

    Args:
        broker: where they come from.
        clock: real time.
        troubles: are told when there are none.
        truth: is told that the exchange was away, and tells which pairs it has no more.
    """

    def __init__(self, broker: Broker, *, clock: Clock, troubles: Troubles, truth: DeskTruth) -> None:
        self._broker = broker
        self._clock = clock
        self._troubles = troubles
        self._truth = truth
        self._away_s: float | None = None

    def of(self, pairs: Sequence[Pair]) -> Mapping[Pair, Quote]:
        """Prices now; a pair without any is left out, and all while the exchange does not answer."""
        now_s = self._clock.monotonic_s()
        try:
            found = self._broker.quotes(pairs) if pairs else {}
        except (Retryable, Refused, ConfigError) as exc:
            self._troubles.put("prices", str(exc))
            self._away_s = now_s if self._away_s is None else self._away_s
            return {}
        if self._away_s is not None and now_s - self._away_s >= AWAY_S:
            self._truth.doubt("the exchange was away: the ledger has not been held against it since")
        self._away_s = None
        self._truth.listed(found)
        lacking = ", ".join(pair for pair in pairs if pair not in found and pair not in self._truth.unlisted)
        self._troubles.put("prices", f"there is none of {lacking}" if lacking else "")
        return found
