"""Cpusets in Docker's words."""

from __future__ import annotations

import pytest

from plancton.engine.ports import ActionError
from plancton.runtime.docker.cpusets import check_cpusets, is_about_cpus


@pytest.mark.parametrize(
    ("error", "about"),
    [
        ("Requested CPUs are not available - requested 0-3, available: 0-1", True),
        ("failed to write 1: open /sys/fs/cgroup/cpuset/p/x/cpuset.cpus: permission denied", True),
        ('exec: "worker": executable file not found in $PATH', False),
        ("CPU-CFS quota is not supported", False),
    ],
)
def test_refusals_that_are_about_cpus_are_known(error: str, *, about: bool) -> None:
    """So that a start is tried without them, and no other failing start twice."""
    assert is_about_cpus(error) is about


def test_a_kernel_without_cpusets_is_not_asked() -> None:
    """Docker would discard them and say nothing that counts; what it does not tell of, is there."""
    check_cpusets({})
    check_cpusets({"CPUSet": True})
    with pytest.raises(ActionError, match="no cpuset controller"):
        check_cpusets({"CPUSet": False})
