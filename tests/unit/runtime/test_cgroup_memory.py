"""Pilots' memory and their parent's bounds, on trees as the kernel shows them."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from plancton.engine.model.bounds import Bounds
from plancton.runtime.cgroup import MemoryReclaimer, ParentCgroup, PilotMemory, keep_bounds
from tests.conftest import until

ID = "ab" * 32
MIB = 2**20


class Tree:
    """A cgroup tree below a folder, with one pilot's memory in it."""

    def __init__(self, root: Path, version: int) -> None:
        """Build the mounts and the folders of one version, with Docker's cgroupfs driver."""
        self.root, self.version = root, version
        mounts = root / "mounts"
        if version == 2:
            mounts.write_text(f"cgroup {root} cgroup2 rw 0 0\n")
        else:
            names = ("cpu", "memory", "pids")
            mounts.write_text("".join(f"cgroup {root}/{n} cgroup rw,{n} 0 0\n" for n in names))
        self.pilot = self.place("memory") / ID
        self.pilot.mkdir(parents=True)
        self.place("pids").mkdir(parents=True, exist_ok=True)
        self.parent = ParentCgroup("root", mounts)
        self.parent.configure({"CgroupDriver": "cgroupfs", "CgroupVersion": str(version)})
        self.memory = PilotMemory(self.parent)

    def place(self, controller: str) -> Path:
        """Return the parent's folder."""
        return self.root / ("" if self.version == 2 else controller) / "plancton"

    def write(self, **files: str) -> None:
        """Write the pilot's files: ``swap_max`` is memory.swap.max."""
        for name, text in files.items():
            (self.pilot / f"memory.{name.replace('_', '.')}").write_text(f"{text}\n")

    def read(self, name: str) -> str:
        """Return what stands in one of the pilot's files."""
        return (self.pilot / f"memory.{name}").read_text().strip()


@pytest.fixture
def v2(tmp_path: Path) -> Tree:
    """Return a tree of cgroup v2, on a kernel that has memory.reclaim."""
    tree = Tree(tmp_path, 2)
    tree.write(current="300000000", swap_current="0", swap_max="0", oom_group="0", high="max")
    tree.write(reclaim="")
    return tree


@pytest.fixture
def v1(tmp_path: Path) -> Tree:
    """Return a tree of cgroup v1."""
    return Tree(tmp_path, 1)


