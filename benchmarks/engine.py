"""What the engine costs: requests a tick, refill, memory and CPU."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from benchmarks.rig import INSTANCE, SERVICE, SLEEP, clear, fill, mine, row, service, wait
from plancton.config.schema import Profile
from plancton.runtime.cgroup import ParentCgroup
from plancton.runtime.docker import container_spec as spec
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


def refill(client: DockerClient) -> None:
    """Measure from a pilot's end to its successor's start, against create+start alone."""
    for network in ("none", "bridge"):
        runtime = DockerRuntime(docker_url(), INSTANCE, SystemClock(), ParentCgroup(INSTANCE))
        pilot = {**SLEEP, "network": network}
        floor = []
        for _ in range(8):
            started = time.monotonic()
            runtime.start(Profile.model_validate(pilot))
            floor.append(time.monotonic() - started)
        runtime.close()
        clear(client)
        took = []
        with service(pilot, maximum=1):
            wait(lambda: len(mine(client)) == 1)
            time.sleep(12)
            took = [_one_refill(client) for _ in range(8)]
        clear(client)
        ratio = statistics.median(took) / statistics.median(floor)
        row(
            f"refill, network {network}",
            f"{statistics.median(took):.3f} s",
            f"create+start alone {statistics.median(floor):.3f} s: ratio {ratio:.2f}",
        )


def _one_refill(client: DockerClient) -> float:
    """Kill the only pilot and return the seconds from its die event to the next start event."""
    since = int(time.time()) - 1
    (victim,) = mine(client)
    labels = {"label": f"{spec.INSTANCE}={INSTANCE}", "event": ["die", "start"]}
    client.kill(victim["Id"])
    wait(lambda: any(item["Id"] != victim["Id"] for item in mine(client)), 30)
    time.sleep(0.5)
    stream = client.events(since=since, until=int(time.time()) + 1, filters=labels, decode=True)
    seen = list(stream)
    died = next(e["timeNano"] for e in seen if e["id"] == victim["Id"] and e["Action"] == "die")
    started = min(e["timeNano"] for e in seen if e["Action"] == "start" and e["timeNano"] > died)
    return float(started - died) / 1e9


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
