"""A Dask scheduler and client, and workers in pilots."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import until
from tests.examples.conftest import Beside, Node, docker, free_port

pytestmark = [pytest.mark.docker, pytest.mark.timeout(400)]
RECIPE = "dask"
CROWD = Path(__file__).with_name("crowd.py")


def test_a_computation_survives_evictions(
    node: Node, pilot: dict[str, Any], beside: Beside, tmp_path: Path
) -> None:
    """Workers are taken away while they compute; each leaves in order, the result is right."""
    port = str(free_port())
    address = f"tcp://127.0.0.1:{port}"
    boss = beside.run("dask", "scheduler", "--host=127.0.0.1", f"--port={port}", "--no-dashboard")
    options = ("-v", f"{tmp_path}:/out", "-v", f"{CROWD}:/crowd.py:ro", "-e", "HOME=/tmp")
    client = beside.run("python3", "/crowd.py", address, "/out/result", options=options)
    node.serve({**pilot, "command": ["python3", "/opt/pilot.py", address], "grace": "30s"})

    def log() -> str:
        command = ["docker", "logs", boss]  # its log is what it writes to stderr
        return subprocess.run(command, capture_output=True, text=True, check=True).stderr

    for _ in range(2):
        until(
            lambda: len(node.names()) == 2 and all(name in log() for name in node.names()),
            150,
            1,
        )
        assert len(node.evict(keep=1)) == 1
    assert docker("wait", client) == "0", docker("logs", client)
    assert (tmp_path / "result").read_text() == str(sum(range(12)) * 2)
    # Those that were evicted retired; none had to be killed.
    until(lambda: len(node.codes()) >= 2, 60)
    assert set(node.codes()) == {0}
    assert log().count("Retired worker") >= 2
