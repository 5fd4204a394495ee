"""What is asked of Docker for a pilot."""

from __future__ import annotations

from typing import Any

import pytest

from plancton.config.schema import Profile
from plancton.runtime.docker import container_spec as spec


def body(**fields: Any) -> dict[str, Any]:
    """Return the create request of a profile."""
    profile = Profile(**fields)
    return spec.container_spec(
        profile, labels={"a": "b"}, parent="/plancton", low_weight=False, oom_score_adj=1000
    )


@pytest.mark.parametrize(
    ("bind", "asked"),
    [
        ("/a:/b", "/a:/b:ro"),
        ("/a:/b:rw", "/a:/b:rw"),
        ("/a:/b:ro,Z", "/a:/b:ro,Z"),
        ("/a:/b:rslave", "/a:/b:rslave,ro"),
        ("/a:/b:rw,shared,Z", "/a:/b:rw,shared,Z"),
    ],
)
def test_binds_are_read_only_unless_asked(bind: str, asked: str) -> None:
    """Mode and propagation as written."""
    assert body(binds=(bind,))["HostConfig"]["Binds"] == [asked]


@pytest.mark.parametrize(
    ("device", "inside", "rights"),
    [
        ("/dev/a", "/dev/a", "rwm"),
        ("/dev/a:/dev/b", "/dev/b", "rwm"),
        ("/dev/a:/dev/b:r", "/dev/b", "r"),
    ],
)
def test_devices(device: str, inside: str, rights: str) -> None:
    """With and without a name and rights inside."""
    (asked,) = body(devices=(device,))["HostConfig"]["Devices"]
    assert (asked["PathInContainer"], asked["CgroupPermissions"]) == (inside, rights)


def test_the_default_request_is_least_privilege() -> None:
    """And bounded in memory, swap, processes and log."""
    asked = body()
    host = asked["HostConfig"]
    assert asked["User"] == "65534:65534"
    assert (host["CapDrop"], host["CapAdd"]) == (["ALL"], [])
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert (host["Memory"], host["MemorySwap"]) == (2_000_000_000, 2_000_000_000)
    assert (host["PidsLimit"], host["Privileged"], host["OomScoreAdj"]) == (1024, False, 1000)
    assert host["LogConfig"]["Config"] == {"max-size": "10000000", "max-file": "1"}
    assert host["RestartPolicy"] == {"Name": "no"}
    assert "CpuShares" not in host


def test_fallbacks_and_absences_in_the_request() -> None:
    """Low weight only where it is the only protection; the image's own command."""
    profile = Profile(command=(), pids=-1)
    asked = spec.container_spec(profile, labels={}, parent=None, low_weight=True, oom_score_adj=500)
    assert "Cmd" not in asked
    assert asked["HostConfig"]["CpuShares"] == 2
    assert "CgroupParent" not in asked["HostConfig"]
    assert "PidsLimit" not in asked["HostConfig"]


def test_labels_hold_all_that_is_needed() -> None:
    """Deadline in seconds of the epoch; the offset of the boot clock; a hash of the settings."""
    labels = spec.labels_for(Profile(ttl=60), instance="i", wall=2000.5, boot=500.25, version="v")
    assert labels[spec.DEADLINE] == "2060.500"
    assert labels[spec.CLOCK] == "1500.250"
    assert spec.spec_hash(Profile()) != spec.spec_hash(Profile(memory=10**9))
