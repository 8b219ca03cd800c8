"""Messages to people, through Apprise: never in the way of anything, never a flood, never a secret."""

from __future__ import annotations

import importlib.util
import logging
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from daemon.config.redaction import masked_text
from daemon.core.errors import ConfigError
from daemon.interface import messages

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from daemon.config import Settings
    from daemon.config.own import NotifySettings
    from daemon.core.clock import Clock

    Figures = Callable[[], tuple[Mapping[str, Any], float]]

log = logging.getLogger(__name__)

DAY_MS = 86_400_000
LOOK_S = 1.0
QUIET_S = 3600.0
"""An error that has not come for so long is news again."""
MOST_LINES = 20
MOST_WAITING = 200
GOODBYE_S = 3.0
"""What the last message may take at a stop."""


class Post(Protocol):
    """Where messages leave.

    Rules: may take seconds; returns the places that could not be reached, never raises for them; a name tells no secret.
    """

    def __call__(self, title: str, body: str) -> Sequence[str]:
        """Send one message everywhere."""
        ...


class ApprisePost:
    """A `Post` over Apprise (https://github.com/caronc/apprise).

    Args:
        urls: addresses as Apprise writes them; secrets.

    Raises:
        ConfigError: Apprise is not installed, or does not know an address; it is named by its kind and place only.
    """

    def __init__(self, urls: Sequence[str]) -> None:
        if importlib.util.find_spec("apprise") is None:
            raise ConfigError(
                "candled.notify.urls: messages need apprise, an extra of candled; in its checkout: "
                "`.tools/bin/uv sync --inexact --extra notify`, or `pip install '.[notify]'`"
            )
        import apprise  # noqa: PLC0415 - half a second that only those pay who want messages

        # Its own log lines show addresses, and with them tokens and passwords.
        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
        self._targets = []
        for i, url in enumerate(urls):
            target = apprise.Apprise()
            kind = url.split(":", 1)[0]
            if not target.add(url):
                raise ConfigError(
                    f"candled.notify.urls[{i}]: Apprise takes no such address ({kind}://...); see its list of services"
                )
            self._targets.append((f"{kind} (address {i + 1})", target))

    def __call__(self, title: str, body: str) -> list[str]:
        """See `Post`."""
        return [name for name, target in self._targets if not target.notify(body=body, title=title)]


