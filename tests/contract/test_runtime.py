"""One contract, kept by the simulated node and by a real Docker Engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from typing import Any

import pytest

from plancton.config.schema import Profile
from plancton.engine.model.pilot import Pilot, PilotState
from plancton.engine.model.spare import Spare, spec_hash
from plancton.engine.ports import ActionError, Clock, Host, ImageMissingError, Runtime
from plancton.runtime.apptainer.pilot_folder import PilotFolder
from plancton.runtime.apptainer.runtime import ApptainerRuntime
from plancton.runtime.docker.client import docker_url
from plancton.runtime.docker.runtime import DockerRuntime
from plancton.runtime.host import HostSampler
from plancton.runtime.simulated_node import SimulatedNode
from plancton.service.process.clock import SystemClock
from tests.apptainer import apptainer_runtime
from tests.conftest import OrdinaryParent, until

SLEEPER = Profile(command=("sh", "-c", "echo hello; exec sleep 1000"), ttl=500, grace=7)
SHORT = Profile(command=("sh", "-c", "echo bye; exit 3"))


@dataclass
class Node:
    """A node under test."""

    runtime: Runtime
    host: Host
    clock: Clock
    wait: Callable[[Callable[[], object]], None]
    simulated: SimulatedNode | None

    def only(self) -> Pilot:
        """Return its only pilot."""
        (pilot,) = self.runtime.pilots()
        return pilot

    def freeze(self, pilot: Pilot) -> None:
        """Freeze it as the engine does: a kernel that gives up on a busy machine is asked again."""

        def frozen() -> bool:
            try:
                self.runtime.freeze(pilot)
            except ActionError as error:
                if "unable to freeze" not in str(error):
                    raise
                return False
            return True

        until(frozen, 60, 0.5)

    def start(self, profile: Profile) -> Pilot:
        """Start a pilot; a simulated one lives as its command would."""
        if self.simulated:
            life, code = (0.05, 3) if profile is SHORT else (1000.0, 0)
            self.simulated.lifetime = lambda _: life
            self.simulated.exit_code = code
        self.runtime.start(profile)
        if profile is SLEEPER:
            self._wait_for_its_word()
        return self.only()

    def _wait_for_its_word(self) -> None:
        """Wait until its command runs: before, a signal would reach what starts it."""
        if isinstance(self.runtime, DockerRuntime):
            id_ = self.only().id
            with self.runtime._connected() as client:
                until(lambda: client.logs(id_))
        elif isinstance(self.runtime, ApptainerRuntime):
            folder = PilotFolder(self.runtime.folder / self.only().id)
            until(lambda: folder.log(1))

    def ends(self) -> Pilot:
        """Wait until the only pilot has exited, and return it."""
        self.wait(lambda: self.only().state is PilotState.EXITED)
        return self.only()


DOCKER = pytest.param("docker", marks=pytest.mark.docker)
WITH_SPARES = pytest.mark.parametrize("node", ["simulated", DOCKER], indirect=True)


@pytest.fixture(params=["simulated", DOCKER, "apptainer"])
def node(request: pytest.FixtureRequest) -> Iterator[Node]:
    """Return a simulated node, then the real one with each engine."""
    if request.param == "simulated":
        fake = SimulatedNode()

        def step(met: Callable[[], object]) -> None:
            fake.advance(2.0)
            assert met()

        yield Node(fake, fake, fake, step, fake)
        return
    if request.param == "apptainer":
        with apptainer_runtime(request.getfixturevalue("apptainer_image")) as pilots:
            host = HostSampler(pilots.parent, lambda: "/")
            yield Node(pilots, host, SystemClock(), until, None)
        return
    instance = request.getfixturevalue("instance")
    clock, parent = SystemClock(), OrdinaryParent(instance)
    runtime = DockerRuntime(docker_url(), instance, clock, parent)
    yield Node(runtime, HostSampler(parent, lambda: "/"), clock, until, None)
    runtime.close()


def test_a_started_pilot_is_seen_with_its_promises(node: Node) -> None:
    """State, profile, cores, grace and a deadline counted from the start."""
    before = node.clock.now()
    pilot = node.start(SLEEPER)
    assert pilot.state is PilotState.RUNNING
    assert (pilot.profile, pilot.cpus, pilot.grace) == ("default", 1.0, 7.0)
    assert pilot.started_at is not None
    assert before - 0.1 <= pilot.started_at <= node.clock.now() + 0.1
    assert pilot.deadline_at == pytest.approx(pilot.started_at + 500, abs=0.001)
    assert pilot.live


def test_sigterm_ends_a_pilot(node: Node) -> None:
    """The exit code tells of it."""
    node.runtime.terminate(node.start(SLEEPER))
    assert node.ends().exit_code == 143


def test_sigkill_ends_a_pilot(node: Node) -> None:
    """The exit code tells of it, and the lifetime is known."""
    node.runtime.kill(node.start(SLEEPER))
    ended = node.ends()
    assert ended.exit_code == 137
    assert ended.lifetime is not None
    assert not ended.oom_killed


def test_an_exit_is_seen_and_its_log_kept_on_removal(node: Node) -> None:
    """Exit code and stamps before, the last lines with the removal, nothing after."""
    node.start(SHORT)
    ended = node.ends()
    assert ended.exit_code == 3
    assert ended.started_at is not None
    assert ended.finished_at is not None
    assert ended.finished_at >= ended.started_at
    assert node.runtime.remove(ended) == "bye\n"
    assert node.runtime.pilots() == ()


def test_what_has_gone_is_no_error(node: Node) -> None:
    """The status is stale when acting: all three verbs take that calmly."""
    pilot = node.start(SHORT)
    node.runtime.remove(node.ends())
    node.runtime.terminate(pilot)
    node.runtime.kill(pilot)
    assert node.runtime.remove(pilot) == ""


def test_a_missing_image_is_told_apart_and_leaves_nothing(node: Node) -> None:
    """So that it is looked for, and not taken for a broken profile."""
    if node.simulated:
        node.simulated.missing_images.add("plancton.test/none:1")
    with pytest.raises(ImageMissingError, match=r"plancton\.test/none:1"):
        node.runtime.start(Profile(image="plancton.test/none:1"))
    assert node.runtime.pilots() == ()


def test_steady_state_costs_one_request(node: Node) -> None:
    """However many pilots there are."""
    node.start(SLEEPER)
    node.runtime.start(SLEEPER)
    node.runtime.pilots()
    before = node.runtime.requests
    assert len(node.runtime.pilots()) == 2
    assert node.runtime.requests - before == 1


def test_a_pilot_is_bound_to_cpus_and_unbound(node: Node) -> None:
    """At its start and later; that is known without asking again, and by another look."""
    node.runtime.start(SLEEPER, cpus=(0,))
    pilot = node.only()
    assert pilot.bound_to == (0,)
    every = tuple(cpu for domain in node.host.sample(0).cpu_domains for cpu in domain)
    node.runtime.bind(pilot, every)
    before = node.runtime.requests
    assert node.only().bound_to == every
    assert node.runtime.requests - before == 1
    node.runtime.bind(pilot, (0,))
    assert node.only().bound_to == (0,)


def test_binding_what_has_gone_is_no_error(node: Node) -> None:
    """Nor what has ended."""
    pilot = node.start(SHORT)
    ended = node.ends()
    node.runtime.bind(pilot, (0,))
    node.runtime.remove(ended)
    node.runtime.bind(pilot, (0,))
    assert node.runtime.pilots() == ()


@pytest.mark.parametrize(("first", "then"), [(None, 2.5), (2.5, inf), (inf, 1.0)])
def test_a_pilot_is_held_to_other_cores(node: Node, first: float | None, then: float) -> None:
    """At its start and later; that is known without asking again, and by another look."""
    node.runtime.start(SLEEPER.model_copy(update={"cpu_limit": "none"}), held_to=first)
    pilot = node.only()
    assert pilot.held_to == (1.0 if first is None else first)
    assert pilot.most_cores == inf
    node.runtime.hold(pilot, then)
    before = node.runtime.requests
    assert node.only().held_to == then
    assert node.runtime.requests - before == 1
    assert node.only().cpus == 1.0


def test_holding_what_has_gone_is_no_error(node: Node) -> None:
    """Nor what has ended."""
    pilot = node.start(SHORT)
    ended = node.ends()
    node.runtime.hold(pilot, inf)
    node.runtime.remove(ended)
    node.runtime.hold(pilot, inf)
    assert node.runtime.pilots() == ()


def test_own_cpu_never_falls_when_pilots_go(node: Node) -> None:
    """The meter of all pilots keeps the time of the dead."""
    pilot = node.start(SLEEPER)
    before = node.host.sample(node.clock.now()).own_seconds
    node.runtime.kill(pilot)
    node.runtime.remove(node.ends())
    after = node.host.sample(node.clock.now()).own_seconds
    assert before is not None
    assert after is not None
    assert after >= before


def test_a_frozen_pilot_stands_still_and_goes_on(node: Node) -> None:
    """It is seen as frozen, uses no CPU, and doing it twice is no error."""
    pilot = node.start(SLEEPER)
    node.freeze(pilot)
    node.freeze(pilot)
    frozen = node.only()
    assert frozen.state is PilotState.PAUSED
    assert frozen.frozen
    assert frozen.live
    node.runtime.thaw(frozen)
    node.runtime.thaw(frozen)
    assert node.only().state is PilotState.RUNNING


@pytest.mark.parametrize("verb", ["terminate", "kill"])
def test_frozen_pilots_end(node: Node, verb: str) -> None:
    """A frozen process can act on no signal; it is thawed for it."""
    pilot = node.start(SLEEPER)
    node.freeze(pilot)
    getattr(node.runtime, verb)(node.only())
    assert node.ends().exit_code == (143 if verb == "terminate" else 137)


def test_freezing_what_has_gone_is_no_error(node: Node) -> None:
    """Both verbs take that calmly."""
    pilot = node.start(SHORT)
    node.runtime.remove(node.ends())
    node.freeze(pilot)
    node.runtime.thaw(pilot)
    assert node.runtime.pilots() == ()


def test_a_pilot_has_the_image_and_memory_it_was_started_with(node: Node) -> None:
    """Also when the very image is named."""
    first = node.start(SLEEPER)
    assert first.image_id.startswith("sha256:")
    assert first.memory == SLEEPER.memory
    node.runtime.start(SLEEPER, first.image_id)
    assert {pilot.image_id for pilot in node.runtime.pilots()} == {first.image_id}


def test_the_host_is_measured_beyond_the_cpu(node: Node) -> None:
    """Memory, disk and the minute of the week are plausible; the rest may be absent."""
    node.runtime.pilots()
    sample = node.host.sample(node.clock.now())
    assert 0 < sample.memory_available <= sample.memory_total
    assert 0 < sample.disk_free <= sample.disk_total
    assert 0 <= sample.minute_of_week < 7 * 1440
    assert sample.own_memory is not None


TELLER = Profile(
    command=("sh", "-c", "echo $PLANCTON_DEADLINE; exec sleep 1000"), ttl=500, network="none"
)


def made_spare(node: Node, profile: Profile = TELLER) -> Spare:
    """Make a spare and return it."""
    node.runtime.prepare(profile)
    assert node.runtime.pilots() == ()
    (spare,) = node.runtime.spares
    return spare


@WITH_SPARES
def test_a_spare_is_no_pilot_until_one_starts_in_it(node: Node) -> None:
    """Its pilot's life begins then: its start, its deadline, what it is told of it."""
    spare = made_spare(node)
    assert (spare.profile, spare.ready, spare.outdated) == ("default", True, "")
    assert spare.spec == spec_hash(TELLER)
    if node.simulated:
        node.simulated.advance(3.0)
    else:
        time.sleep(3.0)
    before = node.clock.now()
    started = node.runtime.start(TELLER)
    pilot = node.only()
    assert node.runtime.spares == ()
    assert (started.id, started.name) == (pilot.id, pilot.name) == (spare.id, spare.name)
    assert pilot.state is PilotState.RUNNING
    assert pilot.image_id == spare.image_id
    assert pilot.started_at is not None
    assert before - 0.1 <= pilot.started_at <= node.clock.now() + 0.1
    assert pilot.created_at == pytest.approx(pilot.started_at, abs=0.1)
    assert pilot.deadline_at == pytest.approx(pilot.started_at + 500, abs=0.01)
    if isinstance(node.runtime, DockerRuntime):
        node._wait_for_its_word()
        with node.runtime._connected() as client:
            told = int(client.logs(pilot.id))
        assert told == pytest.approx(time.time() + 500, abs=5)


