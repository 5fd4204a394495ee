"""The parent cgroup in all worlds, on trees as the kernel shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from plancton.engine.model.node import Protection
from plancton.runtime.cgroup import ParentCgroup
from plancton.runtime.cgroup.hierarchy import hierarchy

ID = "ab" * 32


class Ports:
    """A cgroup tree below a folder, and what Docker's /info says of it."""

    def __init__(self, root: Path, kind: str) -> None:
        """Build the mounts of one world."""
        self.root, self.kind = root, kind
        self.v2 = kind.startswith("v2")
        places = {"v2": [""], "v1-split": ["cpu", "cpuacct", "blkio"], "v1-co": ["cpu,cpuacct"]}
        lines = [f"tmpfs {root} tmpfs rw 0 0"]
        for name in places["v2" if self.v2 else kind.removesuffix("-systemd")]:
            place = root / name
            place.mkdir(parents=True, exist_ok=True)
            fs = "cgroup2" if self.v2 else "cgroup"
            lines.append(f"cgroup {place} {fs} rw,relatime{',' + name if name else ''} 0 0")
        self.mounts = root.parent / "mounts"
        self.mounts.write_text("\n".join(lines) + "\n")

    @property
    def cpu(self) -> Path:
        """Where the CPU controller is."""
        if self.v2:
            return self.root
        return self.root / ("cpu" if self.kind.startswith("v1-split") else "cpu,cpuacct")

    def group(self, path: str, *, idle: str | None = "0", used: float = 0.0) -> Path:
        """Make a cgroup with its files in every controller."""
        for place in [self.root] if self.v2 else list(self.root.iterdir()):
            (place / path).mkdir(parents=True, exist_ok=True)
        here = self.cpu / path
        if idle is not None:
            (here / "cpu.idle").write_text(f"{idle}\n")
        self.use(path, used)
        return here

    def use(self, path: str, seconds: float) -> None:
        """Set the CPU time of a cgroup."""
        if self.v2:
            text = f"usage_usec {int(seconds * 1e6)}\nuser_usec 1\n"
            (self.root / path / "cpu.stat").write_text(text)
        else:
            place = self.root / ("cpuacct" if self.kind.startswith("v1-split") else "cpu,cpuacct")
            (place / path / "cpuacct.usage").write_text(f"{int(seconds * 1e9)}\n")

    def parent(self, instance: str = "root", **info: Any) -> ParentCgroup:
        """Return the parent, configured for this world."""
        made = ParentCgroup(instance, self.mounts)
        driver = "systemd" if self.kind.endswith("systemd") else "cgroupfs"
        version = "2" if self.v2 else "1"
        made.configure({"CgroupDriver": driver, "CgroupVersion": version, **info})
        return made


KINDS = ["v1-split", "v1-co", "v1-co-systemd", "v2", "v2-systemd"]


@pytest.fixture(params=KINDS)
def ports(request: pytest.FixtureRequest, tmp_path: Path) -> Ports:
    """Return each world in turn."""
    (tmp_path / "cg").mkdir()
    return Ports(tmp_path / "cg", request.param)


def test_the_idle_class_is_set_verified_and_set_again(ports: Ports) -> None:
    """A daemon-reload resets what was only written."""
    name = "plancton.slice" if ports.kind.endswith("systemd") else "plancton"
    here = ports.group(name)
    parent = ports.parent()
    assert parent.name == (name if name.endswith("slice") else "/plancton")
    assert parent.protection is Protection.IDLE
    assert (here / "cpu.idle").read_text().strip() == "1"
    assert parent.note == ""
    (here / "cpu.idle").write_text("0\n")
    assert parent.verify() is Protection.IDLE


def test_own_time_and_each_pilots_time_are_read(ports: Ports) -> None:
    """In seconds, whatever the kernel's unit."""
    systemd = ports.kind.endswith("systemd")
    name = "plancton.slice" if systemd else "plancton"
    ports.group(name, used=12.5)
    ports.group(f"{name}/docker-{ID}.scope" if systemd else f"{name}/{ID}", used=2.5)
    parent = ports.parent()
    assert parent.own_seconds() == 12.5
    assert parent.pilot_seconds(ID) == 2.5
    assert parent.pilot_seconds("cd" * 32) is None


