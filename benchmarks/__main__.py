"""``make bench``: requests a tick, refill, slowdown, memory, CPU, network, the proof, on Docker.

Each figure stands beside a floor or a peer measured in the same run. Containers carry a label of
this run and are removed; nothing else on the machine is touched.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from benchmarks import fleet as fleet_
from benchmarks import network as network_
from benchmarks import proof as proof_
from benchmarks import scale as scale_
from benchmarks import screen as screen_
from benchmarks import verbs as verbs_
from benchmarks.peers import Pool, Rule060
from plancton.config.schema import Profile
from plancton.runtime.cgroup import ParentCgroup
from plancton.runtime.docker import container_spec as spec
from plancton.runtime.docker.client import DockerClient, docker_url
from plancton.runtime.docker.runtime import DockerRuntime
from plancton.service.node import LocalNode
from plancton.service.process.clock import SystemClock
from plancton.service.process.paths import Paths, default_paths

INSTANCE = f"bench{os.getpid()}"
PLANCTON = str(Path(sys.executable).with_name("plancton"))
SLEEP = {"command": "sleep 100000", "network": "none", "init": False, "memory": 10**7}
WORK = "x = 0\nfor i in range(12_000_000): x += i"


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
    **spawn: Any,
) -> Iterator[psutil.Process]:
    """Run ``plancton serve`` with these pilots; yields its process."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        node = {"instance": INSTANCE, "interval": interval, "on_stop": "leave"}
        limits = {"per_tick": 50, "min_room": 0.3, "short_life": 0, **spawn}
        image = {"pull": False}
        values = {"node": node, "pilots": [pilot], "spawn": limits, "image": image}
        values["protect"] = {"evict_after": "1d"} if protect is None else protect
        config.write_text(json.dumps(values))
        command = [PLANCTON, "serve", "-c", str(config), "--rundir", folder, "--logdir", folder]
        command += ["--statedir", folder]
        with (Path(folder) / "err").open("wb") as errors:
            process = subprocess.Popen(command, stderr=errors)
        SERVICE["paths"] = Paths(config, Path(folder), Path(folder), Path(folder))
        try:
            yield psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait()


SERVICE: dict[str, Paths] = {}


def row(name: str, value: str, beside: str = "") -> None:
    """Print one figure."""
    print(f"{name:<46} {value:>14}   {beside}", flush=True)


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


def slowdown(client: DockerClient) -> None:
    """Time fixed work on all cores: alone, beside Plancton's pilots, beside plain containers."""
    burn = ["sh", "-c", "while :; do :; done"]
    alone = _work()
    with service({**SLEEP, "command": burn}, maximum=4, ceiling=1):
        wait(lambda: len(mine(client)) >= (os.cpu_count() or 1))
        time.sleep(2)
        count = len(mine(client))
        beside = _work()
    clear(client)
    plain = []
    for _ in range(count):
        limits = client.create_host_config(network_mode="none")
        labels = {spec.INSTANCE: INSTANCE}
        made = client.create_container("busybox", burn, host_config=limits, labels=labels)
        client.start(made["Id"])
        plain.append(made["Id"])
    naive = _work()
    clear(client)
    row(
        f"foreground slowdown, {count} burning pilots",
        f"{beside / alone:.2f}",
        f"plain containers {naive / alone:.2f}; alone {alone:.2f} s",
    )


def _work() -> float:
    """Return the median time of fixed work on every core at once."""
    times = []
    for _ in range(3):
        started = time.monotonic()
        jobs = [subprocess.Popen([sys.executable, "-c", WORK]) for _ in range(os.cpu_count() or 1)]
        for job in jobs:
            job.wait()
        times.append(time.monotonic() - started)
    return statistics.median(times)


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


def _cpu_of(group: str) -> Callable[[], float | None]:
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