@WITH_SPARES
def test_a_pilot_that_was_a_spare_is_bound_and_ends_as_others_do(node: Node) -> None:
    """CPUs, SIGTERM, exit code, log, removal."""
    made_spare(node, SLEEPER)
    if node.simulated:
        node.simulated.lifetime = lambda _: 1000.0
    node.runtime.start(SLEEPER, cpus=(0,))
    pilot = node.only()
    assert pilot.bound_to == (0,)
    if isinstance(node.runtime, DockerRuntime):
        node._wait_for_its_word()
    node.runtime.terminate(pilot)
    ended = node.ends()
    assert ended.exit_code == 143
    assert ended.lifetime is not None
    assert node.runtime.remove(ended) == ("bye\n" if node.simulated else "hello\n")
    assert node.runtime.pilots() == ()


@WITH_SPARES
@pytest.mark.parametrize(
    "other", [{"memory": 10**9}, {"name": "other"}, {"binds": ("/usr:/x",)}, {"devices": ("/d",)}]
)
def test_a_spare_is_taken_only_by_a_pilot_that_is_just_as_it(
    node: Node, other: dict[str, Any]
) -> None:
    """What is written into a container stays as it is."""
    spare = made_spare(node)
    with suppress(ActionError):  # there is no such device
        node.runtime.start(TELLER.model_copy(update=other))
    node.runtime.pilots()
    assert node.runtime.spares == (spare,)


