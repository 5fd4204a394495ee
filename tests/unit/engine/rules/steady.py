"""A node under a steady load, ticked with its own decisions carried out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from plancton.engine.model.action import Freeze, Spawn, Thaw
from plancton.engine.model.node import CpuLoad, Protection
from plancton.engine.model.pilot import Pilot, PilotState
from plancton.engine.model.policy import Policy
from plancton.engine.model.reason import EVICTIONS
from plancton.engine.model.state import State
from plancton.engine.rules.decide import decide
from tests.unit.engine.rules.tables import HOST, NOW, carry_out, look, pilot


class Loop:
    """A steady node, ticked with its own decisions carried out."""

    def __init__(
        self, rules: Policy, protection: Protection, ncpus: int = 8, use: float = 1.0
    ) -> None:
        """Begin empty; pilots use so much of their cores."""
        self.rules, self.ncpus, self.pilots, self.count = rules, ncpus, list[Pilot](), 0
        self.use = use
        self.host = replace(HOST, ncpus=ncpus, protection=protection)
        self.state, self.now, self.evicted = State(), NOW, 0

    def tick(self, foreground: float, seconds: float = 5.0) -> int:
        """Do one round; returns how many actions it took."""
        self.now += seconds
        promised = sum(p.cpus for p in self.pilots if not p.frozen)
        own = min(self.use * promised, self.ncpus - foreground)
        load = CpuLoad(self.ncpus, foreground, own, self.ncpus - foreground - own, 10.0)
        seen = look(*self.pilots, host=self.host, load=load, recent=load)
        decision = decide(seen, self.rules, self.state, self.now)
        self.state = carry_out(decision, self.rules, self.now)
        for action in decision.actions:
            self._do(action)
        return len(decision.actions)

    def _do(self, action: Any) -> None:
        if isinstance(action, Spawn):
            self.count += 1
            fields = {"cpus": action.profile.cpus, "created_at": self.now, "started_at": self.now}
            new = pilot(f"n{self.count}", deadline_at=None, **fields)
            self.pilots.append(replace(new, profile=action.profile.name))
            return
        self.evicted += action.reason.code in EVICTIONS and not isinstance(action, Freeze)
        others = [p for p in self.pilots if p.id != action.pilot.id]
        if isinstance(action, Freeze | Thaw):
            state = PilotState.PAUSED if isinstance(action, Freeze) else PilotState.RUNNING
            others.append(replace(action.pilot, state=state))
        self.pilots = sorted(others, key=lambda p: (p.created_at, p.id))
