"""The control socket's server: the engine's API, offered as HTTP on a Unix socket.

Who may open the socket's file may use it; nothing else is asked. Its threads only read what the
engine published and put messages into its mailbox, so no client can hold the engine up.
"""

from __future__ import annotations

import grp
import logging
import os
import pwd
import re
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

from cheroot import wsgi
from pydantic_core import to_json

from plancton import __version__
from plancton.control.protocol import (
    MAX_BODY,
    Answer,
    Failure,
    StreamLine,
    adapter,
    schema,
    stream_line,
)
from plancton.control.unix_address import short_address
from plancton.engine.api import EngineApi, Item, NotRunningError, RefusedError
from plancton.engine.model.operator import Mode, PilotCommand

log = logging.getLogger("plancton")

GROUP = "plancton"
_THREADS, _MAX_STREAMS = 12, 8
_TIMEOUT = 10
"""Seconds after which a reader that takes nothing is dropped."""
_PAUSE = 0.1
"""Seconds between looks whether it listens again."""
Body = Iterable[bytes]


class _Request:
    """One request, taken apart."""

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self.method = str(environ["REQUEST_METHOD"])
        self.path = unquote(str(environ.get("PATH_INFO", "")))
        self.query = parse_qs(str(environ.get("QUERY_STRING", "")))
        self.accept = str(environ.get("HTTP_ACCEPT", ""))
        self._environ = environ
        self.user = f"uid {environ.get('X_REMOTE_UID', '?')}"
        with suppress(KeyError, TypeError, ValueError):
            self.user = pwd.getpwuid(int(environ["X_REMOTE_UID"])).pw_name

    def flag(self, name: str) -> bool:
        return self.query.get(name, ["0"])[-1].lower() in ("1", "true", "yes")

    def number(self, name: str, default: int) -> int:
        text = self.query.get(name, [str(default)])[-1]
        if not text.isdecimal() or len(text) > 6:
            raise RefusedError(f"{name} must be a number, not {text!r}")
        return int(text)

    def text(self) -> str:
        length = int(self._environ.get("CONTENT_LENGTH") or 0)
        if length > MAX_BODY:
            raise RefusedError(f"the request is larger than {MAX_BODY} bytes")
        try:
            return str(self._environ["wsgi.input"].read(length).decode())
        except UnicodeDecodeError:
            raise RefusedError("the request is not UTF-8 text") from None


@dataclass(frozen=True, slots=True)
class TextPage:
    """An answer that is not JSON."""

    body: bytes
    media: str


