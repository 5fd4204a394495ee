"""What tasks waited for a core, of processes that really compete for one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from plancton.runtime.cgroup.hierarchy import hierarchy
from plancton.runtime.run_delay import RunDelay
from tests.conftest import until
from tests.e2e.service import Service

pytestmark = pytest.mark.quiet
BURN = [sys.executable, "-S", "-c", "while True: pass"]
SECONDS = 4


@contextmanager
def burners(cgroup: str, count: int) -> Iterator[None]:
    """Have so many processes in a cgroup compete for the first core that we may use."""
    unified = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    tree = hierarchy(Path("/proc/mounts").read_text(), unified=unified)
    assert tree.cpu
    place, core = tree.cpu / cgroup, min(os.sched_getaffinity(0))
    place.mkdir()
    processes = [subprocess.Popen(BURN) for _ in range(count)]
    try:
        for process in processes:
            os.sched_setaffinity(process.pid, {core})
            (place / "cgroup.procs").write_text(str(process.pid))
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()
        end = time.monotonic() + 10
        while (place / "cgroup.procs").read_text() and time.monotonic() < end:
            time.sleep(0.01)
        place.rmdir()


@pytest.mark.docker
def test_status_and_ledger_say_it(service: Service) -> None:
    """Beside a pilot that sleeps, so that the owner's processes wait for each other alone."""
    service.configure(spawn={"maximum": 1})
    service.start()
    until(lambda: len(service.names()) == 1)
    with burners(f"waited-owner-{os.getpid()}", 2):
        until(lambda: service.status()["ledger"]["total"]["waited"] > 3.0, 60)
        text = service.ask("status")
    waited = re.search(r"^waited +the foreground waited (\d+) ms a second", text, re.MULTILINE)
    assert waited, text
    assert int(waited[1]) > 100
    assert "foreground waited, beside pilots" in service.ask("ledger")
    assert service.stop() == 0


def test_two_owners_on_one_core_wait_a_second_each_second() -> None:
    """Each of them waits half of the time, or more where others want that core too."""
    owner, pilots = (f"waited-{kind}-{os.getpid()}" for kind in ("owner", "pilots"))
    owners = RunDelay(lambda cgroups: f"/{owner}" in cgroups)
    with burners(owner, 2), burners(pilots, 2):
        for _ in range(3):  # to find them
            owners.seconds()
        begin, before = time.monotonic(), owners.seconds()
        time.sleep(SECONDS)
        waited, span = owners.seconds() - before, time.monotonic() - begin
    assert 0.9 <= waited / span <= 2.05
