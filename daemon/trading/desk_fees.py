"""What fees in a third currency (BNB) were worth when they were paid: asked once, and kept with the fill."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from daemon.core.errors import ConfigError, Refused, Retryable
from daemon.core.pair import Pair

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from daemon.core.clock import Clock
    from daemon.trading.ledger import Ledger
    from daemon.trading.orders import Fill
    from daemon.trading.records import TradeRecord

log = logging.getLogger(__name__)

AGAIN_S = 60.0
"""Real seconds until the exchange is asked again after it has not answered."""
MINUTE_MS = 60_000
MOST = 5
"""Fills that are valued at one look, at most: orders are more urgent."""


class DeskFees:
    """Values them, in the desk's thread.

    Args:
        ledger: keeps the prices.
        price_at: what a pair cost at a moment; None where the market showed no price.
        changed: is told of trades whose profit is another now.
        clock: real time.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        price_at: Callable[[Pair, int], Decimal | None],
        changed: Callable[[TradeRecord], None],
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._price_at = price_at
        self._changed = changed
        self._clock = clock
        self._due_s = clock.monotonic_s()
        self._known: dict[tuple[Pair, int], Decimal | None] = {}
        self._told: set[Pair] = set()

    def look(self) -> None:
        """Value what is not valued yet.

        Raises:
            Retryable: the ledger cannot be written.
        """
        if self._clock.monotonic_s() < self._due_s:
            return
        for fill in self._ledger.unvalued()[:MOST]:
            pair = Pair(f"{fill.fee_currency}/{fill.pair.quote}")
            try:
                rate = self._rate(pair, fill)
            except (Retryable, ConfigError) as exc:
                log.debug("fee_not_valued", extra={"fields": {"pair": pair, "error": str(exc)}})
                self._due_s = self._clock.monotonic_s() + AGAIN_S
                return
            if rate is None and pair not in self._told:
                self._told.add(pair)
                log.warning("fee_without_price", extra={"fields": {"pair": pair, "fill": fill.fill_id}})
            self._changed(self._ledger.value_fee(fill, rate))
        if len(self._known) > MOST:
            self._known.clear()

    def _rate(self, pair: Pair, fill: Fill) -> Decimal | None:
        """The price of the minute of a fill."""
        key = pair, fill.at_ms // MINUTE_MS
        if key not in self._known:
            try:
                self._known[key] = self._price_at(pair, fill.at_ms)
            except Refused:
                self._known[key] = None
        return self._known[key]
