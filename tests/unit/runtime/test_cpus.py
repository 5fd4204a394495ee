"""Which CPUs pilots may use, on trees as the kernel shows them."""

from __future__ import annotations

from pathlib import Path

import pytest

from plancton.runtime.cgroup import ParentCgroup
from plancton.runtime.cpus import cpu_domains


def system(folder: Path, online: str, *shared: str) -> Path:
    """Make what the kernel tells of its CPUs: a small cache for each, and a last one."""
    folder.mkdir()
    (folder / "online").write_text(f"{online}\n")
    for cpu, each in enumerate(shared):
        for index, (level, cpus) in enumerate([("1", str(cpu)), ("3", each), ("2", str(cpu))]):
            cache = folder / f"cpu{cpu}" / "cache" / f"index{index}"
            cache.mkdir(parents=True)
            (cache / "level").write_text(f"{level}\n")
            (cache / "shared_cpu_list").write_text(f"{cpus}\n")
    return folder


def parent(
    folder: Path, cpusets: dict[str, str], *, unified: bool, systemd: bool = False
) -> ParentCgroup:
    """Make cpusets of the root and of the parent, as far as given, and the parent."""
    root = folder / "cgroup"
    name = "cpuset.cpus.effective" if unified else "cpuset.effective_cpus"
    for place, allowed in cpusets.items():
        here = {"root": root, "slice": root / "plancton.slice", "group": root / "plancton-x"}[place]
        here.mkdir(parents=True, exist_ok=True)
        (here / name).write_text(f"{allowed}\n")
    root.mkdir(exist_ok=True)
    kind = "cgroup2" if unified else "cgroup"
    (folder / "mounts").write_text(f"cgroup {root} {kind} rw{'' if unified else ',cpuset'} 0 0\n")
    made = ParentCgroup("x", folder / "mounts")
    driver = "systemd" if systemd else "cgroupfs"
    made.configure({"CgroupVersion": "2" if unified else "1", "CgroupDriver": driver})
    return made


@pytest.mark.parametrize("unified", [False, True])
@pytest.mark.parametrize(
    ("cpusets", "domains"),
    [
        ({}, ((0, 1), (2, 3))),
        ({"root": "0-3"}, ((0, 1), (2, 3))),
        ({"root": "0-3", "group": "1-2"}, ((1,), (2,))),
        ({"root": "0-3", "group": ""}, ((0, 1), (2, 3))),
        ({"root": "0,2,3"}, ((0,), (2, 3))),
    ],
)
def test_cpus_are_those_online_and_allowed_by_cache(
    tmp_path: Path, *, unified: bool, cpusets: dict[str, str], domains: tuple[tuple[int, ...], ...]
) -> None:
    """The parent's cpuset counts, or that of the nearest above it that is there."""
    kernel = system(tmp_path / "cpu", "0-3", "0-1", "0-1", "2-3", "2-3")
    assert cpu_domains(parent(tmp_path, cpusets, unified=unified), kernel) == domains


def test_a_slice_in_a_slice_has_the_outer_ones_cpus(tmp_path: Path) -> None:
    """Until systemd has made it."""
    kernel = system(tmp_path / "cpu", "0-1", "0-1", "0-1")
    made = parent(tmp_path, {"root": "0-1", "slice": "1"}, unified=True, systemd=True)
    assert cpu_domains(made, kernel) == ((1,),)


def test_a_core_that_is_offline_does_not_count(tmp_path: Path) -> None:
    """It has no pilot, and needs none."""
    kernel = system(tmp_path / "cpu", "0,2-3", "0-3", "0-3", "0-3", "0-3")
    assert cpu_domains(parent(tmp_path, {}, unified=True), kernel) == ((0, 2, 3),)


def test_a_machine_that_tells_nothing_has_none(tmp_path: Path) -> None:
    """Pilots roam there; without caches all CPUs are alike."""
    assert cpu_domains(ParentCgroup("x"), tmp_path / "none") == ()
    kernel = system(tmp_path / "cpu", "0-1")
    assert cpu_domains(ParentCgroup("x"), kernel) == ((0, 1),)
