"""The service behind something that answers in Docker's name, and not as Docker would."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from docker.errors import APIError

from plancton.config.schema import Profile
from plancton.engine.ports import ActionError, RuntimeUnavailableError
from plancton.runtime.cgroup import ParentCgroup
from plancton.runtime.docker.events import EventListener
from plancton.runtime.docker.images import DockerImages
from plancton.runtime.docker.runtime import DockerRuntime
from plancton.service.process.clock import SystemClock
from tests.conftest import until
from tests.e2e.conftest import Containers
from tests.e2e.docker_proxy import FAULTS, DockerProxy
from tests.e2e.service import Service

pytestmark = pytest.mark.docker
PILOTS = 2
SOON = [name for name in FAULTS if name != "hang"]
MOST_MEMORY = 400_000_000
"""Bytes; the service takes some 80 MB, and looks at the largest part of an answer it may."""


@pytest.fixture
def behind(tmp_path: Path, instance: str, proxy: DockerProxy) -> Iterator[Service]:
    """Return a full service behind the proxy."""
    made = Service(tmp_path, instance, docker=proxy.url)
    spawn = {"maximum": PILOTS, "min_room": 0.3, "short_life": 0, "backoff": "1s"}
    made.configure({"cpus": 0.3}, spawn=spawn)
    made.start()
    until(lambda: len(made.names()) == PILOTS)
    yield made
    made.close()


@pytest.mark.parametrize("fault", SOON)
def test_no_adapter_stumbles(proxy: DockerProxy, instance: str, fault: str) -> None:
    """Each request of each, spoiled: what is raised is what the port allows."""
    images, heard = DockerImages(proxy.url, SystemClock()), list[str]()
    images.configure(frozenset({"busybox:latest"}), 3600, pull=True, keep=None)
    events = EventListener(proxy.url, instance, heard.append)
    runtime = DockerRuntime(proxy.url, instance, SystemClock(), ParentCgroup(instance))
    pilot = runtime.start(Profile(command=("sleep", "1000"), network="none"))
    asked: dict[str, Callable[[], object]] = {
        r"^GET /version": runtime.check,
        r"/info": runtime.check,
        r"/containers/json": runtime.pilots,
        r"/containers/create": lambda: runtime.start(Profile(command=("true",), network="none")),
        r"/start": lambda: runtime.start(Profile(command=("true",), network="none")),
        r"/pause": lambda: runtime.freeze(pilot),
        r"/unpause": lambda: runtime.thaw(pilot),
        r"/kill": lambda: runtime.kill(pilot),
        r"/containers/\w+/json": runtime.pilots,
        r"/logs": lambda: runtime.remove(pilot),
        r"^DELETE": lambda: runtime.remove(pilot),
        r"/images/\w+:\w+/json": images.pull_due,
        r"/images/create": images.pull_due,
        r"/events": events._listen,
    }
    for pattern, ask in asked.items():
        images._due_at["busybox:latest"] = 0.0
        runtime.close()
        proxy.spoil(FAULTS[fault], pattern)
        with suppress(RuntimeUnavailableError, ActionError, APIError):
            ask()
        assert proxy.spoiled, pattern
        proxy.behave()
    runtime.close()


def recovered(service: Service, containers: Containers) -> bool:
    """Say whether all is as it should be: the service knows it, and Docker agrees."""
    status = service.status()
    running = {each["name"] for each in status["pilots"] if each["state"] == "running"}
    whole = not status["degraded"] and len(running) == PILOTS
    return whole and containers.names(running=False) == running


def replaced(service: Service, before: set[str]) -> bool:
    """Say whether other pilots run than *before*, and no start is under way any more.

    Until all starts that it hit have ended, an outage is not said to be over.
    """
    status = service.status()
    states = {each["name"]: each["state"] for each in status["pilots"]}
    fresh = {name for name, state in states.items() if state == "running"} - before
    return not status["degraded"] and bool(fresh) and "starting" not in states.values()


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("faults", [SOON[part::3] for part in range(3)], ids="-".join)
@pytest.mark.parametrize("requests", ["", "POST|DELETE"], ids=["all", "actions"])
def test_whatever_is_answered_the_service_goes_on(
    behind: Service, proxy: DockerProxy, containers: Containers, requests: str, faults: list[str]
) -> None:
    """While pilots end: one sentence each, nothing leaks, no memory is eaten, it recovers.

    In parts, so that no worker is busy with it long after all others.
    """
    assert behind.process
    process = psutil.Process(behind.process.pid)
    for name in faults:
        said, before = behind.log.count("\n"), containers.names(running=False)
        proxy.spoil(FAULTS[name], requests)
        proxy.disconnect()
        containers.leave()
        until(lambda: proxy.spoiled > 2 and (requests or complaint(behind, said)))  # noqa: B023
        assert behind.status()
        proxy.behave()
        until(lambda: replaced(behind, before))  # noqa: B023
        assert process.memory_info().rss < MOST_MEMORY, name
    until(lambda: recovered(behind, containers))  # what was created is reaped after 30 s
    for never in ("Traceback", "this is a bug", "thread died"):
        assert never not in behind.log
    assert behind.stop() == 0


def complaint(service: Service, count: int) -> bool:
    """Say whether the service said what is wrong, after the first *count* lines of its log."""
    lines = service.log.split("\n")[count:]
    return any(re.search("no usable answer|could not", line) for line in lines)


def test_what_hangs_in_the_middle_is_given_up(
    behind: Service, proxy: DockerProxy, containers: Containers
) -> None:
    """The service answers meanwhile, and says who is to blame."""
    proxy.spoil(FAULTS["hang"])
    containers.leave()
    until(lambda: "stalled" in behind.status()["degraded"], 60)
    proxy.behave()
    until(lambda: recovered(behind, containers))
    assert behind.stop() == 0
