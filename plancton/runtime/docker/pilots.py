"""From what Docker says of a container to a pilot. Pure, but for the pilot's own files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from plancton.config.schema import Profile
from plancton.engine.model.pilot import Pilot, PilotState
from plancton.runtime.cgroup import ParentCgroup
from plancton.runtime.docker import container_spec
from plancton.runtime.docker.timestamps import epoch_of
from plancton.runtime.job_features import checkpoint_of

STATE_OF = {state.value: state for state in PilotState} | {"restarting": PilotState.RUNNING}
"""What Docker calls the states."""
ENDED = (PilotState.EXITED, PilotState.DEAD)


@dataclass(frozen=True, slots=True)
class Inspection:
    """What only an inspection tells; it no longer changes in the phase it was taken in."""

    ended: bool
    started: float | None
    finished: float | None
    exit_code: int | None
    oom_killed: bool
    error: str
    status: str
    pid: int

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Inspection:
        """Return the details in the ``State`` of an inspection."""
        status = str(state.get("Status") or "")
        ended = STATE_OF.get(status) in ENDED
        return cls(
            ended=ended,
            started=epoch_of(state.get("StartedAt")),
            finished=epoch_of(state.get("FinishedAt")) if ended else None,
            exit_code=state.get("ExitCode") if ended else None,
            oom_killed=bool(state.get("OOMKilled")) and ended,
            error=str(state.get("Error") or ""),
            status=status,
            pid=int(state.get("Pid") or 0),
        )


def pilot_from(
    item: Mapping[str, Any],
    state: PilotState,
    inspection: Inspection | None,
    offset: float,
    parent: ParentCgroup,
) -> Pilot:
    """Return the pilot of one *item* of a listing; *offset* is epoch minus boot clock, seconds."""
    labels: Mapping[str, str] = item.get("Labels") or {}
    ttl = number_label(labels, container_spec.TTL)
    promised = number_label(labels, container_spec.DEADLINE)
    created = float(item.get("Created") or offset)
    if ttl is not None and promised is not None:
        created = promised - ttl  # as Created, but in milliseconds
    started = inspection.started if inspection else None
    deadline = promised if ttl is None else (started or created) + ttl
    return Pilot(
        id=item["Id"],
        name=next(iter(item.get("Names") or ()), "").lstrip("/"),
        profile=labels.get(container_spec.PROFILE, ""),
        state=state,
        cpus=number_label(labels, container_spec.CPUS, 1.0),
        created_at=created - offset,
        started_at=_to_boot_clock(started, offset),
        deadline_at=_to_boot_clock(deadline, offset),
        finished_at=_to_boot_clock(inspection.finished if inspection else None, offset),
        exit_code=inspection.exit_code if inspection else None,
        oom_killed=inspection.oom_killed if inspection else False,
        error=inspection.error if inspection else "",
        cpu_seconds=parent.pilot_seconds(item["Id"]),
        grace=number_label(labels, container_spec.GRACE, 10.0),
        memory=int(number_label(labels, container_spec.MEMORY, 0)),
        image_id=str(item.get("ImageID") or ""),
        checkpoint_at=_to_boot_clock(_checkpoint(inspection, state), offset),
        memory_used=parent.pilot_memory(item["Id"]),
    )


def started_pilot(profile: Profile, id_: str, name: str, image_id: str, now: float) -> Pilot:
    """Return a pilot right after its start, before it was listed."""
    return Pilot(
        id=id_,
        name=name,
        profile=profile.name,
        state=PilotState.RUNNING,
        cpus=profile.cpus,
        created_at=now,
        started_at=now,
        deadline_at=now + profile.ttl,
        grace=profile.grace,
        memory=profile.memory,
        image_id=image_id,
    )


def _checkpoint(inspection: Inspection | None, state: PilotState) -> float | None:
    runs = inspection is not None and inspection.pid > 0 and state is PilotState.RUNNING
    return checkpoint_of(inspection.pid) if inspection and runs else None


def _to_boot_clock(epoch: float | None, offset: float) -> float | None:
    return None if epoch is None else epoch - offset


def number_label(labels: Mapping[str, str], label: str, default: Any = None) -> Any:
    """Return the number that a label holds; the default where it holds none."""
    try:
        return float(labels[label])
    except (KeyError, ValueError):
        return default
