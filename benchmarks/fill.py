"""How soon an empty node is full, and frozen meanwhile, beside ``docker run -d``.

Docker's own command runs as often at a time, with the same limits in the same parent cgroup.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.ratios import Rounds, median, ratio_text
from benchmarks.rig import INSTANCE, SERVICE, SLEEP, clear, mine, row, service, wait
from plancton.engine.model.operator import PilotCommand
from plancton.runtime.docker import container_spec as spec
from plancton.runtime.docker.client import DockerClient
from plancton.runtime.docker.timestamps import epoch_of
from plancton.service.node import LocalNode

_PILOTS, _ROUNDS = 100, 3
_WIDTHS = tuple(map(int, os.environ.get("WIDTHS", "4 8").split()))
"""Starts at a time."""
_PILOT = {**SLEEP, "cpus": 0.01}
_RUN = (
    *("docker", "run", "--detach", "--label", f"{spec.INSTANCE}={INSTANCE}"),
    *("--cgroup-parent", f"/plancton-{INSTANCE}"),
    *("--network", "none", "--cpus", "0.01", "--memory", "10000000", "--memory-swap", "10000000"),
    *("--cap-drop", "all", "--security-opt", "no-new-privileges", "--user", "1000:1000"),
    *("busybox", "sleep", "100000"),
)


def fill(client: DockerClient) -> None:
    """Fill an empty node in turns with a loop of ``docker run -d``, so many at a time."""
    for width in _WIDTHS:
        rounds: list[dict[str, float]] = []
        with service(_PILOT, maximum=0, per_tick=width, spare=False):
            time.sleep(12)  # the foreground is measured
            for _ in range(_ROUNDS):
                rounds.append({"run": _run(client, width), "fill": _fill(client)})
        _show(width, rounds)
    _show_freeze(client)


def _show(width: int, rounds: Rounds) -> None:
    """Print one width."""
    row(
        f"fill, {_PILOTS} pilots, {width} at a time",
        f"{median(rounds, 'fill'):.1f} s",
        f"docker run -d {median(rounds, 'run'):.1f} s: ratio {ratio_text(rounds, 'fill', 'run')}",
    )


def _show_freeze(client: DockerClient) -> None:
    """Freeze all while a node fills, and print how long that takes."""
    rounds: list[dict[str, float]] = []
    with service(_PILOT, maximum=0, spare=False):
        time.sleep(12)
        for _ in range(_ROUNDS):
            rounds.append(_freeze(client))
    row(
        f"freeze {median(rounds, 'pilots'):.0f} pilots while a node fills",
        f"{median(rounds, 'running'):.2f} s",
        f"those that were starting {median(rounds, 'starting'):.2f} s",
    )


def _run(client: DockerClient, width: int) -> float:
    """Return the seconds until the last of so many containers runs, by Docker's own command."""
    began = time.time()
    with ThreadPoolExecutor(width) as pool:
        for done in [pool.submit(subprocess.check_output, _RUN) for _ in range(_PILOTS)]:
            done.result()
    took = _last_start(client) - began
    clear(client)
    return took


def _fill(client: DockerClient) -> float:
    """Return the seconds from the word that pilots may start until the last of them runs."""
    began = time.time()
    _ask(_PILOTS)
    wait(lambda: len(mine(client)) == _PILOTS, 300)
    took = _last_start(client) - began
    _empty(client)
    return took


def _freeze(client: DockerClient) -> dict[str, float]:
    """Freeze all pilots of a node that is half full; returns the seconds until each is frozen."""
    _ask(_PILOTS)
    wait(lambda: len(mine(client)) >= _PILOTS / 2, 300)
    engine = LocalNode(SERVICE["paths"]).engine
    pilots = engine.snapshot().pilots
    starting = {pilot.name for pilot in pilots if pilot.state == "starting"}
    began = time.time()
    names = {engine.command_pilot(pilot.id, PilotCommand.FREEZE) for pilot in pilots}
    wait(lambda: {p.name for p in engine.snapshot().pilots if p.state == "frozen"} >= names)
    filters = {"event": "pause", "label": f"{spec.INSTANCE}={INSTANCE}"}
    seen = client.events(
        since=int(began) - 1, until=int(time.time()) + 1, filters=filters, decode=True
    )
    at = {each["Actor"]["Attributes"]["name"]: each["timeNano"] / 1e9 - began for each in seen}
    _empty(client)
    return {
        "pilots": float(len(names)),
        "running": max(at[name] for name in names - starting),
        "starting": max((at[name] for name in names & starting), default=0.0),
    }


def _last_start(client: DockerClient) -> float:
    """Return when the last container of this run started, seconds of the epoch."""
    states = (client.inspect_container(each["Id"])["State"] for each in mine(client))
    return max(epoch_of(state["StartedAt"]) or 0.0 for state in states)


def _empty(client: DockerClient) -> None:
    """Have no pilot started any more, and remove those that are there."""
    _ask(0)
    node = LocalNode(SERVICE["paths"])
    wait(lambda: not any(p.state == "starting" for p in node.engine.snapshot().pilots))
    clear(client)
    wait(lambda: not node.engine.snapshot().pilots)


def _ask(maximum: int) -> None:
    """Have the service keep so many pilots."""
    config = SERVICE["paths"].config
    values = json.loads(config.read_text())
    values["spawn"]["maximum"] = maximum
    config.write_text(json.dumps(values))
    LocalNode(SERVICE["paths"]).engine.reload()
