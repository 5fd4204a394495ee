"""Mountinfo, as the kernel writes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from plancton.runtime.mounts import Mount, mount_of, parse_mountinfo
from tests.unit.cli.doctor.nodes import ODD, SYSTEMD


def test_mountinfo_is_read_as_the_kernel_writes_it() -> None:
    """Optional fields of any number, blanks in names."""
    assert parse_mountinfo(SYSTEMD + ODD)[3:] == (
        Mount("/my data", "tmpfs", shared=False, slave=False),
        Mount("/data", "tmpfs", shared=True, slave=True),
        Mount("/data", "tmpfs", shared=False, slave=False),
        Mount("/data/deep", "tmpfs", shared=True, slave=False),
    )
    assert parse_mountinfo("") == ()
    assert parse_mountinfo(Path("/proc/self/mountinfo").read_text())


@pytest.mark.parametrize(
    ("path", "point", "shared"),
    [
        ("/", "/", True),
        ("/etc/x", "/", True),
        ("/proc", "/proc", True),
        ("/processes", "/", True),
        ("/data", "/data", False),
        ("/data/deeper", "/data", False),
        ("/data/deep/down", "/data/deep", True),
    ],
)
def test_a_path_lies_on_the_innermost_topmost_mount(path: str, point: str, shared: bool) -> None:
    """Whole names count, and of two mounts at one place the later."""
    found = mount_of(path, parse_mountinfo(SYSTEMD + ODD))
    assert (found.point, found.shared) == (point, shared)
