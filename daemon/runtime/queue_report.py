"""The training queue as people look at it: read from the state folder, whether a daemon runs or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from daemon.core.clock import SystemClock
from daemon.core.errors import Corrupt
from daemon.runtime.status_file import read_status
from daemon.state import queue
from daemon.state.folder import StateFolder
from daemon.state.pair_dictionary import PairDictionary
from daemon.state.requests import requested_trainings

if TYPE_CHECKING:
    from daemon.config import Settings
    from daemon.core.pair import Pair
    from daemon.state.queue import PairEntry

HOUR_MS = 3_600_000


def queue_report(settings: Settings) -> list[dict[str, Any]]:
    """One row per pair of the whitelist, those that wait first, in the order in which they will be trained.

    Returns:
        JSON values: pair, place (1 is next; None: does not wait), state, age_ms and trained_ms of the model (None
        without one), expires_in_ms (None: never, or no model), attempts, not_before_ms, last_error, reason (why it
        waits or was trained last), requested (whether a wish for it waits for the daemon).
    """
    folder = StateFolder(settings.identifier_folder)
    now_ms = market_now_ms(folder)
    entries = dict(PairDictionary.read(folder).entries)
    wishes = requested_trainings(folder)
    places = _places(entries, settings.pairs, now_ms)
    hours = settings.freqai.expiration_hours
    rows = [
        _row(pair, entries.get(pair, queue.NEW), places.get(pair), now_ms, hours)
        | {"requested": pair in wishes}
        for pair in settings.pairs
    ]
    return sorted(rows, key=lambda row: (row["place"] is None, row["place"] or 0))


def _places(entries: dict[Pair, PairEntry], pairs: tuple[Pair, ...], now_ms: int) -> dict[Pair, int]:
    """In which order the pairs that wait will be taken: asked of the rule that the trainer follows."""
    left = list(pairs)
    places: dict[Pair, int] = {}
    while (pair := queue.next_pair(entries, left, now_ms)) is not None:
        places[pair] = len(places) + 1
        left.remove(pair)
    return places


def _row(pair: Pair, entry: PairEntry, place: int | None, now_ms: int, hours: float) -> dict[str, Any]:
    trained_ms = entry.trained_timestamp * 1000 or None
    # The simulated exchange's time was told up to a second ago, which may be hours of it.
    age_ms = None if trained_ms is None else max(0, now_ms - trained_ms)
    return {
        "pair": str(pair),
        "place": place,
        "state": str(entry.state),
        "trained_ms": trained_ms,
        "age_ms": age_ms,
        "expires_in_ms": int(hours * HOUR_MS) - age_ms if hours and age_ms is not None else None,
        "attempts": entry.attempts,
        "not_before_ms": entry.not_before_ms or None,
        "last_error": entry.last_error,
        "reason": entry.reason,
    }


def market_now_ms(folder: StateFolder) -> int:
    """The time by which models age: on the simulated exchange that is not the system's."""
    try:
        figures = read_status(folder.status)
    except Corrupt:
        figures = {}
    if figures.get("speed", 1.0) != 1.0:
        return int(figures["now_ms"])
    return SystemClock().now_ms()
