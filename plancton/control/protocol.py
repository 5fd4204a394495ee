"""What goes over the control socket: version 1. Keys may be added to it, never changed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeVar

from pydantic import TypeAdapter

from plancton.config.effective import Setting
from plancton.engine.api import Item, LogRecord, Lost
from plancton.engine.records.history import History
from plancton.engine.views.fleet import Member
from plancton.engine.views.snapshot import Snapshot

SOCKET = "plancton.sock"
MAX_BODY = 1_000_000
"""Bytes of the largest request."""
T = TypeVar("T")
_ADAPTERS: dict[type, TypeAdapter[Any]] = {}


@dataclass(frozen=True, slots=True)
class StreamLine:
    """One line of the stream: a snapshot, a log record, or how many of those were lost."""

    snapshot: Snapshot | None = None
    log: LogRecord | None = None
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a request that changes something."""

    done: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request was refused, for people."""

    error: str


def adapter(kind: type[T]) -> TypeAdapter[T]:
    """Return the reader and writer of a type; made when first needed, for that takes time."""
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def stream_line(item: Item) -> StreamLine:
    """Put an item on its line."""
    match item:
        case Snapshot():
            return StreamLine(snapshot=item)
        case LogRecord():
            return StreamLine(log=item)
        case Lost(records=records):
            return StreamLine(lost=records)
    return StreamLine()


def stream_item(line: StreamLine) -> Item:
    """Take the item from its line."""
    return line.snapshot or line.log or (Lost(line.lost) if line.lost else None)


@cache
def schema() -> dict[str, Any]:
    """Return the JSON schema of every answer, by the request it answers."""
    from plancton.engine.views.preview import Preview

    answers: dict[str, TypeAdapter[Any]] = {
        "GET /v1/status": adapter(Snapshot),
        "GET /v1/stream": adapter(StreamLine),
        "GET /v1/history": adapter(History),
        "GET /v1/fleet": adapter(tuple[Member, ...]),
        "GET /v1/config": adapter(tuple[Setting, ...]),
        "POST /v1/config/preview": adapter(Preview),
        "POST": adapter(Answer),
        "error": adapter(Failure),
    }
    kind: Literal["serialization"] = "serialization"
    inputs = [(name, kind, each) for name, each in answers.items()]
    by_name, shared = TypeAdapter.json_schemas(inputs, title="Plancton control socket, version 1")
    return {**shared, "answers": {name: by_name[name, kind] for name in answers}}
