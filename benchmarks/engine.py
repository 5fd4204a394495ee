"""What the engine costs: requests a tick, memory and CPU."""

from __future__ import annotations

import subprocess
import sys
import time

from benchmarks.rig import INSTANCE, SERVICE, SLEEP, clear, fill, row, service
from plancton.runtime.cgroup import ParentCgroup
from plancton.runtime.docker.client import DockerClient, docker_url
from plancton.runtime.docker.runtime import DockerRuntime
from plancton.service.node import LocalNode
from plancton.service.process.clock import SystemClock


def requests_a_tick(client: DockerClient) -> None:
    """Count requests to Docker in a quiet tick at 1, 10 and 100 pilots."""
    runtime = DockerRuntime(docker_url(), INSTANCE, SystemClock(), ParentCgroup(INSTANCE))
    for count in (1, 10, 100):
        fill(client, runtime, count)
        runtime.pilots()
        before, started = runtime.requests, time.process_time()
        for _ in range(20):
            runtime.pilots()
        used = (time.process_time() - started) / 20
        row(
            f"requests a tick, {count} pilots",
            f"{(runtime.requests - before) / 20:g}",
            f"0.6.0: {4 + 2 * count}; look: {1000 * used:.1f} ms CPU",
        )
    runtime.close()
    clear(client)


def cost(client: DockerClient) -> None:
    """Measure resident memory and CPU of a quiet service at 0, 10 and 100 pilots, tick 5 s."""
    bare = subprocess.run(
        [sys.executable, "-c", "import psutil; print(psutil.Process().memory_info().rss)"],
        capture_output=True,
        text=True,
        check=True,
    )
    floor = int(bare.stdout) / 2**20
    for count in (0, 10, 100):
        runtime = DockerRuntime(docker_url(), INSTANCE, SystemClock(), ParentCgroup(INSTANCE))
        fill(client, runtime, count)
        runtime.close()
        with service(SLEEP, maximum=count) as process:
            time.sleep(15)
            before, seconds = process.cpu_times(), 40.0
            time.sleep(seconds)
            after = process.cpu_times()
            used = after.user + after.system - before.user - before.system
            resident = process.memory_info().rss / 2**20
            seen = LocalNode(SERVICE["paths"]).engine.snapshot()
        clear(client)
        row(
            f"quiet service, {count} pilots",
            f"{used / seconds * 3600:.1f} CPU-s/h",
            f"{resident:.0f} MiB resident (bare Python {floor:.0f}), {len(seen.pilots)} adopted",
        )
