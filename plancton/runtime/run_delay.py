"""What tasks waited for a core, by their run delay, at a bounded cost: for cgroup v1.

The kernel keeps it of each task alone, and a node may have thousands. So the tasks that lately
used or wanted most CPU are followed, and a walk through /proc, some way at each sample, finds
others. What a task waited between two samples counts if both saw it: the sum is a lower bound.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import nlargest
from itertools import islice
from pathlib import Path

from plancton.runtime.cgroup import kernel_file

FOLLOWED = 96
"""Tasks that are looked at in each sample."""
STEPS = 192
"""Steps of the walk in each sample; a process is one, and each of its threads another."""
_HISTORY = 0.5
"""How much of a task's earlier activity counts beside what it did since the last sample."""
_KERNEL_THREAD = 0x00200000
_FLAGS = 6
"""Where a task's flags are in its stat, after the name."""

_Task = tuple[int, int]
"""Process and thread."""


@dataclass(frozen=True, slots=True)
class _Look:
    used: int
    waited: int
    """Nanoseconds on a core, and waiting for one, since the task began."""
    activity: float = 0.0


class RunDelay:
    """Adds up what the tasks of a node waited for a core."""

    def __init__(
        self,
        counts: Callable[[str], bool],
        proc: Path = Path("/proc"),
        read: Callable[[str], str | None] = kernel_file.read,
    ) -> None:
        """Count a process if its cgroups do, by the text of its file ``cgroup``."""
        self._counts, self._proc, self._read = counts, str(proc), read
        self._known: dict[_Task, _Look] = {}
        self._walk = _tasks(self._proc)
        self._nanoseconds = 0

    def seconds(self) -> float:
        """Take a sample, and return what was waited since the first one. It never falls."""
        self._follow()
        self._discover()
        return self._nanoseconds / 1e9

    def _follow(self) -> None:
        """Look again at the tasks known, and keep the busiest of them."""
        processes: dict[int, bool] = {}
        kept = {}
        for task, before in self._known.items():
            now = self._look(task)
            if now is None:
                continue
            used, waited = now.used - before.used, now.waited - before.waited
            if used < 0 or waited < 0:  # another task of the same number
                kept[task] = now
                continue
            if used or waited:
                # Asked anew each time: the first process of a pilot begins outside of its cgroup.
                process = task[0]
                if process not in processes:
                    processes[process] = self._of_interest(process)
                if not processes[process]:
                    continue
                self._nanoseconds += waited
            activity = before.activity * _HISTORY + used + waited
            kept[task] = _Look(now.used, now.waited, activity)
        busiest = nlargest(FOLLOWED, kept, key=lambda task: kept[task].activity)
        self._known = {task: kept[task] for task in busiest}

    def _discover(self) -> None:
        """Go on with the walk, to its end at most, and take in the tasks that are not known."""
        steps = 0
        for task in islice(self._walk, STEPS):
            steps += 1
            if task is None or task in self._known:
                continue
            look = self._look(task)
            if look is not None:
                self._known[task] = look
        if steps < STEPS:
            self._walk = _tasks(self._proc)

    def _look(self, task: _Task) -> _Look | None:
        text = self._read(f"{self._proc}/{task[0]}/task/{task[1]}/schedstat")
        if not text:
            return None
        used, waited, *_ = map(int, text.split())
        return _Look(used, waited)

    def _of_interest(self, process: int) -> bool:
        cgroups = self._read(f"{self._proc}/{process}/cgroup")
        stat = self._read(f"{self._proc}/{process}/stat")
        if cgroups is None or stat is None:
            return False
        flags = int(stat.rpartition(")")[2].split()[_FLAGS])
        return not flags & _KERNEL_THREAD and self._counts(cgroups)


def _tasks(proc: str) -> Iterator[_Task | None]:
    """Yield each task of the node once, and None for each process."""
    with os.scandir(proc) as processes:
        for process in processes:
            if not process.name.isdigit():
                continue
            yield None
            try:
                with os.scandir(f"{proc}/{process.name}/task") as threads:
                    for thread in threads:
                        yield int(process.name), int(thread.name)
            except OSError:  # it has ended
                continue
