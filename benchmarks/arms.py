"""The ways to use idle cores that are set beside each other, each with pilots that burn CPU."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from benchmarks.latency import CpuReader, latency
from benchmarks.peers import Pool
from benchmarks.rig import INSTANCE, SLEEP, clear, cpu_of, mine, service, wait
from plancton.runtime.docker import container_spec as spec
from plancton.runtime.docker.client import DockerClient

CORES = os.cpu_count() or 1
_BURN = ["sh", "-c", "while :; do :; done"]


@contextmanager
def plancton(client: DockerClient, protect: dict[str, Any]) -> Iterator[CpuReader]:
    """Run a service that may fill the node."""
    with service({**SLEEP, "command": _BURN}, min_room=0.5, protect=protect):
        wait(lambda: len(mine(client)) == CORES)
        yield _reader(f"plancton-{INSTANCE}")
    clear(client)


@contextmanager
def pool(client: DockerClient, **host: Any) -> Iterator[CpuReader]:
    """Run as many containers as cores, which never give way."""
    with Pool(_BURN, {spec.INSTANCE: INSTANCE}, CORES, **host):
        wait(lambda: len(mine(client)) == CORES)
        yield _reader(host.get("cgroup_parent", "/docker").strip("/"))


def _reader(group: str) -> CpuReader:
    read = cpu_of(group)
    return lambda: read() or 0.0


def latency_beside_burning_pilots(client: DockerClient) -> None:
    """Print the owner's tail latency beside each arm."""
    arms: dict[str, Callable[[], AbstractContextManager[CpuReader]]] = {
        "Plancton": lambda: plancton(client, {}),
        "plain containers": lambda: pool(client),
        "--cpu-shares 2": lambda: pool(client, cpu_shares=2),
        "parent of normal weight": lambda: pool(client, cgroup_parent=f"/{INSTANCE}"),
    }
    latency(arms, lambda text: print(text, flush=True))
