"""The images of the recipes, built by their own Dockerfiles, and what runs beside their pilots."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import INSTANCE, until
from tests.e2e.conftest import containers, service
from tests.e2e.service import Service

__all__ = ["containers", "service"]

ROOT = Path(__file__).parents[2]


def docker(*words: str) -> str:
    """Run docker; returns what it prints."""
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def base() -> Iterator[str]:
    """Return a Debian that has what the recipes install, so that they need no network."""
    command = [ROOT / "scripts/debian"]
    made = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=900)
    name = f"{INSTANCE}/debian"
    docker("import", made.stdout.strip(), name)
    yield name
    docker("rmi", "-f", name)


@pytest.fixture(scope="module")
def image(base: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the image of the recipe that the module calls RECIPE, by its own Dockerfile."""
    recipe = request.module.RECIPE
    name = f"{INSTANCE}/{recipe}"
    source = str(ROOT / "examples" / recipe)
    docker("build", "-q", "--network=none", "--build-arg", f"BASE={base}", "-t", name, source)
    yield name
    docker("rmi", "-f", name)


@pytest.fixture
def pilot(image: str, request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return the profile of the recipe's own config, for its image here and half a core."""
    text = (ROOT / "examples" / request.module.RECIPE / "config.yaml").read_text()
    profile: dict[str, Any] = yaml.safe_load(text)["pilots"][0]
    return {
        "grace": "10s",
        **profile,
        "image": image,
        "cpus": 0.5,
        "memory": "500MB",
        "network": "host",
    }


class Node(Service):
    """A node with a recipe's pilots on it."""

    def serve(self, pilot: dict[str, Any], maximum: int = 2) -> None:
        """Run pilots, however busy the machine is."""
        self.pilot, self.maximum = pilot, maximum
        self.allow(maximum)
        self.launch()
        until(self._answers, 60)

    def allow(self, maximum: int) -> None:
        """Set how many pilots there may be."""
        spawn = {"maximum": maximum, "min_room": 0.3, "short_life": "1s", "backoff": "1s"}
        protect = {"freeze": False, "evict_after": "20m"}
        self.configure(self.pilot, spawn=spawn, protect=protect, image={"pull": False})

    def evict(self, keep: int = 0) -> set[str]:
        """Have pilots give way as for a foreground, by SIGTERM; returns who. New ones may come."""
        before = self.names()
        self.allow(keep)
        until(lambda: len(self.status()["pilots"]) <= keep, 90)
        gone = before - self.names()
        self.allow(self.maximum)
        return gone

    def codes(self) -> list[Any]:
        """Return the exit codes of the pilots that have ended."""
        return [each["exit_code"] for each in self.status()["ended"]]


@pytest.fixture
def node(tmp_path: Path, instance: str) -> Iterator[Node]:
    """Return a node on the machine's Docker Engine; it is stopped afterwards."""
    made = Node(tmp_path, instance)
    yield made
    made.close()


class Beside:
    """Containers that are no pilots: the managers, schedulers and brokers."""

    def __init__(self, image: str) -> None:
        """Run *image*."""
        self.image = image
        self.ids: list[str] = []

    def run(self, *words: str, options: tuple[str, ...] = ()) -> str:
        """Start a command on the host's network; returns the container's ID."""
        self.ids.append(
            docker("run", "-d", "--init", "--network=host", *options, self.image, *words)
        )
        return self.ids[-1]

    def close(self) -> None:
        """Remove them."""
        for each in self.ids:
            docker("rm", "-f", "-v", each)


@pytest.fixture
def beside(image: str) -> Iterator[Beside]:
    """Return a starter of containers from the recipe's image; they are gone afterwards."""
    made = Beside(image)
    yield made
    made.close()
