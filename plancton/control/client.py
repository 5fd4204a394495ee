"""The one client of the control socket."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pydantic import ValidationError

from plancton.config.effective import Setting
from plancton.control.protocol import Answer, Failure, StreamLine, adapter, stream_item
from plancton.control.transport import Connection, Transport, UnixTransport
from plancton.engine.api import Item, NotRunningError, RefusedError
from plancton.engine.model.operator import Mode, PilotCommand
from plancton.engine.records.history import History
from plancton.engine.views.fleet import Member
from plancton.engine.views.snapshot import Snapshot

if TYPE_CHECKING:
    from plancton.engine.views.preview import Preview

_STREAM_TIMEOUT = 60.0
"""Seconds without a word (the server says one each 15 s) after which a stream is dead."""
_DATABASE_TIMEOUT = 30.0
"""Longer than the engine waits for a database."""
_ORDERS = {
    Mode.ACTIVE: "/v1/resume",
    Mode.DRAINING: "/v1/drain",
    Mode.STOPPING: "/v1/drain?stop=1",
    Mode.FORCED: "/v1/stop?force=1",
}


class _HttpConnection(http.client.HTTPConnection):
    """HTTP over a connection that is there already."""

    def __init__(self, connection: Connection) -> None:
        super().__init__("plancton")
        self.sock, self.connection = connection.socket, connection

    def release(self, response: http.client.HTTPResponse) -> None:
        """Leave the connection to the next request, if this one's answer was read to its end."""
        self.connection.reusable = response.isclosed() and not response.will_close
        if not self.connection.reusable:
            response.close()
            self.close()


class RemoteEngine:
    """Implements ``EngineApi`` on an engine behind its control socket."""

    def __init__(self, where: Path | Transport) -> None:
        """Talk to the socket at a path, or behind a transport; one connection for each request."""
        self.transport = UnixTransport(where) if isinstance(where, Path) else where
        self.timeout = self.transport.timeout

    def snapshot(self) -> Snapshot:
        """Return the newest snapshot."""
        return adapter(Snapshot).validate_json(self._request("GET", "/v1/status"))

    def health(self) -> str:
        """Return what is wrong with the engine; empty: nothing."""
        try:
            self._request("GET", "/healthz")
        except NotRunningError as error:
            return str(error)
        return ""

    def stream(self) -> Iterator[Item]:
        """Yield snapshots and log records until the engine ends."""
        with self._response("GET", "/v1/stream", timeout=_STREAM_TIMEOUT) as response:
            while line := response.readline():
                yield stream_item(adapter(StreamLine).validate_json(line))

    def order(self, mode: Mode) -> None:
        """Set the operator's standing word."""
        self._post(_ORDERS[mode])

    def stop(self) -> None:
        """End the engine."""
        self._post("/v1/stop")

    def reload(self) -> None:
        """Have the configuration read again."""
        self._post("/v1/reload")

    def command_pilot(self, pilot: str, command: PilotCommand) -> str:
        """Ask something of one pilot; returns its name."""
        return self._post(f"/v1/pilots/{quote(pilot, safe='')}/{command.value}")

    def logs(self, pilot: str, *, tail: int, follow: bool) -> Iterator[bytes]:
        """Yield a pilot's own output."""
        path = f"/v1/pilots/{quote(pilot, safe='')}/logs?tail={tail}&follow={int(follow)}"
        with self._response("GET", path, timeout=None if follow else self.timeout) as response:
            while chunk := response.read1(65536):
                yield chunk

    def history(self) -> History:
        """Return the node's own past."""
        return adapter(History).validate_json(self._request("GET", "/v1/history"))

    def fleet(self) -> tuple[Member, ...]:
        """Return all nodes that report to this one's database."""
        text = self._request("GET", "/v1/fleet", answer_timeout=_DATABASE_TIMEOUT)
        return adapter(tuple[Member, ...]).validate_json(text)

    def settings(self) -> tuple[Setting, ...]:
        """Return the configuration in force, key by key."""
        return adapter(tuple[Setting, ...]).validate_json(self._request("GET", "/v1/config"))

    def preview(self, text: str, *, remote: bool = False) -> Preview:
        """Say what the next tick would do with *text* as the local, or the remote, file."""
        from plancton.engine.views.preview import Preview

        path = f"/v1/config/preview?remote={int(remote)}"
        return adapter(Preview).validate_json(self._request("POST", path, text.encode()))

    def _post(self, path: str) -> str:
        return adapter(Answer).validate_json(self._request("POST", path)).done

    def _request(
        self, method: str, path: str, body: bytes | None = None, *, answer_timeout: float = 0.0
    ) -> bytes:
        with self._response(
            method, path, body, timeout=self.timeout, answer_timeout=answer_timeout
        ) as response:
            return response.read()

    @contextmanager
    def _response(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        timeout: float | None,
        answer_timeout: float = 0.0,
    ) -> Iterator[http.client.HTTPResponse]:
        """Yield an answer; it may take *answer_timeout* seconds, if that is longer than usual."""
        place = self.transport.place
        try:
            with self.transport.connect(max(self.timeout, answer_timeout)) as connection:
                http_connection = _HttpConnection(connection)
                http_connection.request(method, path, body)
                response = http_connection.getresponse()
                try:
                    if response.status != http.client.OK:
                        raise _failure(response)
                    connection.socket.settimeout(timeout)
                    yield response
                finally:
                    http_connection.release(response)
        except TimeoutError:
            raise NotRunningError(f"the engine at {place} does not answer") from None
        except (ConnectionError, http.client.HTTPException) as error:
            raise NotRunningError(f"the engine at {place} ended meanwhile ({error})") from None


def _failure(response: Any) -> Exception:
    text = response.read()
    try:
        words = adapter(Failure).validate_json(text).error
    except ValidationError:
        words = f"{response.status} {response.reason}"
    if response.status == http.client.SERVICE_UNAVAILABLE:
        return NotRunningError(words)
    return RefusedError(words)
