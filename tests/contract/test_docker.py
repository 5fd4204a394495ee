"""What only a real Docker Engine can show."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from plancton.config.schema import Profile, Ulimit
from plancton.engine.model.node import Protection
from plancton.engine.model.pilot import PilotState
from plancton.engine.ports import ActionError, NotBoundError, RuntimeUnavailableError
from plancton.runtime.docker.client import DockerClient, docker_url
from plancton.runtime.docker.events import EventListener
from plancton.runtime.docker.runtime import DockerRuntime
from plancton.runtime.job_features import JobFeatures
from plancton.service.process.clock import SystemClock
from tests.conftest import OrdinaryParent, kernel_quota, remove_cgroups, until

pytestmark = pytest.mark.docker
SLEEPER = Profile(command=("sleep", "1000"), network="none")


@pytest.fixture
def runtime(instance: str) -> Iterator[DockerRuntime]:
    """Return a runtime of the tests' instance."""
    made = DockerRuntime(docker_url(), instance, SystemClock(), OrdinaryParent(instance))
    yield made
    made.close()


def output(runtime: DockerRuntime, profile: Profile) -> str:
    """Run a pilot to its end and return its log."""
    runtime.start(profile)
    until(lambda: runtime.pilots()[0].state is PilotState.EXITED)
    return runtime.remove(runtime.pilots()[0])


def test_the_default_pilot_has_no_rights(runtime: DockerRuntime) -> None:
    """No capability, no new privileges, nobody, first for the OOM killer."""
    command = "cat /proc/self/status /proc/self/oom_score_adj; id -u; ulimit -n"
    limits = {"nofile": Ulimit(soft=123, hard=456)}
    text = output(runtime, Profile(command=("sh", "-c", command), ulimits=limits))
    text += output(runtime, Profile(command=("grep", "-E", "Cap|NoNew", "/proc/self/status")))
    lines = text.split()
    assert "0000000000000000" in lines[lines.index("CapEff:") + 1]
    assert lines[lines.index("CapBnd:") + 1] == "0000000000000000"
    assert lines[lines.index("NoNewPrivs:") + 1] == "1"
    assert "1000\n65534\n123\n" in text


def test_settings_reach_the_container(
    runtime: DockerRuntime, docker_client: DockerClient, tmp_path: Path
) -> None:
    """Limits, mounts and rights are as the profile says."""
    (tmp_path / "f").write_text("from the host")
    profile = Profile(
        command=("sh", "-c", "cat /in/f; touch /in/x; touch /x; touch /t/y && echo $A"),
        cpus=0.5,
        memory=64_000_000,
        swap=1_000_000,
        user="0:0",
        env={"A": "value with blanks"},
        binds=(f"{tmp_path}:/in",),
        tmpfs={"/t": "size=1m"},
        cap_add=("NET_RAW",),
        read_only=True,
        pids=55,
        log_size=20_000,
        network="none",
    )
    runtime.start(profile)
    (pilot,) = runtime.pilots()
    host = docker_client.inspect_container(pilot.id)["HostConfig"]
    assert (host["CpuQuota"], host["CpuPeriod"], host["NanoCpus"]) == (50_000, 100_000, 0)
    assert host["Memory"] == 64_000_000
    assert host["PidsLimit"] == 55
    assert host["LogConfig"]["Config"]["max-size"] == "20000"
    assert host["CgroupParent"] == runtime.parent.name
    until(lambda: runtime.pilots()[0].state is PilotState.EXITED)
    text = runtime.remove(runtime.pilots()[0])
    assert "from the host" in text
    assert text.count("Read-only file system") == 2
    assert "value with blanks\n" in text  # Docker does not keep the order of two streams
    assert not (tmp_path / "x").exists()


BURNER = Profile(command=("sh", "-c", "while :; do :; done & while :; do :; done"), network="none")
"""Two processes that want a core each."""


def test_a_quota_is_the_kernels(runtime: DockerRuntime, docker_client: DockerClient) -> None:
    """Set and lifted again, also of a frozen pilot; another look at Docker says the same."""
    runtime.start(SLEEPER, held_to=math.inf)
    (pilot,) = runtime.pilots()
    assert kernel_quota(docker_client, pilot.id) == math.inf
    host = docker_client.inspect_container(pilot.id)["HostConfig"]
    assert (host["CpuQuota"], host["NanoCpus"]) == (0, 0)
    for cores in (1.5, math.inf, 0.5):
        runtime.hold(pilot, cores)
        assert kernel_quota(docker_client, pilot.id) == cores
        again = DockerRuntime(docker_url(), runtime.instance, SystemClock(), runtime.parent)
        assert again.pilots()[0].held_to == cores
        again.close()
        runtime.freeze(pilot)
    runtime.bind(pilot, (0,))
    assert kernel_quota(docker_client, pilot.id) == 0.5


