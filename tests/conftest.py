"""What all tests share: an instance of their own on Docker, and waiting without hoping."""

from __future__ import annotations

import gc
import hashlib
import math
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from plancton.runtime.cgroup import ParentCgroup
from plancton.runtime.docker import container_spec as spec
from plancton.runtime.docker.client import DockerClient, docker_url
from plancton.service.process.paths import default_paths

INSTANCE = f"test{os.getpid()}"
ROOT = Path(__file__).parents[1]

# Textual makes many small objects that live for long: seldom walked, a fifth quicker.
gc.set_threshold(100_000, 50, 100)

# No deadline: how long an example takes says how busy the machine is. `make test-quick` asks for
# fewer examples by --hypothesis-profile.
settings.register_profile("thorough", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=20)
settings.load_profile("thorough")


def until(met: Callable[[], object], seconds: float = 120.0, pause: float = 0.1) -> None:
    """Wait until *met* holds; fail if it does not within *seconds*."""
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(pause)


def kernel_quota(client: DockerClient, id_: str) -> float:
    """Return the cores that the kernel lets a container use."""
    pid = client.inspect_container(id_)["State"]["Pid"]
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if "cpu" in controllers.split(","):
            place = Path("/sys/fs/cgroup/cpu") / path.lstrip("/")
            quota, period = (place / f"cpu.cfs_{key}_us" for key in ("quota", "period"))
            words = [quota.read_text().strip(), period.read_text().strip()]
            break
        if not controllers:
            words = (Path("/sys/fs/cgroup") / path.lstrip("/") / "cpu.max").read_text().split()
    return math.inf if words[0] in ("max", "-1") else int(words[0]) / int(words[1])


class OrdinaryParent(ParentCgroup):
    """The parent of pilots out of the idle class, where a machine full of tests starves them."""

    def configure(self, info: Mapping[str, Any]) -> None:
        """Prepare the parent, then take it out of the idle class until ``verify``."""
        super().configure(info)
        for file in Path("/sys/fs/cgroup").glob(f"*/{self.base}/cpu.idle"):
            file.write_text("0")


def remove_cgroups(name: str) -> None:
    """Remove cgroups of a name; what ran in them may take a moment to end."""

    def gone() -> bool:
        for place in Path("/sys/fs/cgroup").glob(f"*/{name}"):
            with suppress(OSError):
                place.rmdir()
        return not list(Path("/sys/fs/cgroup").glob(f"*/{name}"))

    until(gone, 30)


def sweep(client: DockerClient, instance: str) -> None:
    """Remove all containers of an instance, and its parent cgroup."""
    listed = client.containers(all=True, filters={"label": f"{spec.INSTANCE}={instance}"})
    for item in listed:
        with suppress(Exception):
            client.remove_container(item["Id"], force=True, v=True)
    for place in Path("/sys/fs/cgroup").glob(f"*/plancton-{instance}"):
        # Podman leaves folders in it.
        for folder in (*sorted((p for p in place.rglob("*") if p.is_dir()), reverse=True), place):
            with suppress(OSError):
                folder.rmdir()
    for lock in default_paths().rundir.glob(f"instance-{instance}-*.lock"):
        lock.unlink()


def _alive(pid: str) -> bool:
    return pid.isdecimal() and Path("/proc", pid).exists()


@pytest.fixture(scope="session")
def docker_client() -> Iterator[DockerClient]:
    """Return a client of the real engine; what crashed runs left behind is swept first."""
    # To remove an image it waits for each container that is just started or frozen.
    client = DockerClient(docker_url(), timeout=120)
    for item in client.containers(all=True, filters={"label": spec.INSTANCE}):
        instance = str(item["Labels"][spec.INSTANCE])
        if instance.startswith("test") and not _alive(instance[4:]):
            sweep(client, instance)
    yield client
    client.close()


@pytest.fixture
def instance(docker_client: DockerClient) -> Iterator[str]:
    """Return an instance label of this run; its containers are gone afterwards."""
    yield INSTANCE
    sweep(docker_client, INSTANCE)


def public_folder(name: str) -> Path:
    """Return a new folder that any user may look into, as pilots' own users must."""
    made = Path(tempfile.mkdtemp(prefix=f"plancton-{name}-"))
    made.chmod(0o755)
    return made


@pytest.fixture(scope="session")
def apptainer() -> str:
    """Return the path of Apptainer, which is fetched where there is none."""
    done = subprocess.run(
        [ROOT / "scripts/apptainer"], capture_output=True, text=True, check=False, timeout=600
    )
    if done.returncode:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    return done.stdout.strip()


@pytest.fixture(scope="session")
def apptainer_image(apptainer: str) -> Iterator[tuple[str, Path]]:
    """Return Apptainer, and a folder of images that has busybox, as if it had been pulled."""
    images = public_folder("testimages")
    unpacked = images / f"{hashlib.sha256(b'busybox').hexdigest()}.sif"
    busybox = shutil.which("busybox")
    assert busybox is not None
    for name in ("bin", "tmp", "proc", "sys", "dev", "etc", "var/tmp", "root", "home"):
        (unpacked / name).mkdir(parents=True)
    shutil.copy(busybox, unpacked / "bin/busybox")
    listed = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True)
    for applet in set(listed.stdout.split()) - {"busybox"}:
        (unpacked / "bin" / applet).symlink_to("busybox")
    reference = hashlib.sha256(b"busybox:latest").hexdigest()[:32]
    (images / f"{reference}.link").symlink_to(unpacked.name)
    yield apptainer, images
    shutil.rmtree(images)
