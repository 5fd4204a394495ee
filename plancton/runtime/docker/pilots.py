"""From what Docker says of a container to a pilot. Pure, but for the pilot's own files."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from plancton.config.schema import Profile
from plancton.config.units import LARGEST, LONGEST
from plancton.engine.model.cpu_list import parse_cpu_list
from plancton.engine.model.pilot import Pilot, PilotState, Written
from plancton.engine.rules.reap import START_LIMIT
from plancton.runtime.cgroup import ParentCgroup, PilotMemory
from plancton.runtime.docker import container_spec
from plancton.runtime.docker.disk_meter import Places
from plancton.runtime.docker.networks import addresses, network_mode
from plancton.runtime.docker.timestamps import epoch_of
from plancton.runtime.job_features import checkpoint_of
from plancton.runtime.network.endpoint import Endpoint

STATE_OF = {state.value: state for state in PilotState} | {"restarting": PilotState.RUNNING}
"""What Docker calls the states."""
_END_OF_TIME = 1e11
"""Seconds of the epoch, some thousand years from now."""
_NAME = re.compile(r"plancton-.+-[a-z0-9]{6}")
"""How pilots are called, also those of versions that gave them no label with their name."""
RUNS = (PilotState.RUNNING, PilotState.PAUSED)
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
    places: Places
    """Where on the host it writes."""
    swap: int | None = None
    """Most bytes of swap; None: no limit, or none that is known."""
    network: str = ""
    """Docker's network mode."""
    addresses: tuple[str, ...] = ()
    """On all its networks."""
    cpus: tuple[int, ...] = ()
    """CPUs that it is bound to; none: it may use all."""
    held_to: float | None = None
    """Cores that its quota lets it use, infinite: it has none; None: that is not known."""

    @classmethod
    def of(cls, container: Mapping[str, Any], places: Places) -> Inspection:
        """Return the details in the answer to an inspection; NoPilotError if it has no state."""
        state, host = container.get("State"), container.get("HostConfig")
        if not isinstance(state, Mapping):
            raise NoPilotError("Docker tells no state of it")
        host = host if isinstance(host, Mapping) else {}
        status = str(state.get("Status") or "")
        ended = STATE_OF.get(status) in ENDED
        code = state.get("ExitCode")
        pid = state.get("Pid")
        return cls(
            ended=ended,
            started=epoch_of(state.get("StartedAt")),
            finished=epoch_of(state.get("FinishedAt")) if ended else None,
            exit_code=code if ended and isinstance(code, int) else None,
            oom_killed=bool(state.get("OOMKilled")) and ended,
            error=str(state.get("Error") or ""),
            status=status,
            pid=pid if isinstance(pid, int) else 0,
            places=places,
            swap=_swap(host.get("Memory"), host.get("MemorySwap")),
            network=network_mode(container),
            addresses=addresses(container),
            cpus=parse_cpu_list(str(host.get("CpusetCpus") or "")),
            held_to=container_spec.held_to(host),
        )


def _swap(memory: object, both: object) -> int | None:
    """Return the limit of swap in Docker's limits of memory, and of memory and swap together."""
    if not isinstance(memory, int) or not isinstance(both, int) or memory <= 0:
        return None
    return both - memory if both >= memory else None  # -1 is none, 0 is not set


class NoPilotError(Exception):
    """A container carries our label, but is no pilot of ours. Says why."""


def is_listed(item: object) -> bool:
    """Say whether an item of a listing has what Docker always tells: an ID and a state.

    A listing with others is no listing: where its pilots were left out, they would be started
    once more.
    """
    wanted = ("Id", "State")
    return isinstance(item, Mapping) and all(
        isinstance(item.get(key), str) and item[key] for key in wanted
    )


def id_of(item: object) -> str:
    """Return the ID of one item of a listing; NoPilotError if it has none."""
    found = item.get("Id") if isinstance(item, Mapping) else None
    if not isinstance(found, str) or not found:
        raise NoPilotError("Docker lists it without an ID")
    return found