def test_a_pilot_dies_whole_and_its_swap_stays_bounded(v2: Tree) -> None:
    """Both again when somebody took them away, as a daemon-reload of systemd does."""
    for _ in range(2):
        v2.memory.keep(ID, 10_000_000, may_swap=False)
        assert v2.read("oom.group") == "1"
        assert v2.read("swap.max") == str(10_000_000 // 4096 * 4096)
        v2.write(oom_group="0", swap_max="max")


def test_only_a_frozen_pilot_may_swap_beyond_its_limit(v2: Tree) -> None:
    """Raised while it is frozen, back before it goes on."""
    v2.memory.keep(ID, 0, may_swap=True)
    assert v2.read("swap.max") == "max"
    v2.memory.keep(ID, 0, may_swap=False)
    assert v2.read("swap.max") == "0"


def test_a_limit_that_is_not_known_is_left_alone(v2: Tree) -> None:
    """Made by somebody else, or without one."""
    v2.write(swap_max="4096")
    v2.memory.keep(ID, None, may_swap=True)
    assert v2.read("swap.max") == "4096"


def test_memory_is_taken_back_by_reclaim(v2: Tree) -> None:
    """Where the kernel has it, and with nothing left behind."""
    v2.memory.reclaim(ID, 32 * MIB)
    assert v2.read("reclaim") == str(32 * MIB)
    assert v2.read("high") == "max"


def test_before_linux_5_19_a_lowered_bound_takes_it_back(v2: Tree) -> None:
    """It is lifted at once; one that a killed Plancton left is lifted at the next look."""
    (v2.pilot / "memory.reclaim").unlink()
    (v2.pilot / "memory.high").write_text("100\n")
    v2.memory.reclaim(ID, 32 * MIB)
    assert v2.read("high") == "max"
    v2.write(high="268445456")
    v2.memory.keep(ID, 0, may_swap=True)
    assert v2.read("high") == "268445456"
    v2.memory.keep(ID, 0, may_swap=False)
    assert v2.read("high") == "max"


def test_version_1_empties_the_group_and_keeps_dockers_limits(v1: Tree) -> None:
    """It has no oom.group, and its limit of swap counts memory too: swapping stays below it."""
    v1.write(**{"stat": "cache 1\nswap 4096\ntotal_swap 8192"})
    (v1.pilot / "memory.usage_in_bytes").write_text("300000000\n")
    (v1.pilot / "memory.force_empty").write_text("")
    v1.memory.keep(ID, 0, may_swap=True)
    assert v1.memory.reclaim(ID, 32 * MIB) == 0
    assert (v1.pilot / "memory.force_empty").read_text() == "0"
    assert (v1.memory.used(ID), v1.memory.swapped(ID)) == (300000000, 4096)
    assert not (v1.pilot / "memory.oom.group").exists()


def test_a_pilot_that_is_gone_is_no_error(v2: Tree) -> None:
    """Between two looks."""
    gone = "cd" * 32
    v2.memory.keep(gone, 0, may_swap=True)
    assert (v2.memory.used(gone), v2.memory.swapped(gone)) == (None, None)
    assert v2.memory.reclaim(gone, MIB) == 0


def test_bounds_are_set_and_set_again(v2: Tree) -> None:
    """A daemon-reload takes them away; what is unbounded is so in the kernel too."""
    files = {"memory.high": "max", "memory.max": "max", "pids.max": "max"}
    here = v2.place("memory")
    (here / "memory.current").write_text("1000\n")
    for _ in range(2):
        for name, text in files.items():
            (here / name).write_text(f"{text}\n")
        keep_bounds(v2.parent, Bounds(10_000_000, 20_000_000, 77))
        assert [(here / name).read_text() for name in files] == ["9998336", "19996672", "77"]
    keep_bounds(v2.parent, Bounds())
    assert [(here / name).read_text() for name in files] == ["max", "max", "max"]


def test_a_bound_that_kills_is_never_set_below_what_is_used(v2: Tree) -> None:
    """The kernel would end a pilot to make it hold."""
    here = v2.place("memory")
    (here / "memory.current").write_text("30000000\n")
    (here / "memory.max").write_text("max\n")
    keep_bounds(v2.parent, Bounds(memory_max=20_000_000))
    assert (here / "memory.max").read_text() == "max\n"


def test_version_1_bounds_memory_and_processes(v1: Tree) -> None:
    """Without memory.high, which it does not have."""
    limit, pids = v1.place("memory") / "memory.limit_in_bytes", v1.place("pids") / "pids.max"
    (v1.place("memory") / "memory.usage_in_bytes").write_text("1000\n")
    limit.write_text("9223372036854771712\n")
    pids.write_text("max\n")
    keep_bounds(v1.parent, Bounds(10_000_000, 20_000_000, 77))
    assert (limit.read_text(), pids.read_text()) == ("19996672", "77")
    keep_bounds(v1.parent, Bounds())
    assert (limit.read_text(), pids.read_text()) == ("-1", "max")


def test_bounds_without_a_parent_are_no_error(tmp_path: Path) -> None:
    """Docker was not seen yet."""
    keep_bounds(ParentCgroup("root", tmp_path), Bounds(1, 2, 3))


def test_the_reclaimer_works_on_those_named_last(v2: Tree) -> None:
    """On its own thread; a pilot with nothing to give rests, and the next has its turn."""
    other = v2.place("memory") / ("cd" * 32)
    other.mkdir()
    (other / "memory.current").write_text("5000\n")
    (other / "memory.reclaim").write_text("")
    reclaimer = MemoryReclaimer(v2.parent)
    thread = threading.Thread(target=reclaimer.run)
    thread.start()
    try:
        reclaimer.want((ID,))
        until(lambda: v2.read("reclaim") == str(32 * MIB), 10, 0.01)
        assert (other / "memory.reclaim").read_text() == ""
        v2.write(reclaim="")
        reclaimer.want((ID, other.name))
        until(lambda: (other / "memory.reclaim").read_text() == str(32 * MIB), 10, 0.01)
        assert v2.read("reclaim") == ""
    finally:
        reclaimer.stop()
        thread.join(10)
    assert not thread.is_alive()
