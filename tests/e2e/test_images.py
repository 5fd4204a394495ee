"""Images from a real registry on loopback: moved tags, credentials, outages."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from plancton.engine.model.node import ImageStatus
from plancton.runtime.docker.client import docker_url
from plancton.runtime.docker.images import ImagePuller
from plancton.runtime.simulated_node import SimulatedNode
from tests.conftest import until
from tests.e2e.conftest import Containers
from tests.e2e.registry import Registry
from tests.e2e.service import CORES, Service

pytestmark = pytest.mark.docker


def state_store(registry: Registry, docker_config: str = "") -> tuple[ImagePuller, SimulatedNode]:
    """Return a keeper that wants the registry's image, and its clock."""
    clock = SimulatedNode()
    made = ImagePuller(docker_url(), clock, docker_config)
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
    clock.advance(0.9 * 3600 - 1)
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
    assert "exited with code 7" in service.run("why").stdout
    assert service.stop() == 0
