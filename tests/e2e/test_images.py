"""Images from a real registry on loopback: moved tags, credentials, outages."""

from __future__ import annotations

import base64
import json
import os
import threading
from pathlib import Path

import pytest

from plancton.engine.model.node import ImageStatus
from plancton.runtime.docker import credentials
from plancton.runtime.docker.client import docker_url
from plancton.runtime.docker.images import DockerImages
from plancton.runtime.simulated_node import SimulatedNode
from tests.conftest import until
from tests.e2e.conftest import Containers
from tests.e2e.registry import Registry
from tests.e2e.service import CORES, Service

pytestmark = pytest.mark.docker


def state_store(registry: Registry, docker_config: str = "") -> tuple[DockerImages, SimulatedNode]:
    """Return a keeper that wants the registry's image, and its clock."""
    clock = SimulatedNode()
    made = DockerImages(docker_url(), clock, docker_config)
    made.configure(frozenset({registry.reference}), 3600, pull=True, keep=0)
    return made, clock


def test_a_moved_tag_is_fetched_at_the_next_refresh_not_before(registry: Registry) -> None:
    """New pilots use the newest image every image.refresh."""
    first = registry.push("one")
    images, clock = state_store(registry)
    images.pull_due()
    assert images.status()[registry.reference].id == first
    clock.advance(60)
    images.pull_due()
    second = registry.push("two")
    clock.advance(0.9 * 3600 - 61)
    images.pull_due()
    assert images.status()[registry.reference].id == first
    clock.advance(0.2 * 3600 + 2)
    images.pull_due()
    assert images.status()[registry.reference].id == second != first


def test_a_failed_refresh_keeps_the_local_image_and_says_so(registry: Registry) -> None:
    """Retried with a wait that doubles."""
    registry.push("one")
    images, clock = state_store(registry)
    images.pull_due()
    good = images.status()[registry.reference].id
    registry.stop()
    clock.advance(1.1 * 3600)
    waits = []
    for _ in range(3):
        images.pull_due()
        status = images.status()[registry.reference]
        assert status.id == good
        assert "connection refused" in status.error
        assert status.retry_at is not None
        waits.append(status.retry_at - clock.now())
        clock.advance(waits[-1])
    for usual, wait in zip((30, 60, 120), waits, strict=True):
        assert usual / 2 <= wait <= usual
    registry.start()
    images.pull_due()
    assert images.status()[registry.reference].error == ""


def test_nodes_that_start_together_do_not_pull_together(registry: Registry) -> None:
    """What is on the node is used at once, and pulled within a minute; by order, at once."""
    first = registry.push("one")
    nodes = [state_store(registry) for _ in range(5)]
    waits = set()
    for images, _ in nodes:
        waits.add(images.pull_due())
        assert images.status()[registry.reference] == ImageStatus(id=first)
    assert len(waits) == 5
    assert all(0.1 <= wait <= 60 for wait in waits)
    registry.stop()
    (early, _), (late, clock), *_ = nodes
    early.refresh(registry.reference)
    early.pull_due()
    assert "connection refused" in early.status()[registry.reference].error
    clock.advance(60)
    late.pull_due()
    assert "connection refused" in late.status()[registry.reference].error


def test_no_image_at_all_says_why(registry: Registry) -> None:
    """The registry's word, and when the next try is."""
    images, _ = state_store(registry)
    images.pull_due()
    status = images.status()[registry.reference]
    assert status.id is None
    assert "not found" in status.error or "unknown" in status.error
    assert status.retry_at is not None


def test_credentials_come_from_dockers_own_config(registry: Registry, tmp_path: Path) -> None:
    """Without them the pull is refused; once they are there, it works without a restart."""
    id_ = registry.push("one")
    registry.stop()
    registry.lock()
    registry.start()
    config = tmp_path / "config.json"
    config.write_text("{}")
    images, clock = state_store(registry, str(config))
    images.pull_due()
    refused = images.status()[registry.reference]
    assert refused.id is None
    assert "no basic auth credentials" in refused.error
    auth = base64.b64encode(b"user:secret").decode()
    config.write_text(json.dumps({"auths": {f"127.0.0.1:{registry.port}": {"auth": auth}}}))
    clock.advance(31)
    images.pull_due()
    assert images.status()[registry.reference].id == id_


