"""Reads the configuration, says what became of it, and passes on what others need of it."""

from __future__ import annotations

import logging

from plancton.config.effective import ConfigState
from plancton.engine.event_recorder import EventRecorder
from plancton.engine.ports import Ports


class Configurator:
    """Remembers which configuration was in force, so that each change is said once."""

    def __init__(self, ports: Ports, recorder: EventRecorder) -> None:
        """Read through *ports*; nothing is read yet."""
        self._ports, self._recorder = ports, recorder
        self.state: ConfigState | None = None
        """As of the last tick; None before the first."""

    def read(self, wall: float, *, reload: bool) -> ConfigState:
        """Return the configuration in force."""
        new = self._ports.config.current(reload=reload)
        self._say_what_changed(new, wall)
        self.state = new
        wanted = frozenset(profile.image for profile in new.config.pilots)
        image = new.config.image
        keep = None if image.keep == "all" else image.keep
        self._ports.images.configure(wanted, image.refresh, pull=image.pull, keep=keep)
        self._ports.monitor.configure(new.config.monitor)
        self._ports.figures.watch(each for each in new.config.protect.slo if not each.waited)
        return new

    def confirm(self) -> None:
        """Take the configuration in force for good."""
        self.state = self._ports.config.confirm()

    def _say_what_changed(self, new: ConfigState, wall: float) -> None:
        old, say = self.state, self._recorder.event
        if new.error and (old is None or new.error != old.error):
            text = "configuration refused, the last good one stays"
            say(wall, text, logging.ERROR, error=new.error)
        elif old is None or new.revision != old.revision:
            say(wall, "configuration in force", source=new.source, revision=new.revision)
        if old is None or new.warnings != old.warnings:
            for warning in new.warnings:
                say(wall, "configuration", logging.WARNING, warning=warning)
