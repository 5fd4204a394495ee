"""An HTTP/1.1 server for small answers and streams. No client can keep others from being served.

One thread holds all connections, by asyncio and h11, so a client that only waits costs no thread.
Worker threads answer whole requests, others feed the streams: the ones are never short because of
the others. Each step of a client has a deadline for the whole of it, however it is fed.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import parse_qs, unquote

import h11

log = logging.getLogger("plancton")

_MAX_HEAD = 16_384
"""Bytes of the request line and the headers."""
_CHUNK = 65_536
_STOP_GRACE = 1.0
"""Seconds that answers have to be finished when the server stops."""
_LINGER = 2.0
"""Seconds in which the rest of a refused request is read, so that its sender hears why."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, taken apart."""

    method: str
    path: str
    query: Mapping[str, list[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    """By their names in lower case."""
    body: bytes = b""
    uid: int | None = None
    """Who asks, if the kernel knows: on a Unix socket."""


class Stream(Protocol):
    """An answer that comes in chunks, each waited for in a thread."""

    def __next__(self) -> bytes:
        """Return the next chunk, when there is one; StopIteration at the end."""

    def close(self) -> None:
        """End it: a ``__next__`` that waits in another thread ends too. May be called twice."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer: whole, or a stream."""

    status: int
    media: str
    body: bytes | Stream


def failure(status: int, sentence: str) -> Response:
    """Return the answer that nothing came of a request, for people."""
    body = json.dumps({"error": sentence}).encode() + b"\n"
    return Response(status, "application/json", body)


class HttpServer:
    """Answers the requests that come to a listening socket, until it is stopped."""

    def __init__(
        self,
        handle: Callable[[Request], Response],
        *,
        name: str,
        workers: int,
        max_connections: int,
        max_body: int = 0,
        max_streams: int = 1,
        timeout: float = 10.0,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Answer by *handle*, in one of so many *workers*' threads.

        Beyond *max_connections* the connection goes that has kept us waiting for the longest.
        *timeout* is for each whole step of a client: to send the head of a request, its body, to
        take an answer, or a chunk of a stream.
        """
        self.handle, self.timeout, self.max_body = handle, timeout, max_body
        self.headers = dict(headers or {})
        self.workers = ThreadPoolExecutor(workers, f"{name}-worker")
        self.streams = ThreadPoolExecutor(max_streams, f"{name}-stream")
        self._max_connections = max_connections
        self._conversations: dict[asyncio.Task[None], _Conversation] = {}
        self._waiting: dict[_Conversation, bool] = {}
        """Those that keep us waiting, longest first; whether for a request."""
        self._is_stopping, self._ended = threading.Event(), threading.Event()
        self._wake: Callable[[], object] = lambda: None

    def run(self, listener: socket.socket) -> None:
        """Serve the connections of *listener*, and close it, when ``stop`` is called."""
        try:
            asyncio.run(self._serve(listener))
        finally:
            listener.close()
            for pool in (self.workers, self.streams):
                pool.shutdown(wait=False, cancel_futures=True)
            self._ended.set()

    def stop(self) -> None:
        """End ``run``, which another thread is in, and wait for that for a moment."""
        self._is_stopping.set()
        self._wake()
        self._ended.wait(_STOP_GRACE + 1)

    async def _serve(self, listener: socket.socket) -> None:
        loop, woken = asyncio.get_running_loop(), asyncio.Event()
        loop.set_exception_handler(_log_trouble)

        def wake() -> None:
            with suppress(RuntimeError):  # it has ended
                loop.call_soon_threadsafe(woken.set)

        self._wake = wake
        listener.setblocking(False)
        server = await asyncio.start_server(self._accept, sock=listener, backlog=128)
        if not self._is_stopping.is_set():
            await woken.wait()
        # asyncio loses those that it has accepted and not yet passed on when the server closes.
        loop.remove_reader(listener)
        await asyncio.sleep(0)
        server.close()
        for conversation, for_request in list(self._waiting.items()):
            if for_request:
                conversation.cut()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=_STOP_GRACE)
        for conversation in self._conversations.values():
            conversation.cut()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversation = _Conversation(self, reader, writer)
        if self._is_stopping.is_set():
            conversation.cut()
            return
        if len(self._conversations) >= self._max_connections:
            oldest = next(iter(self._waiting), conversation)
            self._waiting.pop(oldest, None)
            oldest.cut()
        self._waiting[conversation] = True  # its task may begin after others came
        task = asyncio.get_running_loop().create_task(conversation.run())
        self._conversations[task] = conversation
        task.add_done_callback(self._conversations.pop)

    @contextmanager
    def waiting_for(self, conversation: _Conversation, *, for_request: bool) -> Iterator[None]:
        """Let a connection be cut, while it keeps us waiting, in favour of others."""
        self._waiting[conversation] = for_request
        try:
            yield
        finally:
            self._waiting.pop(conversation, None)


class _Conversation:
    """One connection: its requests, and their answers, one after the other."""

    def __init__(
        self, server: HttpServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._server, self._reader, self._writer = server, reader, writer
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_MAX_HEAD)
        self._uid = _peer_uid(writer.get_extra_info("socket"))
        # So ``drain`` waits until the kernel has all: nothing is left behind without a deadline.
        writer.transport.set_write_buffer_limits(0)

    def cut(self) -> None:
        """End it at once; who waits for it in ``run`` goes on."""
        self._writer.transport.abort()

    async def run(self) -> None:
        """Serve it until either side ends it; one that is too slow is cut."""
        try:
            while await self._exchange():
                self._http.start_next_cycle()
        except (ConnectionError, TimeoutError, h11.LocalProtocolError):
            pass  # it has gone, or takes nothing, in the middle of an answer
        except Exception:
            log.exception("a connection failed")
        finally:
            self.cut()

    async def _exchange(self) -> bool:
        """Take a request and answer it; returns whether there may be another."""
        try:
            with self._server.waiting_for(self, for_request=True):
                request = await self._next_request()
        except h11.RemoteProtocolError as error:
            return await self._refuse(error.error_status_hint, str(error))
        except TimeoutError:
            if self._http.their_state is h11.IDLE and not self._http.trailing_data[0]:
                return False  # nothing was begun
            took = f"{self._server.timeout:.0f} s"
            return await self._refuse(408, f"the request did not come within {took}")
        if request is None:
            return False
        response = await self._answer(request)
        await self._respond(response, whole=request.method != "HEAD")
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    async def _next_request(self) -> Request | None:
        """Return the next request; None: the client has gone.

        Raises TimeoutError, and RemoteProtocolError if it is none, or too large.
        """
        async with asyncio.timeout(self._server.timeout):
            head = await self._next_event()
        if not isinstance(head, h11.Request):
            return None
        async with asyncio.timeout(self._server.timeout):
            body = await self._body(head)
        path, _, query = head.target.decode("ascii").partition("?")
        return Request(
            head.method.decode("ascii"),
            unquote(path),
            parse_qs(query),
            {name.decode("ascii"): value.decode("latin-1") for name, value in head.headers},
            body,
            self._uid,
        )

    async def _body(self, head: h11.Request) -> bytes:
        limit = self._server.max_body
        announced = (int(value) for name, value in head.headers if name == b"content-length")
        body = bytearray()
        if next(announced, 0) <= limit:
            while isinstance(event := await self._next_event(), h11.Data):
                body += event.data
                if len(body) > limit:
                    break
            else:
                return bytes(body)
        raise h11.RemoteProtocolError(f"the request is larger than {limit} bytes", 413)

    async def _next_event(self) -> Any:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            if self._http.they_are_waiting_for_100_continue:
                await self._send(h11.InformationalResponse(status_code=100, headers=[]))
            self._http.receive_data(await self._reader.read(_CHUNK))
        return event

    async def _answer(self, request: Request) -> Response:
        loop, server = asyncio.get_running_loop(), self._server
        try:
            return await loop.run_in_executor(server.workers, server.handle, request)
        except Exception as error:
            log.exception("a request failed", extra={"fields": {"request": request.path}})
            return failure(500, f"a fault of Plancton: {type(error).__name__}; its log has more")

    async def _respond(self, response: Response, *, whole: bool = True, last: bool = False) -> None:
        """Send an answer, only its head if it is not *whole*; the *last* one says that it is."""
        body = response.body
        headers = {"Content-Type": response.media, **self._server.headers}
        if isinstance(body, bytes):
            headers["Content-Length"] = str(len(body))
        if last or not isinstance(body, bytes):
            headers["Connection"] = "close"
        reason = HTTPStatus(response.status).phrase
        pairs = list(headers.items())
        head = h11.Response(status_code=response.status, reason=reason, headers=pairs)
        if not isinstance(body, bytes):
            await self._send_stream(head, body)
            return
        with self._server.waiting_for(self, for_request=False):
            await self._send(head, h11.Data(body if whole else b""), h11.EndOfMessage())

    async def _send_stream(self, head: h11.Response, stream: Stream) -> None:
        """Send what *stream* yields, until it or the client ends."""
        loop, threads = asyncio.get_running_loop(), self._server.streams
        watch = loop.create_task(self._close_when_gone(stream))
        try:
            await self._send(head)
            while (chunk := await loop.run_in_executor(threads, next, stream, None)) is not None:
                await self._send(h11.Data(chunk))
            await self._send(h11.EndOfMessage())
        finally:
            watch.cancel()
            stream.close()

    async def _close_when_gone(self, stream: Stream) -> None:
        with suppress(ConnectionError):
            while await self._reader.read(_CHUNK):
                pass
        stream.close()

    async def _refuse(self, status: int, sentence: str) -> bool:
        """Say why a request is refused, and let the connection end."""
        await self._respond(failure(status, sentence), last=True)
        self._writer.write_eof()
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER):
                while await self._reader.read(_CHUNK):
                    pass
        return False

    async def _send(self, *events: Any) -> None:
        self._writer.write(b"".join(self._http.send(event) or b"" for event in events))
        async with asyncio.timeout(self._server.timeout):
            await self._writer.drain()


def _peer_uid(connection: socket.socket) -> int | None:
    if connection.family != socket.AF_UNIX:
        return None
    credentials = struct.Struct("iII")  # struct ucred: pid, uid, gid
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, credentials.size)
    return int(credentials.unpack(raw)[1])


def _log_trouble(_: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
    error = context.get("exception")
    log.error("the server has trouble: %s", context["message"], exc_info=error)
