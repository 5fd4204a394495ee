"""The service as a user runs it, on a node that has Apptainer and no daemon."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from plancton.runtime.apptainer.pilot_folder import folders_in
from tests.apptainer import has_no_shim
from tests.conftest import public_folder, remove_cgroups, until
from tests.e2e.registry import Registry
from tests.e2e.service import Service

INSTANCE = f"testserveapp{os.getpid()}"


class Node(Service):
    """A node with Apptainer, and a folder that is the image of its pilots."""

    image = ""


def configured(node: Node, **pilot: object) -> Node:
    """Write the configuration of sleeping pilots, changed by what is given."""
    profile = {"image": node.image, "command": ["sh", "-c", "echo here; exec sleep 1000"]}
    node.configure({**profile, **pilot}, node={"engine": "apptainer"}, spawn={"maximum": 2})
    return node


@pytest.fixture
def service(apptainer_image: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    """Return a service of the tests' own, configured and not started."""
    program, images = apptainer_image
    monkeypatch.setenv("PATH", f"{Path(program).parent}:{os.environ['PATH']}")
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    folder = public_folder("testservice")
    # Over a /proc of which a part is hidden the kernel lets nobody mount another one.
    made = Node(folder, INSTANCE, measures=True)
    made.image = str(next(images.glob("*.sif")))
    configured(made)
    yield made
    made.close()
    place = made.rundir / "apptainer" / INSTANCE
    for pilot in folders_in(place):
        for file in Path("/sys/fs/cgroup").glob(f"*/plancton-{INSTANCE}/{pilot.name}/cgroup.procs"):
            for pid in file.read_text().split():
                os.kill(int(pid), 9)
        until(partial(has_no_shim, pilot))
    remove_cgroups(f"plancton-{INSTANCE}")
    shutil.rmtree(folder)


@pytest.mark.quiet
def test_pilots_are_kept_running_and_adopted(service: Node) -> None:
    """Start, refill, a killed engine, logs, drain and the end of all."""
    service.start()
    until(lambda: len(service.names()) == 2)
    first, second = sorted(service.names())
    until(lambda: "here" in service.ask("logs", first))
    assert service.status()["protection"] == "idle class"
    service.ask("kill", first)
    until(lambda: second in service.names() and len(service.names() - {first}) == 2)
    before = service.names()
    assert service.process is not None
    service.process.kill()
    service.process.wait(30)
    service.start()
    until(lambda: service.names() == before)
    service.ask("drain-stop")
    service.ask("kill", "--all")
    assert service.ended(120) == 0
    assert list(folders_in(service.rundir / "apptainer" / INSTANCE)) == []


def test_what_apptainer_cannot_do_is_refused_by_its_key(service: Node) -> None:
    """By config check, with a line for each; an image of Docker's kind is taken."""
    configured(service, network="bridge", devices=["/dev/fuse"], image="busybox:latest")
    done = service.command("config", "check", str(service.config))
    assert done.returncode == 1
    assert "pilots[0].network: Apptainer: bridge is not to be had" in done.stderr
    assert "pilots[0].devices: Apptainer: " in done.stderr
    configured(service)
    assert service.command("config", "check", str(service.config)).returncode == 0


def test_an_image_of_apptainers_kind_needs_apptainer(service: Node) -> None:
    """Docker would answer with a riddle."""
    service.configure({"image": "/srv/images/pilot.sif"}, node={"engine": "docker"})
    done = service.command("config", "check", str(service.config))
    assert done.returncode == 1
    assert "pilots[0].image: /srv/images/pilot.sif is for Apptainer" in done.stderr


def test_the_doctor_looks_at_apptainer(service: Node) -> None:
    """Version, protection, profiles, images."""
    done = service.run("doctor", config=True)
    lines = {line.split()[0]: line for line in done.stdout.splitlines() if line.strip()}
    assert "OK" in lines["apptainer"]
    assert "1." in lines["apptainer"]
    assert "idle class" in lines["protection"]
    assert "is on the node" in lines["image"]


@pytest.mark.quiet
def test_reap_ends_what_is_overdue_without_an_engine(service: Node) -> None:
    """As the unit's ExecStopPost does."""
    configured(service, ttl="5s")
    service.start()
    until(lambda: len(service.names()) == 2)
    assert service.process is not None
    service.process.kill()
    service.process.wait(30)
    place = service.rundir / "apptainer" / INSTANCE
    until(lambda: not list(folders_in(place)) or _reaped(service))
    assert list(folders_in(place)) == []


def _reaped(service: Node) -> bool:
    done = service.run("reap", config=True)
    assert done.returncode == 0, done.stderr
    return not list(folders_in(service.rundir / "apptainer" / INSTANCE))


@pytest.mark.quiet
def test_an_image_of_a_registry_is_pulled_and_run(
    service: Node, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a file below the state directory; a newer one is taken by the next pilots."""
    monkeypatch.setenv("APPTAINER_NOHTTPS", "1")
    monkeypatch.setenv("APPTAINER_UNSQUASH", "1")  # where /dev/fuse is root's alone
    registry.push("one")
    configured(service, image=registry.reference)
    service.start()
    until(lambda: len(service.names()) == 2, 180)
    first = {pilot["image_id"] for pilot in service.status()["pilots"]}
    (stored,) = (service.folder / "state/images" / INSTANCE).glob("*.sif")
    assert first == {f"sha256:{stored.stem}"}