def proof(client: DockerClient) -> None:
    """Serve one foreground with Plancton and with its peers, and compare."""
    print(f"one foreground of {proof_.LONG:.0f} s, pilots that burn CPU for {proof_.LIFE} s each")
    work = proof_.Work()
    base, trace = proof_.alone(work)
    idle = proof_.CORES * proof_.LONG - base.cpu
    labels, pilot = {spec.INSTANCE: INSTANCE}, {**SLEEP, "command": proof_.BURN}
    runs: dict[str, tuple[proof_.Run, str]] = {}
    with service(pilot, min_room=0.5, short_life=5, protect={}):
        wait(lambda: len(mine(client)) == proof_.CORES)
        runs["Plancton"] = work.run(_cpu_of(f"plancton-{INSTANCE}")), ""
        total = LocalNode(SERVICE["paths"]).engine.snapshot().ledger.total
        lost = f"{total.evicted} evicted, {total.frozen} frozen, {total.lost:.0f} core-s lost"
        runs["Plancton"] = runs["Plancton"][0], lost
        started = total.started
    clear(client)
    pools: dict[str, dict[str, Any]] = {
        "plain containers, in a loop": {},
        "--cpu-shares 2, in a loop": {"cpu_shares": 2},
        "--restart=always": {"restart_policy": {"Name": "always"}},
    }
    for name, host in pools.items():
        with Pool(proof_.BURN, labels, proof_.CORES, **host):
            wait(lambda: len(mine(client)) == proof_.CORES)
            runs[name] = work.run(_cpu_of("docker")), "none ever gives way"
    for name, (run, note) in runs.items():
        share = run.harvested() / idle
        quiet = run.quiet_after(30, 40)
        reaction = "never" if quiet is None else f"{quiet:.2f} s"
        text = f"slowdown {run.slowdown(base):.2f}, quiet after {reaction}; {note}"
        row(f"{name}: harvested share", f"{share:.3f}", text)
        for phase in base.took:
            mean = statistics.mean(run.took[phase]) / statistics.mean(base.took[phase])
            row(f"  slowdown, {phase}", f"{mean:.2f}")
    settings: dict[str, object] = {"pilots": [{"cpus": 1, "memory": "64MB"}]}
    rules = {
        "0.6.0 rule, defaults (simulated)": Rule060(),
        "0.6.0 rule, tuned: 1 s, 2 s, 2 s (simulated)": Rule060(1, 2, 2),
    }
    for name, rule in rules.items():
        result = proof_.simulated(trace, settings, rule)
        text = f"slowdown {result.slowdown:.2f}; {rule.killed} killed, {rule.lost:.0f} core-s lost"
        row(f"{name}: share", f"{result.share or 0:.3f}", text)
    ours = proof_.simulated(trace, settings)
    real = runs["Plancton"][0].harvested() / idle
    text = f"real {real:.3f}; started {ours.account.started}, real {started}"
    row("Plancton simulated on the recorded trace", f"{ours.share or 0:.3f}", text)


def screen(client: DockerClient) -> None:
    """Measure the screen, attached to a service with a few pilots."""
    with service(SLEEP, maximum=2):
        wait(lambda: len(mine(client)) == 2)
        screen_.screen(SERVICE["paths"].socket, row)
    clear(client)


def network(client: DockerClient) -> None:
    """Measure the owner's network beside pilots that send and receive, limited and not."""
    pilot = {**SLEEP, "network": "bridge", "cpus": 0.1}
    with service(pilot, interval="1s", protect={}, maximum=2):
        wait(lambda: len(mine(client)) == 2)
        pids = [client.inspect_container(each["Id"])["State"]["Pid"] for each in mine(client)]
        try:
            network_.network(pids, _limit_network, row, INSTANCE)
        finally:
            _limit_network(False)
    clear(client)


def _limit_network(limited: bool) -> None:
    """Have the service limit its pilots' network, or not, and wait until it does."""
    paths = SERVICE["paths"]
    values = json.loads(paths.config.read_text())
    values["protect"] = network_.LIMITED if limited else {}
    paths.config.write_text(json.dumps(values))

    def done() -> bool:
        host = LocalNode(paths).engine.snapshot().host
        share = host.network if host else None
        return share is not None and share.covered == 2 if limited else share is None

    wait(done)


def scale(_: DockerClient) -> None:
    """Measure what many nodes cost those they all talk to."""
    scale_.scale(row)


def verbs(client: DockerClient) -> None:
    """Measure verbs beside a service with a few pilots."""
    with service(SLEEP, maximum=2):
        wait(lambda: len(mine(client)) == 2)
        verbs_.verbs(SERVICE["paths"], row)
    clear(client)


BENCHES: dict[str, Callable[[DockerClient], None]] = {
    "requests": requests_a_tick,
    "refill": refill,
    "slowdown": slowdown,
    "cost": cost,
    "screen": screen,
    "fleet": lambda _: fleet_.fleet(row),
    "network": network,
    "proof": proof,
    "scale": scale,
    "verbs": verbs,
}


def main() -> None:
    """Run the named measurements, or all."""
    logging.disable(logging.CRITICAL)  # what simulated engines say
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that containers are removed
    client = DockerClient(docker_url(), timeout=60)
    print(
        f"{os.cpu_count()} cores, Docker {client.version()['Version']}, kernel {os.uname().release}"
    )
    try:
        for name in sys.argv[1:] or BENCHES:
            BENCHES[name](client)
    finally:
        clear(client)
        client.close()
        for place in Path("/sys/fs/cgroup").glob(f"*/plancton-{INSTANCE}"):
            place.rmdir()
        for lock in default_paths().rundir.glob(f"instance-{INSTANCE}-*.lock"):
            lock.unlink()


main()
