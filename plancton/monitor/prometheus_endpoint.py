"""Where Prometheus finds a node's metrics: ``/metrics`` on TCP, if that is configured."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable
from dataclasses import replace

from plancton.engine.views.snapshot import SinkState, Snapshot
from plancton.http_server import HttpServer, Request, Response, failure

log = logging.getLogger("plancton")
_MAX_CONNECTIONS = 64
_TIMEOUT = 5.0
"""Seconds for each step of a client: it may be a stranger."""


class PrometheusEndpoint:
    """Serves ``/metrics`` on TCP, in a thread that ``listen`` looks after."""

    def __init__(self, latest: Callable[[], Snapshot | None]) -> None:
        """Serve what *latest* returns; it listens nowhere yet."""
        self._latest = latest
        self._state: SinkState | None = None
        self._server: HttpServer | None = None
        self._death = ""
        """Why the thread ended by itself; empty: it did not."""

    def listen(self, address: str) -> None:
        """Listen at *address*, host:port, and no longer where it did; empty: nowhere.

        Called again and again, it tries again where it could not listen, or stopped.
        """
        name = f"Prometheus on {address}"
        if self._state and self._state.name == name and not self._trouble:
            return
        had_trouble = bool(self._state and self._state.name == name)
        if self._server is not None:
            self._server.stop()
        self._server, self._state, self._death = None, None, ""
        if not address:
            return
        self._state = SinkState(name)
        try:
            listener = _bound(address)
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or str(error)
            self._state = replace(self._state, error=f"cannot listen: {why}", failures=1)
            if not had_trouble:
                log.warning("%s cannot listen", name, extra={"fields": {"error": why}})
            return
        if had_trouble:
            log.info("%s listens again", name)
        self._serve(listener)

    def status(self) -> tuple[SinkState, ...]:
        """Return where it listens, or why it does not."""
        if self._state is None or not self._trouble:
            return ()
        return (replace(self._state, error=self._trouble, failures=1),)

    @property
    def _trouble(self) -> str:
        return self._death or (self._state.error if self._state else "")

    def _serve(self, listener: socket.socket) -> None:
        server = HttpServer(
            self._answer,
            name="prometheus",
            workers=2,
            max_connections=_MAX_CONNECTIONS,
            timeout=_TIMEOUT,
        )

        def run() -> None:
            try:
                server.run(listener)
                why = "it ended"
            except Exception as error:
                why = repr(error)
                log.exception("the listener for Prometheus died; it is started again")
            if self._server is server:
                self._death = f"the listener died: {why}"

        self._server = server
        threading.Thread(target=run, name="prometheus", daemon=True).start()

    def _answer(self, request: Request) -> Response:
        from plancton.monitor.sinks.prometheus import exposition

        if request.path not in ("/", "/metrics"):
            return failure(404, f"there is no {request.path}; metrics are at /metrics")
        if request.method not in ("GET", "HEAD"):
            return failure(405, "use GET for /metrics")
        snapshot = self._latest()
        if snapshot is None:
            return failure(503, "the engine has only just started; try again")
        body, media = exposition(snapshot, request.headers.get("accept", ""))
        return Response(200, media, body)


def _bound(address: str) -> socket.socket:
    """Return a socket that listens at *address*. Raises OSError, OverflowError."""
    host, _, port = address.rpartition(":")
    name = (host.strip("[]"), int(port))
    family, kind, protocol, _, place = socket.getaddrinfo(*name, type=socket.SOCK_STREAM)[0]
    made = socket.socket(family, kind, protocol)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(place)
        made.listen()
    except OSError:
        made.close()
        raise
    return made
