"""Docker's event stream, for one purpose: to wake the engine when a pilot has ended."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import docker.errors

from plancton.engine.backoff_delay import backoff_delay
from plancton.engine.ports import RuntimeUnavailableError
from plancton.runtime.docker import container_spec as spec
from plancton.runtime.docker.client import open_client

_FIRST_WAIT, _LONGEST_WAIT = 0.2, 15.0


class EventListener:
    """Calls *on_event* with the ID of each pilot that ended, with "" after each (re)connection.

    Events carry no news of their own: the engine looks for itself. So a lost event costs one
    interval at most, and nothing that happened during a reconnection is missed.
    """

    def __init__(self, url: str, instance: str, on_event: Callable[[str], None]) -> None:
        """Listen to the engine at *url* for containers of *instance*."""
        self.url, self.instance, self.on_event = url, instance, on_event
        self._stopping = threading.Event()
        self._stream: Any = None

    def run(self) -> None:
        """Listen until ``stop``; reconnects with back-off, for ever."""
        failures = 0
        while not self._stopping.is_set():
            try:
                self._listen()
                failures = 0
            except (RuntimeUnavailableError, docker.errors.APIError):
                failures += 1
            self._stopping.wait(backoff_delay(failures + 1, _FIRST_WAIT, _LONGEST_WAIT))

    def _listen(self) -> None:
        labels = f"{spec.INSTANCE}={self.instance}"
        filters = {"type": "container", "event": ["die"], "label": labels}
        with open_client(self.url, timeout=10) as client:
            self._stream = stream = client.events(filters=filters, decode=True)
            try:
                self.on_event("")
                for event in stream:
                    self.on_event(_container_of(event))
            finally:
                stream.close()

    def stop(self) -> None:
        """End ``run``. An idle stream knows no time-out, so it is closed from here."""
        self._stopping.set()
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()


def _container_of(event: Mapping[str, Any]) -> str:
    """Return the ID of an event's container; what names it has changed with API 1.52."""
    actor = event.get("Actor")
    id_ = actor.get("ID") if isinstance(actor, Mapping) else None
    return str(id_ or event.get("id") or "")
