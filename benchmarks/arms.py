"""The ways to use idle cores that are set beside each other, each with pilots that burn CPU."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.interleaved import Arms, CpuReader
from benchmarks.latency import latency
from benchmarks.peers import Pool
from benchmarks.redis import redis_servers
from benchmarks.rig import INSTANCE, SLEEP, clear, cpu_of, mine, service, wait
from plancton.runtime.docker import container_spec as spec
from plancton.runtime.docker.client import DockerClient

CORES = os.cpu_count() or 1
_BURN = ["sh", "-c", "while :; do :; done"]


@contextmanager
def plancton(
    client: DockerClient, protect: dict[str, Any], command: list[str] = _BURN, **spawn: Any
) -> Iterator[CpuReader]:
    """Run a service that may fill the node."""
    with service({**SLEEP, "command": command}, min_room=0.5, protect=protect, **spawn):
        wait(lambda: len(mine(client)) == CORES)
        yield _reader(f"plancton-{INSTANCE}")
    clear(client)


@contextmanager
def pool(client: DockerClient, command: list[str] = _BURN, **host: Any) -> Iterator[CpuReader]:
    """Run as many containers as cores, which never give way."""
    with Pool(command, {spec.INSTANCE: INSTANCE}, CORES, **host):
        wait(lambda: len(mine(client)) == CORES)
        yield _reader(host.get("cgroup_parent", "/docker").strip("/"))


def _reader(group: str) -> CpuReader:
    read = cpu_of(group)
    return lambda: read() or 0.0


def own_program(client: DockerClient) -> None:
    """Print the tail latency of an owner that burns CPU, beside each arm."""
    latency(_arms(client), _show)


def redis(client: DockerClient) -> None:
    """Print the tail latency of Redis, beside each arm."""
    with redis_servers() as connect:
        latency(_arms(client), _show, connect)


def _arms(client: DockerClient) -> Arms:
    return {
        "Plancton, balanced": lambda: plancton(client, {"latency": "balanced"}),
        "Plancton, off": lambda: plancton(client, {"latency": "off"}),
        "plain containers": lambda: pool(client),
        "--cpu-shares 2": lambda: pool(client, cpu_shares=2),
        "parent of normal weight": lambda: pool(client, cgroup_parent=f"/{INSTANCE}"),
    }


def _show(text: str) -> None:
    print(text, flush=True)