class Notifier(logging.Handler):
    """Collects what is to be told, and tells it from a thread of its own.

    As a log handler it hears every event of the daemon; to hear costs microseconds and never waits. What comes within
    ``pause_s`` of a message goes into the next one. An error is told when its streak begins; how often it came
    follows when it has been quiet for an hour.

    Args:
        settings: which events, and how often.
        post: where messages leave.
        title: of every message: which daemon speaks.
        secrets: texts that no message may show.
        figures: the newest figures of the daemon; empty before it is ready.
        clock: market time for the daily summary, real time for pauses.
    """

    def __init__(
        self,
        settings: NotifySettings,
        post: Post,
        *,
        title: str,
        secrets: frozenset[str],
        figures: Figures,
        clock: Clock,
    ) -> None:
        super().__init__(logging.INFO)
        self._settings = settings
        self._post = post
        self._title = title
        self._secrets = secrets
        self._figures = figures
        self._clock = clock
        self._waiting: deque[str] = deque(maxlen=MOST_WAITING)
        self._heard = 0
        self._streaks: dict[str, tuple[int, float]] = {}
        self._amiss: frozenset[str] = frozenset()
        self._summed: Mapping[str, Any] = {}
        self._summary_ms: int | None = None
        self._sent_s = -settings.pause_s
        self._unreached: tuple[str, ...] = ()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="notify", daemon=True)

    def start(self) -> None:
        """Begin to listen and to send."""
        logging.getLogger("daemon").addHandler(self)
        self._thread.start()

    def close(self) -> None:
        """Send what waits, within seconds, and end."""
        logging.getLogger("daemon").removeHandler(self)
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(GOODBYE_S)
        super().close()

    def emit(self, record: logging.LogRecord) -> None:
        """Hear one log line; called by whichever thread logs."""
        if threading.current_thread() is self._thread:
            return  # what goes wrong with messages is no message
        fields = getattr(record, "fields", None)
        found = messages.of_event(str(record.msg), record.levelno, fields if isinstance(fields, dict) else {})
        if found is not None:
            self._hear(*found, name=str(record.msg))

    def _hear(self, kind: str, text: str, *, name: str) -> None:
        if kind not in self._settings.events:
            return
        if kind == "error":
            count, _ = self._streaks.get(name, (0, 0.0))
            self._streaks[name] = count + 1, self._clock.monotonic_s()
            if count:
                return
        self._put(text)

    def _put(self, text: str) -> None:
        self._heard += 1
        self._waiting.append(masked_text(text, self._secrets))

    def _run(self) -> None:
        failing = False
        while not self._stop.wait(LOOK_S):
            try:
                self.look()
            except Exception:  # the root of a thread: messages are no reason to end the daemon
                if not failing:  # the first of a streak
                    log.exception("messages_failed")
                failing = True
            else:
                failing = False
        self._send(last=True)

    def look(self) -> None:
        """One look: conditions that came or went, streaks that ended, the day's summary; then send if it is time."""
        figures, _ = self._figures()
        if figures:
            self._look_at_conditions(figures)
            self._look_at_the_day(figures)
        now_s = self._clock.monotonic_s()
        for name, (count, last_s) in list(self._streaks.items()):
            if now_s - last_s > QUIET_S:
                del self._streaks[name]
                if count > 1:
                    self._put(f"{name.replace('_', ' ')}: came {count} times, and not again for an hour")
        if now_s - self._sent_s >= self._settings.pause_s:
            self._send()

    def _look_at_conditions(self, figures: Mapping[str, Any]) -> None:
        found = messages.conditions(figures)
        now = frozenset(text for kind, text in found if kind in self._settings.events)
        for text in sorted(now - self._amiss):
            self._put(text)
        for text in sorted(self._amiss - now):
            self._put(f"over: {text}")
        self._amiss = now

    def _look_at_the_day(self, figures: Mapping[str, Any]) -> None:
        hours, minutes = map(int, self._settings.summary_at.split(":"))
        offset_ms = (hours * 60 + minutes) * 60_000
        due_ms = (figures["now_ms"] - offset_ms) // DAY_MS * DAY_MS + offset_ms
        if self._summary_ms is None:
            self._summary_ms, self._summed = due_ms, figures
        elif due_ms > self._summary_ms:
            if "daily_summary" in self._settings.events:
                self._put(messages.daily(figures, self._summed))
            self._summary_ms, self._summed = due_ms, figures

    def _send(self, *, last: bool = False) -> None:
        lines = []
        while self._waiting:
            lines.append(self._waiting.popleft())
        if not lines:
            return
        heard, self._heard = self._heard, 0
        body = "\n".join(lines[:MOST_LINES])
        if heard > MOST_LINES:
            body += f"\nand {heard - min(len(lines), MOST_LINES)} more; see the log"
        self._sent_s = self._clock.monotonic_s()
        unreached = tuple(self._post(self._title, body))
        if unreached and unreached != self._unreached:
            log.warning("messages_not_sent", extra={"fields": {"to": list(unreached), "last": last}})
        elif self._unreached and not unreached:
            log.info("messages_sent_again")
        self._unreached = unreached


def notifier(settings: Settings, figures: Figures, clock: Clock) -> Notifier | None:
    """The notifier that the settings ask for; None without an address.

    Raises:
        ConfigError: Apprise is not installed, or does not know an address.
    """
    notify = settings.candled.notify
    if not notify.urls:
        return None
    urls = [url.get_secret_value() for url in notify.urls]
    return Notifier(
        notify,
        ApprisePost(urls),
        title=f"{settings.bot_name} {settings.freqai.identifier}",
        secrets=settings.secret_values | frozenset(urls),
        figures=figures,
        clock=clock,
    )
