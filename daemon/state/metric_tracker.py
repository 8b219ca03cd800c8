"""``metric_tracker.json``: how figures of each pair went, under FreqAI's file name and in its form.

``{pair: {metric: {"timestamp": [seconds UTC, ...], "value": [number, ...]}}}``. Unlike FreqAI's it does not grow for
ever: of each metric the newest values stay.
"""

from __future__ import annotations

import json
import logging
import math
from array import array
from typing import TYPE_CHECKING, Any, BinaryIO

from daemon.core.errors import Corrupt
from daemon.state import atomic, documents

if TYPE_CHECKING:
    from collections.abc import Iterable

    from daemon.state.folder import StateFolder

log = logging.getLogger(__name__)

KEPT = 500
"""Values of a metric that stay: nearly two days of five-minute candles, weeks of trainings."""

_Series = dict[str, "array[Any]"]
"""Times and values of a metric, eight bytes each: 50 pairs' lists of numbers would take tens of megabytes."""


class MetricTracker:
    """The file's content, and whether it has to be written. Used by one thread."""

    def __init__(self, folder: StateFolder, series: dict[str, dict[str, _Series]]) -> None:
        self._folder = folder
        self._series = series
        self._changed = False

    @classmethod
    def open(cls, folder: StateFolder) -> MetricTracker:
        """Go on with the file, FreqAI's too; one that is damaged is set aside."""
        try:
            return cls(folder, _sound(documents.read_object(folder.metric_tracker)))
        except FileNotFoundError:
            return cls(folder, {})
        except Corrupt as exc:
            fields = {"file": folder.metric_tracker.name, "error": str(exc), "remedy": "begun anew"}
            log.warning("metric_tracker_damaged", extra={"fields": fields})
            try:
                atomic.set_aside(folder.metric_tracker, folder.set_aside)
            except OSError as fault:
                log.warning("metric_tracker_not_moved", extra={"fields": {"error": str(fault)}})
            return cls(folder, {})

    def note(self, pair: str, metric: str, value: float, time_s: int) -> None:
        """Add a value; what is not a finite number is left out, because JSON has no word for it."""
        if not math.isfinite(value):
            return
        series = self._series.setdefault(pair, {}).setdefault(metric, _series((), ()))
        for name, each in (("timestamp", time_s), ("value", round(value, 6))):
            series[name].append(each)
            del series[name][:-KEPT]
        self._changed = True

    def save(self) -> None:
        """Replace the file if there is anything new; a full disk is no reason to stop."""
        if not self._changed:
            return
        try:
            atomic.write_atomic(self._folder.metric_tracker, self._write)
        except OSError as exc:
            log.debug("metric_tracker_unsaved", extra={"fields": {"error": str(exc)}})
            return
        self._changed = False

    def _write(self, stream: BinaryIO) -> None:
        """Pair by pair: the text of all numbers at once would take ten times the file's size in memory."""
        mark = b"{"
        for pair, metrics in self._series.items():
            text = json.dumps({pair: metrics}, separators=(",", ":"), default=list)
            stream.write(mark + text[1:-1].encode())
            mark = b","
        stream.write(b"}" if self._series else b"{}")


def _sound(document: dict[str, Any]) -> dict[str, dict[str, _Series]]:
    """The document, if it has the form.

    Raises:
        Corrupt: it has not.
    """
    try:
        return {
            str(pair): {
                str(metric): _series(each["timestamp"][-KEPT:], each["value"][-KEPT:])
                for metric, each in metrics.items()
            }
            for pair, metrics in document.items()
        }
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as exc:
        raise Corrupt(f"not metrics by pair, with their times: {exc!r}") from exc


def _series(times_s: Iterable[float], values: Iterable[float]) -> _Series:
    return {"timestamp": array("q", map(int, times_s)), "value": array("d", values)}
