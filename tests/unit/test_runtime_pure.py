"""Docker's stamps, what is asked of Docker, and its errors in words."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from docker.errors import DockerException, NotFound
from requests.exceptions import ConnectionError as RequestsConnectionError
from requests.exceptions import ReadTimeout

from plancton.config.schema import Profile
from plancton.runtime.cgroup import ParentCgroup
from plancton.runtime.docker import container_spec as spec
from plancton.runtime.docker.client import unavailable_text
from plancton.runtime.docker.runtime import DockerRuntime
from plancton.runtime.docker.timestamps import epoch_of
from plancton.runtime.job_features import JobFeatures
from plancton.runtime.simulated_node import SimulatedNode
from plancton.service.process.clock import SystemClock


@pytest.mark.parametrize(
    ("stamp", "epoch"),
    [
        ("2026-03-29T00:59:59.5Z", 1774745999.5),
        ("2026-03-29T02:59:59.500000001+02:00", 1774745999.5),
        ("2026-10-25T02:30:00-01:00", 1792899000.0),
        ("2026-10-25T03:30:00.000000000Z", 1792899000.0),
        ("0001-01-01T00:00:00Z", None),
        ("", None),
        (None, None),
        ("soon", None),
    ],
)
def test_stamps(stamp: str | None, epoch: float | None) -> None:
    """Across offsets and DST; zero stamps are none."""
    assert epoch_of(stamp) == epoch


def test_a_stamp_is_python_s_own_idea_of_it() -> None:
    """The table above agrees with the standard library."""
    stamp = "2026-07-01T12:00:00.25+05:30"
    assert epoch_of(stamp) == datetime.fromisoformat(stamp).timestamp()


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


class Listing:
    """Stands in for Docker's client: one listing, and inspections by ID."""

    request_count = 0

    def __init__(self, items: list[dict[str, Any]], states: dict[str, dict[str, Any]]) -> None:
        """Answer with these."""
        self.items, self.states = items, states

    def containers(self, **_: Any) -> list[dict[str, Any]]:
        """Return the listing."""
        return self.items

    def inspect_container(self, id_: str) -> dict[str, Any]:
        """Return a state, or say that the container has gone."""
        if id_ not in self.states:
            raise NotFound("gone")
        return {"State": self.states[id_]}


def test_listings_of_half_removed_containers_are_understood(tmp_path: Path) -> None:
    """No names, no labels, unknown states, stamps of zero, gone between two requests."""
    zero = "0001-01-01T00:00:00Z"
    dead = {"Status": "dead", "StartedAt": zero, "FinishedAt": zero, "ExitCode": 255}
    items: list[dict[str, Any]] = [
        {"Id": "a", "Names": None, "State": "dead", "Created": 1, "Labels": None},
        {"Id": "b", "Names": [], "State": "removing", "Created": 2, "Labels": {}},
        {"Id": "c", "Names": ["/x"], "State": "of tomorrow", "Created": 3},
        {"Id": "d", "Names": ["/y"], "State": "running", "Created": 4},
        {"Id": "e", "State": "running", "Created": 5, "Labels": {spec.TTL: "x", spec.CPUS: ""}},
    ]
    listing = Listing(items, {"a": dead, "e": {"Status": "running", "StartedAt": zero}})
    runtime = DockerRuntime("unix:///x", "t", SystemClock(), ParentCgroup("t", tmp_path))
    runtime._client = listing  # type: ignore[assignment]
    pilots = {pilot.id: pilot for pilot in runtime.pilots()}
    assert set(pilots) == {"a", "b", "c", "e"}
    assert [pilots[key].state for key in "abce"] == ["dead", "removing", "removing", "running"]
    assert (pilots["a"].name, pilots["a"].started_at, pilots["a"].lifetime) == ("", None, None)
    assert (pilots["e"].deadline_at, pilots["e"].cpus) == (None, 1.0)


def test_ttl_counts_from_dockers_start_on_the_boot_clock(tmp_path: Path) -> None:
    """The wall clock was stepped by an hour after the pilot was made: its label knows better."""
    clock = SimulatedNode()
    labels = {spec.TTL: "60.000", spec.CLOCK: "1000000.000", spec.DEADLINE: "1001010.000"}
    item = {"Id": "a", "Names": ["/a"], "State": "running", "Created": 1000950, "Labels": labels}
    started = {"Status": "running", "StartedAt": "1970-01-12T15:02:32.250+01:00"}
    runtime = DockerRuntime("unix:///x", "t", clock, ParentCgroup("t", tmp_path))
    runtime._client = Listing([item], {"a": started})  # type: ignore[assignment]
    clock.wall_step = 3600
    (pilot,) = runtime.pilots()
    assert (pilot.created_at, pilot.started_at) == (950.0, 952.25)
    assert pilot.deadline_at == 1012.25


def test_labels_hold_all_that_is_needed() -> None:
    """Deadline in seconds of the epoch; the offset of the boot clock; a hash of the settings."""
    labels = spec.labels_for(Profile(ttl=60), instance="i", wall=2000.5, boot=500.25, version="v")
    assert labels[spec.DEADLINE] == "2060.500"
    assert labels[spec.CLOCK] == "1500.250"
    assert spec.spec_hash(Profile()) != spec.spec_hash(Profile(memory=10**9))


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        (DockerException, "PermissionError(13, 'Permission denied')", "group docker"),
        (DockerException, "FileNotFoundError(2, 'No such file')", "systemctl start docker"),
        (RequestsConnectionError, "Connection refused", "does not run"),
        (ReadTimeout, "Read timed out. (read timeout=60)", "stalled"),
        (DockerException, "client API version 9 is too new", "no API version of ours"),
        (OSError, "odd", "no usable answer: odd"),
    ],
)
def test_errors_say_what_to_do(kind: type[Exception], text: str, words: str) -> None:
    """Each with the engine's URL."""
    said = unavailable_text("unix:///x.sock", kind(text))
    assert words in said
    assert "unix:///x.sock" in said


def test_features_are_bound_by_absolute_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A run directory may be given relative to where Plancton was started."""
    monkeypatch.chdir(tmp_path)
    features = JobFeatures(Path("run"))
    facts: dict[str, Any] = {"node": "n", "ncpus": 4, "wall": 1000.0, "instance": "i"}
    told = features.prepare("p", Profile(ttl=60), **facts)
    assert [bind.split(":")[0] for bind in told.binds] == [
        f"{tmp_path}/run/p/machine",
        f"{tmp_path}/run/p/job",
    ]
    assert (tmp_path / "run/p/job/shutdowntime_job").read_text() == "1060\n"
    features.remove_others({"q"})
    assert not (tmp_path / "run/p").exists()
    (tmp_path / "file").touch()
    nowhere = JobFeatures(tmp_path / "file")
    assert "MACHINEFEATURES" not in nowhere.prepare("p", Profile(), **facts).env
    nowhere.prepare("q", Profile(), **facts)
    assert caplog.text.count("pilots get no machine/job features") == 1
