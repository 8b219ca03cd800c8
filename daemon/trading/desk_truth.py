"""The ledger held against the exchange: at the start, after failures, and every few minutes."""

from __future__ import annotations

import logging
from types import MappingProxyType
from typing import TYPE_CHECKING

from daemon.core.errors import ConfigError, Refused, Retryable
from daemon.trading.ledger_files import RESTORED
from daemon.trading.reconciliation import Reconciliation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from daemon.core.clock import Clock
    from daemon.core.pair import Pair
    from daemon.trading.broker import Balance, Broker
    from daemon.trading.desk_orders import DeskOrders
    from daemon.trading.ledger import Ledger

log = logging.getLogger(__name__)

EVERY_S = 180.0
"""Real seconds between two reconciliations while all is well."""
AGAIN_S = 10.0
"""Real seconds to the next one where the last failed or found a difference."""
BALANCES_S = 30.0
"""Real seconds after which balances of an exchange are asked for again."""


class DeskTruth:
    """Knows whether ledger and exchange agree.

    Args:
        ledger: what is ours.
        broker: what happened.
        orders: takes what is found.
        clock: real time.
        pairs: the whitelist.
        on_paper: whether the account is the ledger's own: then it cannot differ from it.
    """

    def __init__(
        self,
        ledger: Ledger,
        broker: Broker,
        orders: DeskOrders,
        *,
        clock: Clock,
        pairs: Sequence[Pair],
        on_paper: bool,
    ) -> None:
        self._ledger = ledger
        self._broker = broker
        self._orders = orders
        self._clock = clock
        self._pairs = tuple(pairs)
        self._on_paper = on_paper
        self._reconciliation = Reconciliation(ledger, broker)
        self._noted: set[str] = set()
        self._due_s = clock.monotonic_s()
        self._balances: Mapping[str, Balance] = MappingProxyType({})
        self._balances_s: float | None = None
        self.obstacles: tuple[str, ...] = ("the ledger has not been held against the exchange yet",)
        """Why nothing may be entered; empty if ledger and exchange agree."""

    def take(self, pairs: Sequence[Pair]) -> None:
        """Compare for other pairs from now on."""
        self._pairs = tuple(pairs)

    def look(self) -> None:
        """Reconcile if it is due."""
        if self._clock.monotonic_s() < self._due_s:
            return
        try:
            obstacles = self._reconciled()
        except (Retryable, Refused, ConfigError) as exc:
            obstacles = (f"the exchange could not be asked: {exc}",)
        if obstacles != self.obstacles:
            log.log(
                logging.WARNING if obstacles else logging.INFO,
                "reconciled",
                extra={"fields": {"in_step": not obstacles, **({"why": obstacles} if obstacles else {})}},
            )
        self.obstacles = obstacles
        self._due_s = self._clock.monotonic_s() + (AGAIN_S if obstacles else EVERY_S)

    def soon(self) -> None:
        """Reconcile at the next look."""
        self._due_s = self._clock.monotonic_s()
        self._orders.ask_again()

    def balances(self) -> Mapping[str, Balance]:
        """The account: by the ledger on paper, else as the exchange told it last.

        Raises:
            Retryable: it never has.
        """
        if self._on_paper:
            return self._ledger.wallet()
        now_s = self._clock.monotonic_s()
        if self._balances_s is None or now_s - self._balances_s >= BALANCES_S:
            self._balances = self._broker.balances()
            self._balances_s = now_s
        return self._balances

    def stale(self) -> None:
        """Something was filled: the balances are others now."""
        self._balances_s = None

    def _reconciled(self) -> tuple[str, ...]:
        """Take what the exchange knows; return what does not add up."""
        found = self._reconciliation.compare(self._pairs, self._clock.now_ms())
        for note in found.notes:
            if note not in self._noted:
                log.warning("reconciliation", extra={"fields": {"found": note}})
        self._noted = set(found.notes)
        self._balances_s = None
        if found.in_step and self._ledger.get(RESTORED):
            self._ledger.put(RESTORED, None)
            log.info("ledger_is_whole_again")
        return found.reasons
