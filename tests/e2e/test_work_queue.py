"""A real workload: pilots that are Work Queue workers, and a manager with tasks."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import INSTANCE, until
from tests.e2e.conftest import Containers
from tests.e2e.service import Service

pytestmark = pytest.mark.docker
IMAGE = f"{INSTANCE}/worker:latest"
TASKS = 20


@pytest.fixture
def image(tmp_path: Path) -> Iterator[str]:
    """Build an image of busybox, the worker and its libraries; it is gone afterwards."""
    root = tmp_path / "root"
    for folder in ("bin", "tmp", "lib64"):
        (root / folder).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    shutil.copy("/bin/busybox", root / "bin/busybox")
    for applet in ("sh", "sleep", "hostname", "cat", "rm", "mkdir", "cp", "ls", "uname"):
        (root / "bin" / applet).symlink_to("busybox")
    worker = shutil.which("work_queue_worker") or ""
    shutil.copy(worker, root / "bin/work_queue_worker")
    linked = subprocess.run(["ldd", worker], capture_output=True, text=True, check=True).stdout
    for line in linked.splitlines():
        library = next((Path(word) for word in line.split() if word.startswith("/")), None)
        if library:
            target = root / str(library).lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, target)
    archive = tmp_path / "image.tar"
    subprocess.run(["tar", "-C", str(root), "-cf", str(archive), "."], check=True)
    command = ["docker", "import", "-c", "ENV PATH=/bin", str(archive), IMAGE]
    subprocess.run(command, check=True, capture_output=True)
    yield IMAGE
    subprocess.run(["docker", "rmi", "-f", IMAGE], check=True, capture_output=True)


@pytest.fixture
def manager(tmp_path: Path) -> Path:
    """Compile the manager."""
    program = tmp_path / "manager"
    libraries = ["-lwork_queue", "-ldttools", "-lm", "-lz", "-lpthread", "-lcrypto"]
    source = str(Path(__file__).with_name("manager.c"))
    subprocess.run(
        ["gcc", source, "-I/usr/include/cctools", "-o", str(program), *libraries], check=True
    )
    return program


def test_all_tasks_are_done_and_workers_replaced(
    service: Service, containers: Containers, image: str, manager: Path, tmp_path: Path
) -> None:
    """Workers that leave are replaced while work is left; killing some loses no task."""
    ports = tmp_path / "port"
    boss = subprocess.Popen([str(manager), str(ports), str(TASKS), "1"], stdout=subprocess.PIPE)
    try:
        until(lambda: ports.exists() and ports.read_text())
        worker = "work_queue_worker --cores 1 --memory 100 --disk 100 -t 3 --single-shot"
        pilot = {
            "image": image,
            "command": f"{worker} 127.0.0.1 {ports.read_text()}",
            "network": "host",
            "cpus": 0.5,
            "memory": "300MB",
            "ttl": "9s",
            "grace": "1s",
            "env": {"HOME": "/work"},
            "tmpfs": {"/work": "mode=1777", "/tmp": "mode=1777"},  # noqa: S108 (the pilot's own)
        }
        service.configure(pilot, spawn={"maximum": 2, "short_life": "1s"}, image={"pull": False})
        service.start()
        out, _ = boss.communicate(timeout=100)
        assert out.decode().strip() == str(TASKS)
        assert service.status()["spawned"] > 2
        assert len(service.status()["ended"]) >= 1
    finally:
        boss.kill()
        boss.wait()
    service.run("force-stop")
    assert service.ended() == 0
    assert containers.names(running=False) == set()
