"""The engine's API as HTTP: which request does what, and how each failure is answered."""

from __future__ import annotations

import logging
import pwd
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

from pydantic_core import to_json

from plancton.control.protocol import Answer, Failure, StreamLine, adapter, schema, stream_line
from plancton.engine.api import EngineApi, Item, NotRunningError, RefusedError
from plancton.engine.model.operator import Mode, PilotCommand
from plancton.http_server import Request, Response

log = logging.getLogger("plancton")

MAX_STREAMS = 8
MAX_SLOW = 4
"""Requests at a time that wait for Docker or a database, or compute."""
_JSON = "application/json"


class _BadRequestError(Exception):
    """A request that makes no sense."""


class _UnusableTextError(Exception):
    """A text that is no configuration."""


_STATUS: dict[type[Exception], int] = {
    _BadRequestError: 400,
    RefusedError: 409,
    _UnusableTextError: 422,
    NotRunningError: 503,
}


class ControlApi:
    """Answers requests. It only reads what the engine published, and leaves messages for it."""

    def __init__(self, engine: EngineApi) -> None:
        """Offer *engine*."""
        self.engine = engine
        self._last_line: tuple[Item, bytes] = (None, b"")
        self._streams = threading.BoundedSemaphore(MAX_STREAMS)
        self._slow = threading.BoundedSemaphore(MAX_SLOW)
        self._routes: tuple[tuple[str, re.Pattern[str], Callable[..., Any]], ...] = (
            ("GET", re.compile(r"/v1/status"), lambda _: engine.snapshot()),
            ("GET", re.compile(r"/v1/stream"), self._stream),
            ("GET", re.compile(r"/v1/history"), lambda _: engine.history()),
            ("GET", re.compile(r"/v1/fleet"), self._slowly(lambda _: engine.fleet())),
            ("GET", re.compile(r"/v1/config"), lambda _: engine.settings()),
            ("GET", re.compile(r"/v1/schema"), lambda _: schema()),
            ("GET", re.compile(r"/v1/pilots/([^/]+)/logs"), self._slowly(self._logs)),
            ("POST", re.compile(r"/v1/pilots/([^/]+)/(kill|freeze|thaw)"), self._command_pilot),
            ("POST", re.compile(r"/v1/drain"), self._drain),
            ("POST", re.compile(r"/v1/resume"), lambda r: self._order(r, Mode.ACTIVE)),
            ("POST", re.compile(r"/v1/stop"), self._stop),
            ("POST", re.compile(r"/v1/reload"), self._reload),
            ("POST", re.compile(r"/v1/config/preview"), self._slowly(self._preview)),
            ("GET", re.compile(r"/healthz"), self._health),
            ("GET", re.compile(r"/metrics"), self._metrics),
        )

    def __call__(self, request: Request) -> Response:
        """Answer one request; every failure is one sentence."""
        allowed = []
        for method, pattern, work in self._routes:
            match = pattern.fullmatch(request.path)
            if match and method == request.method:
                return _done(work, request, *match.groups())
            allowed += [method] if match else []
        if allowed:
            return _json(405, Failure(f"use {allowed[0]} for {request.path}"))
        return _json(404, Failure(f"there is no {request.path}; see docs/control.md"))

    def _slowly(self, work: Callable[..., Any]) -> Callable[..., Any]:
        """Let few do *work* at a time, so that quick requests always find a thread."""

        def run(*arguments: Any) -> Any:
            if not self._slow.acquire(blocking=False):
                raise NotRunningError(f"{MAX_SLOW} such requests are served already; try again")
            try:
                return work(*arguments)
            finally:
                self._slow.release()

        return run

    def _health(self, _: Request) -> Answer:
        problem = self.engine.health()
        if problem:
            raise NotRunningError(problem)
        return Answer("the engine ticks")

    def _metrics(self, request: Request) -> Response:
        from plancton.monitor.sinks.prometheus import exposition

        body, media = exposition(self.engine.snapshot(), request.headers.get("accept", ""))
        return Response(200, media, body)

    def _preview(self, request: Request) -> Any:
        try:
            text = request.body.decode()
        except UnicodeDecodeError:
            raise _BadRequestError("the request is not UTF-8 text") from None
        try:
            return self.engine.preview(text, remote=_flag(request, "remote"))
        except RefusedError as error:
            raise _UnusableTextError(str(error)) from error

    def _order(self, request: Request, mode: Mode) -> Answer:
        log.info("asked", extra={"fields": {"for": mode.value, "by": _user(request)}})
        self.engine.order(mode)
        return Answer(f"asked for: {mode.value}")

    def _drain(self, request: Request) -> Answer:
        return self._order(request, Mode.STOPPING if _flag(request, "stop") else Mode.DRAINING)

    def _stop(self, request: Request) -> Answer:
        if _flag(request, "force"):
            return self._order(request, Mode.FORCED)
        log.info("asked", extra={"fields": {"for": "stop", "by": _user(request)}})
        self.engine.stop()
        return Answer("the engine ends")

    def _reload(self, request: Request) -> Answer:
        log.info("asked", extra={"fields": {"for": "reload", "by": _user(request)}})
        self.engine.reload()
        return Answer("the configuration is read again")

    def _command_pilot(self, request: Request, pilot: str, command: str) -> Answer:
        name = self.engine.command_pilot(pilot, PilotCommand(command))
        fields = {"for": command, "pilot": name, "by": _user(request)}
        log.info("asked", extra={"fields": fields})
        return Answer(name)

    def _stream(self, _: Request) -> Response:
        return self._followed("application/x-ndjson", self.engine.stream, self._encode)

    def _encode(self, item: Item) -> bytes:
        """Return an item's line; one snapshot is written once for all readers."""
        known, line = self._last_line
        if known is not item or item is None:
            line = adapter(StreamLine).dump_json(stream_line(item), exclude_defaults=True) + b"\n"
            self._last_line = (item, line)
        return line

    def _logs(self, request: Request, pilot: str) -> Response:
        tail, follow = _number(request, "tail", 100), _flag(request, "follow")

        def output() -> Iterator[bytes]:
            return self.engine.logs(pilot, tail=tail, follow=follow)

        return self._followed("text/plain", output, bytes)

    def _followed(
        self, media: str, source: Callable[[], Iterator[Any]], encode: Callable[[Any], bytes]
    ) -> Response:
        """Answer by what *source* yields; so many at a time, for each holds a thread."""
        if not self._streams.acquire(blocking=False):
            raise NotRunningError(f"{MAX_STREAMS} clients follow already; try again later")
        try:
            return Response(200, media, _FollowedStream(source(), encode, self._streams))
        except BaseException:
            self._streams.release()
            raise


