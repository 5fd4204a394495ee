"""What only a real Docker Engine can show of spares."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from plancton.config.schema import Profile
from plancton.engine.model.pilot import PilotState
from plancton.engine.model.spare import Spare
from plancton.engine.ports import ActionError
from plancton.runtime.docker.client import DockerClient, docker_url
from plancton.runtime.docker.gate import let_go
from plancton.runtime.docker.runtime import DockerRuntime
from plancton.runtime.job_features import JobFeatures
from plancton.service.process.clock import SystemClock
from tests.conftest import OrdinaryParent, until

pytestmark = pytest.mark.docker
SLEEPER = Profile(command=("sleep", "1000"), network="none")
SHELLS_OWN = {"PWD", "OLDPWD", "SHLVL", "_"}
"""Variables that a shell adds."""
ONE_PILOTS_OWN = {"PLANCTON_PILOT", "PLANCTON_DEADLINE", "HOSTNAME"}


class SetClock(SystemClock):
    """A clock whose wall may be set."""

    step = 0.0

    def wall(self) -> float:
        """Return what it was set to."""
        return super().wall() + self.step


class Bench:
    """A runtime, and what may change around it."""

    def __init__(self, instance: str, folder: Path) -> None:
        """Keep features in *folder*."""
        self.clock, self.oom, self.folder = SetClock(), 1000, folder
        self.runtime = DockerRuntime(
            docker_url(),
            instance,
            self.clock,
            OrdinaryParent(instance),
            oom_score_adj=lambda: self.oom,
            features=JobFeatures(folder),
        )

    def spare(self) -> Spare:
        """Return its only spare, as Docker lists it now."""
        self.runtime.pilots()
        (spare,) = self.runtime.spares
        return spare

    def output(self, profile: Profile) -> tuple[str, int | None]:
        """Run a pilot to its end; returns its log and its exit code."""
        self.runtime.start(profile)
        until(lambda: self.runtime.pilots()[0].state is PilotState.EXITED)
        (pilot,) = self.runtime.pilots()
        with self.runtime._connected() as client:
            text = bytes(client.logs(pilot.id)).decode()
        self.runtime.remove(pilot)
        return text, pilot.exit_code


@pytest.fixture
def bench(instance: str, tmp_path: Path) -> Iterator[Bench]:
    """Return a runtime of the tests' instance."""
    made = Bench(instance, tmp_path)
    yield made
    made.runtime.close()


def variables(text: str) -> dict[str, str]:
    """Return the variables in what ``env`` printed, but for those that differ by their nature."""
    every = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    return {k: v for k, v in every.items() if k not in SHELLS_OWN | ONE_PILOTS_OWN}


@pytest.mark.parametrize("features", [True, False])
@pytest.mark.parametrize("init", [True, False])
def test_a_command_finds_the_same_in_a_spare(bench: Bench, features: bool, init: bool) -> None:
    """Environment, words, user, folder, standard input, limits, and its exit code."""
    script = 'env; echo "$0 $# $1:$2"; id; pwd; readlink /proc/self/fd/0; ulimit -a; exit 7'
    command = ("sh", "-c", script, "zero", "a  b", "$HOME `id`")
    values = {"features": features, "init": init, "network": "none", "env": {"OWN": "a b\nc"}}
    profile = Profile.model_validate({"command": command, **values})
    plain, code = bench.output(profile)
    bench.runtime.prepare(profile)
    spare = bench.spare()
    held, other_code = bench.output(profile)
    assert bench.runtime.spares == ()
    assert spare.name in held or not features
    assert (code, other_code) == (7, 7)
    assert ("PLANCTON_DEADLINE=" in plain, "PLANCTON_DEADLINE=" in held) == (features, features)
    assert variables(held) == variables(plain)
    rest = [line for line in plain.splitlines() if "=" not in line or line.startswith("uid")]
    assert [line for line in held.splitlines() if line in rest] == rest


def test_a_command_that_is_not_there_is_a_pilot_that_failed(bench: Bench) -> None:
    """Docker could not say so when the spare was made."""
    profile = Profile(command=("/no/such/command",), network="none")
    bench.runtime.prepare(profile)
    text, code = bench.output(profile)
    assert code == 127
    assert "/no/such/command" in text


