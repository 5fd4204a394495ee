"""Engines of all API versions that people have, as far as one real engine can play them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from plancton.runtime.docker.container_spec import INSTANCE
from plancton.runtime.docker.events import EventListener
from plancton.runtime.docker.images import DockerImages
from plancton.service.process.clock import SystemClock
from tests.conftest import until
from tests.e2e.api_versions import ApiVersions
from tests.e2e.conftest import Containers
from tests.e2e.docker_proxy import DockerProxy
from tests.e2e.registry import Registry
from tests.e2e.service import Service

pytestmark = pytest.mark.docker
NEWER = [("1.44", "1.52", "1.45"), ("1.50", "1.55", "1.50"), ("1.52", "1.60", "1.52")]


@pytest.fixture
def behind(tmp_path: Path, instance: str, proxy: DockerProxy) -> Iterator[Service]:
    """Return a service behind the proxy that seldom looks by itself; nothing runs yet."""
    made = Service(tmp_path, instance, docker=proxy.url)
    pilot = {"command": ["sh", "-c", "echo hello; sleep 1000"], "cpus": 0.3}
    spawn = {"maximum": 1, "short_life": 0, "backoff": "1s"}
    made.configure(pilot, spawn=spawn, node={"interval": "60s"})
    yield made
    made.close()


@pytest.mark.parametrize(("oldest", "newest", "spoken"), NEWER)
def test_the_whole_life_of_a_pilot(
    behind: Service,
    proxy: DockerProxy,
    containers: Containers,
    oldest: str,
    newest: str,
    spoken: str,
) -> None:
    """Start, listing, logs, freezing, the event of an end, removal: in the version agreed on."""
    versions = ApiVersions(oldest, newest, containers.client.api_version)
    proxy.spoil(versions)
    behind.start()
    until(behind.names)
    (first,) = behind.names()
    until(lambda: behind.run("logs", first).stdout == "hello\n")
    assert behind.run("freeze", first).returncode == 0
    assert containers.client.inspect_container(first)["State"]["Paused"]
    assert behind.run("thaw", first).returncode == 0
    containers.client.kill(first)
    until(lambda: behind.names() and first not in behind.names(), 30)  # an event, not a look
    assert f"at {proxy.url}" in behind.run("doctor", config=True).stdout
    assert behind.run("force-stop").returncode == 0
    assert behind.ended() == 0
    assert containers.names(running=False) == set()
    assert (versions.asked, versions.refused) == ({spoken}, set())
    assert "Traceback" not in behind.log


@pytest.mark.parametrize(("oldest", "newest", "spoken"), NEWER)
def test_an_event_names_its_container(
    proxy: DockerProxy, containers: Containers, oldest: str, newest: str, spoken: str
) -> None:
    """Also where the fields have gone that named it in older versions."""
    proxy.spoil(ApiVersions(oldest, newest, containers.client.api_version))
    ended: list[str] = []
    listener = EventListener(proxy.url, containers.instance, ended.append)
    thread = threading.Thread(target=listener.run)
    thread.start()
    try:
        until(lambda: ended == [""])
        labels = {INSTANCE: containers.instance}
        made = containers.client.create_container("busybox", ["true"], labels=labels)["Id"]
        containers.client.start(made)
        until(lambda: ended == ["", made])
    finally:
        listener.stop()
        proxy.disconnect()
        thread.join()


@pytest.mark.parametrize(("oldest", "newest", "spoken"), NEWER)
def test_an_image_is_pulled(
    proxy: DockerProxy,
    registry: Registry,
    containers: Containers,
    oldest: str,
    newest: str,
    spoken: str,
) -> None:
    """From a real registry."""
    versions = ApiVersions(oldest, newest, containers.client.api_version)
    proxy.spoil(versions)
    id_ = registry.push("one")
    images = DockerImages(proxy.url, SystemClock())
    images.configure(frozenset({registry.reference}), 3600, pull=True, keep=None)
    images.pull_due()
    assert images.status()[registry.reference].id == id_
    assert versions.asked == {spoken}


def test_an_engine_that_is_upgraded_meanwhile(
    behind: Service, proxy: DockerProxy, containers: Containers
) -> None:
    """What was agreed on is no longer taken: agreed on anew, and the pilot is kept."""
    behind.start()
    until(behind.names)
    kept = behind.names()
    versions = ApiVersions("1.44", "1.52", containers.client.api_version)
    proxy.spoil(versions)
    (name,) = kept
    until(lambda: behind.run("freeze", name).returncode == 0)
    assert versions.refused  # it was asked in the old version first
    assert versions.asked == {"1.45"}
    assert behind.run("thaw", name).returncode == 0
    assert containers.names() == kept
    assert "Traceback" not in behind.log


@pytest.mark.parametrize(
    ("oldest", "newest", "words", "advice"),
    [
        ("1.12", "1.23", "speaks API 1.23 at most, and Plancton speaks 1.25 to", "upgrade Docker"),
        ("1.90", "1.99", "speaks API 1.90 to 1.99, and Plancton speaks 1.25", "upgrade Plancton"),
    ],
)
def test_engines_too_old_and_too_new(
    behind: Service,
    proxy: DockerProxy,
    containers: Containers,
    oldest: str,
    newest: str,
    words: str,
    advice: str,
) -> None:
    """Said by start, status and doctor, in one line; nothing is started, nothing even asked."""
    versions = ApiVersions(oldest, newest, containers.client.api_version)
    proxy.spoil(versions)
    started = behind.daemon()
    assert started.returncode == 0, started.stderr
    for said in (started.stdout + started.stderr, behind.status()["degraded"]):
        assert words in said
        assert advice in said
        assert said.strip().count("\n") == 0
    doctor = behind.run("doctor", config=True)
    assert doctor.returncode == 1
    assert words in doctor.stdout
    assert f"docker: {advice}" in doctor.stdout
    assert behind.run("stop").returncode == 0
    assert containers.names(running=False) == set()
    assert versions.asked == set()
