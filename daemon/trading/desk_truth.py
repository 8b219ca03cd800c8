"""The ledger held against the exchange: at the start, after failures, and every few minutes."""

from __future__ import annotations

import logging
from types import MappingProxyType
from typing import TYPE_CHECKING

from daemon.core.errors import ConfigError, Refused, Retryable
from daemon.trading import reconcile
from daemon.trading.ledger_connection import LedgerFault
from daemon.trading.reconciliation import Reconciliation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from daemon.core.clock import Clock
    from daemon.core.pair import Pair
    from daemon.trading.broker import Balance, Broker
    from daemon.trading.desk_options import DeskOptions
    from daemon.trading.desk_orders import DeskOrders
    from daemon.trading.ledger import Ledger

log = logging.getLogger(__name__)

EVERY_S = 180.0
"""Real seconds between two reconciliations while all is well."""
AGAIN_S, AGAIN_MOST_S = 2.0, 20.0
"""Real seconds to the next one where the last failed or found a difference: at first, and after doublings at most."""
BALANCES_S, BALANCES_AGAIN_S = 30.0, 10.0
"""Real seconds after which balances of an exchange are asked for again: while it answers, and while it does not."""


class DeskTruth:
    """Knows whether ledger and exchange agree.

    Args:
        ledger: what is ours.
        broker: what happened.
        orders: takes what is found.
        clock: real time.
        options: the whitelist, and how long is waited for what may come late.
        on_paper: whether the account is the ledger's own: then it cannot differ from it.
    """

    def __init__(
        self,
        ledger: Ledger,
        broker: Broker,
        orders: DeskOrders,
        *,
        clock: Clock,
        options: DeskOptions,
        on_paper: bool,
    ) -> None:
        self._ledger = ledger
        self._broker = broker
        self._orders = orders
        self._clock = clock
        self._watched = self._pairs = options.pairs
        self._on_paper = on_paper
        self._reconciliation = Reconciliation(
            ledger, broker, grace_ms=options.grace_ms, confirm_ms=options.confirm_ms, take=orders.take
        )
        self._noted: set[str] = set()
        self._due_s = clock.monotonic_s()
        self._balances: Mapping[str, Balance] | None = None
        self._balances_s: float | None = None
        self._balances_moves = 0
        self.account_fault = ""
        """Why the account is not known as it is now; empty if it is."""
        self.unlisted: Mapping[str, str] = MappingProxyType({})
        """Pairs that the exchange has no more -> what is to be done about it; their orders are no doubts about others."""
        self._found: tuple[str, ...] = ("the ledger has not been held against the exchange yet",)
        self._doubted = False
        self._again_s = AGAIN_S

    @property
    def obstacles(self) -> tuple[str, ...]:
        """Why nothing may be entered; empty if ledger and exchange agree, and no order is in doubt."""
        return *self._found, *self._doubts(), *filter(None, [self.account_fault])

    def take(self, watched: Sequence[Pair], pairs: Sequence[Pair]) -> None:
        """Compare for other pairs from now on; ``pairs``: the whitelist."""
        self._watched, self._pairs = tuple(watched), tuple(pairs)
        self._due_s = self._clock.monotonic_s()

    def look(self) -> None:
        """Reconcile if it is due, or if what it found may have come from doubts that are over."""
        cleared = bool(self._found) and self._doubted and not self._doubts()
        if self._clock.monotonic_s() < self._due_s and not cleared:
            return
        before = self._found
        try:
            self._found = self._reconciled()
        except LedgerFault:
            raise
        except (Retryable, Refused, ConfigError) as exc:
            self._found = (f"the exchange could not be asked: {exc}",)
            self._doubted = False
        if self._found != before:
            fields = {"in_step": not self._found, **({"why": self._found} if self._found else {})}
            log.log(logging.WARNING if self._found else logging.INFO, "reconciled", extra={"fields": fields})
        self._due_s = self._clock.monotonic_s() + (self._again_s if self._found else EVERY_S)
        self._again_s = min(2 * self._again_s, AGAIN_MOST_S) if self._found else AGAIN_S

    def soon(self) -> None:
        """Reconcile at the next look."""
        self._due_s = self._clock.monotonic_s()
        self._orders.ask_again()

    def doubt(self, why: str) -> None:
        """Let nothing be entered before the next reconciliation, which is due at once."""
        self._found, self._doubted = (why,), False
        self.soon()

    def listed(self, pairs: Iterable[Pair]) -> None:
        """The exchange has these pairs: what happened while one of them was gone is asked for before anything is entered."""
        back = [pair for pair in pairs if pair in self.unlisted]
        if back:
            left = {pair: why for pair, why in self.unlisted.items() if pair not in back}
            self.unlisted = MappingProxyType(left)
            self.doubt(f"{', '.join(back)}: listed again, and not held against the exchange since")

    def balances(self) -> Mapping[str, Balance]:
        """The account: by the ledger on paper, else as the exchange tells it.

        It is asked again after every order and fill. While it does not answer (`account_fault`), the account is what
        it told last, or (if it never has) what the ledger says.
        """
        if self._on_paper:
            return self._ledger.wallet()
        now_s, moves = self._clock.monotonic_s(), self._orders.moves
        patience_s = BALANCES_AGAIN_S if self.account_fault else BALANCES_S
        fresh = self._balances_s is not None and now_s - self._balances_s < patience_s
        if not fresh or (moves != self._balances_moves and not self.account_fault):
            try:
                self._balances = self._broker.balances()
                self.account_fault = ""
            except (Retryable, Refused, ConfigError) as exc:
                self.account_fault = f"the balances could not be asked: {exc}"
            self._balances_s, self._balances_moves = self._clock.monotonic_s(), moves
        return self._ledger.wallet() if self._balances is None else self._balances

    def _reconciled(self) -> tuple[str, ...]:
        """Take what the exchange knows; return what does not add up."""
        found = self._reconciliation.compare(self._watched, self._clock.now_ms())
        for note in found.notes:
            if note not in self._noted:
                log.warning("reconciliation", extra={"fields": {"found": note}})
        self._noted = set(found.notes)
        self._balances_s = None
        self._doubted = bool(found.doubts)
        self.unlisted = MappingProxyType({pair: self._unlisted(pair) for pair in sorted(found.unlisted)})
        return tuple(reason for reason in found.reasons if reason not in found.doubts)

    def _doubts(self) -> tuple[str, ...]:
        """Orders that the exchange may have, and executions that are not listed: known as soon as they are asked for."""
        orders = self._ledger.orders(unsettled=True)
        return reconcile.doubts(order for order in orders if order.intent.pair not in self.unlisted)

    def _unlisted(self, pair: Pair) -> str:
        """What to do about a pair that is gone."""
        todo = ["take it out of exchange.pair_whitelist"] if pair in self._pairs else []
        todo += [
            f"trade {trade.trade_id} stays as it is: look at the exchange what has become of its orders and coins, and tell "
            f"it by candled settle {trade.trade_id}"
            for trade in self._ledger.trades(is_open=True)
            if trade.pair == pair
        ]
        return f"{self._broker.name} does not list it any more: {'; '.join(todo)}"
