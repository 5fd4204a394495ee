"""The owner's network: pilots on real bridges, held to a rate, marked, and left as they were."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyroute2 import IPRoute
from pyroute2.nftables.main import NFTables

from plancton.runtime.docker.client import DockerClient
from plancton.runtime.network.marks import LowerEffort
from plancton.runtime.network.shaper import Shaper
from tests.conftest import until
from tests.e2e.conftest import Containers
from tests.e2e.service import Service
from tests.e2e.traffic import Peer, gateway, say, talk, type_of_service

pytestmark = pytest.mark.docker
MBIT = 1_000_000


@pytest.fixture(autouse=True)
def swept(instance: str) -> Iterator[None]:
    """Leave nothing, also of a service that was killed while pilots ran."""
    yield
    with IPRoute() as netlink:
        Shaper(instance).clear(netlink)
    LowerEffort(f"plancton-{instance}").mark(())


@pytest.fixture
def peer() -> Iterator[Peer]:
    """Return somebody on the other side of the bridge."""
    made = Peer()
    yield made
    made.close()


SLEEPER = {"network": "bridge", "cpus": 0.1}


def share(service: Service) -> dict[str, Any]:
    """Return how pilots are held back, as ``status`` tells."""
    found: dict[str, Any] = service.status()["host"]["network"] or {}
    return found


def covered(service: Service, count: int) -> None:
    """Wait until so many pilots are covered."""
    until(lambda: share(service).get("covered") == count, 60)


def ours(instance: str) -> set[str]:
    """Return all that is there of an instance's: devices, pairs that lead to them, its table."""
    shaper = Shaper(instance)
    devices = {shaper.uploads, shaper.downloads}
    found = {name for name in devices if name in run("ip", "-o", "link")}
    found |= {pair for pair in pairs() if any(name in filters(pair) for name in devices)}
    with NFTables(nfgen_family=7) as netfilter:
        tables = {each.get_attr("NFTA_TABLE_NAME") for each in netfilter.get_tables()}
    return found | ({f"plancton-{instance}"} & tables)


def pairs() -> set[str]:
    """Return the virtual Ethernet pairs of this machine that have hooks."""
    lines = map(str.split, run("tc", "qdisc").splitlines())
    return {line[4] for line in lines if line[1] == "clsact"}


def filters(pair: str) -> str:
    """Return the filters at both hooks of a pair; none if it is gone."""
    show = ["tc", "filter", "show", "dev", pair]
    asked = [
        subprocess.run([*show, hook], capture_output=True, text=True, check=False)
        for hook in ("ingress", "egress")
    ]
    return "".join(each.stdout for each in asked)