TWO_CORES = pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="there is no second core")


def prefer(runtime: DockerRuntime) -> None:
    """Have pilots run before all else, whatever else this machine has to do."""
    name = (runtime.parent.name or "").lstrip("/")
    place, files = Path("/sys/fs/cgroup") / name, {"cpu.idle": "0", "cpu.weight": "10000"}
    if not (place / "cpu.weight").exists():
        place, files = Path("/sys/fs/cgroup/cpu") / name, {"cpu.idle": "0", "cpu.shares": "262144"}
    for name, value in files.items():
        (place / name).write_text(value)


def used(runtime: DockerRuntime, seconds: float) -> dict[str, float]:
    """Return the cores that each profile's only pilot uses over some seconds."""

    def counters() -> dict[str, float]:
        return {pilot.profile: pilot.cpu_seconds or 0.0 for pilot in runtime.pilots()}

    before, begun = counters(), time.monotonic()
    until(lambda: time.monotonic() - begun >= seconds, seconds + 5)
    after, span = counters(), time.monotonic() - begun
    return {profile: (after[profile] - before[profile]) / span for profile in after}


@pytest.mark.quiet
@TWO_CORES
def test_a_pilot_without_a_limit_uses_more_cores_than_were_promised(
    runtime: DockerRuntime,
) -> None:
    """Two threads of it run at once; held to its promise they have one core between them."""
    pilot = runtime.start(BURNER, held_to=math.inf)
    prefer(runtime)
    until(lambda: used(runtime, 0.5)["default"] > 1.3, 60)
    runtime.hold(pilot, 1.0)
    used(runtime, 0.2)
    assert used(runtime, 1)["default"] < 1.2


@pytest.mark.quiet
@TWO_CORES
def test_what_was_promised_is_shared_out_first(runtime: DockerRuntime) -> None:
    """Two pilots without a limit want all cores: each gets them by its promise, 3 to 1."""
    for name, cpus in (("large", 1.5), ("small", 0.5)):
        runtime.start(BURNER.model_copy(update={"name": name, "cpus": cpus}), held_to=math.inf)

    prefer(runtime)

    def by_promise() -> bool:
        now = used(runtime, 2)
        return 1.8 < now["large"] / max(0.01, now["small"]) < 5

    until(by_promise, 60)


def test_a_start_on_cpus_that_are_not_there_is_refused_for_them(runtime: DockerRuntime) -> None:
    """So that it is tried without; nothing is left of it."""
    with pytest.raises(NotBoundError, match="4000"):
        runtime.start(SLEEPER, cpus=(4000,))
    assert runtime.pilots() == ()


def test_a_frozen_pilot_is_bound_where_it_is(runtime: DockerRuntime) -> None:
    """It stays frozen."""
    runtime.start(SLEEPER, cpus=(0,))
    (pilot,) = runtime.pilots()
    runtime.freeze(pilot)
    (frozen,) = runtime.pilots()
    runtime.bind(frozen, tuple(range(os.cpu_count() or 1)))
    (pilot,) = runtime.pilots()
    assert pilot.state is PilotState.PAUSED
    assert pilot.bound_to == tuple(range(os.cpu_count() or 1))


def test_a_missing_source_of_a_bind_is_not_made(runtime: DockerRuntime, tmp_path: Path) -> None:
    """A typo leaves no folder of root's on the node, and no container."""
    with pytest.raises(ActionError, match=f"{tmp_path}/typo"):
        runtime.start(Profile(binds=(f"{tmp_path}/typo:/in",), network="none"))
    assert list(tmp_path.iterdir()) == []
    assert runtime.pilots() == ()


def test_a_link_that_a_pilot_makes_gets_no_pilot_out_of_what_is_allowed(
    runtime: DockerRuntime, tmp_path: Path
) -> None:
    """Neither the node's own files nor, while it may still make one, what lies beside it."""
    scratch, secret = tmp_path / "scratch", tmp_path / "secret"
    for folder in (scratch, secret):
        folder.mkdir()
        folder.chmod(0o777)
    plant = f"mkdir /s/sub; ln -s {secret} /s/planted; sleep 1000"
    writer = Profile(
        name="writer", command=("sh", "-c", plant), binds=(f"{scratch}:/s:rw",), network="none"
    )
    runtime.start(writer.bound_within((f"{scratch}",)))
    until((scratch / "planted").is_symlink)

    def reader(sub: str) -> Profile:
        bind = f"{scratch}/{sub}:/x:rw"
        made = Profile(name="reader", command=("sleep", "1000"), binds=(bind,), network="none")
        return made.bound_within((f"{scratch}",))

    astray = f"profile reader: {scratch}/planted:/x:rw leads to {secret} by a link below {scratch}"
    with pytest.raises(ActionError, match=astray):
        runtime.start(reader("planted"))
    (pilot,) = runtime.pilots()
    with pytest.raises(ActionError, match=f"/sub:/x:rw lies below {scratch}, which pilots may"):
        runtime.start(reader("sub"))
    runtime.kill(pilot)
    until(lambda: runtime.pilots()[0].state is PilotState.EXITED)
    runtime.remove(pilot)
    runtime.start(reader("sub"))  # nobody is there any more who could swap it
    with pytest.raises(ActionError, match=astray):
        runtime.start(reader("planted"))
    assert list(secret.iterdir()) == []


