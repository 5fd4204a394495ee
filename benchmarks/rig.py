"""What every measurement on real Docker uses: its containers, its service, its rows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from plancton.config.schema import Profile
from plancton.runtime.docker import container_spec as spec
from plancton.runtime.docker.client import DockerClient
from plancton.runtime.docker.runtime import DockerRuntime
from plancton.service.process.paths import Paths

INSTANCE = f"bench{os.getpid()}"
PLANCTON = str(Path(sys.executable).with_name("plancton"))
SLEEP = {"command": "sleep 100000", "network": "none", "init": False, "memory": 10**7}


def wait(met: Callable[[], object], seconds: float = 120) -> None:
    """Wait until *met* holds, or fail."""
    end = time.monotonic() + seconds
    while not met():
        if time.monotonic() > end:
            raise SystemExit(f"not within {seconds} s")
        time.sleep(0.1)


def mine(client: DockerClient, *, running: bool = True) -> list[dict[str, Any]]:
    """Return the containers of this run."""
    filters = {"label": f"{spec.INSTANCE}={INSTANCE}"}
    return list(client.containers(all=not running, filters=filters))


def fill(client: DockerClient, runtime: DockerRuntime, count: int) -> None:
    """Start sleeping pilots until there are so many."""
    for _ in range(count - len(mine(client))):
        runtime.start(Profile.model_validate(SLEEP))


def clear(client: DockerClient) -> None:
    """Remove the containers of this run."""
    for item in mine(client, running=False):
        client.remove_container(item["Id"], force=True)


@contextmanager
def service(
    pilot: dict[str, Any],
    interval: str = "5s",
    protect: dict[str, Any] | None = None,
    state: Path | None = None,
    **spawn: Any,
) -> Iterator[psutil.Process]:
    """Run ``plancton serve`` with these pilots; yields its process.

    With a folder *state* it goes on with what one before it left there.
    """
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        node = {"instance": INSTANCE, "interval": interval, "on_stop": "leave"}
        limits = {"maximum": "ncpus", "overcommit": "off", "per_tick": 50, "min_room": 0.3}
        limits |= {"short_life": 0, **spawn}
        image = {"pull": False}
        values = {"node": node, "pilots": [pilot], "spawn": limits, "image": image}
        values["protect"] = {"evict_after": "1d"} if protect is None else protect
        config.write_text(json.dumps(values))
        command = [PLANCTON, "serve", "-c", str(config), "--rundir", folder, "--logdir", folder]
        statedir = state or Path(folder)
        command += ["--statedir", str(statedir)]
        with (Path(folder) / "err").open("wb") as errors:
            process = subprocess.Popen(command, stderr=errors)
        SERVICE["paths"] = Paths(config, Path(folder), Path(folder), statedir)
        try:
            yield psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait()


SERVICE: dict[str, Paths] = {}


def row(name: str, value: str, beside: str = "") -> None:
    """Print one figure."""
    print(f"{name:<46} {value:>14}   {beside}", flush=True)


def cpu_of(group: str) -> Callable[[], float | None]:
    """Return a reader of the CPU-seconds of a cgroup and all that ever ran below it."""
    places = (
        Path(f"/sys/fs/cgroup/cpuacct/{group}/cpuacct.usage"),
        Path(f"/sys/fs/cgroup/{group}/cpu.stat"),
    )

    def read() -> float | None:
        for place in places:
            try:
                text = place.read_text()
            except OSError:
                continue
            words = text.split()
            return int(words[1]) / 1e6 if words[0] == "usage_usec" else int(words[0]) / 1e9
        return None

    return read
