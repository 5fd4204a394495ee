"""Where Prometheus finds a node's metrics: ``/metrics`` on TCP, if that is configured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from plancton.engine.views.snapshot import SinkState, Snapshot


class PrometheusEndpoint:
    """Serves ``/metrics`` on TCP, by the official library's server."""

    def __init__(self, latest: Callable[[], Snapshot | None]) -> None:
        """Serve what *latest* returns; it listens nowhere yet."""
        self._latest = latest
        self._state: SinkState | None = None
        self._close: Callable[[], None] = lambda: None

    def listen(self, address: str) -> None:
        """Listen at *address*, host:port, and no longer where it did; empty: nowhere."""
        name = f"Prometheus on {address}"
        if self._state and self._state.name == name and not self._state.error:
            return
        self._close()
        self._close, self._state = lambda: None, None
        if not address:
            return
        from plancton.monitor.sinks.prometheus import serve

        self._state = SinkState(name)
        try:
            self._close = serve(address, self._latest)
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or str(error)
            self._state = replace(self._state, error=f"cannot listen: {why}", failures=1)

    def status(self) -> tuple[SinkState, ...]:
        """Return where it listens, or why it does not."""
        return (self._state,) if self._state and self._state.error else ()