def test_pilots_live_in_the_idle_class(runtime: DockerRuntime) -> None:
    """Verified in the kernel, and set again when something took it away."""
    runtime.start(SLEEPER)
    (pilot,) = runtime.pilots()
    place = Path("/sys/fs/cgroup/cpu") / str(runtime.parent.name).lstrip("/")
    assert runtime.parent.verify() is Protection.IDLE
    assert (place / pilot.id / "tasks").read_text()
    (place / "cpu.idle").write_text("0")
    assert runtime.parent.verify() is Protection.IDLE
    assert (place / "cpu.idle").read_text() == "1\n"
    assert runtime.parent.pilot_seconds(pilot.id) is not None


def test_a_pilot_is_told_its_limits(
    runtime: DockerRuntime, docker_client: DockerClient, tmp_path: Path
) -> None:
    """By environment and by machine/job features, which follow when it is asked to end."""
    runtime.launcher.features = JobFeatures(tmp_path)
    show = "trap 'cat $JOBFEATURES/shut*; exit' TERM; cat $MACHINEFEATURES/* $JOBFEATURES/job_id"
    command = ("sh", "-c", f"{show}; sleep 1000 & wait")
    profile = Profile(command=command, network="none", ttl=500, grace=7, env={"PLANCTON_TTL": "x"})
    name = runtime.start(profile).name
    (pilot,) = runtime.pilots()
    until(lambda: name in str(docker_client.logs(pilot.id)))
    before = int((tmp_path / name / "job" / "shutdowntime_job").read_text())
    runtime.terminate(pilot)
    until(lambda: runtime.pilots()[0].state is PilotState.EXITED)
    log = runtime.remove(runtime.pilots()[0])
    after = int(log.split()[-1])
    assert after < before - 400
    assert not (tmp_path / name).exists()


def test_a_checkpoint_hint_is_seen(runtime: DockerRuntime) -> None:
    """The pilot touches a file in a memory of its own; root reads when."""
    hint = "touch $PLANCTON_HINTS/checkpoint; sleep 1000"
    runtime.start(Profile(command=("sh", "-c", hint), network="none"))
    until(lambda: runtime.pilots()[0].checkpoint_at is not None)
    (pilot,) = runtime.pilots()
    assert abs((pilot.checkpoint_at or 0) - SystemClock().now()) < 10


@pytest.mark.parametrize(
    "make",
    ["mkfifo checkpoint", "ln -s /etc/passwd checkpoint", "mkdir checkpoint", "mknod checkpoint p"],
)
def test_a_hint_of_any_kind_is_only_looked_at(runtime: DockerRuntime, make: str) -> None:
    """It is never opened, and no link is followed: when it was made is all that counts."""
    hint = f"cd $PLANCTON_HINTS && {make}; sleep 1000"
    begun = SystemClock().now()
    runtime.start(Profile(command=("sh", "-c", hint), network="none"))
    until(lambda: runtime.pilots()[0].checkpoint_at is not None)
    (pilot,) = runtime.pilots()
    assert begun - 1 < (pilot.checkpoint_at or 0) <= SystemClock().now()


def test_a_pilot_that_mounts_over_its_hints_is_not_followed(runtime: DockerRuntime) -> None:
    """What it puts there may hang; it only gives up its own hints."""
    hint = "mount -t tmpfs x /plancton/hints; touch /plancton/hints/checkpoint /tmp/done; sleep 999"
    options = ("apparmor=unconfined", "seccomp=unconfined")
    profile = Profile(
        command=("sh", "-c", hint),
        network="none",
        user="0:0",
        cap_drop=(),
        cap_add=("SYS_ADMIN",),
        security_opt=options,
        tmpfs={"/tmp": ""},  # noqa: S108 (the pilot's own)
    )
    runtime.start(profile)
    (pilot,) = runtime.pilots()
    pid = runtime._inspections[pilot.id].pid
    until(lambda: Path(f"/proc/{pid}/root/tmp/done").exists())
    assert runtime.pilots()[0].checkpoint_at is None


def test_a_pilot_cannot_fill_the_host_by_hints(runtime: DockerRuntime) -> None:
    """The place for hints holds a page."""
    fill = "head -c 1000000 /dev/zero > $PLANCTON_HINTS/x; ls -l $PLANCTON_HINTS/x"
    text = output(runtime, Profile(command=("sh", "-c", fill), network="none"))
    assert " 4096 " in text


