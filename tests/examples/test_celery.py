"""A Redis broker, tasks, and Celery workers in pilots."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import until
from tests.examples.conftest import Beside, Node, docker, free_port

pytestmark = [pytest.mark.docker, pytest.mark.timeout(400)]
RECIPE = "celery"
ASK = "from tasks import square; print(square.delay(7, {seconds}).get(timeout={timeout}))"


def test_a_task_is_given_back_and_done_elsewhere(
    node: Node, pilot: dict[str, Any], beside: Beside
) -> None:
    """A task that is too long for the grace is given back, and done by the next worker."""
    port = str(free_port())
    broker = f"redis://127.0.0.1:{port}/0"
    beside.run("redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "")
    asking = ("-e", f"BROKER={broker}")
    ask = beside.run("python3", "-c", ASK.format(seconds=12, timeout=240), options=asking)
    node.serve({**pilot, "env": {"BROKER": broker}, "grace": "8s"}, maximum=1)
    until(lambda: any("received" in node.run("logs", name).stdout for name in node.names()), 120, 1)
    assert node.evict()
    assert docker("wait", ask) == "0", docker("logs", ask)
    assert docker("logs", ask) == "49"
    # It left within its grace.
    assert node.codes()[0] == 0
