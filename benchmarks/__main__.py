"""``make bench``: measurements beside a floor or a peer of the same run, on real Docker.

Containers carry a label of this run and are removed; nothing else on the machine is touched.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import arms, engine, fleet, guests, harvest, proof, refill, scale, verbs
from benchmarks import fill as fill_
from benchmarks import network as network_
from benchmarks import screen as screen_
from benchmarks.rig import INSTANCE, SERVICE, SLEEP, clear, mine, row, service, wait
from plancton.runtime.docker.client import DockerClient, docker_url
from plancton.service.node import LocalNode
from plancton.service.process.paths import default_paths


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


def verbs_beside(client: DockerClient) -> None:
    """Measure verbs beside a service with a few pilots."""
    with service(SLEEP, maximum=2):
        wait(lambda: len(mine(client)) == 2)
        verbs.verbs(SERVICE["paths"], row)
    clear(client)


BENCHES: dict[str, Callable[[DockerClient], None]] = {
    "requests": engine.requests_a_tick,
    "refill": refill.refill,
    "fill": fill_.fill,
    "cost": engine.cost,
    "screen": screen,
    "fleet": lambda _: fleet.fleet(row),
    "proof": proof.proof,
    "harvest": harvest.harvest,
    "latency": arms.own_program,
    "redis": arms.redis,
    "placement": lambda _: guests.placement_anywhere(),
    "network": network,
    "scale": lambda _: scale.scale(row),
    "verbs": verbs_beside,
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
        for place in Path("/sys/fs/cgroup").glob(f"*/plancton-{INSTANCE}*"):
            place.rmdir()
        for lock in default_paths().rundir.glob(f"instance-{INSTANCE}-*.lock"):
            lock.unlink()


main()
