"""An engine on a simulated node, stepped by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from plancton.config.effective import ConfigState, Layer
from plancton.config.schema import Config
from plancton.engine.loop import Engine
from plancton.engine.model.operator import Mode
from plancton.engine.ports import Ports
from plancton.engine.records.persistent_state import PersistentState
from plancton.engine.snapshot_builder import Identity
from plancton.engine.views.snapshot import Snapshot
from plancton.runtime.simulated_node import SimulatedNode
from plancton.runtime.simulated_starter import SimulatedStarter


class Settings:
    """A configuration source that tests set."""

    def __init__(self, **groups: Any) -> None:
        """Start with these groups."""
        self.state = _state(groups, 1)
        self.good: ConfigState | None = None
        self.rejected: list[str] = []

    def current(self, *, reload: bool = False) -> ConfigState:
        """Return what was set last."""
        return self.state

    def set(self, **groups: Any) -> None:
        """Put another configuration into force."""
        self.state = _state(groups, self.state.revision + 1)

    def confirm(self) -> ConfigState:
        """Remember what proved good."""
        self.good = self.state
        return self.state

    def reject(self, why: str) -> None:
        """Go back to what proved good."""
        self.rejected.append(why)
        if self.good is not None and self.good is not self.state:
            self.state = replace(self.good, error=why, revision=self.state.revision + 1)


def _state(groups: dict[str, Any], revision: int) -> ConfigState:
    layer = Layer("test", groups)
    return ConfigState(Config.model_validate(groups), "test", revision, layers=(layer,))


class Word:
    """The operator's standing word."""

    def __init__(self) -> None:
        """Start active."""
        self.value = Mode.ACTIVE

    def mode(self) -> Mode:
        """Return it."""
        return self.value

    def fulfilled(self, mode: Mode) -> None:
        """Forget it."""
        self.value = Mode.ACTIVE


class NoStateStore:
    """Keeps nothing."""

    def load(self) -> PersistentState:
        """Return an empty memory."""
        return PersistentState()

    def save(self, memory: PersistentState) -> None:
        """Forget it."""


class Rig:
    """An engine, its node, and time."""

    def __init__(self, ncpus: int = 4, **groups: Any) -> None:
        """Build both; nothing has happened yet."""
        self.node = SimulatedNode(ncpus)
        self.settings, self.word = Settings(**groups), Word()
        self.seen: list[Snapshot] = []
        self.engine = self.new_engine()

    def new_engine(self) -> Engine:
        """Return a fresh engine on the same node, as after a crash."""
        node = self.node
        self.starter = SimulatedStarter(node)
        ports = Ports(
            *(node, node, node, self.settings, self.word, node, node),
            figures=node,
            starter=self.starter,
        )
        return Engine(ports, Identity("n", "t", "0", 1, node.wall()), (self.seen.append,))

    def run(self, seconds: float) -> None:
        """Tick as the engine asks, and at each end of a pilot."""
        end = self.node.now() + seconds
        while self.node.now() < end and not self.engine.finished:
            wait = self.engine.step(ended=self.node.take_ended())
            pause = max(0.001, min(wait, end - self.node.now()))
            self.node.advance(pause, to_event=True)

    @property
    def running(self) -> int:
        """Pilots that really run."""
        return len(self.node.running())

    @property
    def latest(self) -> Snapshot:
        """The newest snapshot."""
        return self.seen[-1]

    def said(self, text: str) -> bool:
        """Whether the newest findings or any event say *text*."""
        lines = [
            *(f.text for f in self.latest.findings),
            *(event.text for event in self.latest.events),
        ]
        return any(text in line for line in lines)
