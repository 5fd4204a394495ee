"""The owner's objectives, as an owner uses them: the installed command, real commands, Docker."""

from __future__ import annotations

import os
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from plancton.runtime.docker.client import DockerClient
from tests.conftest import until
from tests.e2e.conftest import Containers
from tests.e2e.service import Service

pytestmark = pytest.mark.docker
FAST = {"interval": "1s", "after": "3s", "recover": "4s", "limit": 25, "unit": "ms"}


def configure(service: Service, *objectives: dict[str, Any]) -> None:
    """Have two small pilots, and these objectives."""
    slo = [{**FAST, **each} for each in objectives]
    service.configure({"cpus": 0.1}, spawn={"maximum": 2, "per_tick": 1}, protect={"slo": slo})


def paused(containers: Containers) -> set[str]:
    """Return the names of the containers that Docker says are paused."""
    client: DockerClient = containers.client
    names = containers.names()
    states = {name: client.inspect_container(name)["State"]["Paused"] for name in names}
    return {name for name, frozen in states.items() if frozen}


def logged(service: Service, text: str) -> list[tuple[datetime, str]]:
    """Return when something was logged, and of which pilot."""
    lines = (line.split() for line in service.log.splitlines() if f" {text} " in line)
    return [(datetime.fromisoformat(words[0]), words[4].removeprefix("pilot=")) for words in lines]


def test_a_violated_objective_freezes_and_thaws(
    service: Service, containers: Containers, tmp_path: Path
) -> None:
    """By a command that reads a file: the youngest first, one at a time, with its sentence."""
    figure = tmp_path / "p99"
    figure.write_text("10\n")
    configure(service, {"name": "shop latency", "command": ["/bin/cat", str(figure)]})
    service.start()
    until(lambda: len(service.names()) == 2, 60)
    pilots = {each["name"]: each["age"] for each in service.status()["pilots"]}
    figure.write_text("41\n")
    until(lambda: logged(service, "pilot frozen"))
    assert logged(service, "pilot frozen")[0][1] == min(pilots, key=lambda name: pilots[name])
    said = service.ask("why")
    assert "shop latency is 41 ms, over its limit of 25 ms for " in said
    assert "slo shop latency: 41 ms" in service.ask("status")
    until(lambda: len(paused(containers)) == 2)
    figure.write_text("12\n")
    until(lambda: not paused(containers))
    for text, wait in (("pilot frozen", 3), ("pilot thawed", 4)):
        (first, one), (second, other) = logged(service, text)
        assert {one, other} == set(pilots)
        assert (second - first).total_seconds() >= wait - 1  # stamps are whole seconds
    until(lambda: service.names() == set(pilots))
    assert service.status()["evicted"] == 0


def test_a_probe_that_hangs_is_seen_and_harms_nobody(
    service: Service, containers: Containers, tmp_path: Path
) -> None:
    """Ticks go on, pilots run; what it started is killed, each time and at the end."""
    mark = f"{os.getpid()}.25"
    hanging = ["/bin/sh", "-c", f"sleep {mark} & exec sleep {mark}"]
    configure(service, {"name": "stuck", "command": hanging, "timeout": "1s"})
    service.start()
    until(lambda: len(service.names()) == 2, 60)
    until(lambda: "the command did not end within 1 s" in service.ask("status"), 30)
    words = "stuck is not known, so pilots run as without this objective: the command did not end"
    assert words in service.ask("why")
    ticks = service.status()["tick"]
    until(lambda: service.status()["tick"] >= ticks + 3, 10)
    assert len(service.names()) == 2
    assert service.log.count("a figure cannot be read") == 1
    assert len(sleeping(mark)) <= 2
    configure(service, {"name": "stuck", "command": ["/bin/echo", "3"]})
    until(lambda: "stuck: 3 ms" in service.ask("status"), 30)
    until(lambda: not sleeping(mark), 10)
    configure(service, {"name": "stuck", "command": hanging, "timeout": "60s"})
    until(lambda: sleeping(mark), 30)
    assert service.stop() == 0
    assert not sleeping(mark)


def sleeping(mark: str) -> list[str]:
    """Return the processes of the hanging command."""
    found = subprocess.run(["pgrep", "-fx", f"sleep {mark}"], capture_output=True, check=False)
    return found.stdout.decode().split()
