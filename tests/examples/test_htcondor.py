"""An HTCondor pool: its central manager beside, its execute nodes in pilots."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import until
from tests.examples.conftest import Beside, Node, docker, free_port

pytestmark = [pytest.mark.docker, pytest.mark.timeout(400)]
RECIPE = "htcondor"
SUBMIT = ["executable=/bin/sleep", "transfer_executable=False", "request_memory=100"]
SUBMIT += ["request_disk=1000", "should_transfer_files=YES"]


class Pool:
    """A pool's central manager and submit node."""

    def __init__(self, beside: Beside, shared: Path) -> None:
        """Start it; it leaves its token in *shared*."""
        shared.mkdir()
        self.address = f"172.17.0.1:{free_port()}"
        script = (f"{Path(__file__).with_name('pool.sh')}:/pool.sh:ro", f"{shared}:/shared")
        options = tuple(word for each in script for word in ("-v", each))
        self.id = beside.run("sh", "/pool.sh", self.address.split(":")[1], options=options)
        until(lambda: self.answers("condor_q"), 60, 1)

    def tell(self, *words: str) -> str:
        """Run a command of HTCondor as an ordinary user."""
        return docker("exec", "-u", "65534", self.id, *words)

    def answers(self, *words: str) -> bool:
        """Say whether such a command works."""
        try:
            self.tell(*words)
        except AssertionError:
            return False
        return True

    def submit(self, seconds: int) -> str:
        """Submit a job that takes some seconds; returns its number."""
        words = [word for each in [*SUBMIT, f"arguments={seconds}"] for word in ("-a", each)]
        said = self.tell("condor_submit", "-terse", *words, "-a", "queue", "/dev/null")
        return said.split()[0]

    def job(self, number: str, what: str) -> str:
        """Return an attribute of a job, done or not."""
        for where in ("condor_q", "condor_history"):
            found = self.tell(where, number, "-af", what)
            if found:
                return found
        return ""


def test_jobs_run_in_pilots_and_an_evicted_one_is_done_elsewhere(
    node: Node, pilot: dict[str, Any], beside: Beside, tmp_path: Path
) -> None:
    """A pilot joins by token and CCB; a job whose pilot is drained is done in the next one."""
    pool = Pool(beside, tmp_path / "shared")
    env = {"CONDOR_HOST": pool.address, "IDLE": "60"}
    binds = [f"{tmp_path}/shared:/tokens"]
    changes = {"env": env, "binds": binds, "network": "bridge", "grace": "40s", "no_work": [80]}
    number = pool.submit(20)
    node.serve({**pilot, **changes}, maximum=1)
    until(lambda: pool.job(number, "JobStatus") == "2", 120, 1)
    # Nobody need reach the pilot: it is asked through the collector.
    assert "CCBID=" in pool.tell("condor_status", "-af", "MyAddress")
    first = next(iter(node.names()))
    assert first in pool.tell("condor_status", "-af", "Machine")
    assert node.evict() == {first}
    until(lambda: pool.job(number, "JobStatus") == "4", 180, 1)
    assert pool.job(number, "NumJobStarts") == "2"
    # It drained: the end was its own, and the collector was told.
    assert node.codes()[0] == 0
    assert first not in pool.tell("condor_status", "-af", "Machine")
