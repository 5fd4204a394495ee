"""What the foreground waited, on both versions of cgroups and on kernels that lack something."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from plancton.runtime.cgroup import ParentCgroup
from plancton.runtime.foreground_wait import ForegroundWait

_NODE = "pid:[4026531836]"


class Node:
    """A cgroup tree and a /proc below a folder."""

    def __init__(
        self, root: Path, *, unified: bool, systemd: bool = True, instance: str = "root"
    ) -> None:
        """Mount the tree, and tell the parent what Docker says of it."""
        self.tree, self.proc = root / "cgroup", root / "proc"
        (self.proc / "self/ns").mkdir(parents=True)
        self.tree.mkdir()
        kind = "cgroup2" if unified else "cgroup"
        (root / "mounts").write_text(f"x {self.tree} {kind} rw{'' if unified else ',cpu'} 0 0\n")
        self.parent = ParentCgroup(instance, root / "mounts")
        self.info = {
            "CgroupDriver": "systemd" if systemd else "cgroupfs",
            "CgroupVersion": "2" if unified else "1",
        }
        self.parent.configure(self.info)
        self.wait = ForegroundWait(self.parent, self.proc)

    def pressure(self, path: str, seconds: float, percent: float = 0.0) -> None:
        """Set what tasks of a cgroup waited so far."""
        (self.tree / path).mkdir(parents=True, exist_ok=True)
        text = f"some avg10={percent:.2f} avg60=0.00 avg300=0.00 total={int(seconds * 1e6)}\n"
        (self.tree / path / "cpu.pressure").write_text(f"{text}full avg10=9.00 total=7\n")

    def task(self, process: str, waited: float, used: float = 1.0, path: str = "/") -> None:
        """Set what a process waited so far."""
        folder = self.proc / process
        (folder / "task" / process).mkdir(parents=True, exist_ok=True)
        text = f"{int(used * 1e9)} {int(waited * 1e9)} 1\n"
        (folder / "schedstat").write_text(text)
        (folder / "task" / process / "schedstat").write_text(text)
        (folder / "cgroup").write_text(f"3:memory:/else\n2:cpuacct,cpu:{path}\n0::/\n")
        (folder / "stat").write_text(f"{process} (x) S 1 1 1 0 -1 0 5\n")

    def namespace(self, name: str = _NODE) -> None:
        """Have a namespace of processes, and our own run time."""
        (self.proc / "self/ns/pid").symlink_to(name)
        (self.proc / "self/schedstat").write_text("5 5 5\n")


@pytest.mark.parametrize(
    ("pilots", "systemd", "instance"),
    [
        (("plancton.slice", "plancton-x.slice"), True, "root"),
        (("plancton.slice", "plancton.slice/plancton-x.slice"), True, "x"),
        (("plancton", "plancton-u1000"), False, "root"),
    ],
    ids=["systemd", "nested", "cgroupfs"],
)
def test_siblings_count_and_pilots_do_not(
    tmp_path: Path, pilots: tuple[str, ...], systemd: bool, instance: str
) -> None:
    """Slices of the owner's add up; whatever instance's pilots wait does not."""
    node = Node(tmp_path, unified=True, systemd=systemd, instance=instance)
    owners = ("system.slice", "user.slice", "init.scope", "docker")
    for path in (*owners, *pilots):
        node.pressure(path, 100.0, 90.0)
    assert node.wait.read().seconds == 0.0
    for path in owners:
        node.pressure(path, 100.5, 10.0)
    for path in pilots:
        node.pressure(path, 900.0, 90.0)
    waited = node.wait.read()
    assert waited.seconds == 2.0
    assert waited.missing == ""
    assert waited.pressure is not None
    assert waited.pressure.percent == 40.0
    assert waited.pressure.foreground_only


def test_a_slice_that_comes_or_goes_is_no_waiting(tmp_path: Path) -> None:
    """The counter neither jumps nor falls, also when a slice is made anew."""
    node = Node(tmp_path, unified=True)
    node.pressure("system.slice", 10.0)
    assert node.wait.read().seconds == 0.0
    node.pressure("user.slice", 5000.0)
    node.pressure("system.slice", 11.0)
    assert node.wait.read().seconds == 1.0
    node.pressure("user.slice", 5001.0)
    assert node.wait.read().seconds == 2.0
    shutil.rmtree(node.tree / "user.slice")
    assert node.wait.read().seconds == 2.0
    node.pressure("user.slice", 3.0)
    assert node.wait.read().seconds == 2.0
    node.pressure("user.slice", 3.5)
    assert node.wait.read().seconds == 2.5


def test_percent_is_at_most_all(tmp_path: Path) -> None:
    """Slices that wait at the same time add up to no more than 100."""
    node = Node(tmp_path, unified=True)
    for name in ("system.slice", "user.slice"):
        node.pressure(name, 1.0, 70.0)
    pressure = node.wait.read().pressure
    assert pressure is not None
    assert pressure.percent == 100.0


def test_without_pressure_it_is_not_known(tmp_path: Path) -> None:
    """A kernel booted with psi=0 makes no such files; one slice may have it switched off."""
    node = Node(tmp_path, unified=True)
    (node.tree / "system.slice").mkdir()
    waited = node.wait.read()
    assert waited.seconds is None
    assert "psi=1" in waited.missing
    node.pressure("user.slice", 1.0)
    assert node.wait.read().seconds == 0.0


@pytest.mark.parametrize(
    ("path", "counted"),
    [
        ("/", 2.0),
        ("/system.slice/plancton.service", 2.0),
        ("/plancton/ab", 0.0),
        ("/plancton-u1000/ab", 0.0),
        ("/plancton.slice/plancton-x.slice/ab", 0.0),
        ("/../../plancton/ab", 0.0),
    ],
)
def test_run_delay_of_v1(tmp_path: Path, path: str, counted: float) -> None:
    """Processes below a parent of pilots do not count."""
    node = Node(tmp_path, unified=False)
    node.namespace()
    node.task("1", 0.0)
    node.task("20", 1.0, path=path)
    assert node.wait.read().seconds == 0.0
    node.task("20", 3.0, path=path)
    assert node.wait.read().seconds == counted


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ("container", "pid: host"),
        ("no schedstat", "CONFIG_SCHEDSTATS"),
        ("zeros", "CONFIG_SCHEDSTATS"),
        ("hidepid", "hidepid"),
    ],
)
def test_why_it_is_not_known_on_v1(tmp_path: Path, broken: str, words: str) -> None:
    """What would make the figure wrong leaves it out, with a sentence."""
    node = Node(tmp_path, unified=False)
    node.namespace("pid:[4026532001]" if broken == "container" else _NODE)
    node.task("1", 0.0)
    if broken == "no schedstat":
        (node.proc / "self/schedstat").unlink()
    elif broken == "zeros":
        (node.proc / "self/schedstat").write_text("0 0 0\n")
    elif broken == "hidepid":
        (node.proc / "1/schedstat").unlink()
    waited = node.wait.read()
    assert waited.seconds is None
    assert words in waited.missing


def test_rootless_pilots_cannot_be_told_from_the_owner(tmp_path: Path) -> None:
    """They lie in the user's own slice, so nothing is claimed."""
    node = Node(tmp_path, unified=True)
    node.parent.configure({**node.info, "SecurityOptions": ["name=rootless"]})
    assert node.wait.read().seconds is None
