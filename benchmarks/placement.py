"""How often the kernel queues the owner's threads behind each other beside free cores.

Counts, not times: so they can be taken in an emulated machine too. An owner whose requests arrive
by themselves, pilots that burn CPU in the idle class, and the kernel's trace of what woke up where.
As root; needs Python alone, so that ``python3 -m benchmarks.placement`` runs in a bare guest.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from benchmarks.owner import arrivals, serve
from benchmarks.wakeups import Placed, count
from plancton.runtime.idle_core_search import Search, look, set_limit

CORES = os.cpu_count() or 1
LOADS = (0.2, 0.4)
RATE = 200.0
"""Requests a second that would use all cores, however many: so each size wakes up as often."""
REQUEST = CORES / RATE
"""CPU-seconds of a request: long enough that all else costs little, in emulation too."""
ROUND = 10.0
"""Seconds of a round."""
_TRACING = Path("/sys/kernel/tracing")
_EVENTS = ("sched_wakeup", "sched_switch")
_BUFFER_KB = 16384
"""For each core: several times what a round writes."""
_WARM_UP = 1.0
_CGROUP = "plancton-placement"


@dataclass(frozen=True, slots=True)
class Situation:
    """What runs beside the owner, and what the kernel is told."""

    name: str
    pilots: float = 0.0
    """Pilots for each core."""
    bound: bool = False
    """Each pilot to a core of its own."""
    full: bool = False
    """With the full search for an idle core: NO_SIS_UTIL."""
    pinned: bool = False
    """Each of the owner's threads to a core of its own."""


SITUATIONS = (
    Situation("alone"),
    Situation("pilots roam on all cores", 1.0),
    Situation("  with NO_SIS_UTIL", 1.0, full=True),
    Situation("one pilot bound to each core", 1.0, bound=True),
    Situation("  with NO_SIS_UTIL", 1.0, bound=True, full=True),
    Situation("pilots bound to 3/4 of the cores", 0.75, bound=True),
    Situation("  with NO_SIS_UTIL", 0.75, bound=True, full=True),
    Situation("pilots roam, owner's threads pinned", 1.0, pinned=True),
)


def trouble() -> str:
    """Say why nothing can be counted on this machine; empty: it can."""
    try:
        (_TRACING / "tracing_on").write_text("1")
        (_TRACING / f"events/sched/{_EVENTS[0]}/enable").read_text()
    except OSError as error:
        return f"{_TRACING}: {error.strerror}"
    found = look()
    return "" if found.search in (Search.LIMITED, Search.FULL) else found.sentence


def placement(rounds: int = 1) -> None:
    """Count in each situation at each load, and print the table."""
    print(f"\nLinux {os.uname().release}, {CORES} cores: wake-ups of the owner's threads, and")
    print("those queued behind another of them although a core ran nothing, or but a pilot")
    print(f"{'':<37}" + "".join(f"{f'load {load:.0%}':^24}" for load in LOADS), flush=True)
    for situation in SITUATIONS:
        print(f"{situation.name:<37}", end="", flush=True)
        for load in LOADS:
            found = (measure(situation, load, seed) for seed in range(rounds))
            total = sum(found, Placed())
            print(f"{total.woken:>8}{total.misplaced:>7}{total.share:>9.4f}", end="", flush=True)
        print(flush=True)


def measure(situation: Situation, load: float, seed: int = 0) -> Placed:
    """Run one round."""
    times = arrivals(load * RATE, ROUND, seed)
    workers = get_context("fork").RawArray("l", CORES)

    def connect(number: int) -> Callable[[], None]:
        workers[number] = os.getpid()
        if situation.pinned:
            os.sched_setaffinity(0, {number % CORES})
        return burn

    with _search(situation), _pilots(situation) as pilots:
        _start_trace()
        try:
            serve(times, CORES, connect)
        finally:
            (_TRACING / "tracing_on").write_text("0")
        with (_TRACING / "trace").open(errors="replace") as trace:
            return count(trace, set(workers), pilots, CORES)


def burn() -> None:
    """Use the CPU for the time of one request."""
    end = time.thread_time() + REQUEST
    while time.thread_time() < end:
        pass


def _start_trace() -> None:
    for file, value in (
        ("tracing_on", "0"),
        ("current_tracer", "nop"),
        ("trace_clock", "global"),
        ("buffer_size_kb", str(_BUFFER_KB)),
        *((f"events/sched/{event}/enable", "1") for event in _EVENTS),
        ("trace", ""),
        ("tracing_on", "1"),
    ):
        (_TRACING / file).write_text(value)


@contextmanager
def _search(situation: Situation) -> Iterator[None]:
    """Set the kernel's search, and set it back."""
    before = look().search
    set_limit(not situation.full)
    try:
        yield
    finally:
        set_limit(before is Search.LIMITED)


@contextmanager
def _pilots(situation: Situation) -> Iterator[set[int]]:
    """Run what burns CPU in the idle class; gives its PIDs."""
    group = _idle_group()
    running: list[subprocess.Popen[bytes]] = []
    try:
        for number in range(int(situation.pilots * CORES)):
            pilot = subprocess.Popen(["sh", "-c", "while :; do :; done"])
            running.append(pilot)
            (group / "cgroup.procs").write_text(str(pilot.pid))
            if situation.bound:
                os.sched_setaffinity(pilot.pid, {number})
        time.sleep(_WARM_UP)
        yield {pilot.pid for pilot in running}
    finally:
        for pilot in running:
            pilot.kill()
            pilot.wait()
        _remove(group)


def _idle_group() -> Path:
    root = Path("/sys/fs/cgroup")
    group = (root if (root / "cgroup.controllers").exists() else root / "cpu") / _CGROUP
    group.mkdir(exist_ok=True)
    (group / "cpu.idle").write_text("1")
    return group


def _remove(group: Path) -> None:
    """Remove a group, which counts the killed as members for a moment."""
    for _ in range(100):
        try:
            group.rmdir()
        except OSError:
            time.sleep(0.1)
        else:
            return


if __name__ == "__main__":
    if wrong := trouble():
        sys.exit(wrong)
    placement(*map(int, sys.argv[1:]))
