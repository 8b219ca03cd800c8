"""Log lines: a fixed event name and fields, as text, as JSON, or for the journal."""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from daemon.config.redaction import masked_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

_JOURNAL_PRIORITY = {
    logging.DEBUG: 7,
    logging.INFO: 6,
    logging.WARNING: 4,
    logging.ERROR: 3,
    logging.CRITICAL: 2,
}


def to_journal() -> bool:
    """Whether standard error goes to the journal: not merely that of somebody above us (systemd.exec(5), ``JOURNAL_STREAM``)."""
    try:
        stream = os.fstat(2)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{stream.st_dev}:{stream.st_ino}"


def with_priority(text: str, level: int) -> str:
    """The text as the journal takes it: each line behind its priority (sd-daemon(3))."""
    priority = _JOURNAL_PRIORITY.get(level, 6)
    return "\n".join(f"<{priority}>{line}" for line in text.splitlines())


class TextFormatter(logging.Formatter):
    """``12:00:02 INFO    tick candle=2026-01-01T12:00:00Z predictions=8``."""

    def __init__(self, *, journal: bool = False) -> None:
        super().__init__()
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`."""
        fields = " ".join(f"{name}={_text(value)}" for name, value in _fields(record).items())
        body = f"{record.getMessage()} {fields}".rstrip()
        if record.exc_info:
            body += "\n" + self.formatException(record.exc_info)
        if self._journal:  # journald adds the time
            return with_priority(body, record.levelno)
        moment = datetime.fromtimestamp(record.created).astimezone()
        return f"{moment:%H:%M:%S} {record.levelname:7} {body}"


class JsonFormatter(logging.Formatter):
    """One JSON object per line: time, level, event, fields."""

    def __init__(self, *, journal: bool = False) -> None:
        super().__init__()
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        text = json.dumps(line, default=str, ensure_ascii=False)
        return with_priority(text, record.levelno) if self._journal else text


class Masking(logging.Formatter):
    """Another formatter's lines with every secret masked: also those in texts of exchanges and tracebacks."""

    def __init__(self, inner: logging.Formatter, secrets: frozenset[str]) -> None:
        super().__init__()
        self._inner = inner
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`."""
        return masked_text(self._inner.format(record), self._secrets)

    def hide(self, secrets: frozenset[str]) -> None:
        """Mask these as well from now on."""
        self._secrets |= secrets


def hide(secrets: frozenset[str]) -> None:
    """Have no log line show these texts from now on: secrets that were read after the start."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, Masking):
            handler.formatter.hide(secrets)


def set_up(
    log_format: str,
    *,
    verbose: bool,
    secrets: frozenset[str] = frozenset(),
    console: Console | None = None,
    levels: Mapping[str, str] | None = None,
) -> None:
    """Send all log lines to standard error, or through ``console`` where a live view owns the terminal.

    Args:
        log_format: ``text``, ``json`` or ``auto`` (text). What goes to the journal bears its priority, but for plain ``text``.
        verbose: debug lines too.
        secrets: texts that no line may show.
        console: a rich console that prints above its live view.
        levels: level by room of the program (``market``, ``trading``...), where it is another than usual.
    """
    formatter: logging.Formatter
    if log_format == "json":
        formatter = JsonFormatter(journal=to_journal())
    else:
        formatter = TextFormatter(journal=log_format == "auto" and to_journal())
    handler = logging.StreamHandler(sys.stderr) if console is None else _ConsoleHandler(console)
    handler.setFormatter(Masking(formatter, secrets))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)  # other packages speak up only when something is wrong
    logging.getLogger("daemon").setLevel(logging.DEBUG if verbose else logging.INFO)
    for room, level in (levels or {}).items():
        logging.getLogger(f"daemon.{room}").setLevel(level.upper())
    # APScheduler warns when a job's earlier run is still going: ours only set an event.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)


_COUNTED = frozenset({"order", "fill"})
"""Events that are counted although nothing is wrong."""


class EventCounter(logging.Handler):
    """Counts warnings and errors by their event, and what is traded, for the metrics."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._counts: dict[tuple[str, str], int] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`."""
        # An event is a fixed name; what another package logs is free text, which would make a metric of every line.
        event = record.msg if record.name.startswith("daemon") else record.name
        if record.levelno < logging.WARNING and event not in _COUNTED:
            return
        key = record.levelname.lower(), str(event)
        self._counts[key] = self._counts.get(key, 0) + 1

    def counts(self) -> list[tuple[str, str, int]]:
        """Level, event, and how often so far."""
        return [(level, event, count) for (level, event), count in sorted(self._counts.copy().items())]


class _ConsoleHandler(logging.Handler):
    """Prints above the live view."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        style = {logging.WARNING: "yellow", logging.ERROR: "red", logging.CRITICAL: "bold red"}
        self._console.print(
            self.format(record),
            style=style.get(record.levelno, ""),
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields = getattr(record, "fields", None)
    return dict(fields) if isinstance(fields, dict) else {}


def _text(value: Any) -> str:
    text = (
        json.dumps(value, default=str, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
    )
    return json.dumps(text, ensure_ascii=False) if not text or (" " in text and text[0] not in "{[") else text
