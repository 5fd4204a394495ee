"""Observe the node: its pilots, its counters, its images, and what is asked of it."""

from __future__ import annotations

from dataclasses import replace

from plancton.engine.model.cpu_load import RECENT, cpu_load, remember
from plancton.engine.model.node import HostSample, Observation
from plancton.engine.model.operator import Mode, PilotCommand
from plancton.engine.model.pilot import Pilot, PilotState
from plancton.engine.ports import Ports


class Observer:
    """Looks at the node, and keeps what the operator asked of single pilots while it holds."""

    def __init__(self, ports: Ports, held: frozenset[str]) -> None:
        """Look through *ports*; *held* are IDs of pilots that the operator keeps frozen."""
        self._ports = ports
        self._samples: tuple[HostSample, ...] = ()
        self.commands = dict.fromkeys(held, PilotCommand.FREEZE)
        self.slept = 0.0
        """Seconds in suspend between the last two looks at the node."""

    def observe(self, now: float, mode: Mode, ended: frozenset[str]) -> Observation:
        """Return the node as it is; *ended* are IDs of pilots said to have ended.

        Raises RuntimeUnavailableError.
        """
        pilots = self._ports.runtime.pilots(ended)
        sample = self._ports.host.sample(now)
        self.slept = self._samples[-1].slept_before(sample) if self._samples else 0.0
        self._samples = remember(self._samples, sample)
        promised = sum(p.cpus for p in pilots if p.state is PilotState.RUNNING)
        self._forget_fulfilled(pilots)
        return Observation(
            pilots,
            sample,
            cpu_load(self._samples, promised),
            self._ports.images.status(),
            mode,
            cpu_load(self._samples, promised, RECENT),
            dict(self.commands),
            self._ports.runtime.unenforced,
            self._ports.figures.readings(),
            self._ports.runtime.spares,
        )

    def observe_pilots(
        self, before: Observation, mode: Mode, ended: frozenset[str] = frozenset()
    ) -> Observation:
        """Return the pilots as they are, and the rest of the node as it was *before*.

        For when the node cannot be read. Raises RuntimeUnavailableError.
        """
        pilots = self._ports.runtime.pilots(ended)
        return replace(
            before,
            pilots=pilots,
            mode=mode,
            pilot_commands=dict(self.commands),
            spares=self._ports.runtime.spares,
        )

    def _forget_fulfilled(self, pilots: tuple[Pilot, ...]) -> None:
        live = {pilot.id: pilot for pilot in pilots if pilot.live}
        self.commands = {
            id_: command
            for id_, command in self.commands.items()
            if id_ in live and (command is not PilotCommand.THAW or live[id_].frozen)
        }
