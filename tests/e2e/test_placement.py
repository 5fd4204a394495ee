"""Pilots bound to cores of their own, as Docker and the kernel have it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from plancton.engine.model.cpu_list import parse_cpu_list
from tests.conftest import until
from tests.e2e.conftest import Containers
from tests.e2e.docker_proxy import DockerProxy, Exchange, gateway
from tests.e2e.service import CORES, Service

pytestmark = [
    pytest.mark.docker,
    pytest.mark.skipif(CORES < 2, reason="with one core there is nothing to spread"),
]
OWN = sorted((cpu,) for cpu in range(CORES))
ALL = [tuple(range(CORES))] * CORES
OFF = {"latency": "off"}


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[DockerProxy]:
    """Return what stands before the machine's Docker."""
    made = DockerProxy(tmp_path / "docker.sock", Path("/var/run/docker.sock"))
    yield made
    made.close()


def allowed(containers: Containers) -> list[tuple[int, ...]]:
    """Return the CPUs that the kernel lets each pilot use; none while Docker disagrees."""
    found = []
    for id_ in containers.ids():
        container = containers.client.inspect_container(id_)
        status = Path(f"/proc/{container['State']['Pid']}/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith("Cpus_allowed_list:"))
        cpus = parse_cpu_list(line.partition(":")[2])
        docker = parse_cpu_list(container["HostConfig"]["CpusetCpus"])
        found.append(cpus if docker in ((), cpus) else ())
    return sorted(found)


def spread(service: Service) -> None:
    """Have each pilot on a core of its own."""
    service.start()
    until(lambda: len(service.names()) == CORES and service.status()["spread"])


def test_each_pilot_is_bound_and_its_successor_too(
    service: Service, containers: Containers
) -> None:
    """In Docker and in the kernel; the others stay where they are."""
    service.configure(spawn={"short_life": 0})
    spread(service)
    until(lambda: allowed(containers) == OWN)
    assert "latency     balanced: each pilot on cores of its own" in service.ask("status")
    before = {p["name"]: p["bound_to"] for p in service.status()["pilots"]}
    victim = min(before)
    containers.client.kill(victim)
    until(lambda: victim not in service.names() and len(service.names()) == CORES)
    after = {p["name"]: p["bound_to"] for p in service.status()["pilots"]}
    assert {name: after[name] for name in before if name != victim} == {
        name: cpus for name, cpus in before.items() if name != victim
    }
    until(lambda: allowed(containers) == OWN)


def test_a_mode_that_is_switched_off_is_taken_back(
    service: Service, containers: Containers
) -> None:
    """At the next tick, from all pilots; and on again it binds those that run."""
    spread(service)
    service.configure(protect=OFF)
    until(lambda: service.status()["latency"] == "off: pilots roam")
    until(lambda: allowed(containers) == ALL)
    service.configure()
    until(lambda: allowed(containers) == OWN)


def test_nothing_is_left_at_the_end(service: Service, containers: Containers) -> None:
    """The pilots run on, on all cores; the next start binds them again."""
    spread(service)
    before = containers.names()
    assert service.stop() == 0
    assert containers.names() == before
    assert allowed(containers) == ALL
    spread(service)
    until(lambda: allowed(containers) == OWN)
    assert containers.names() == before


@pytest.mark.parametrize("protect", [OFF, {}])
def test_what_a_killed_service_left_is_taken_over(
    service: Service, containers: Containers, protect: dict[str, str]
) -> None:
    """As the configuration says then: undone, or kept."""
    spread(service)
    service.close()
    assert allowed(containers) == OWN
    service.configure(protect=protect)
    service.start()
    until(lambda: allowed(containers) == (ALL if protect else OWN))
    assert service.status()["spawned"] == 0


def bind_warnings(service: Service) -> list[str]:
    """Return what status warns of about this mode; a slow machine has other warnings."""
    return [each for each in service.status()["warnings"] if each.startswith("protect.latency: ")]


def test_a_docker_that_updates_nothing_is_left_in_peace(
    proxy: DockerProxy, tmp_path: Path, instance: str, containers: Containers
) -> None:
    """Pilots run all the same; it is said once, and not tried at each tick."""
    service = Service(tmp_path, instance, docker=proxy.url)
    service.configure(protect=OFF)
    try:
        service.start()
        until(lambda: len(service.names()) == CORES)
        proxy.spoil(gateway, r"POST \S*/update")
        service.configure()
        until(lambda: bind_warnings(service))
        ticks = service.status()["tick"]
        until(lambda: service.status()["tick"] > ticks + 5)
        assert proxy.spoiled == 1
        assert len(service.names()) == CORES
        assert allowed(containers) == ALL
        (warning,) = bind_warnings(service)
        assert "Docker does not bind containers to CPUs 0: " in warning
        assert "next try in " in service.status()["latency"]
        assert not service.status()["degraded"]
    finally:
        service.close()


def test_a_start_that_is_refused_for_its_cpus_is_made_without(
    proxy: DockerProxy, tmp_path: Path, instance: str, containers: Containers
) -> None:
    """No pilot is lost for it."""

    def refuse(exchange: Exchange) -> None:
        if b"CpusetCpus" in exchange._request:
            exchange.send(b'{"message": "Requested CPUs are not available - requested 0"}', 400)
        else:
            exchange.pass_on()

    service = Service(tmp_path, instance, docker=proxy.url)
    proxy.spoil(refuse, r"POST \S*/containers/create")
    try:
        service.start()
        until(lambda: len(service.names()) == CORES)
        assert allowed(containers) == ALL
        warnings = service.status()["warnings"]
        assert sum("Requested CPUs are not available" in each for each in warnings) == 1
        assert service.status()["errors"] == 0
    finally:
        service.close()


def test_only_the_cpus_that_an_administrator_allows_count(
    service: Service, containers: Containers
) -> None:
    """A narrower cpuset on the parent stays as it is."""
    place = Path("/sys/fs/cgroup/cpuset") / f"plancton-{service.instance}"
    if not place.parent.is_dir():
        pytest.skip("cgroup v2: the parent is Docker's to make")
    place.mkdir(exist_ok=True)
    (place / "cpuset.mems").write_text((place.parent / "cpuset.mems").read_text())
    (place / "cpuset.cpus").write_text("1")
    service.start()
    until(lambda: len(service.names()) == CORES)
    assert set(allowed(containers)) == {(1,)}
    assert service.status()["latency"] == "balanced: pilots roam, there is only one core to use"
    assert not bind_warnings(service)
