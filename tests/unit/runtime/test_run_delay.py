"""Run delay of tasks, on a /proc as the kernel shows it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from plancton.runtime.run_delay import FOLLOWED, STEPS, RunDelay

_PILOT = "/plancton/ab12"
_KERNEL_THREAD = 0x00200000
_READS_EACH = 3
"""Of a task that was active: its schedstat, and cgroup and stat of its process."""


class Proc:
    """A /proc below a folder."""

    def __init__(self, root: Path) -> None:
        """Begin without processes, and with something else that /proc holds."""
        self.root = root
        self.reads = 0
        self._files: dict[str, str] = {}
        (root / "sys").mkdir()
        self.delay = RunDelay(lambda cgroups: _PILOT not in cgroups, root, self.read)

    def read(self, path: str) -> str | None:
        """Return what a file of a task says, and count."""
        self.reads += 1
        return self._files.get(path)

    def task(
        self,
        process: int,
        thread: int | None = None,
        *,
        used: float = 0.0,
        waited: float = 0.0,
        cgroup: str = "/",
        flags: int = 0,
    ) -> None:
        """Have a task, with its counters in seconds."""
        folder = f"{self.root}/{process}"
        place = f"{folder}/task/{thread or process}"
        if f"{place}/schedstat" not in self._files:
            Path(place).mkdir(parents=True)
        self._files[f"{place}/schedstat"] = f"{int(used * 1e9)} {int(waited * 1e9)} 7"
        self._files[f"{folder}/cgroup"] = f"1:cpu:{cgroup}\n0::/"
        self._files[f"{folder}/stat"] = f"{process} (a) b) S 1 1 1 0 -1 {flags} 5 0"

    def end(self, process: int) -> None:
        """Have a process ended."""
        folder = f"{self.root}/{process}"
        shutil.rmtree(folder)
        self._files = {p: text for p, text in self._files.items() if not p.startswith(folder)}


@pytest.fixture
def proc(tmp_path: Path) -> Proc:
    """Return a /proc without processes."""
    return Proc(tmp_path)


@pytest.mark.parametrize(
    ("values", "counted"),
    [
        ({}, 2.0),
        ({"cgroup": "/docker/cd34"}, 2.0),
        ({"cgroup": _PILOT}, 0.0),
        ({"flags": _KERNEL_THREAD}, 0.0),
    ],
    ids=["owner", "owner's container", "pilot", "kernel thread"],
)
def test_whose_waiting_counts(proc: Proc, values: dict[str, str], counted: float) -> None:
    """Only the foreground's does, and only what came after the first look."""
    proc.task(10, used=5, waited=3, **values)  # type: ignore[arg-type]
    assert proc.delay.seconds() == 0.0
    proc.task(10, used=5, waited=5, **values)  # type: ignore[arg-type]
    assert proc.delay.seconds() == counted


def test_threads_add_up(proc: Proc) -> None:
    """Each thread waits by itself."""
    for thread in (10, 11, 12):
        proc.task(10, thread)
    proc.delay.seconds()
    for thread in (10, 11, 12):
        proc.task(10, thread, waited=0.5)
    assert proc.delay.seconds() == 1.5


def test_the_first_process_of_a_pilot_counts_no_more_once_it_has_moved(proc: Proc) -> None:
    """It begins in Docker's own cgroup, and moves to the pilots' before it becomes the pilot."""
    proc.task(10, waited=1, cgroup="/docker.service")
    proc.delay.seconds()
    proc.task(10, waited=2, cgroup="/docker.service")
    assert proc.delay.seconds() == 1.0
    proc.task(10, waited=90, cgroup=_PILOT)
    assert proc.delay.seconds() == 1.0


def test_it_never_falls(proc: Proc) -> None:
    """Neither when a task ends, nor when another has its number."""
    proc.task(10)
    proc.delay.seconds()
    proc.task(10, used=9, waited=3)
    assert proc.delay.seconds() == 3.0
    proc.task(10, used=0, waited=0)
    assert proc.delay.seconds() == 3.0
    proc.task(10, waited=1)
    assert proc.delay.seconds() == 4.0
    proc.end(10)
    assert proc.delay.seconds() == 4.0


def test_a_task_that_ends_during_the_walk_is_no_error(proc: Proc) -> None:
    """Its folder is listed, and is gone when it is looked into."""
    (proc.root / "10").mkdir()
    assert proc.delay.seconds() == 0.0


def test_the_cost_is_bounded_and_busy_tasks_are_found_among_thousands(proc: Proc) -> None:
    """However many tasks there are, and though all are active; those that use most are kept."""
    processes = range(1, 5001)
    busy = range(17, 5000, 500)
    for process in processes:
        proc.task(process, used=0.001)
    rounds = 2 * len(processes) // STEPS + 2
    most = 0
    for sample in range(1, rounds + 1):
        for process in processes if sample % 10 == 0 else busy:
            speed = 1.0 if process in busy else 1e-5
            proc.task(process, used=sample * speed, waited=sample * speed / 10)
        proc.reads = 0
        proc.delay.seconds()
        most = max(most, proc.reads)
    assert most <= FOLLOWED * _READS_EACH + STEPS * (_READS_EACH + 1)
    before = proc.delay.seconds()
    for process in busy:
        proc.task(process, used=rounds + 1.0, waited=rounds / 10 + 1.0)
    assert proc.delay.seconds() - before == pytest.approx(len(busy), abs=0.01)


def test_a_process_of_many_threads_is_walked_in_parts(proc: Proc) -> None:
    """No sample opens more of them than its share."""
    for thread in range(100, 100 + 5 * STEPS):
        proc.task(100, thread)
    for _ in range(8):
        proc.reads = 0
        proc.delay.seconds()
        assert proc.reads <= FOLLOWED + 2 * STEPS