def test_a_registrys_own_helper_comes_before_the_usual_one(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Docker's client chooses: credHelpers, then credsStore; other logins do not matter."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for name, secret in (("own", "secret"), ("usual", "wrong")):
        helper = tmp_path / f"docker-credential-{name}"
        helper.write_text(f"""#!/bin/sh\necho '{{"Username": "user", "Secret": "{secret}"}}'\n""")
        helper.chmod(0o755)
    id_ = registry.push("one")
    registry.stop()
    registry.lock()
    registry.start()
    place = f"127.0.0.1:{registry.port}"
    auths = {place: {"auth": base64.b64encode(b"user:old").decode()}}
    values = {"auths": auths, "credsStore": "usual", "credHelpers": {place: "own"}}
    (tmp_path / "config.json").write_text(json.dumps(values))
    images, clock = state_store(registry, str(tmp_path))
    images.pull_due()
    assert images.status()[registry.reference] == ImageStatus(id_)
    (tmp_path / "config.json").write_text(json.dumps({**values, "credHelpers": {}}))
    clock.advance(2 * 3600)
    images.pull_due()
    assert "unauthorized" in images.status()[registry.reference].error


def test_a_bad_image_is_tried_by_one_pilot_and_the_good_one_stays(
    registry: Registry, service: Service, containers: Containers
) -> None:
    """The others never see it, and the reason shows."""
    good = registry.push("good")
    command = ["sh", "-c", 'test -z "$BAD" || exit 7; exec sleep 1000']
    image = {"canary": True, "canary_life": "30s", "refresh": "1s"}
    service.configure({"image": registry.reference, "command": command}, image=image)
    service.start()
    until(lambda: len(service.names()) == CORES)
    registry.push("bad", "ENV BAD=1")
    until(lambda: service.status()["images"][registry.reference]["id"] == registry.pushed[-1])
    victim = sorted(containers.names())[0]
    containers.client.kill(victim)
    until(lambda: any(f["code"] == "image-pinned" for f in service.status()["findings"]))
    until(lambda: len(service.names() - {victim}) == CORES)
    assert {pilot["image_id"] for pilot in service.status()["pilots"]} == {good}
    assert "exited with code 7" in service.ask("why")
    assert service.stop() == 0


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (None, "is not installed"),
        ("sleep 98765 & wait", "did not answer within 3 s"),
        ("echo no keyring; exit 1", "failed with exit code 1: no keyring"),
    ],
)
def test_a_credential_helper_that_fails_stops_no_pull_of_a_public_image(
    registry: Registry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    script: str | None,
    why: str,
) -> None:
    """It is pulled anonymously, and helper and file are named; so they are when it is refused."""
    monkeypatch.setattr(credentials, "DEADLINE", 3.0)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    file, helper = tmp_path / "config.json", tmp_path / "docker-credential-x"
    file.write_text(json.dumps({"credsStore": "x"}))
    if script:
        helper.write_text(f"#!/bin/sh\n{script}\n")
        helper.chmod(0o755)
    id_ = registry.push("one")
    images, clock = state_store(registry, str(tmp_path))
    images.pull_due()
    status = images.status()[registry.reference]
    trouble = f"the credential helper docker-credential-x, which {file} names, {why}"
    assert status == ImageStatus(id_, note=f"it was pulled without credentials: {trouble}")
    registry.stop()
    registry.lock()
    registry.start()
    clock.advance(2 * 3600)
    images.pull_due()
    status = images.status()[registry.reference]
    assert status.id == id_
    assert "no basic auth credentials" in status.error
    assert status.error.endswith(f"(tried without credentials: {trouble})")
    helper.write_text("""#!/bin/sh\necho '{"Username": "user", "Secret": "secret"}'\n""")
    helper.chmod(0o755)
    clock.advance(31)
    images.pull_due()
    assert images.status()[registry.reference] == ImageStatus(id_)


def test_a_stop_waits_for_no_credential_helper(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though it hangs."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (tmp_path / "config.json").write_text(json.dumps({"credsStore": "x"}))
    helper = tmp_path / "docker-credential-x"
    helper.write_text(f'#!/bin/sh\ntouch "{tmp_path}/asked"\nsleep 98765\n')
    helper.chmod(0o755)
    images, _ = state_store(registry, str(tmp_path))
    thread = threading.Thread(target=images.run)
    thread.start()
    until((tmp_path / "asked").exists)
    images.stop()
    thread.join(5)
    assert not thread.is_alive()


def test_an_image_of_another_machine_is_told(registry: Registry) -> None:
    """Docker pulls it without a word where the registry has no other."""
    registry.push("one")
    registry.make_foreign()
    images, _ = state_store(registry)
    images.pull_due()
    status = images.status()[registry.reference]
    assert status.error == ""
    assert status.note.startswith("it is made for s390x and this node is ")
    assert '"exec format error"' in status.note


def test_an_image_that_is_there_for_other_machines_only_is_told(registry: Registry) -> None:
    """As a list of images, one for each kind of machine."""
    registry.push("one")
    registry.make_foreign(listed=True)
    images, _ = state_store(registry)
    images.pull_due()
    status = images.status()[registry.reference]
    assert status.id is None
    assert status.error.startswith("the registry has it for other kinds of machines only: ")
    assert "no matching manifest for linux/" in status.error


def test_a_broken_configuration_of_docker_is_named(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Docker is not to blame, and neither is Plancton."""
    (tmp_path / "config.json").write_text('{"auths": {"r": {"auth": "!!!"}}}')
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    service.start()
    until(lambda: "config.json" in service.status()["degraded"])
    said = service.status()["degraded"]
    assert said.startswith(f"{tmp_path}/config.json cannot be read as a configuration of Docker")
    (tmp_path / "config.json").write_text("{}")
    until(service.names)
