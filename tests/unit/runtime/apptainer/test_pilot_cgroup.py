"""A pilot's cgroup, on trees of files in both worlds."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from plancton.config.schema import Profile
from plancton.engine.model.node import Protection
from plancton.runtime.apptainer.pilot_cgroup import PilotCgroup
from plancton.runtime.cgroup import ParentCgroup

V1 = ("cpu", "cpuacct", "memory", "pids", "cpuset", "freezer", "blkio")


def parent_of(tmp_path: Path, *, unified: bool, systemd: bool = False) -> ParentCgroup:
    """Return the parent of an instance's pilots in a tree of its own."""
    mounts = tmp_path / "mounts"
    if unified:
        mounts.write_text(f"cgroup2 {tmp_path}/tree cgroup2 rw 0 0\n")
        (tmp_path / "tree").mkdir()
    else:
        lines = [f"cgroup {tmp_path}/{each} cgroup rw,{each} 0 0\n" for each in V1]
        mounts.write_text("".join(lines))
        for each in V1:
            (tmp_path / each).mkdir()
        (tmp_path / "cpuset/cpuset.cpus").write_text("0-3\n")
        (tmp_path / "cpuset/cpuset.mems").write_text("0\n")
    made = ParentCgroup("x", mounts, unit="{}.service")
    driver = "systemd" if systemd else "cgroupfs"
    made.configure({"CgroupDriver": driver, "CgroupVersion": "2" if unified else "1"})
    return made


PROFILE = Profile(cpus=1.5, memory=10**8, swap=10**7, pids=50)


def test_of_version_2_the_pilot_is_in_a_leaf_beside_its_shim(tmp_path: Path) -> None:
    """Limits stand in the leaf, and must be there; controllers are switched on above."""
    cgroup = PilotCgroup(parent_of(tmp_path, unified=True), "p")
    task = cgroup.task(PROFILE, (0, 2), 3.0, low_weight=False)
    base = tmp_path / "tree/plancton-x/p"
    assert task.folders == (f"{base}/shim", f"{base}/pilot")
    assert task.own == (f"{base}/shim/cgroup.procs",)
    assert task.procs == (f"{base}/pilot/cgroup.procs",)
    assert task.oom_file == f"{base}/pilot/memory.events"
    limits = {Path(path).name: value for path, value, needed in task.writes if needed}
    assert limits == {
        "memory.max": "100000000",
        "cpu.max": "300000 100000",
        "pids.max": "50",
        "cpuset.cpus": "0,2",
    }
    others = {Path(path).name: value for path, value, needed in task.writes if not needed}
    assert others["memory.swap.max"] == "10000000"
    assert others["cpu.weight"] == "59"
    enabled = [path for path, value, _ in task.writes if value == "+memory"]
    assert enabled == [f"{each}/cgroup.subtree_control" for each in (base.parent, base)]


def test_with_systemd_it_is_in_a_unit(tmp_path: Path) -> None:
    """Of the slice of all pilots."""
    cgroup = PilotCgroup(parent_of(tmp_path, unified=True, systemd=True), "p")
    task = cgroup.task(PROFILE, (), math.inf, low_weight=False)
    where = "tree/plancton.slice/plancton-x.slice/p.service/pilot/cgroup.procs"
    assert task.procs == (str(tmp_path / where),)
    assert [value for path, value, _ in task.writes if path.endswith("cpu.max")] == ["max 100000"]


def test_of_version_1_it_is_in_every_controller(tmp_path: Path) -> None:
    """The shim counts with the pilots, but is neither frozen nor bound with them."""
    cgroup = PilotCgroup(parent_of(tmp_path, unified=False), "p")
    task = cgroup.task(PROFILE, (1,), 1.5, low_weight=False)
    assert set(task.procs) == {str(tmp_path / each / "plancton-x/p/cgroup.procs") for each in V1}
    counted = set(V1) - {"freezer", "cpuset"}
    assert set(task.own) == {str(tmp_path / each / "plancton-x/cgroup.procs") for each in counted}
    limits = {Path(path).name: value for path, value, needed in task.writes if needed}
    assert limits == {
        "cpuset.cpus": "1",
        "cpuset.mems": "0",
        "cpu.cfs_quota_us": "150000",
        "memory.limit_in_bytes": "100000000",
        "pids.max": "50",
    }


