"""What administrators set in daemon.json: the whole life of pilots on a daemon of that kind."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from plancton.cli.doctor.docker_warnings import check_docker_warnings
from plancton.runtime.cgroup import ParentCgroup
from plancton.runtime.docker.client import DockerClient
from plancton.runtime.docker.runtime import DockerRuntime
from plancton.service.process.clock import SystemClock
from tests.conftest import INSTANCE, remove_cgroups, until
from tests.e2e.daemon import Daemon
from tests.e2e.service import Service

pytestmark = pytest.mark.docker
NAME = f"plt{os.getpid()}"
READS = 'cat "$MACHINEFEATURES"/total_cpu "$JOBFEATURES"/job_id /bound/file /proc/self/uid_map'
PILOT = f'{READS}; touch "$PLANCTON_HINTS/checkpoint"; sleep 1000'


@dataclass(frozen=True)
class Kind:
    """How a daemon is set."""

    settings: Mapping[str, object]
    sub_ids: Mapping[str, str]
    root: int = 0
    """Who of the machine is root inside."""


REMAPPED = Kind(
    {"userns-remap": "65534:65534"},
    {"subuid": "nobody:100000:65536", "subgid": "nobody:100000:65536"},
    100000,
)
LIVE_RESTORE = Kind({"live-restore": True}, {})
KINDS = {"userns-remap": REMAPPED, "live-restore": LIVE_RESTORE}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Return one after the other."""
    return KINDS[request.param]


@pytest.fixture
def daemon(kind: Kind, archive: Path) -> Iterator[Daemon]:
    """Return a running daemon; containers would have a parent of the administrator's."""
    with tempfile.TemporaryDirectory(prefix="plt-") as name:
        Path(name).chmod(0o711)  # who is root inside must come through to Docker's data
        made = Daemon(
            Path(name, "d"),
            NAME,
            live_restore=False,
            settings=kind.settings,
            sub_ids=kind.sub_ids,
        )
        made.folder.chmod(0o711)
        try:
            made.start()
            made.load(archive)
            yield made
        finally:
            made.close()
        remove_cgroups(f"plancton-{INSTANCE}")


def test_the_life_of_pilots(daemon: Daemon, kind: Kind, instance: str) -> None:
    """In the idle class, not below the administrator's parent; files can be read; adopted."""
    with tempfile.TemporaryDirectory(prefix="plt-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        (folder / "shared").mkdir()
        (folder / "shared/file").write_text("from the node\n")
        service = Service(folder, instance, docker=daemon.url)
        pilot = {"command": ["sh", "-c", PILOT], "cpus": 0.3, "binds": [f"{folder}/shared:/bound"]}
        spawn = {"maximum": 1, "short_life": 0, "backoff": "1s"}
        service.configure(pilot, spawn=spawn, image={"pull": False})
        client = DockerClient(daemon.url, timeout=30)
        try:
            live(service, client, kind, daemon)
        finally:
            service.close()
            client.close()


def live(service: Service, client: DockerClient, kind: Kind, daemon: Daemon) -> None:
    """Lead it."""
    service.start()
    until(service.names)
    (first,) = service.names()
    container = client.inspect_container(first)
    assert container["HostConfig"]["CgroupParent"] == f"/plancton-{service.instance}"
    assert service.status()["protection"] == "idle class"
    place = Path("/proc", str(container["State"]["Pid"]))
    assert place.stat().st_uid == kind.root + 65534  # a pilot's usual user
    assert f"/plancton-{service.instance}/" in (place / "cgroup").read_text()

    def output() -> list[str]:
        return service.run("logs", first).stdout.splitlines()

    until(lambda: len(output()) == 4)
    cores, job, bound, mapped = output()
    assert (int(cores), job, bound) == (os.cpu_count(), first, "from the node")
    assert mapped.split()[:2] == ["0", str(kind.root)]
    parent = ParentCgroup(service.instance)
    look = DockerRuntime(daemon.url, service.instance, SystemClock(), parent)
    until(lambda: look.pilots()[0].checkpoint_at is not None)
    look.close()
    assert service.run("freeze", first).returncode == 0
    assert service.run("thaw", first).returncode == 0
    assert service.stop() == 0
    daemon.signal(signal.SIGTERM)  # as an upgrade of its package does
    daemon.start()
    service.start()
    if kind is LIVE_RESTORE:
        until(lambda: service.names() == {first})
    else:
        until(lambda: service.names() and first not in service.names())
    (last,) = service.names()
    client.kill(last)
    until(lambda: service.names() and last not in service.names())
    assert service.run("force-stop").returncode == 0
    assert service.ended() == 0
    assert client.containers(all=True) == []
    assert "Traceback" not in service.log


def test_docker_warns_and_doctor_shows_it(archive: Path) -> None:
    """In the words of a real daemon that everybody may reach: what matters, and what does not."""
    with tempfile.TemporaryDirectory(prefix="plt-") as name:
        options = ("--host", "tcp://127.0.0.1:2375")
        daemon = Daemon(Path(name, "d"), NAME, live_restore=False, options=options)
        try:
            daemon.start()
            client = DockerClient(daemon.url, timeout=30)
            given = client.info()["Warnings"]
            client.close()
            checks = check_docker_warnings({"Warnings": given})
            found = {check.found: check for check in checks}
            exposed = found["API is accessible on http://127.0.0.1:2375 without encryption"]
            assert (exposed.verdict, "--tlsverify" in exposed.mend) == ("WARN", True)
            shown = " ".join(found)
            for warning in given:
                first = warning.split("\n")[0].removeprefix("WARNING: ").rstrip(".")
                assert first in shown
        finally:
            daemon.close()
