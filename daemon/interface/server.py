"""Health and metrics over HTTP, for whoever watches the daemon: GET only, and nothing that could change anything."""

from __future__ import annotations

import json
import logging
import socket
import threading
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import make_wsgi_app

from daemon import __version__
from daemon.interface import health
from daemon.interface.metrics import registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from prometheus_client import CollectorRegistry

    from daemon.config import Settings

    Figures = Callable[[], tuple[Mapping[str, Any], float]]

log = logging.getLogger(__name__)

_TIMEOUT_S = 5.0


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 16

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base class's
        """A client that went away is no news."""
        log.debug("health_request_failed")


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Handler(WSGIRequestHandler):
    timeout = _TIMEOUT_S  # a client that says nothing does not keep a thread

    def log_message(self, *_: Any) -> None:
        """Nothing: a scrape every few seconds is no news."""


class HealthServer:
    """Serves ``/live``, ``/ready`` and ``/metrics`` in threads of its own.

    ``/live`` and ``/ready`` answer 200, or 503 with the reasons: ``{"ready": false, "reasons": ["BTC/USDT: no model"]}``.

    Args:
        host: address to listen on.
        port: where; 0: any that is free.
        figures: the newest figures of the daemon, and how many real seconds old they are; empty before it is ready.
        registry: what ``/metrics`` shows.

    Raises:
        OSError: the address cannot be listened on.
    """

    def __init__(self, host: str, port: int, figures: Figures, registry: CollectorRegistry) -> None:
        self._figures = figures
        self._metrics: WSGIApplication = make_wsgi_app(registry)
        server = _Server6 if ":" in host else _Server
        self._server = make_server(host, port, self._answer, server, _Handler)
        self.port = int(self._server.server_port)
        """Where it listens."""
        threading.Thread(target=self._server.serve_forever, name="health", daemon=True).start()

    def close(self) -> None:
        """Listen no more; requests under way may end by themselves."""
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        path, method = environ.get("PATH_INFO", ""), environ.get("REQUEST_METHOD", "")
        if method not in ("GET", "HEAD"):
            return _json(start, "405 Method Not Allowed", {"error": "GET only"})
        if path == "/metrics":
            return self._metrics(environ, start)
        if path not in ("/live", "/ready"):
            return _json(start, "404 Not Found", {"error": "there are /live, /ready and /metrics"})
        figures, age_s = self._figures()
        word = path[1:]
        find = health.deaths if path == "/live" else health.obstacles
        reasons = find(figures, age_s) if figures else ["not ready yet: history is being fetched"]
        if path == "/live" and not figures:
            reasons = []  # a start that takes its time is alive
        return _json(
            start, "503 Service Unavailable" if reasons else "200 OK", {word: not reasons, "reasons": reasons}
        )


def health_server(settings: Settings, figures: Figures) -> HealthServer | None:
    """The server that the settings ask for; None if they ask for none, or if its port is taken: that is no reason not to run."""
    health = settings.candled.health
    if health.port is None:
        return None
    labels = {
        "version": __version__,
        "identifier": settings.freqai.identifier,
        "exchange": settings.exchange.name,
        "strategy": settings.strategy,
        "model": settings.freqaimodel,
    }
    shown = registry(figures, settings.identifier_folder, labels)
    try:
        server = HealthServer(health.host, health.port, figures, shown)
    except OSError as exc:
        fields = {
            "host": health.host,
            "port": health.port,
            "error": str(exc),
            "remedy": "choose another candled.health.port",
        }
        log.error("health_not_served", extra={"fields": fields})  # noqa: TRY400 - no traceback says more
        return None
    log.info("health_served", extra={"fields": {"host": health.host, "port": server.port}})
    return server


def _json(start: StartResponse, status: str, body: Mapping[str, Any]) -> list[bytes]:
    data = json.dumps(body).encode() + b"\n"
    start(
        status,
        [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(data))),
            ("Cache-Control", "no-store"),
        ],
    )
    return [data]