@pytest.mark.parametrize("readable", [True, False], ids=["walked", "asked"])
def test_what_a_pilot_wrote_is_measured(runtime: DockerRuntime, *, readable: bool) -> None:
    """In its layer and its volume; as root by a walk, else by asking Docker, for its layer."""
    write = (
        "dd if=/dev/zero of=/x bs=1M count=5; dd if=/dev/zero of=/vol/x bs=1M count=3; echo done"
    )
    command = ("sh", "-c", f"{write}; sleep 1000")
    volume = f"plancton-test-{os.getpid()}"
    profile = Profile(command=command, user="0:0", binds=(f"{volume}:/vol:rw",), disk=10**9)
    runtime.start(profile)
    (pilot,) = runtime.pilots()
    assert (pilot.disk, pilot.written) == (10**9, None)
    client = runtime._client
    assert client
    until(lambda: b"done" in client.logs(pilot.id))
    if not readable:
        places = runtime._inspections[pilot.id].places
        runtime.disk.watch({pilot.id: replace(places, layer="/none")})
    before = runtime.requests
    runtime.disk.measure()
    assert runtime.requests == before
    (pilot,) = runtime.pilots()
    assert pilot.written
    assert 5_000_000 < pilot.written.size < 6_000_000
    assert (pilot.written.files is not None) is readable
    runtime.kill(pilot)
    runtime.remove(pilot)
    client.remove_volume(volume)


def test_pilots_without_features_get_nothing(runtime: DockerRuntime, tmp_path: Path) -> None:
    """For images that must not see any of it."""
    runtime.launcher.features = JobFeatures(tmp_path)
    text = output(runtime, Profile(command=("env",), network="none", features=False))
    assert "PLANCTON" not in text
    assert "FEATURES" not in text
    assert list(tmp_path.iterdir()) == []


def test_a_refused_start_leaves_nothing(runtime: DockerRuntime) -> None:
    """Docker keeps a created container when a start fails; we do not."""
    with pytest.raises(ActionError, match="no such file"):
        runtime.start(Profile(command=("/no/such/program",), init=False))
    assert runtime.pilots() == ()


def test_instances_do_not_see_each_other(
    runtime: DockerRuntime, docker_client: DockerClient
) -> None:
    """Foreign containers are never ours, whatever their names."""
    name = "plancton-default-foreign"
    made = docker_client.create_container("busybox", ["sleep", "9"], name=name)
    try:
        runtime.start(SLEEPER)
        assert [pilot.name for pilot in runtime.pilots()] != [name]
        assert len(runtime.pilots()) == 1
        other = DockerRuntime(docker_url(), "testother", SystemClock(), OrdinaryParent("testother"))
        assert other.pilots() == ()
        other.close()
    finally:
        docker_client.remove_container(made["Id"], force=True)
        remove_cgroups("plancton-testother")


def test_an_idle_event_stream_can_be_closed(runtime: DockerRuntime, instance: str) -> None:
    """It tells of an end, and its thread ends when asked."""
    ended: list[str] = []
    listener = EventListener(docker_url(), instance, ended.append)
    thread = threading.Thread(target=listener.run)
    thread.start()
    until(lambda: ended == [""])
    runtime.start(SLEEPER)
    (pilot,) = runtime.pilots()
    runtime.kill(pilot)
    until(lambda: pilot.id in ended)
    listener.stop()
    thread.join(timeout=5)
    assert not thread.is_alive()


def test_an_end_is_seen_as_soon_as_it_was_reported(runtime: DockerRuntime, instance: str) -> None:
    """Docker's listing lags behind its events; a doubted pilot is looked at closely."""
    seen: list[PilotState] = []

    def look(id_: str) -> None:
        if id_:
            other = DockerRuntime(docker_url(), instance, SystemClock(), OrdinaryParent(instance))
            seen.extend(pilot.state for pilot in other.pilots(frozenset({id_})))
            other.close()

    listener = EventListener(docker_url(), instance, look)
    thread = threading.Thread(target=listener.run)
    thread.start()
    runtime.start(SLEEPER)
    runtime.kill(runtime.pilots()[0])
    until(lambda: seen)
    listener.stop()
    thread.join(timeout=5)
    assert seen == [PilotState.EXITED]


def test_no_docker_is_said_with_what_to_do(tmp_path: Path) -> None:
    """The socket's name and the way out are in the sentence."""
    url = f"unix://{tmp_path}/none.sock"
    gone = DockerRuntime(url, "testx", SystemClock(), OrdinaryParent("testx"))
    with pytest.raises(RuntimeUnavailableError, match=r"does not run at .*none.sock: start it"):
        gone.pilots()
