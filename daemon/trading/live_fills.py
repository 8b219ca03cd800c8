"""The account's executions in a pair, page by page, none left out and none twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from daemon.core.errors import Retryable
from daemon.trading.live_values import fill_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from daemon.core.pair import Pair
    from daemon.trading.orders import Fill

    Page = Callable[[int, int, dict[str, Any]], Awaitable[Any]]

_DAY_MS = 86_400_000
_LIMIT = 500
_WINDOWS = 400


async def pages(
    page: Page, pair: Pair, since_ms: int, now_ms: Callable[[], int], features: Mapping[str, Any] | None
) -> Sequence[Fill]:
    """Every execution at or after a time, oldest first.

    Exchanges answer with so many at a time, and some only for so many days at a time. What shares the last
    millisecond of a full page may be cut off, so the next one begins with that millisecond again.

    Args:
        page: asks for one page: (since, limit, params).
        pair: of which.
        since_ms: ms UTC. Where so many days are told at a time, no more than 400 times so many are looked back.
        now_ms: the exchange's time.
        features: ccxt's table of what the exchange can do.

    Raises:
        Retryable: malformed, or more in one millisecond than one page holds.
    """
    limits = ((features or {}).get("spot") or {}).get("fetchMyTrades") or {}
    limit, window_ms = int(limits.get("limit") or _LIMIT), int((limits.get("untilDays") or 0) * _DAY_MS)
    if window_ms:
        since_ms = max(since_ms, now_ms() - _WINDOWS * window_ms)
    found: dict[str, Fill] = {}
    while True:
        bounded = window_ms > 0 and since_ms + window_ms < now_ms()
        until_ms = since_ms + window_ms
        rows = await page(since_ms, limit, {"until": until_ms} if bounded else {})
        if not isinstance(rows, list):
            raise Retryable(f"fills of {pair}: malformed answer: {type(rows).__name__} where a list belongs")
        fresh = [fill_of(row, pair) for row in rows if row.get("id") not in found]
        found |= {fill.fill_id: fill for fill in fresh}
        if len(rows) < limit:
            if not bounded:
                break
            since_ms = until_ms + 1
            continue
        if not fresh:
            raise Retryable(
                f"fills of {pair}: more than {limit} at {since_ms}, which is all that is told at once"
            )
        since_ms = max(fill.at_ms for fill in fresh)
    return sorted(found.values(), key=lambda fill: (fill.at_ms, len(fill.fill_id), fill.fill_id))
