"""Doctor tells what becomes of frozen pilots' memory, and which limits pilots have."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from plancton.cli.doctor.memory import check_frozen_memory
from plancton.cli.doctor.node import check_limits
from plancton.config.schema import Config
from plancton.runtime.cgroup import ParentCgroup


@pytest.mark.parametrize(
    ("below", "swap", "uid", "files", "found"),
    [
        ("50%", 10**9, 0, ["memory.reclaim"], "goes to swap (1 GB) below 50% available, by memory"),
        ("50%", 10**9, 0, [], "by memory.high"),
        ("off", 10**9, 0, ["memory.reclaim"], "kept, as configured"),
        ("50%", 0, 0, ["memory.reclaim"], "this node has no swap"),
        ("50%", 10**9, 1000, ["memory.reclaim"], "only Plancton as root"),
    ],
)
def test_what_becomes_of_frozen_memory(
    below: str,
    swap: int,
    uid: int,
    files: list[str],
    found: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By configuration, swap, right and kernel."""
    monkeypatch.setattr(psutil, "swap_memory", lambda: SimpleNamespace(total=swap))
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    for name in files:
        (tmp_path / name).write_text("")
    mounts = tmp_path / "mounts"
    mounts.write_text(f"cgroup {tmp_path} cgroup2 rw 0 0\n")
    parent = ParentCgroup("root", mounts)
    parent.configure({"CgroupDriver": "systemd", "CgroupVersion": "2"})
    config = Config.model_validate({"protect": {"memory": {"reclaim_below": below}}})
    check = check_frozen_memory(config, parent)
    assert check.verdict == "OK"
    assert found in check.found


def test_limits_that_are_not_enforced_are_a_warning() -> None:
    """Each by its key in the configuration."""
    assert check_limits({}).verdict == "OK"
    check = check_limits({"MemoryLimit": False, "CpuCfsQuota": False})
    assert (check.verdict, "cpus, memory of pilots" in check.found) == ("WARN", True)
