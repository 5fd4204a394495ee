"""The ways to use idle cores that are set beside each other, each with pilots that burn CPU."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from benchmarks.interleaved import Arms, CpuReader
from benchmarks.latency import latency, offer
from benchmarks.owner import Connect
from benchmarks.peers import Pool
from benchmarks.redis import redis_servers
from benchmarks.rig import INSTANCE, SLEEP, clear, cpu_of, mine, service, wait
from plancton.runtime.docker import container_spec as spec
from plancton.runtime.docker.client import DockerClient

CORES = os.cpu_count() or 1
SETTLE = 14.0
"""Seconds of the owner's load before an arm is measured: the foreground is a mean over 10 s."""
_AT_ONCE = {"freeze_after": "1s", "evict_after": "1d"}
"""What Plancton would do after minutes of the same load."""
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
    latency(lambda *owner: _arms(client, *owner), _show)


def redis(client: DockerClient) -> None:
    """Print the tail latency of Redis, beside each arm."""
    with redis_servers() as connect:
        latency(lambda *owner: _arms(client, *owner), _show, connect)


def _arms(client: DockerClient, load: float, connect: Connect) -> Arms:
    def mode(name: str) -> AbstractContextManager[CpuReader]:
        return _settled(plancton(client, {**_AT_ONCE, "latency": name}), load, connect)

    every: Arms = {
        "Plancton, strict": lambda: mode("strict"),
        "Plancton, balanced": lambda: mode("balanced"),
        "Plancton, off": lambda: mode("off"),
        "plain containers": lambda: pool(client),
        "--cpu-shares 2": lambda: pool(client, cpu_shares=2),
        "parent of normal weight": lambda: pool(client, cgroup_parent=f"/{INSTANCE}"),
    }
    asked = os.environ.get("ARMS", "")
    return {name: arm for name, arm in every.items() if name.startswith(asked)}


@contextmanager
def _settled(
    arm: AbstractContextManager[CpuReader], load: float, connect: Connect
) -> Iterator[CpuReader]:
    """Let an arm come to what it does under the owner's load in the long run."""
    with arm as pilots_cpu:
        offer(load, SETTLE, 0, connect)
        yield pilots_cpu


def _show(text: str) -> None:
    print(text, flush=True)
