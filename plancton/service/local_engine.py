"""The API of the engine in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from plancton.config.effective import ConfigState, Setting
from plancton.config.expressions import ExpressionError
from plancton.config.load import ConfigError
from plancton.config.schema import Config
from plancton.config.write import settings
from plancton.control.broadcast import Broadcaster
from plancton.engine.api import Item, NotRunningError, RefusedError, find_pilot
from plancton.engine.loop import Engine
from plancton.engine.model.operator import Mode, PilotCommand
from plancton.engine.ports import ActionError, RuntimeUnavailableError
from plancton.engine.records.history import History
from plancton.engine.views.fleet import Member
from plancton.engine.views.preview import Preview
from plancton.engine.views.snapshot import Snapshot
from plancton.monitor.fleet_reader import FleetReader

HANG_SECONDS = 90.0
"""Seconds without a sign of life after which a tick hangs; no call to Docker takes that long."""
_ON_STOP = {"drain": Mode.STOPPING, "kill": Mode.ENDING}


class ConfigBuilder(Protocol):
    """What makes a configuration from a text."""

    def __call__(self, text: str, *, remote: bool = False) -> Config:
        """Return what would be in force; ConfigError."""


class PilotOutput(Protocol):
    """What reads a pilot's output."""

    def __call__(self, id_: str, *, tail: int, follow: bool) -> Iterator[bytes]:
        """Yield it. RuntimeUnavailableError, ActionError."""


class ModeWriter(Protocol):
    """What keeps the operator's standing word."""

    def order(self, mode: Mode) -> None:
        """Keep it; OSError if that cannot be."""


class LocalEngine:
    """Implements ``EngineApi``. Only messages and frozen values pass between threads."""

    def __init__(
        self,
        engine: Engine,
        mode_writer: ModeWriter,
        broadcaster: Broadcaster,
        output: PilotOutput,
        *,
        build_config: ConfigBuilder,
        reload: Callable[[], None] | None = None,
    ) -> None:
        """Hold *engine*, which keeps its orders in *mode_writer* and publishes to *broadcaster*.

        *output* reads what a pilot writes. *build_config* makes the configuration that would be in
        force with a text as a file of it, *reload* fetches a remote one before the engine reads it.
        """
        self.engine, self.mode_writer, self.broadcaster = engine, mode_writer, broadcaster
        self._output = output
        self._build_config = build_config
        self._reload = reload or engine.reload
        self._fleet_reader = FleetReader()
        self._stop_requests = 0

    def snapshot(self) -> Snapshot:
        """Return the newest snapshot."""
        if self.engine.latest is None:
            raise NotRunningError("the engine has only just started; try again")
        return self.engine.latest

    def health(self) -> str:
        """Return what is wrong with the engine; empty: nothing."""
        if self.engine.latest is None:
            return "the engine has only just started"
        since, now = self.engine.busy_since, self.engine.ports.clock.now()
        hangs = since is not None and now - since > HANG_SECONDS
        return f"the engine hangs since {now - (since or now):.0f} s" if hangs else ""

    def stream(self) -> Iterator[Item]:
        """Yield snapshots and log records."""
        return self.broadcaster.stream()

    def order(self, mode: Mode) -> None:
        """Set the operator's standing word; it is on disk before this returns."""
        try:
            self.mode_writer.order(mode)
        except OSError as error:
            raise RefusedError(f"the order cannot be kept: {error}") from error
        self.engine.wake()

    def stop(self) -> None:
        """End as ``node.on_stop`` says; a second time leave the pilots and end."""
        self._stop_requests += 1
        state = self.engine.configuration
        mode = _ON_STOP.get(state.config.node.on_stop) if state else None
        if mode is None or self._stop_requests > 1:
            self.engine.quit()
        else:
            self.engine.request_mode(mode)

    def reload(self) -> None:
        """Have the configuration read, and fetched, again."""
        self._reload()

    def command_pilot(self, pilot: str, command: PilotCommand) -> str:
        """Ask something of one pilot."""
        id_, name = find_pilot(self.snapshot(), pilot)
        self.engine.command_pilot(id_, command)
        return name

    def logs(self, pilot: str, *, tail: int, follow: bool) -> Iterator[bytes]:
        """Yield a pilot's own output."""
        id_, _ = find_pilot(self.snapshot(), pilot)
        try:
            return self._output(id_, tail=tail, follow=follow)
        except (ActionError, RuntimeUnavailableError) as error:
            raise RefusedError(str(error)) from error

    def history(self) -> History:
        """Return the node's own past."""
        return self.engine.history

    def fleet(self) -> tuple[Member, ...]:
        """Return all nodes that report to this one's database."""
        return self._fleet_reader.read(self._configuration.config.monitor)

    def settings(self) -> tuple[Setting, ...]:
        """Return the configuration in force, key by key."""
        return settings(self._configuration)

    @property
    def _configuration(self) -> ConfigState:
        state = self.engine.configuration
        if state is None:
            raise NotRunningError("the engine has only just started; try again")
        return state

    def preview(self, text: str, *, remote: bool = False) -> Preview:
        """Say what the next tick would do with *text* as the local, or the remote, file."""
        try:
            return self.engine.preview(self._build_config(text, remote=remote))
        except (ConfigError, ExpressionError, RuntimeUnavailableError) as error:
            raise RefusedError(str(error)) from error
