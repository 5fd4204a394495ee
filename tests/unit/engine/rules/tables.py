"""Observations, policies and decisions in few words, for tables of cases."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from plancton.config import schema
from plancton.engine.model.action import Decision, Outcome, PilotAction
from plancton.engine.model.node import CpuLoad, HostSample, ImageStatus, Observation, Protection
from plancton.engine.model.operator import Mode
from plancton.engine.model.pilot import Pilot, PilotState
from plancton.engine.model.policy import Policy
from plancton.engine.model.reason import Code
from plancton.engine.model.state import State
from plancton.engine.rules.apply_outcomes import apply_outcome
from plancton.engine.rules.decide import decide

NOW = 10_000.0
HOST = HostSample(
    NOW,
    4,
    0.0,
    0.0,
    memory_total=64 * 10**9,
    memory_available=60 * 10**9,
    disk_free=10**11,
    disk_total=10**12,
    protection=Protection.IDLE,
    own_memory=0,
)
LOW_WEIGHT = replace(HOST, protection=Protection.LOW_WEIGHT)
PROFILE = schema.Profile()
PACE = {"freeze_after": "30s", "evict_after": "120s"}
PROTECT = schema.Protect.model_validate(PACE)
HERE = {PROFILE.image: ImageStatus(id="sha256:1")}


def pilot(name: str, **fields: Any) -> Pilot:
    """Return a pilot running since 100 s with an hour to live, changed by *fields*."""
    values: dict[str, Any] = {
        "state": PilotState.RUNNING,
        "created_at": NOW - 100,
        "started_at": NOW - 100,
        "deadline_at": NOW + 3600,
    }
    return Pilot(name, f"plancton-{name}", "default", **{"cpus": 1.0, **values, **fields})


OLD, YOUNG = pilot("old", created_at=NOW - 50), pilot("young", created_at=NOW - 10)


def frozen(one: Pilot) -> Pilot:
    """Return the pilot frozen."""
    return replace(one, state=PilotState.PAUSED)


def exited(name: str, lived: float, at: float = NOW, **fields: Any) -> Pilot:
    """Return a pilot that exited after *lived* seconds."""
    times = {"created_at": at - lived, "started_at": at - lived, "finished_at": at}
    return pilot(name, state=PilotState.EXITED, exit_code=1, **times, **fields)


def exited_with(code: int, lived: float = 100.0) -> Pilot:
    """Return a pilot that ended by itself."""
    times = {"created_at": NOW - lived, "started_at": NOW - lived, "finished_at": NOW}
    return pilot("x", state=PilotState.EXITED, exit_code=code, image_id="sha256:old", **times)


def look(
    *pilots: Pilot, foreground: float = 0.0, mode: Mode = Mode.ACTIVE, ncpus: int = 4, **fields: Any
) -> Observation:
    """Return an observation of a node with these pilots and this foreground."""
    load = CpuLoad(ncpus, foreground, 0.0, ncpus - foreground, 10.0)
    values = {"host": HOST, "load": load, "images": HERE, "mode": mode, **fields}
    return Observation(pilots, **values)


def pressed(*pilots: Pilot, **fields: Any) -> Observation:
    """Return a node of 4 cores that its owner uses wholly."""
    return look(*pilots, foreground=4.0, **fields)


def policy(maximum: int = 4, *profiles: schema.Profile, **spawn: Any) -> Policy:
    """Return a policy with the defaults but for these."""
    return Policy(profiles or (PROFILE,), schema.Spawn(**spawn), PROTECT, maximum)


def guarded(**protect: Any) -> Policy:
    """Return a policy with these settings of protection."""
    return replace(policy(), protect=schema.Protect.model_validate({**PACE, **protect}))


def run(
    seen: Observation, rules: Policy | None = None, state: State | None = None, now: float = NOW
) -> Decision:
    """Decide with defaults."""
    return decide(seen, rules or policy(), state or State(), now)


def kinds(decision: Decision) -> list[str]:
    """Return the actions' names and whom they concern."""
    return [
        type(a).__name__ + (f" {a.pilot.id}" if isinstance(a, PilotAction) else "")
        for a in decision.actions
    ]


def codes(decision: Decision) -> list[Code]:
    """Return the codes of the findings."""
    return [finding.code for finding in decision.findings]


def carry_out(decision: Decision, rules: Policy, now: float, error: str = "") -> State:
    """Return the state after all actions of a decision were done, or failed."""
    outcomes = [Outcome(action, error=error) for action in decision.actions]
    state = decision.state
    for outcome in outcomes:
        state = apply_outcome(state, outcome, rules, now)
    return state
