"""Starts on a simulated node: each takes its time, beside others and beside the engine."""

from __future__ import annotations

from collections.abc import Mapping

from plancton.engine.executor import begin
from plancton.engine.model.action import Outcome, Prepare, Spawn
from plancton.runtime.simulated_node import SimulatedNode


class SimulatedStarter:
    """Implements ``ports.Starter``: each takes the ``start_delay`` of the node, if any."""

    requests = 0

    def __init__(self, node: SimulatedNode) -> None:
        """Start pilots on *node*."""
        self._node = node
        self._submitted = 0
        self.under_way: dict[str, Spawn | Prepare] = {}
        """By name of the pilot."""
        self._ended: dict[str, Outcome | Exception] = {}
        self.hangs: frozenset[str] = frozenset()
        """Profiles whose starts do not end by themselves."""

    def submit(self, action: Spawn | Prepare) -> str | Outcome:
        """Begin a start; its container is there at once, and runs later."""
        if not self._node.start_delay and action.profile.name not in self.hangs:
            return begin(action, self._node)
        self._submitted += 1
        name = f"plancton-{action.profile.name}-s{self._submitted:05d}"
        self.under_way[name] = action
        if isinstance(action, Spawn):
            self._node.create(action.profile, name, action.image_id)
        if action.profile.name not in self.hangs:
            self._node.later(self._node.start_delay, lambda: self.finish(name))
        return name

    def finish(self, name: str, failure: Exception | str = "") -> None:
        """End a start: as the node has it, or with a *failure*."""
        action = self.under_way.pop(name)
        if isinstance(failure, Exception):
            self._ended[name] = failure
        elif failure:
            self._ended[name] = Outcome(action, error=failure)
        else:
            try:
                self._ended[name] = begin(action, self._node, name)
            except Exception as error:  # noqa: BLE001 (the engine raises it)
                self._ended[name] = error
        self._node.woken = True

    def take_ended(self) -> Mapping[str, Outcome | Exception]:
        """Return what came of starts since the last call, by the pilots' names."""
        ended, self._ended = self._ended, {}
        return ended

    def join(self, seconds: float) -> None:
        """Let the node's time pass until no start is under way, at most so long."""
        end = self._node.now() + seconds
        while self.under_way and self._node.now() < end:
            self._node.woken = False
            self._node.advance(end - self._node.now(), to_event=True)
            self._node.take_ended()