@pytest.mark.parametrize("unified", [True, False])
def test_a_weight_is_the_promise(tmp_path: Path, unified: bool) -> None:
    """Or the lowest, where nothing else protects the owner."""
    cgroup = PilotCgroup(parent_of(tmp_path, unified=unified), "p")
    name = "cpu.weight" if unified else "cpu.shares"

    def weight(*, low: bool) -> int:
        task = cgroup.task(PROFILE, (), 1.5, low_weight=low)
        (found,) = (value for path, value, _ in task.writes if path.endswith(name))
        return int(found)

    assert weight(low=True) == (1 if unified else 2)
    assert weight(low=False) > 2


@pytest.mark.parametrize("unified", [True, False])
def test_levers_write_what_the_kernel_takes(tmp_path: Path, unified: bool) -> None:
    """Freezer, quota, cpuset; and they are read back."""
    parent = parent_of(tmp_path, unified=unified)
    cgroup = PilotCgroup(parent, "p")

    def file(controller: str, name: str) -> Path:
        place = parent.pilot_place(controller, "p")
        assert place is not None
        found = (place / "pilot" if unified else place) / name
        found.parent.mkdir(parents=True, exist_ok=True)
        found.touch()
        return found

    frozen = file("freezer", "cgroup.freeze" if unified else "freezer.state")
    quota = file("cpu", "cpu.max" if unified else "cpu.cfs_quota_us")
    if not unified:
        file("cpu", "cpu.cfs_period_us").write_text("100000")
    cpus = file("cpuset", "cpuset.cpus")
    assert cgroup.freeze() == ""
    assert frozen.read_text() == ("1" if unified else "FROZEN")
    assert cgroup.frozen
    assert cgroup.thaw() == ""
    assert not cgroup.frozen
    assert cgroup.hold(2.5) == ""
    assert quota.read_text() == ("250000 100000" if unified else "250000")
    assert cgroup.held_to == 2.5
    assert cgroup.hold(math.inf) == ""
    assert cgroup.held_to == math.inf
    assert cgroup.bind((0, 1, 3)) == ""
    assert cpus.read_text() == "0-1,3"
    assert cgroup.cpus == (0, 1, 3)


@pytest.mark.parametrize("unified", [True, False])
def test_what_has_gone_is_no_error(tmp_path: Path, unified: bool) -> None:
    """Of a pilot that ended meanwhile."""
    cgroup = PilotCgroup(parent_of(tmp_path, unified=unified), "p")
    assert [cgroup.freeze(), cgroup.thaw(), cgroup.hold(1.0), cgroup.bind((0,))] == [""] * 4
    cgroup.kill()
    cgroup.remove()
    assert not cgroup.frozen
    assert cgroup.held_to is None


def test_a_users_own_slice_protects_him_alone(tmp_path: Path) -> None:
    """It is idle among his own processes: so it is said, and counts as incomplete."""
    mounts = tmp_path / "mounts"
    mounts.write_text(f"cgroup2 {tmp_path} cgroup2 rw 0 0\n")
    own = "user.slice/user-7.slice/user@7.service"
    place = tmp_path / own / "plancton.slice/plancton-u7.slice"
    place.mkdir(parents=True)
    (place / "cpu.idle").write_text("0")
    made = ParentCgroup("u7", mounts, unit="{}.service", below=own)
    made.configure({"CgroupDriver": "systemd", "CgroupVersion": "2"})
    assert made.name == "plancton-u7.slice"
    assert (place / "cpu.idle").read_text() == "1"
    assert made.protection is Protection.USERS_IDLE
    assert made.protection.incomplete
    assert "others do not" in made.note
    assert made.siblings() == ()
    assert made.pilot_place("cpu", "p") == place / "p.service"
