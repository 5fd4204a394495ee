"""A Makeflow that is the manager of tasks, and Work Queue or TaskVine workers in pilots."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import until
from tests.examples.conftest import Beside, Node, docker

pytestmark = [pytest.mark.docker, pytest.mark.timeout(400)]
RECIPE = "work-queue"
TASKS = 6


@pytest.mark.parametrize(
    ("batch", "worker"), [("wq", "work_queue_worker"), ("vine", "vine_worker")]
)
def test_an_evicted_workers_task_is_done_elsewhere(
    node: Node, pilot: dict[str, Any], beside: Beside, tmp_path: Path, batch: str, worker: str
) -> None:
    """All tasks are done although a worker is taken away in the middle; then there is no work."""
    made = [f"out.{each}:\n\tsleep 2 && hostname > out.{each}\n" for each in range(TASKS)]
    work = tmp_path / "work"
    work.mkdir()
    (work / "Makeflow").write_text("\n".join(made))
    options = ("-v", f"{work}:/work", "-w", "/work")
    boss = beside.run("makeflow", "-T", batch, "-Z", "port", "Makeflow", options=options)
    port = work / "port"
    until(lambda: port.exists() and port.read_text(), 60)
    env = {"WORKER": worker, "IDLE": "5", "DISK_MB": "100"}
    command = ["pilot", "127.0.0.1", port.read_text().strip()]
    node.serve({**pilot, "command": command, "env": env})
    until(lambda: any(work.glob("out.*")) and node.names(), 120)
    assert node.evict()
    assert docker("wait", boss) == "0", docker("logs", boss)
    assert len(list(work.glob("out.*"))) == TASKS
    assert 0 in node.codes()
    # The last one says that there is no work, and the node waits.
    until(lambda: 80 in node.codes(), 60)