@WITH_SPARES
def test_an_image_of_another_id_is_another_pilot(node: Node) -> None:
    """A canary, or one that stays with the last good image."""
    spare = made_spare(node)
    with suppress(ActionError):  # there is no such image
        node.runtime.start(TELLER, "sha256:" + "0" * 64)
    node.runtime.pilots()
    assert node.runtime.spares == (spare,)


@WITH_SPARES
def test_a_spare_is_removed_and_gone_is_fine(node: Node) -> None:
    """Also when it has become a pilot meanwhile, which stays."""
    spare = made_spare(node)
    node.runtime.discard(spare)
    node.runtime.discard(spare)
    assert node.runtime.pilots() == ()
    assert node.runtime.spares == ()
    taken = made_spare(node)
    node.runtime.start(TELLER)
    node.runtime.discard(taken)
    assert node.only().state is PilotState.RUNNING


@WITH_SPARES
def test_no_spare_is_made_without_its_image(node: Node) -> None:
    """Nothing is left behind."""
    if node.simulated:
        node.simulated.missing_images.add("plancton.test/none:1")
    with pytest.raises(ImageMissingError, match=r"plancton\.test/none:1"):
        node.runtime.prepare(Profile(image="plancton.test/none:1"))
    assert node.runtime.pilots() == ()
    assert node.runtime.spares == ()
