"""Changes which CPUs containers use, and how much: Docker's own cpusets and quotas."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import docker.errors

from plancton.engine.model.cpu_list import format_cpu_list
from plancton.engine.ports import ActionError
from plancton.runtime.docker.client import DockerClient, NonsenseError, api_error_text
from plancton.runtime.docker.container_spec import quota_of

_ABOUT_CPUS = re.compile(r"cpuset|requested CPUs", re.IGNORECASE)


def check_cpusets(info: Mapping[str, Any]) -> None:
    """Raise ActionError if ``/info`` says that there are no cpusets: Docker would ignore them."""
    if info.get("CPUSet") is False:
        raise ActionError("this kernel has no cpuset controller, or Docker may not use it")


def is_about_cpus(error: str) -> bool:
    """Say whether the engine refused a container because of its CPUs."""
    return _ABOUT_CPUS.search(error) is not None


def bind_container(client: DockerClient, id_: str, cpus: tuple[int, ...]) -> None:
    """Change the CPUs of a container; gone, or ended, is fine. Raises ActionError."""
    wanted = format_cpu_list(cpus)
    _update(client, id_, f"bind containers to CPUs {wanted}", cpuset_cpus=wanted)


def hold_container(client: DockerClient, id_: str, cores: float) -> None:
    """Change the CPU quota of a container, infinite: none; gone, or ended, is fine.

    Raises ActionError.
    """
    asked = quota_of(cores) or {"CpuQuota": -1}  # 0 would change nothing
    period = asked.get("CpuPeriod")
    what = "change CPU limits of containers"
    _update(client, id_, what, cpu_quota=asked["CpuQuota"], cpu_period=period)


def _update(client: DockerClient, id_: str, what: str, **settings: Any) -> None:
    """Change a container.

    Engines that cannot update containers (Podman 4.3) answer 404, in no form of Docker's.
    """
    try:
        client.update_container(id_, **settings)
    except (docker.errors.APIError, NonsenseError) as error:
        if _runs(client, id_):
            said = api_error_text(error) if isinstance(error, docker.errors.APIError) else error
            raise ActionError(f"Docker does not {what}: {said}") from error


def _runs(client: DockerClient, id_: str) -> bool:
    try:
        state = client.inspect_container(id_).get("State")
    except docker.errors.NotFound:
        return False
    return isinstance(state, Mapping) and bool(state.get("Running"))
