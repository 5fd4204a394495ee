"""Observe the node: its pilots, its counters, its images, and what is asked of it."""

from __future__ import annotations

from dataclasses import replace

from plancton.engine.model.action import Starting
from plancton.engine.model.cpu_load import RECENT, cpu_load, remember
from plancton.engine.model.node import HostSample, Observation
from plancton.engine.model.operator import Mode, PilotCommand
from plancton.engine.model.pilot import Pilot, PilotState
from plancton.engine.model.spare import Spare
from plancton.engine.ports import Ports
from plancton.engine.starts import Starts


class Observer:
    """Looks at the node, and keeps what the operator asked of single pilots while it holds."""

    def __init__(self, ports: Ports, held: frozenset[str], starts: Starts) -> None:
        """Look through *ports*; *held* are IDs of pilots that the operator keeps frozen."""
        self._ports, self._starts = ports, starts
        self._samples: tuple[HostSample, ...] = ()
        self.commands = dict.fromkeys(held, PilotCommand.FREEZE)
        self.slept = 0.0
        """Seconds in suspend between the last two looks at the node."""

    def observe(self, now: float, mode: Mode, ended: frozenset[str]) -> Observation:
        """Return the node as it is; *ended* are IDs of pilots said to have ended.

        Raises RuntimeUnavailableError.
        """
        pilots, starting = self._pilots(ended)
        sample = self._ports.host.sample(now)
        self.slept = self._samples[-1].slept_before(sample) if self._samples else 0.0
        self._samples = remember(self._samples, sample)
        promised = sum(p.cpus for p in pilots if p.state is PilotState.RUNNING)
        self._forget_fulfilled(pilots, starting)
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
            self._spares(),
            starting,
            frozenset(self._starts.preparing.values()),
        )

    def observe_pilots(self, before: Observation, mode: Mode) -> Observation:
        """Return the pilots as they are, and the rest of the node as it was *before*.

        For when the node cannot be read. Raises RuntimeUnavailableError.
        """
        pilots, starting = self._pilots()
        return replace(
            before,
            pilots=pilots,
            starting=starting,
            mode=mode,
            pilot_commands=dict(self.commands),
            spares=self._spares(),
            preparing=frozenset(self._starts.preparing.values()),
        )

    def _pilots(
        self, ended: frozenset[str] = frozenset()
    ) -> tuple[tuple[Pilot, ...], tuple[Starting, ...]]:
        """Return the pilots that are there, and the starts under way."""
        self._starts.collect()  # before the listing, which then shows what they made
        return _told_apart(self._ports.runtime.pilots(ended), self._starts.under_way)

    def _spares(self) -> tuple[Spare, ...]:
        """Return the spares, without one that is being made and does not wait yet."""
        return tuple(
            spare
            for spare in self._ports.runtime.spares
            if spare.ready or spare.name not in self._starts.preparing
        )

    def _forget_fulfilled(self, pilots: tuple[Pilot, ...], starting: tuple[Starting, ...]) -> None:
        """Keep what still holds: of live pilots, and by their name of those that are starting."""
        live = {pilot.id: pilot for pilot in pilots if pilot.live}
        ids = {pilot.name: pilot.id for pilot in live.values()}
        asked = {ids.get(key, key): command for key, command in self.commands.items()}
        coming = {each.name for each in starting}
        self.commands = {
            key: command
            for key, command in asked.items()
            if key in coming
            or (key in live and (command is not PilotCommand.THAW or live[key].frozen))
        }


def _told_apart(
    listed: tuple[Pilot, ...], under_way: tuple[Starting, ...]
) -> tuple[tuple[Pilot, ...], tuple[Starting, ...]]:
    """Return the pilots that are there, and the starts under way: each is one or the other.

    A container that was only created belongs to its start; one that has run is a pilot.
    """
    if not under_way:
        return listed, ()
    names = {each.name for each in under_way}
    pilots = tuple(
        pilot for pilot in listed if not (pilot.state is PilotState.CREATED and pilot.name in names)
    )
    there = {pilot.name for pilot in pilots}
    return pilots, tuple(each for each in under_way if each.name not in there)
