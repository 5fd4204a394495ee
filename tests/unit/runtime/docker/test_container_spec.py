"""What is asked of Docker for a pilot."""

from __future__ import annotations

import math
from typing import Any

import pytest

from plancton.config.schema import Profile
from plancton.engine.model.spare import spec_hash
from plancton.runtime.docker import container_spec as spec


def body(**fields: Any) -> dict[str, Any]:
    """Return the create request of a profile."""
    profile = Profile(**fields)
    return spec.container_spec(
        profile, labels={"a": "b"}, parent="/plancton", low_weight=False, oom_score_adj=1000
    )


@pytest.mark.parametrize(
    ("bind", "read_only", "spread"),
    [
        ("/a:/b", True, None),
        ("/a:/b:ro", True, None),
        ("/a:/b:rw", False, None),
        ("/a:/b:rslave", True, "rslave"),
        ("/a:/b:rw,shared", False, "shared"),
    ],
)
def test_a_bind_is_a_mount_whose_source_must_exist(
    bind: str, read_only: bool, spread: str | None
) -> None:
    """Read-only unless asked; propagation as written."""
    host = body(binds=(bind,))["HostConfig"]
    wanted = {"Type": "bind", "Source": "/a", "Target": "/b", "ReadOnly": read_only}
    wanted |= {"BindOptions": {"Propagation": spread}} if spread else {}
    assert (host["Mounts"], host["Binds"]) == ([wanted], [])


@pytest.mark.parametrize(
    ("bind", "asked"),
    [
        ("/a:/b:ro,Z", "/a:/b:ro,Z"),
        ("/a:/b:z", "/a:/b:z,ro"),
        ("/a:/b:rw,shared,Z", "/a:/b:rw,shared,Z"),
        ("volume:/b:rw", "volume:/b:rw"),
        ("/a:/b:ro,rw", "/a:/b:ro,rw"),
        ("/a:/b:rw,odd", "/a:/b:rw,odd"),
    ],
)
def test_what_no_mount_can_say_stays_a_bind(bind: str, asked: str) -> None:
    """Relabelling for SELinux, volumes, and what Docker is to refuse by itself."""
    host = body(binds=(bind,))["HostConfig"]
    assert (host["Binds"], host["Mounts"]) == ([asked], [])


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


@pytest.mark.parametrize(
    ("cpus", "held_to", "quota"),
    [(1, None, 100_000), (0.5, None, 50_000), (1, 2.5, 250_000), (1, math.inf, None)],
)
def test_a_quota_is_the_promise_or_what_was_decided(
    cpus: float, held_to: float | None, quota: int | None
) -> None:
    """Without a limit there is none: no key of it is in the request."""
    asked = spec.container_spec(
        Profile(cpus=cpus, cpu_limit="none"),
        labels={},
        parent="/plancton",
        low_weight=False,
        oom_score_adj=1000,
        held_to=held_to,
    )["HostConfig"]
    assert asked.get("CpuQuota") == quota
    assert ("CpuPeriod" in asked) is (quota is not None)
    assert "NanoCpus" not in asked


@pytest.mark.parametrize(
    ("cpus", "weight"), [(0.01, 10), (0.5, 512), (1, None), (2.5, 2560), (4096, 262_144)]
)
def test_the_weight_is_the_promise(cpus: float, weight: int | None) -> None:
    """So that pilots without a limit do not take what was promised to others."""
    assert body(cpus=cpus)["HostConfig"].get("CpuShares") == weight


@pytest.mark.parametrize(
    ("host", "cores"),
    [
        ({"CpuQuota": 150_000, "CpuPeriod": 100_000}, 1.5),
        ({"CpuQuota": 150_000, "CpuPeriod": 0}, 1.5),
        ({"CpuQuota": 0, "CpuPeriod": 0}, math.inf),
        ({"CpuQuota": -1, "CpuPeriod": 100_000}, math.inf),
        ({}, None),
        ({"CpuQuota": "1", "CpuPeriod": None}, None),
    ],
)
def test_a_quota_is_read_back(host: dict[str, Any], cores: float | None) -> None:
    """As Docker shows it."""
    assert spec.held_to(host) == cores


def test_labels_hold_all_that_is_needed() -> None:
    """Deadline in seconds of the epoch; the offset of the boot clock; a hash of the settings."""
    labels = spec.labels_for(
        Profile(ttl=60), name="n", instance="i", wall=2000.5, boot=500.25, version="v"
    )
    assert labels[spec.DEADLINE] == "2060.500"
    assert labels[spec.CLOCK] == "1500.250"
    assert (labels[spec.CPUS], labels[spec.CPU_LIMIT]) == ("1", "1")
    assert spec.cpu_limit_text(Profile(cpu_limit="none").most_cores) == "none"
    assert spec_hash(Profile()) != spec_hash(Profile(memory=10**9))
