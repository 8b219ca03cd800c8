"""What the truth checks find, and what follows from it."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


class Fault(enum.StrEnum):
    """What is wrong with a column."""

    LOOKS_AHEAD = "looks ahead"
    """Its value at a candle changes with later candles."""
    UNSTEADY = "is not reproducible"
    """It differs between two computations on the same candles: state kept between calls, chance, or the clock."""
    LABEL = "is a target"
    """It is a feature and, by its name, a target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One column that is not a function of the candles up to its own row.

    Attributes:
        fault: what is wrong.
        place: the candles that it was found on, ``ADA/USDT 5m``.
        hook: who made the column.
        column: its name; a feature's as in a model's schema.
        candle_ms: open time of the candle whose row changes, ms UTC.
        known_ms: open time of the newest candle that the second computation knew.
        with_later: the row's value where later candles are known; for `Fault.UNSTEADY`, of the first computation.
        without: its value where they are not; for `Fault.UNSTEADY`, of the second computation.
        share: the difference as a share of the column's range; infinite where one of the two is missing or a text.
        followed: other candles follow the newest known one in the second computation, instead of none.
        times: at how many moments it was seen.
        label: the target whose values the column has; empty if none.
    """

    fault: Fault
    place: str
    hook: str
    column: str
    candle_ms: int = 0
    known_ms: int = 0
    with_later: float | str = math.nan
    without: float | str = math.nan
    share: float = math.inf
    followed: bool = False
    times: int = 0
    label: str = ""

    @property
    def text(self) -> str:
        """Which column, when, and by how much, as one sentence."""
        who = f"{self.column} ({self.hook}, {self.place})"
        label = f"; its values are those of the target {self.label}" if self.label else ""
        if self.fault is Fault.LABEL:
            return f"{who} has the name of a target: a feature's name must not hold '&'"
        much = f", {self.share:.2%} of the column's range" if math.isfinite(self.share) else ""
        one, two = _shown(self.with_later), _shown(self.without)
        if self.fault is Fault.UNSTEADY:
            return (
                f"{who} is not reproducible: at candle {_utc(self.candle_ms)} it is {one} and, computed again on the "
                f"same candles, {two}{much}; hooks must not keep state between calls, draw numbers or read the clock"
            )
        when = "is followed by other candles" if self.followed else "is the newest"
        return (
            f"{who} looks ahead: at candle {_utc(self.candle_ms)} it is {one} when later candles are known and {two} "
            f"when {_utc(self.known_ms)} {when}{much}{label}"
        )

    def figures(self) -> dict[str, Any]:
        """The same as JSON values; None for what is no finite number."""
        return {
            "fault": str(self.fault),
            "place": self.place,
            "hook": self.hook,
            "column": self.column,
            "candle_ms": self.candle_ms,
            "known_ms": self.known_ms,
            "with_later": _json(self.with_later),
            "without": _json(self.without),
            "followed": self.followed,
            "share_of_range": _json(self.share),
            "times": self.times,
            "label": self.label,
            "text": self.text,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthFindings:
    """What the sample at the start has found: the gate that every entry must pass.

    Attributes:
        findings: the worst first; none for a strategy that was not seen to look ahead.
    """

    findings: tuple[Finding, ...] = ()

    @property
    def blocks_entries(self) -> bool:
        """Whether nothing may be entered, whatever the strategy asks and the models say."""
        return bool(self.findings)

    @property
    def reason(self) -> str:
        """Why nothing may be entered: which column, when, by how much; empty if nothing speaks against it."""
        if not self.findings:
            return ""
        more = f" (and {len(self.findings) - 1} more: candled check)" if len(self.findings) > 1 else ""
        return f"{self.findings[0].text}{more}"


def worst_first(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Findings by what they are; of one kind, the one seen most often first."""
    order = list(Fault)
    return tuple(sorted(findings, key=lambda found: (order.index(found.fault), -found.times)))


def _shown(value: float | str) -> str:
    if isinstance(value, str):
        return repr(value)
    return f"{value:.6g}" if math.isfinite(value) else "missing"


def _json(value: float | str) -> float | str | None:
    return value if isinstance(value, str) or math.isfinite(value) else None


def _utc(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M}"