def run(*command: str) -> str:
    """Run a command and return what it prints."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def crowd(containers: Containers, peer: Peer) -> Iterator[Crowd]:
    """Return what makes traffic for pilots; it ends with the test."""
    made = Crowd(containers, peer)
    yield made
    made.close()


class Crowd:
    """Traffic for all pilots that run, both ways, as much as comes through."""

    def __init__(self, containers: Containers, peer: Peer) -> None:
        """Nobody talks yet."""
        self._containers, self._peer = containers, peer
        self._talking: list[subprocess.Popen[bytes]] = []

    def pids(self) -> list[int]:
        """Return the first processes of all pilots."""
        inspect = self._containers.client.inspect_container
        return [inspect(id_)["State"]["Pid"] for id_ in sorted(self._containers.ids())]

    def talk(self) -> None:
        """Have all pilots talk to the peer."""
        self._talking += [talk(pid, self._peer.host, self._peer.port) for pid in self.pids()]

    def rates(self, seconds: float = 4) -> tuple[list[float], list[float]]:
        """Return downloads and uploads of each pilot, bits per second."""
        before = [self._downloads(), dict(self._peer.uploaded)]
        begun = time.monotonic()
        time.sleep(seconds)
        after = [self._downloads(), dict(self._peer.uploaded)]
        took = time.monotonic() - begun
        down, up = (
            [8 * (count - old.get(who, 0)) / took for who, count in new.items()]
            for old, new in zip(before, after, strict=True)
        )
        return down, up

    def _downloads(self) -> dict[str, int]:
        """Return the bytes that each pilot received, as its own end counts."""
        return {str(pid): _received(pid) for pid in self.pids()}

    def close(self) -> None:
        """Have all be silent."""
        for each in self._talking:
            each.kill()
            each.wait()


def _received(pid: int) -> int:
    lines = Path(f"/proc/{pid}/net/dev").read_text().splitlines()
    (line,) = (line for line in lines if "eth0:" in line)
    return int(line.partition(":")[2].split()[0])


def test_pilots_keep_to_their_rates_in_both_directions(service: Service, crowd: Crowd) -> None:
    """Each, and all together; without limits they take far more."""
    limits = {"total": "30Mbit", "each": "20Mbit"}
    service.configure(SLEEPER, spawn={"maximum": 2}, protect={"network": limits})
    service.start()
    covered(service, 2)
    crowd.talk()
    crowd.rates(1)  # what was let through at once, after the silence
    for found in crowd.rates():
        assert len(found) == 2
        assert 20 * MBIT < sum(found) < 30 * MBIT * 1.1
        assert max(found) < 20 * MBIT * 1.1
    service.configure(SLEEPER, spawn={"maximum": 2})
    until(lambda: not share(service))
    crowd.rates(1)
    for found in crowd.rates(2):
        assert sum(found) > 100 * MBIT
    assert len(service.names()) == 2


@pytest.mark.quiet
def test_each_alone_and_with_a_limit_raised_live(service: Service, crowd: Crowd) -> None:
    """No limit of all is needed, and a change is in force within a tick."""
    each: dict[str, Any] = {"network": {"each": "5Mbit"}}
    service.configure(SLEEPER, spawn={"maximum": 2}, protect=each)
    service.start()
    covered(service, 2)
    crowd.talk()
    crowd.rates(1)
    for found in crowd.rates():
        assert len(found) == 2
        assert 3 * MBIT < min(found) <= max(found) < 5 * MBIT * 1.1
    each["network"]["each"] = "50Mbit"
    service.configure(SLEEPER, spawn={"maximum": 2}, protect=each)
    until(lambda: share(service).get("each") == 50 * MBIT)
    crowd.rates(1)
    for found in crowd.rates():
        assert 10 * MBIT < max(found) < 50 * MBIT * 1.1


def test_packets_are_marked_as_lower_effort(service: Service, crowd: Crowd) -> None:
    """With a limit or without, and only as long as that is asked for."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind((gateway(), 0))
        listener.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
        listener.settimeout(60)
        mark: dict[str, Any] = {"network": {"mark": True}}
        service.configure(SLEEPER, spawn={"maximum": 1}, protect=mark)
        service.start()
        covered(service, 1)
        (pid,) = crowd.pids()
        voice = say(pid, *listener.getsockname())
        try:
            assert type_of_service(listener) == 0x04
            assert share(service)["total"] is None
            mark["network"]["total"] = "30Mbit"
            service.configure(SLEEPER, spawn={"maximum": 1}, protect=mark)
            until(lambda: share(service)["total"] == 30 * MBIT)
            assert type_of_service(listener) == 0x04
            mark["network"]["mark"] = False
            service.configure(SLEEPER, spawn={"maximum": 1}, protect=mark)
            until(lambda: type_of_service(listener) == 0)
        finally:
            voice.kill()
            voice.wait()


def test_limits_outlive_a_kill_and_go_with_the_last_pilot(
    service: Service, instance: str, docker_client: DockerClient
) -> None:
    """The next start takes them over; reap and force-stop leave nothing."""
    network = {"network": {"total": "30Mbit"}}
    service.configure(SLEEPER, spawn={"maximum": 2}, protect=network)
    service.start()
    covered(service, 2)
    there = ours(instance)
    assert len(there) == 5, "two devices, two pairs, a table"
    service.stop(signal.SIGKILL)
    assert ours(instance) == there
    service.start()
    covered(service, 2)
    assert service.status()["spawned"] == 0
    service.stop(signal.SIGTERM)
    assert ours(instance) == there, "pilots run on, and so what holds them back"
    assert service.run("reap", "--all", config=True).returncode == 0
    assert ours(instance) == set()
    service.start()
    covered(service, 2)
    assert len(ours(instance)) == 5
    assert service.run("force-stop").returncode == 0
    assert ours(instance) == set()


def test_what_others_have_set_up_stays(service: Service, instance: str) -> None:
    """Their devices, and filters on the very pair of a pilot."""
    service.configure(SLEEPER, spawn={"maximum": 1}, protect={"network": {"total": "30Mbit"}})
    run("ip", "link", "add", "plup-others", "type", "ifb")
    try:
        service.start()
        covered(service, 1)
        (pair,) = ours(instance) & pairs()
        other = ["u32", "match", "u32", "0", "0", "flowid", "1:1"]
        run("tc", "filter", "add", "dev", pair, "ingress", "prio", "7", "protocol", "all", *other)
        service.configure(SLEEPER, spawn={"maximum": 1})
        until(lambda: not share(service))
        until(lambda: not ours(instance))
        assert "pref 7 " in filters(pair)
        assert "mirred" not in filters(pair)
        assert "plup-others" in run("ip", "-o", "link")
    finally:
        run("ip", "link", "del", "plup-others")