class ControlApi:
    """The WSGI application."""

    def __init__(self, engine: EngineApi) -> None:
        """Offer *engine*."""
        self.engine = engine
        self._last_line: tuple[Item, bytes] = (None, b"")
        self._streams = threading.BoundedSemaphore(_MAX_STREAMS)
        self._routes: tuple[tuple[str, re.Pattern[str], Callable[..., Any]], ...] = (
            ("GET", re.compile(r"/v1/status"), lambda _: engine.snapshot()),
            ("GET", re.compile(r"/v1/stream"), self._stream),
            ("GET", re.compile(r"/v1/history"), lambda _: engine.history()),
            ("GET", re.compile(r"/v1/fleet"), lambda _: engine.fleet()),
            ("GET", re.compile(r"/v1/config"), lambda _: engine.settings()),
            ("GET", re.compile(r"/v1/schema"), lambda _: schema()),
            ("GET", re.compile(r"/v1/pilots/([^/]+)/logs"), self._logs),
            ("POST", re.compile(r"/v1/pilots/([^/]+)/(kill|freeze|thaw)"), self._command_pilot),
            ("POST", re.compile(r"/v1/drain"), self._drain),
            ("POST", re.compile(r"/v1/resume"), lambda r: self._order(r, Mode.ACTIVE)),
            ("POST", re.compile(r"/v1/stop"), self._stop),
            ("POST", re.compile(r"/v1/reload"), self._reload),
            (
                "POST",
                re.compile(r"/v1/config/preview"),
                lambda r: engine.preview(r.text(), remote=r.flag("remote")),
            ),
            ("GET", re.compile(r"/healthz"), self._health),
            ("GET", re.compile(r"/metrics"), self._metrics),
        )

    def __call__(self, environ: Mapping[str, Any], start_response: Callable[..., Any]) -> Body:
        """Answer one request; every failure is one sentence."""
        request = _Request(environ)
        status, answer = self._answer(request)
        kind = "application/json"
        if isinstance(answer, Iterator):
            kind = "text/plain" if request.path.endswith("/logs") else "application/x-ndjson"
        headers = [("Content-Type", kind), ("Plancton-Version", __version__)]
        if isinstance(answer, Iterator):
            start_response(status, headers)
            return answer
        if isinstance(answer, TextPage):
            body, headers[0] = answer.body, ("Content-Type", answer.media)
        else:
            body = to_json(answer) + b"\n"
        start_response(status, [*headers, ("Content-Length", str(len(body)))])
        return [body]

    def _answer(self, request: _Request) -> tuple[str, Any]:
        allowed = []
        for method, pattern, work in self._routes:
            match = pattern.fullmatch(request.path)
            if match and method == request.method:
                try:
                    return "200 OK", work(request, *match.groups())
                except RefusedError as error:
                    return "409 Conflict", Failure(str(error))
                except NotRunningError as error:
                    return "503 Service Unavailable", Failure(str(error))
            allowed += [method] if match else []
        if allowed:
            return "405 Method Not Allowed", Failure(f"use {allowed[0]} for {request.path}")
        return "404 Not Found", Failure(f"there is no {request.path}; see docs/control.md")

    def _health(self, _: _Request) -> Answer:
        problem = self.engine.health()
        if problem:
            raise NotRunningError(problem)
        return Answer("the engine ticks")

    def _metrics(self, request: _Request) -> TextPage:
        from plancton.monitor.sinks.prometheus import exposition

        return TextPage(*exposition(self.engine.snapshot(), request.accept))

    def _order(self, request: _Request, mode: Mode) -> Answer:
        log.info("asked", extra={"fields": {"for": mode.value, "by": request.user}})
        self.engine.order(mode)
        return Answer(f"asked for: {mode.value}")

    def _drain(self, request: _Request) -> Answer:
        return self._order(request, Mode.STOPPING if request.flag("stop") else Mode.DRAINING)

    def _stop(self, request: _Request) -> Answer:
        if request.flag("force"):
            return self._order(request, Mode.FORCED)
        log.info("asked", extra={"fields": {"for": "stop", "by": request.user}})
        self.engine.stop()
        return Answer("the engine ends")

    def _reload(self, request: _Request) -> Answer:
        log.info("asked", extra={"fields": {"for": "reload", "by": request.user}})
        self.engine.reload()
        return Answer("the configuration is read again")

    def _command_pilot(self, request: _Request, pilot: str, command: str) -> Answer:
        name = self.engine.command_pilot(pilot, PilotCommand(command))
        fields = {"for": command, "pilot": name, "by": request.user}
        log.info("asked", extra={"fields": fields})
        return Answer(name)

    def _stream(self, _: _Request) -> Iterator[bytes]:
        return self._limited(map(self._encode, self.engine.stream()))

    def _encode(self, item: Item) -> bytes:
        """Return an item's line; one snapshot is written once for all readers."""
        known, line = self._last_line
        if known is not item or item is None:
            line = adapter(StreamLine).dump_json(stream_line(item), exclude_defaults=True) + b"\n"
            self._last_line = (item, line)
        return line

    def _logs(self, request: _Request, pilot: str) -> Iterator[bytes]:
        tail, follow = request.number("tail", 100), request.flag("follow")
        return self._limited(self.engine.logs(pilot, tail=tail, follow=follow))

    def _limited(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Let so many stream at a time, for each holds a thread."""
        if not self._streams.acquire(blocking=False):
            raise NotRunningError(f"{_MAX_STREAMS} clients follow already; try again later")
        return _LimitedStream(chunks, self._streams)


class _LimitedStream(Iterator[bytes]):
    """Gives its place back when it is closed, also if it was never begun."""

    def __init__(self, chunks: Iterator[bytes], slots: threading.Semaphore) -> None:
        self._chunks, self._slots, self._open = chunks, slots, True

    def __next__(self) -> bytes:
        return next(self._chunks)

    def close(self) -> None:
        if self._open:
            self._open = False
            self._slots.release()
            close = getattr(self._chunks, "close", None)
            if close is not None:
                close()


class ControlServer(wsgi.Server):
    """Serves the API on a socket that root and the group ``plancton`` may use."""

    def __init__(self, path: Path, engine: EngineApi) -> None:
        """Prepare; nothing listens yet."""
        self.path = path
        super().__init__(
            str(path), ControlApi(engine), numthreads=_THREADS, timeout=_TIMEOUT, shutdown_timeout=2
        )
        self.peercreds_enabled = True
        self.max_request_body_size = MAX_BODY
        self.max_request_header_size = 16_384
        self.server_name = "plancton"
        self._ended = threading.Event()
        self._file: os.stat_result | None = None

    def bind_unix_socket(self, bind_addr: str) -> socket.socket:  # noqa: ARG002 (cheroot's method)
        """Bind; the rights are set before anybody can connect, for nothing listens yet."""
        self.path.unlink(missing_ok=True)  # the lock says that nobody serves it
        bound = self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with short_address(self.path) as address:
            bound.bind(address)
        share_with_group(self.path)
        self._file = self.path.lstat()
        self.bind_addr = bound.getsockname()
        return bound

    def error_log(self, msg: str = "", level: int = 20, traceback: bool = False) -> None:
        """Take cheroot's words into our log."""
        log.log(logging.DEBUG if level < logging.ERROR else level, msg, exc_info=traceback)

    @property
    def in_place(self) -> bool:
        """Whether the file at the path is the socket that this listens on."""
        try:
            return self._file is not None and os.path.samestat(self._file, self.path.lstat())
        except OSError:
            return False

    def renew(self) -> None:
        """Listen anew, if the socket is not in place; OSError. Who was connected is dropped."""
        if not self.in_place and not self._ended.is_set():
            super().stop()
            self.prepare()

    def stop(self) -> None:
        """End ``run``."""
        self._ended.set()
        super().stop()

    def run(self) -> None:
        """Serve until ``stop``, whenever ``prepare`` or ``renew`` came before."""
        try:
            while not self._ended.wait(0 if self.ready else _PAUSE):
                if self.ready:
                    self.serve()
        finally:
            if self.in_place:
                self.path.unlink(missing_ok=True)


def share_with_group(path: Path) -> None:
    """Let root's group ``plancton`` use the socket; without it, and for users, the owner only."""
    mode = 0o600
    with suppress(KeyError, PermissionError):
        os.chown(path, -1, grp.getgrnam(GROUP).gr_gid)
        mode = 0o660
    path.chmod(mode)