def labels_of(item: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the labels of one item of a listing."""
    labels = item.get("Labels")
    return labels if isinstance(labels, Mapping) else {}


def label_of(item: Mapping[str, Any]) -> str:
    """Return what people call a container: its name, or the beginning of its ID."""
    return name_of(item) or id_of(item)[:12]


def name_of(item: Mapping[str, Any]) -> str:
    """Return the name of one item of a listing; empty: it has none, or none any more."""
    listed = item.get("Names")
    each_name = listed if isinstance(listed, list) else ()
    names = [each.lstrip("/") for each in each_name if isinstance(each, str)]
    # A container that was linked to it (--link) lists it under its own name, a slash and an alias.
    return next((name for name in names if "/" not in name), "")


def check_made_by_us(item: Mapping[str, Any]) -> None:
    """Raise NoPilotError if an item of a listing got our labels without being made by us.

    ``docker commit`` writes a container's labels into the image, and so into all containers of
    that image; but no two containers have the same name. One without a name is being removed.
    """
    name, labels = name_of(item), labels_of(item)
    made_as = labels.get(container_spec.NAME)
    if not name or name == made_as or (made_as is None and _NAME.fullmatch(name)):
        return
    pilot = f"the pilot {str(made_as)[:80]!r}" if made_as else "a pilot"
    raise NoPilotError(
        f"it is not {pilot} that its labels tell of; they came with its image (docker commit), "
        "or it was renamed"
    )


def pilot_from(
    item: Mapping[str, Any],
    state: PilotState,
    inspection: Inspection | None,
    offset: float,
    parent: ParentCgroup,
    memory: PilotMemory,
    written: Written | None = None,
) -> Pilot:
    """Return the pilot of one *item* of a listing; *offset* is epoch minus boot clock, seconds.

    NoPilotError if its labels make no sense.
    """
    id_, labels = id_of(item), labels_of(item)
    ttl = number_label(labels, container_spec.TTL, most=LONGEST)
    promised = number_label(labels, container_spec.DEADLINE, most=_END_OF_TIME)
    created = _created(item, ttl, promised, offset)
    started = _first_start(inspection.started if inspection else None, created)
    deadline = promised if ttl is None else (started or created) + ttl
    image = item.get("ImageID")
    return Pilot(
        id=id_,
        name=name_of(item),
        profile=str(labels.get(container_spec.PROFILE, "")),
        state=state,
        cpus=number_label(labels, container_spec.CPUS, 1.0, most=4096),
        created_at=created - offset,
        started_at=_to_boot_clock(started, offset),
        deadline_at=_to_boot_clock(deadline, offset),
        finished_at=_to_boot_clock(
            _end(inspection.finished if inspection else None, started), offset
        ),
        exit_code=inspection.exit_code if inspection else None,
        oom_killed=inspection.oom_killed if inspection else False,
        error=inspection.error if inspection else "",
        cpu_seconds=parent.pilot_seconds(id_),
        grace=number_label(labels, container_spec.GRACE, 10.0, most=86400),
        memory=int(number_label(labels, container_spec.MEMORY, 0, most=LARGEST)),
        image_id=image if isinstance(image, str) else "",
        checkpoint_at=_to_boot_clock(_checkpoint(inspection, state), offset),
        disk=int(number_label(labels, container_spec.DISK, 0, most=LARGEST)),
        written=written,
        memory_used=memory.used(id_),
        swapped=memory.swapped(id_) if state is PilotState.PAUSED else None,
        bound_to=inspection.cpus if inspection else (),
        most_cores=_most_cores(labels),
        held_to=inspection.held_to if inspection else None,
    )


def _most_cores(labels: Mapping[str, str]) -> float | None:
    if labels.get(container_spec.CPU_LIMIT) == "none":
        return math.inf
    found: float | None = number_label(labels, container_spec.CPU_LIMIT, most=4096)
    return found


def _created(
    item: Mapping[str, Any], ttl: float | None, promised: float | None, usual: float
) -> float:
    if ttl is not None and promised is not None:
        return promised - ttl  # as Created, but in milliseconds
    listed = item.get("Created")
    return float(listed) if isinstance(listed, int | float) else usual


def _first_start(started: float | None, created: float) -> float | None:
    """Return when a pilot first started: somebody may have restarted it, which buys no time."""
    return None if started is None else min(started, created + START_LIMIT)


def _end(finished: float | None, started: float | None) -> float | None:
    """Return when a pilot ended: Docker may stamp the start of a very short one after its end."""
    return None if finished is None else max(finished, started or finished)


def started_pilot(
    profile: Profile, id_: str, name: str, image_id: str, cpus: tuple[int, ...], now: float
) -> Pilot:
    """Return a pilot right after its start, before it was listed."""
    return Pilot(
        id=id_,
        name=name,
        profile=profile.name,
        state=PilotState.RUNNING,
        cpus=profile.cpus,
        most_cores=profile.most_cores,
        created_at=now,
        started_at=now,
        deadline_at=now + profile.ttl,
        grace=profile.grace,
        memory=profile.memory,
        image_id=image_id,
        disk=profile.disk,
        bound_to=cpus,
    )


def endpoint_of(pilot: Pilot, known: Inspection | None) -> Endpoint | None:
    """Return a pilot as the network sees it; None unless a process of it runs."""
    if known is None or known.ended or not known.pid:
        return None
    return Endpoint(pilot.id, pilot.label, known.pid, known.network, known.addresses)


def _checkpoint(inspection: Inspection | None, state: PilotState) -> float | None:
    runs = inspection is not None and inspection.pid > 0 and state is PilotState.RUNNING
    return checkpoint_of(inspection.pid) if inspection and runs else None


def _to_boot_clock(epoch: float | None, offset: float) -> float | None:
    return None if epoch is None else epoch - offset


def number_label(
    labels: Mapping[str, str], label: str, default: Any = None, *, most: float = _END_OF_TIME
) -> Any:
    """Return the number that a label holds, from 0 to *most*; the default where there is none.

    NoPilotError if it holds anything else: labels are read as strictly as a configuration.
    """
    text = labels.get(label)
    if text is None or text == "":
        return default
    try:
        number = float(text)
    except (ValueError, TypeError):
        number = math.nan
    if not 0 <= number <= most:  # false for nan, too
        raise NoPilotError(f"its label {label} is {str(text)[:40]!r}, no number from 0 to {most:g}")
    return number