class _FollowedStream:
    """Implements ``http_server.Stream``; gives its place back when it is closed."""

    def __init__(
        self, items: Iterator[Any], encode: Callable[[Any], bytes], places: threading.Semaphore
    ) -> None:
        self._items, self._encode, self._places = items, encode, places
        self._is_open = threading.Lock()

    def __iter__(self) -> _FollowedStream:
        return self

    def __next__(self) -> bytes:
        return self._encode(next(self._items))

    def close(self) -> None:
        """End it, once."""
        if self._is_open.acquire(blocking=False):
            self._places.release()
            close = getattr(self._items, "close", None)
            if close is not None:
                close()


def _done(work: Callable[..., Any], request: Request, *words: str) -> Response:
    try:
        answer = work(request, *words)
    except tuple(_STATUS) as error:
        code = next(code for kind, code in _STATUS.items() if isinstance(error, kind))
        return _json(code, Failure(str(error)))
    return answer if isinstance(answer, Response) else _json(200, answer)


def _json(status: int, answer: Any) -> Response:
    return Response(status, _JSON, to_json(answer) + b"\n")


def _flag(request: Request, name: str) -> bool:
    return request.query.get(name, ["0"])[-1].lower() in ("1", "true", "yes")


def _number(request: Request, name: str, default: int) -> int:
    text = request.query.get(name, [str(default)])[-1]
    if not (text.isascii() and text.isdecimal() and len(text) <= 6):
        raise _BadRequestError(f"{name} must be a number of at most six digits, not {text!r}")
    return int(text)


def _user(request: Request) -> str:
    try:
        return pwd.getpwuid(request.uid).pw_name if request.uid is not None else "?"
    except KeyError:
        return f"uid {request.uid}"