@pytest.mark.parametrize("devices", [pytest.param("one", marks=pytest.mark.long), "both"])
def test_what_somebody_removed_is_made_again(
    service: Service, instance: str, crowd: Crowd, devices: str
) -> None:
    """Within a tick: devices, without which pilots are cut off, and a flushed table."""
    service.configure(SLEEPER, spawn={"maximum": 1}, protect={"network": {"total": "30Mbit"}})
    service.start()
    covered(service, 1)
    there = ours(instance)
    run("ip", "link", "del", Shaper(instance).downloads)
    if devices == "both":
        run("ip", "link", "del", Shaper(instance).uploads)
    LowerEffort(f"plancton-{instance}").mark(())
    assert ours(instance) != there
    until(lambda: ours(instance) == there)
    crowd.talk()
    for found in crowd.rates():
        assert 5 * MBIT < sum(found) < 30 * MBIT * 1.1


def test_who_is_not_covered_is_said(service: Service) -> None:
    """A pilot on the node's own network runs, and is named; config check says so before."""
    pilot = {"network": "host", "cpus": 0.1}
    service.configure(pilot, spawn={"maximum": 1}, protect={"network": {"total": "30Mbit"}})
    checked = service.run("config", "check", config=True)
    assert "protect.network does not reach pilots of default" in checked.stderr + checked.stdout
    service.start()
    until(lambda: len(service.names()) == 1)
    until(lambda: set(share(service)["uncovered"]) == service.names())
    text = service.ask("status")
    assert "NOT covered: plancton-default-" in text
    assert "it uses the node's own network" in text


def test_without_the_right_pilots_run_and_it_is_said(
    instance: str, docker_client: DockerClient
) -> None:
    """A user of Docker's group has no right to the network."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        service = Service(Path(name), instance, uid=65534)
        service.configure(SLEEPER, spawn={"maximum": 1}, protect={"network": {"total": "30Mbit"}})
        assert service.daemon().returncode == 0
        until(lambda: len(service.names()) == 1)
        until(lambda: "CAP_NET_ADMIN" in share(service)["error"])
        assert share(service)["total"] is None
        assert any("CAP_NET_ADMIN" in each for each in service.status()["warnings"])
        assert ours(instance) == set()
        service.close()


def test_a_tick_still_asks_docker_once(service: Service) -> None:
    """And the bytes of pilots are counted whatever is limited."""
    limits = {"total": "30Mbit", "each": "20Mbit"}
    service.configure(SLEEPER, spawn={"maximum": 2}, protect={"network": limits})
    service.start()
    covered(service, 2)
    until(lambda: service.status()["spawned"] == 2)
    first = service.status()
    until(lambda: service.status()["tick"] >= first["tick"] + 5)
    last = service.status()
    assert last["requests"] - first["requests"] == last["tick"] - first["tick"]
    assert all(each["sent"] is not None for each in last["pilots"])


def test_pilots_get_the_proxies_of_docker(
    service: Service, tmp_path: Path, containers: Containers
) -> None:
    """As by docker run; the profile wins; the password is nowhere but in the pilot."""
    address = "http://me:hunter2@proxy.example:3128"
    proxies = {"httpProxy": address, "noProxy": "localhost"}
    (tmp_path / "config.json").write_text(json.dumps({"proxies": {"default": proxies}}))
    pilot = {"env": {"NO_PROXY": "mine", "no_proxy": "mine"}}
    service.configure(pilot, spawn={"maximum": 1}, image={"docker_config": str(tmp_path)})
    service.start()
    until(lambda: len(containers.ids()) == 1)
    (id_,) = containers.ids()
    env = containers.client.inspect_container(id_)["Config"]["Env"]
    assert {f"HTTP_PROXY={address}", f"http_proxy={address}", "NO_PROXY=mine"} <= set(env)
    assert "NO_PROXY=localhost" not in env
    until(lambda: len(service.names()) == 1)
    said = service.log + json.dumps(service.status()) + service.run("config", "show").stdout
    assert "hunter2" not in said
