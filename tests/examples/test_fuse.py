"""A real FUSE file system in CVMFS's place: read-only, its content in one squashfs file."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from plancton.config.load import load_text
from plancton.config.schema import Profile
from plancton.engine.model.pilot import PilotState
from plancton.engine.ports import ActionError
from plancton.runtime.cgroup import ParentCgroup
from plancton.runtime.docker.client import docker_url
from plancton.runtime.docker.runtime import DockerRuntime
from plancton.service.process.clock import SystemClock
from tests.conftest import INSTANCE, until
from tests.e2e.conftest import Containers
from tests.e2e.service import Service
from tests.examples.software import WORDS, pack_image, pack_software, run

pytestmark = pytest.mark.docker
EXAMPLES = Path(__file__).parents[2] / "examples/cvmfs"
IMAGE = f"{INSTANCE}/fuse:latest"
# The name by which /proc tells these mounts from all others.
MOUNT = ("squashfuse", "-f", "-o", f"allow_other,fsname={INSTANCE}")


class Tree:
    """A folder of the node in the place of /cvmfs, and the file system that belongs into it."""

    def __init__(self, folder: Path) -> None:
        """Make both; the folder is a mount of its own, and private."""
        self.point, self.file = folder / "cvmfs", folder / "software.squashfs"
        self.inside = self.point / "sw"
        self.inside.mkdir(parents=True)
        pack_software(folder / "content", self.file)
        run("mount", "--bind", str(self.point), str(self.point))
        run("mount", "--make-private", str(self.point))
        self.daemon: subprocess.Popen[bytes] | None = None

    def mount(self) -> None:
        """Mount it, as a CVMFS client on the node would."""
        command = ["setpriv", "--pdeathsig=KILL", *MOUNT, str(self.file), str(self.inside)]
        self.daemon = subprocess.Popen(command)
        until((self.inside / "hello").exists)

    def close(self) -> None:
        """Unmount all that is left, dead or alive, and end the daemon."""
        while any(f" {self.point}" in line for line in mountinfo("self")):
            run("umount", "--recursive", "--lazy", str(self.point))
        if self.daemon:
            self.daemon.kill()
            self.daemon.wait()


@pytest.fixture
def private(tmp_path: Path) -> Iterator[Tree]:
    """Return a tree whose mounts nobody else sees; nothing of it is left afterwards."""
    made = Tree(tmp_path)
    yield made  # named first by the tests, so that what uses it has gone before it
    made.close()
    # A container that somebody starts has a copy of the node's mounts for a moment.
    until(lambda: fuse_mounts() == set())


@pytest.fixture
def tree(private: Tree) -> Tree:
    """Return a tree whose mounts spread, as below / under systemd."""
    run("mount", "--make-rshared", str(private.point))
    return private


@pytest.fixture
def image(tree: Tree, tmp_path: Path) -> Iterator[str]:
    """Build an image of busybox, squashfuse and the file; it is gone afterwards."""
    archive = pack_image(tmp_path / "root", tree.file)
    run("docker", "import", "-c", "ENV PATH=/bin", str(archive), IMAGE)
    yield IMAGE
    run("docker", "rmi", "-f", IMAGE)


def mountinfo(pid: str) -> list[str]:
    """Return the mounts that a process sees; none if it has gone."""
    try:
        return Path("/proc", pid, "mountinfo").read_text().splitlines()
    except OSError:
        return []


def processes() -> list[str]:
    """Return the numbers of all processes of the node, those in containers too."""
    return [place.name for place in Path("/proc").iterdir() if place.name.isdecimal()]


def fuse_mounts() -> set[str]:
    """Return the mounts of our file system, in whatever mount namespace."""
    ours = f" - fuse {INSTANCE} "
    return {line for pid in processes() for line in mountinfo(pid) if ours in line}


def daemons() -> set[str]:
    """Return the numbers of the FUSE processes that serve our file system."""
    found = set()
    for pid in processes():
        try:
            words = Path("/proc", pid, "cmdline").read_text().split("\0")
        except OSError:
            continue
        if words[0] == "squashfuse" and any(INSTANCE in word for word in words):
            found.add(pid)
    return found


def inside(containers: Containers, pilot: str, *command: str) -> str:
    """Run a command in a pilot, as its own user; returns what it says."""
    made = containers.client.exec_create(pilot, list(command), user="65534:65534")
    return str(containers.client.exec_start(made["Id"]).decode())


def served(containers: Containers, pilot: str) -> bool:
    """Say whether a pilot reads the software."""
    return inside(containers, pilot, "cat", "/cvmfs/sw/hello") == WORDS


def binding(tree: Tree, spread: str) -> dict[str, object]:
    """Return a profile whose pilots bind the tree."""
    binds = [f"{tree.point}:/cvmfs:{spread}"]
    return {"cpus": 0.3, "memory": "20MB", "grace": "1s", "binds": binds}


def mounting(tree: Tree, image: str, spread: str) -> dict[str, object]:
    """Return a profile whose pilots mount in the bound tree themselves."""
    mount = " ".join((*MOUNT, "/software.squashfs", "/cvmfs/sw"))
    caps = ["SYS_ADMIN", "SETUID", "SETGID"]
    rights = {"user": "0:0", "devices": ["/dev/fuse"], "cap_add": caps}
    # Its path, for the shell has a lesser one of its own.
    drop = "exec /bin/setpriv --reuid=65534 --regid=65534 --clear-groups"
    command = ["sh", "-c", f"{mount} & {drop} sleep 1000"]
    return {**binding(tree, spread), **rights, "image": image, "command": command}


def test_mounted_after_the_pilots_started_it_is_seen_by_all(
    tree: Tree, service: Service, containers: Containers
) -> None:
    """One mount on the node serves every pilot, whenever it was started, and goes with no pilot."""
    service.configure(
        binding(tree, "rslave"), spawn={"maximum": 2, "short_life": 0}, image={"pull": False}
    )
    service.start()
    until(lambda: len(containers.names()) == 2)
    old = containers.names()
    assert {inside(containers, name, "ls", "/cvmfs/sw") for name in old} == {""}
    tree.mount()
    for name in old:
        assert served(containers, name)
    killed = min(old)
    containers.client.kill(killed)
    until(lambda: len(containers.names()) == 2 and killed not in containers.names())
    device = os.stat(tree.inside / "hello").st_dev  # noqa: PTH116 (the number of the superblock)
    for name in containers.names():
        until(partial(served, containers, name))
        said = inside(containers, name, "stat", "-c", "%d", "/cvmfs/sw/hello")
        assert said.strip() == str(device)
        assert "Read-only" in inside(containers, name, "touch", "/cvmfs/sw/mine")
    assert len(daemons()) == 1
    assert len(fuse_mounts()) == 3
    run("umount", str(tree.inside))
    assert tree.daemon
    assert tree.daemon.wait(20) == 0
    assert fuse_mounts() == set()
    assert len(containers.names()) == 2


def test_mounted_inside_a_pilot_it_ends_with_the_pilot(
    tree: Tree, image: str, service: Service, containers: Containers
) -> None:
    """Its mount and its FUSE process are its own: the node sees neither, a kill leaves neither."""
    service.configure(
        mounting(tree, image, "rslave"),
        spawn={"maximum": 1, "short_life": 0},
        image={"pull": False},
    )
    assert "pilots of default may mount" in service.run("doctor", config=True).stdout
    service.start()
    until(lambda: len(containers.names()) == 1)
    (old,) = containers.names()
    until(partial(served, containers, old))
    (server,) = daemons()
    assert len(fuse_mounts()) == 1
    assert not (tree.inside / "hello").exists()
    table = containers.client.top(old, "-o pid,uid,args")["Processes"]
    assert ["65534", "sleep 1000"] in [row[1:] for row in table]
    containers.client.kill(old)
    until(lambda: containers.names() - {old})
    (new,) = containers.names() - {old}
    until(partial(served, containers, new))
    until(lambda: server not in daemons())
    assert len(fuse_mounts()) == 1
    service.run("force-stop")
    assert service.ended() == 0
    until(lambda: not daemons() and not fuse_mounts())


def test_mounted_inside_a_shared_bind_a_dead_mount_stays_on_the_node(
    tree: Tree, image: str, service: Service, containers: Containers
) -> None:
    """So the doctor warns of it, and finds it."""
    service.configure(
        mounting(tree, image, "rshared"),
        spawn={"maximum": 1, "short_life": 0},
        image={"pull": False},
    )
    warned = service.run("doctor", config=True)
    assert "what a pilot mounts there is left on the node by its end" in warned.stdout
    assert f"bind: bind it as {tree.point}:/cvmfs:rslave" in warned.stdout
    service.start()
    until(lambda: f" {tree.inside} " in "\n".join(mountinfo("self")))
    service.run("force-stop")
    assert service.ended() == 0
    assert any(f" {tree.inside} " in line for line in mountinfo("self"))
    service.configure({"binds": [f"{tree.inside}:/cvmfs:rslave"]})
    found = service.run("doctor", config=True)
    assert found.returncode == 1
    assert "Transport endpoint is not connected" in found.stdout
    assert f"umount -l {tree.inside}" in found.stdout


def test_the_doctor_says_what_makes_a_private_mount_work(
    private: Tree, service: Service, containers: Containers
) -> None:
    """Before the first pilot fails; what it says is what helps."""
    service.configure(
        binding(private, "rslave"),
        spawn={"maximum": 1, "backoff": "1s", "backoff_max": "1s"},
        image={"pull": False},
    )
    service.start()
    until(lambda: "not a shared or slave mount" in service.log)
    found = service.run("doctor", config=True)
    assert found.returncode == 1
    assert f"lies on {private.point}, which is not shared: no pilot can start" in found.stdout
    mend = f"mount --make-rshared {private.point}"
    assert f"bind: {mend}" in found.stdout
    run(*mend.split())
    assert service.run("doctor", config=True).returncode == 0
    until(lambda: len(containers.names()) == 1)


def test_a_file_system_that_hangs_holds_back_its_own_pilots_only(
    tree: Tree, service: Service, containers: Containers
) -> None:
    """No request goes to Docker for it; others start, end and obey as ever, and it is told why."""
    tree.mount()
    assert tree.daemon
    bound = {**binding(tree, "rslave"), "name": "bound", "binds": [f"{tree.inside}:/sw"]}
    plain = {**binding(tree, ""), "name": "plain", "binds": [], "ttl": "3s"}
    profiles = [{"command": "sleep 1000", "network": "none", **each} for each in (bound, plain)]
    service.configure(
        pilots=profiles,
        spawn={"maximum": 2, "short_life": 0, "backoff": "1s", "backoff_max": "1s"},
        image={"pull": False},
    )
    tree.daemon.send_signal(signal.SIGSTOP)
    service.start()
    why = f"profile bound: {tree.inside} does not answer (it lies on {tree.inside}, fuse)"
    until(lambda: why in service.run("why").stdout)
    first = containers.names()
    until(lambda: containers.names() and not containers.names() & first)  # their time was over
    (pilot,) = [name for name in containers.names() if "plain" in name][:1]
    begun = time.monotonic()
    assert service.run("kill", pilot).returncode == 0
    assert time.monotonic() - begun < 10
    ticks = service.status()["tick"]
    until(lambda: service.status()["tick"] > ticks + 3, 10)
    assert len(looks(service)) == 1
    assert not any("bound" in name for name in containers.names(running=False))
    tree.daemon.send_signal(signal.SIGCONT)
    until(lambda: any("bound" in name for name in containers.names()))
    assert looks(service) == []


def test_a_pilot_that_mounts_what_hangs_over_its_hints_hangs_only_itself(
    tree: Tree, image: str, service: Service, containers: Containers
) -> None:
    """The engine does not look there: it goes on, and ends the pilot in time."""
    mount = " ".join((*MOUNT, "/software.squashfs", "/plancton/hints"))
    command = f"{mount} & until [ -f /plancton/hints/hello ]; do sleep 0.1; done; kill -STOP $!; "
    profile = mounting(tree, image, "rslave")
    profile |= {"command": ["sh", "-c", command + "sleep 1000"], "ttl": "20s"}
    service.configure(profile, spawn={"maximum": 1, "short_life": 0}, image={"pull": False})
    service.start()
    until(lambda: {state(pid) for pid in daemons()} == {"T"})
    (first,) = containers.names()
    ticks = service.status()["tick"]
    until(lambda: service.status()["tick"] > ticks + 3, 10)
    until(lambda: first not in containers.names(), 60)


def test_docker_that_hangs_on_one_container_does_not_hang_the_others(
    tree: Tree, instance: str
) -> None:
    """What hangs after the look, or cannot be looked at, is a refused start; so is its removal."""
    runtime = DockerRuntime(docker_url(), instance, SystemClock(), ParentCgroup(instance))
    plain = Profile(name="plain", command=("sleep", "1000"), network="none")
    good = runtime.start(plain)
    tree.mount()
    assert tree.daemon
    tree.daemon.send_signal(signal.SIGSTOP)
    time.sleep(1.5)  # for a second the kernel answers from what it knows
    runtime.close()
    runtime.timeout = 5
    hung = r"answers, but not about plancton-bound-\w+ within 5 s"
    for option in ("ro", "ro,z"):  # Docker looks at the first when it creates the container
        bind = f"{tree.inside}:/sw:{option}"
        bound = plain.model_copy(update={"name": "bound", "binds": (bind,)})
        runtime.check()
        runtime.info = {}  # as in a container: nothing of the node is seen
        with pytest.raises(ActionError, match=hung):
            runtime.start(bound)
    (made,) = [pilot for pilot in runtime.pilots() if pilot.profile == "bound"]
    assert made.state is PilotState.CREATED
    with pytest.raises(ActionError, match=hung):
        runtime.remove(made)
    runtime.close()
    runtime.timeout = 60
    runtime.kill(good)
    until(lambda: PilotState.EXITED in {pilot.state for pilot in runtime.pilots()})
    runtime.remove(good)
    tree.daemon.send_signal(signal.SIGCONT)
    until(lambda: [runtime.remove(pilot) for pilot in runtime.pilots()] == [])
    runtime.close()


def state(pid: str) -> str:
    """Return the state of a process, as proc(5) has it."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def looks(service: Service) -> list[str]:
    """Return the processes in which the service looks at paths."""
    assert service.process
    task = Path(f"/proc/{service.process.pid}/task")
    children = [pid for place in task.glob("*/children") for pid in place.read_text().split()]
    lines = [Path(f"/proc/{pid}/cmdline").read_text() for pid in children]
    return [line for line in lines if "path_facts" in line]


@pytest.mark.parametrize("way", ["host", "inside"])
def test_the_examples_are_good(service: Service, way: str) -> None:
    """They are checked without a remark, and mean what the documentation says."""
    text = (EXAMPLES / way / "config.yaml").read_text()
    service.write(text)
    done = service.command("config", "check", "--config", str(service.config))
    assert done.returncode == 0, done.stderr
    remarks = done.stderr.splitlines()
    assert [line for line in remarks if "/cvmfs does not exist on this node" not in line] == []
    (profile,) = load_text(text, way).config.pilots
    assert ("/dev/fuse" in profile.devices) == (way == "inside")
    assert any(bind.endswith(":rslave") for bind in profile.binds) == (way == "host")