def test_what_is_written_into_a_spare_may_age(bench: Bench) -> None:
    """The clock's offset, and what every pilot is given: then no pilot starts in it."""
    bench.runtime.prepare(SLEEPER)
    assert bench.spare().outdated == ""
    bench.clock.step = 5.0
    assert "wall clock" in bench.spare().outdated
    bench.clock.step = 0.5
    assert bench.spare().outdated == ""
    bench.oom = 900
    assert "every pilot" in bench.spare().outdated
    spare = bench.spare()
    pilot = bench.runtime.start(SLEEPER)
    assert pilot.id != spare.id
    assert bench.spare().id == spare.id


def test_one_that_ended_is_not_ready(bench: Bench, docker_client: DockerClient) -> None:
    """And no pilot starts in it."""
    bench.runtime.prepare(SLEEPER)
    docker_client.kill(bench.spare().id)
    until(lambda: not bench.spare().ready)
    assert bench.runtime.start(SLEEPER).id != bench.spare().id


@pytest.fixture
def bare(docker_client: DockerClient, instance: str) -> Iterator[str]:
    """Return an image that holds one program, and no shell; it is gone afterwards."""
    made = docker_client.create_container("busybox:latest")["Id"]
    archive, _ = docker_client.get_archive(made, "/bin/busybox")
    name = f"{instance}-bare"
    docker_client.import_image_from_data(b"".join(archive), repository=name)
    docker_client.remove_container(made)
    yield name
    docker_client.remove_image(name, force=True)


def test_an_image_without_a_shell_is_refused_and_leaves_nothing(bench: Bench, bare: str) -> None:
    """Docker says so, or the init that it adds ends at once."""
    values = {"image": bare, "command": ("/busybox", "sleep", "1000"), "network": "none"}
    with pytest.raises(ActionError, match="/bin/sh"):
        bench.runtime.prepare(Profile.model_validate({**values, "init": False}))
    assert bench.runtime.pilots() == ()
    assert bench.runtime.spares == ()
    profile = Profile.model_validate(values)
    bench.runtime.prepare(profile)
    until(lambda: not bench.spare().ready)
    bench.runtime.discard(bench.spare())
    bench.runtime.pilots()
    assert bench.runtime.spares == ()
    assert not list(bench.folder.iterdir())
    assert bench.runtime.start(profile).name


def test_what_lets_spares_go_keeps_no_connection(docker_client: DockerClient) -> None:
    """Docker would keep one end of each, as long as the pilot lives."""
    script = "while read -r line; do echo $line; done"
    body = {"Image": "busybox:latest", "Cmd": ["sh", "-c", script], "OpenStdin": True}
    made = docker_client.create_container_from_config(body)["Id"]  # type: ignore[no-untyped-call]
    try:
        docker_client.start(made)
        opened = len(list(Path("/proc/self/fd").iterdir()))
        for number in range(40):
            let_go(docker_client, made, number)
        assert len(list(Path("/proc/self/fd").iterdir())) <= opened + 1
        until(lambda: len(docker_client.logs(made).split()) == 40)
    finally:
        docker_client.remove_container(made, force=True)


def test_nothing_is_left_of_spares(bench: Bench, docker_client: DockerClient) -> None:
    """Also if somebody else removed one."""
    bench.runtime.prepare(SLEEPER)
    bench.runtime.discard(bench.spare())
    bench.runtime.prepare(SLEEPER)
    docker_client.remove_container(bench.spare().id, force=True)
    assert bench.runtime.pilots() == ()
    assert not list(bench.folder.iterdir())
    bench.runtime.prepare(SLEEPER)
    bench.runtime.start(SLEEPER)
    (pilot,) = bench.runtime.pilots()
    bench.runtime.remove(pilot)
    assert not list(bench.folder.iterdir())


def test_the_beginning_is_known_to_the_next_plancton(bench: Bench, instance: str) -> None:
    """By its file; without it, the spare's start counts, which is earlier."""
    bench.runtime.prepare(SLEEPER)
    time.sleep(0.5)  # the stamps are Docker's and ours
    started = bench.runtime.start(SLEEPER)
    bench.runtime.close()
    other = Bench(instance, bench.folder)
    (pilot,) = other.runtime.pilots()
    assert pilot.started_at == pytest.approx(started.started_at, abs=0.5)
    other.runtime.close()
    (bench.folder / pilot.name / "began").unlink()
    third = Bench(instance, bench.folder)
    (pilot,) = third.runtime.pilots()
    assert pilot.started_at is not None
    assert started.started_at is not None
    assert pilot.started_at < started.started_at
    third.runtime.close()