@pytest.mark.parametrize("ports", ["v1-co", "v2", "v2-systemd"], indirect=True)
def test_podman_calls_the_cgroups_of_its_containers_otherwise(ports: Ports) -> None:
    """Its own name for each, below the same parent."""
    systemd = ports.kind.endswith("systemd")
    group = f"plancton.slice/libpod-{ID}.scope" if systemd else f"plancton/libpod-{ID}"
    ports.group(group, used=2.5)
    assert ports.parent(BuildahVersion="1.39.3").pilot_seconds(ID) == 2.5
    assert ports.parent().pilot_seconds(ID) is None


def test_own_time_never_falls_when_the_cgroup_is_made_anew(ports: Ports) -> None:
    """Systemd drops an empty slice, and its counter with it."""
    name = "plancton.slice" if ports.kind.endswith("systemd") else "plancton"
    ports.group(name, used=10.0)
    parent = ports.parent()
    assert parent.own_seconds() == 10.0
    ports.use(name, 1.0)
    assert parent.own_seconds() == 11.0
    ports.use(name, 3.0)
    assert parent.own_seconds() == 13.0


def test_other_instances_have_a_parent_of_their_own(ports: Ports) -> None:
    """A dash nests slices; the outer one's class protects the inner."""
    if ports.kind.endswith("systemd"):
        ports.group("plancton.slice", idle="1")
        inner = ports.group("plancton.slice/plancton-u7.slice")
        parent = ports.parent("u7")
        assert (parent.name, parent.protection) == ("plancton-u7.slice", Protection.IDLE)
        assert (inner / "cpu.idle").read_text().strip() == "0"
    else:
        ports.group("plancton-u7")
        assert ports.parent("u7").name == "/plancton-u7"


def test_a_kernel_without_cpu_idle_gets_the_lowest_weight(ports: Ports) -> None:
    """And it is said to be less."""
    name = "plancton.slice" if ports.kind.endswith("systemd") else "plancton"
    here = ports.group(name, idle=None)
    file, lowest = ("cpu.weight", "1") if ports.v2 else ("cpu.shares", "2")
    (here / file).write_text("100\n")
    parent = ports.parent()
    assert parent.protection is Protection.LOW_WEIGHT
    assert (here / file).read_text().strip() == lowest
    assert "cpu.idle" in parent.note


def test_without_the_right_it_falls_back_and_says_how_to_mend(ports: Ports) -> None:
    """Systemd's slice is not there before the first pilot; cgroupfs cannot be written."""
    if ports.kind.endswith("systemd"):
        parent = ports.parent()
        assert "with the first pilot" in parent.note
        assert parent.own_seconds() == 0.0
    else:
        (ports.cpu / "plancton").write_text("a file in the way")
        parent = ports.parent()
        assert "cpu.idle" in parent.note
    assert parent.protection is Protection.WEIGHT_ONLY


def test_rootless_docker_gets_no_parent(ports: Ports) -> None:
    """Its containers cannot leave the user's own cgroup."""
    parent = ports.parent(SecurityOptions=["name=seccomp", "name=rootless"])
    assert parent.name is None
    assert parent.protection is Protection.WEIGHT_ONLY
    assert "rootless" in parent.note
    assert parent.own_seconds() is None


def test_io_goes_into_the_idle_class_where_the_kernel_has_it(tmp_path: Path) -> None:
    """The file's presence tells."""
    (tmp_path / "cg").mkdir()
    ports = Ports(tmp_path / "cg", "v2-systemd")
    here = ports.group("plancton.slice")
    (here / "io.prio.class").write_text("no-change\n")
    ports.parent()
    assert (here / "io.prio.class").read_text() == "idle"


def test_a_hybrid_tree_is_read_by_dockers_word() -> None:
    """The v2 mount beside v1 controllers has none of them."""
    mounts = "cgroup /c/cpu cgroup rw,cpu 0 0\ncgroup2 /c/unified cgroup2 rw 0 0\n"
    assert hierarchy(mounts, unified=False).cpu == Path("/c/cpu")
    assert hierarchy(mounts, unified=False).cpuacct is None
    assert hierarchy(mounts, unified=True).cpu == Path("/c/unified")
