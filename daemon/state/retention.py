"""How long predictions are kept on record: all of them, unless the user says otherwise."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from daemon.core.errors import Corrupt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daemon.core.pair import Pair
    from daemon.state.columns import PairColumns

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Which rows the next snapshot leaves out.

    Age is counted from the newest candle on record, not from a clock: a wrong one must not empty the record.

    Attributes:
        keep_ms: rows of candles that opened so long before the newest one are left out; None: none is.
        least_rows: newest rows of each pair that stay however old they are; at least one, for a snapshot without a
            pair says that its rows are to be looked for in the backup.
    """

    keep_ms: int | None = None
    least_rows: int = 1

    def __post_init__(self) -> None:
        """Refuse what would empty a pair."""
        if self.least_rows < 1:
            raise ValueError(f"least_rows is {self.least_rows}, it must be at least 1")

    def outdated(self, pairs: Mapping[Pair, PairColumns]) -> dict[Pair, int]:
        """How many of the oldest rows of each pair are to go; pairs of which none is are left out."""
        newest_ms = max((columns.last_ms or 0 for columns in pairs.values()), default=0)
        if self.keep_ms is None:
            return {}
        found = {}
        for pair, columns in pairs.items():
            try:
                rows = columns.older_than(newest_ms - self.keep_ms)
            except Corrupt as exc:  # intact at the start, damaged since: the next start falls back
                logger.warning("predictions_not_dropped", extra={"fields": {"pair": pair, "error": str(exc)}})
                continue
            rows = min(rows, len(columns) - self.least_rows)
            if rows > 0:
                found[pair] = rows
        return found


KEEP_ALL = Retention()
