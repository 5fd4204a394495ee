"""A Work Queue manager, and workers in pilots."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import until
from tests.examples.conftest import Node

pytestmark = [pytest.mark.docker, pytest.mark.timeout(400)]
RECIPE = "work-queue"
TASKS = 8


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a manager with tasks; its port is in the file `port`."""
    program = tmp_path / "manager"
    libraries = ["-lwork_queue", "-ldttools", "-lm", "-lz", "-lpthread", "-lcrypto"]
    source = str(Path(__file__).with_name("manager.c"))
    subprocess.run(
        ["gcc", source, "-I/usr/include/cctools", "-o", str(program), *libraries], check=True
    )
    command = [str(program), str(tmp_path / "port"), str(TASKS), "3"]
    boss = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    yield boss
    boss.kill()
    boss.wait()


def test_a_killed_workers_task_is_done_elsewhere(
    node: Node, pilot: dict[str, Any], manager: subprocess.Popen[str], tmp_path: Path
) -> None:
    """All tasks are done although a worker is taken away in the middle; then there is no work."""
    port = tmp_path / "port"
    until(lambda: port.exists() and port.read_text())
    env = {"IDLE": "5", "DISK_MB": "100"}
    command = ["pilot", "127.0.0.1", port.read_text()]
    node.serve({**pilot, "command": command, "env": env, "grace": "5s"})
    until(lambda: len(node.names()) == 2, 90)
    victim = sorted(node.names())[0]
    until(lambda: "connected" in node.run("logs", victim).stdout, 60)
    assert node.run("kill", victim).returncode == 0
    out, _ = manager.communicate(timeout=120)
    assert out.strip() == str(TASKS)
    # The last ones say that there is no work, and the node waits.
    until(lambda: 80 in node.codes(), 60)
    assert node.status()["spawned"] >= 3
