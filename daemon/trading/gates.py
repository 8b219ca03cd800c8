"""Gates before an entry: what must be so before a new order may be sent. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from daemon.core.pair import Pair
    from daemon.strategy.locks import PairLock
    from daemon.trading.rules import TradeRules


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Whether something may be entered, and every reason why not.

    Attributes:
        reasons: empty if the gate is open; each begins with the name of what is closed.
    """

    reasons: tuple[str, ...] = ()

    @property
    def open(self) -> bool:
        """Whether nothing speaks against an entry."""
        return not self.reasons


OPEN = Gate()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskFacts:
    """What concerns every entry.

    Attributes:
        state: ``running``, ``paused`` or ``stopped``.
        findings: why ledger and exchange are not known to agree: not compared yet, differences, contradictions.
        ledger_fault: why the ledger cannot be written; empty if it can.
        clock_off_ms: by how much our clock is ahead of the exchange's.
        clock_allowed_ms: how much is allowed, either way, less than some exchanges do.
        breaches: limits of risk that were broken (`risk.breaches`).
        orders_fault: why no more orders may be sent now (`risk.too_many_orders`); empty if they may.
    """

    state: str = "running"
    findings: tuple[str, ...] = ()
    ledger_fault: str = ""
    clock_off_ms: int = 0
    clock_allowed_ms: int = 1_000
    breaches: tuple[str, ...] = ()
    orders_fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairFacts:
    """What concerns an entry of one pair.

    Attributes:
        pair: which.
        now_ms: market time, ms UTC.
        candle_close_ms: close of the candle that the signal is of, ms UTC; None for an entry by command.
        blocked: why the signal itself may not be acted on (`Signal.blocked`), an expired model for one; empty if it may.
        held: whether a trade of the pair is open.
        open_trades: how many are open in all.
        locks: every lock there is.
        side: of the entry.
    """

    pair: Pair
    now_ms: int
    candle_close_ms: int | None = None
    blocked: str = ""
    held: bool = False
    open_trades: int = 0
    locks: tuple[PairLock, ...] = ()
    side: str = "long"


def desk_gate(facts: DeskFacts) -> Gate:
    """Whether anything may be entered at all."""
    off = abs(facts.clock_off_ms)
    closed = (
        (
            facts.state != "running",
            f"{facts.state}: by `candled pause` or initial_state; `candled resume` opens it",
        ),
        *((True, f"reconciliation: {finding}") for finding in facts.findings),
        (bool(facts.ledger_fault), f"ledger: {facts.ledger_fault}"),
        (
            off > facts.clock_allowed_ms,
            f"clock: {off} ms off the exchange's, entries go up to {facts.clock_allowed_ms} ms; set this machine's clock",
        ),
        *((True, f"risk: {breach}") for breach in facts.breaches),
        (bool(facts.orders_fault), f"risk: {facts.orders_fault}"),
    )
    return Gate(reasons=tuple(words for shut, words in closed if shut))


def pair_gate(facts: PairFacts, rules: TradeRules) -> Gate:
    """Whether this pair may be entered now."""
    age_ms = None if facts.candle_close_ms is None else facts.now_ms - facts.candle_close_ms
    lock = longest_lock(facts.locks, facts.pair, facts.now_ms, facts.side)
    most = rules.most_trades
    closed = (
        (bool(facts.blocked), f"signal: {facts.blocked}"),
        (
            age_ms is not None and age_ms >= rules.expired_after_ms,
            f"candle: {(age_ms or 0) / 1000:g} s old, allowed are {rules.expired_after_ms / 1000:g} s",
        ),
        (facts.held, f"open trade: there is one of {facts.pair}"),
        (most is not None and facts.open_trades >= most, f"max_open_trades: {facts.open_trades} are open"),
        (lock is not None, f"lock: {_words(lock)}" if lock is not None else ""),
    )
    return Gate(reasons=tuple(words for shut, words in closed if shut))


def longest_lock(locks: Iterable[PairLock], pair: str, now_ms: int, side: str) -> PairLock | None:
    """The lock that keeps a pair from being entered longest."""
    now = datetime.fromtimestamp(now_ms / 1000, tz=UTC)
    found = (lock for lock in locks if lock.pair in (pair, "*") and lock.covers(None, now, side))
    return max(found, key=lambda lock: lock.lock_end_time, default=None)


def _words(lock: PairLock) -> str:
    whose = "all pairs" if lock.pair == "*" else lock.pair
    return f"{whose} until {lock.lock_end_time:%Y-%m-%d %H:%M} UTC: {lock.reason or 'no reason given'}"
