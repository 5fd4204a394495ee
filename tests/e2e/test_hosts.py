"""Nodes in hand from elsewhere: the installed command, the system's ssh, a real sshd."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from plancton.control.client import RemoteEngine
from plancton.control.ssh_host import SshHost
from plancton.control.ssh_transport import SshTransport
from plancton.engine.api import NotRunningError, RefusedError, UnreachableError
from plancton.engine.model.operator import PilotCommand
from tests.conftest import until
from tests.e2e.conftest import Containers
from tests.e2e.service import PLANCTON, Service
from tests.e2e.sshd import Sshd
from tests.e2e.terminal import Terminal

Done = subprocess.CompletedProcess[str]
DOWN = "ssh://root@127.0.0.1:9"


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    """Return a server that lets root in."""
    made = Sshd(tmp_path / "sshd")
    yield made
    made.close()


@pytest.fixture
def node(service: Service) -> Service:
    """Return a running service without pilots: Docker may be slow where others test too."""
    service.configure(spawn={"maximum": 0})
    return service.start()


Afar = Callable[..., Done]


@pytest.fixture
def afar(sshd: Sshd, service: Service) -> Afar:
    """Return what runs a verb on the service through ssh."""

    def run(*words: str, hosts: tuple[str, ...] = (), **environment: str) -> Done:
        named = [word for host in hosts or (sshd.host(),) for word in ("--host", host)]
        return subprocess.run(
            [PLANCTON, *named, *words, "--rundir", str(service.rundir)],
            env={**sshd.environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def good(done: Done) -> str:
    """Return what a verb printed, which must have gone well."""
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def line(done: Done, code: int) -> str:
    """Return the one line of a failure."""
    assert done.returncode == code, done
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_verbs_that_look_work_from_afar(afar: Afar, node: Service) -> None:
    """They show what they show on the node itself."""
    assert json.loads(good(afar("status", "--json")))["pid"] == node.status()["pid"]
    assert good(afar("why")).startswith("now\n")
    assert "configuration in force" in good(afar("events"))
    assert "FOREGROUND" in good(afar("history", "--span", "5m"))
    assert "the engine ticks" in good(afar("health"))
    assert "no pilot is called nobody" in line(afar("logs", "nobody"), 1)


def test_verbs_that_change_something_work_from_afar(afar: Afar, node: Service) -> None:
    """They wait for their effect, and the node says the same."""
    assert "draining: no new pilots" in good(afar("drain"))
    assert node.status()["mode"] == "draining"
    node.configure(spawn={"maximum": 1})
    assert "is in force" in good(afar("reload"))
    assert node.status()["maximum"] == 1
    assert "active: pilots are started again" in good(afar("resume"))
    assert node.status()["mode"] == "active"
    assert "ended" in good(afar("stop"))
    assert node.ended() == 0
    assert "no engine runs here" in line(afar("drain"), 3)


def test_pilots_are_in_hand_from_afar(afar: Afar, node: Service, containers: Containers) -> None:
    """What they write, and their ends."""
    node.configure(
        {"command": "sh -c 'echo hello from afar; exec sleep 1000'", "cpus": 0.1, "memory": "20MB"},
        spawn={"maximum": 2, "min_room": 0.3},
    )
    until(lambda: len(node.names()) == 2, 90)  # as soon as the machine has a tenth of a core free
    first, second = sorted(node.names())
    assert all(name in good(afar("pilots")) for name in (first, second))
    assert "hello from afar" in good(afar("logs", second))
    assert f"frozen: {first}" in good(afar("freeze", first))
    assert node.names("frozen") == {first}
    good(afar("drain"))
    assert f"killed: {second}" in good(afar("kill", second))
    assert containers.names() == {first}


def test_a_follower_that_is_killed_leaves_nothing_on_the_node(sshd: Sshd, node: Service) -> None:
    """Its ssh and the relay there go with it."""
    follower = subprocess.Popen(
        [PLANCTON, "--host", sshd.host(), "events", "-f", "--rundir", str(node.rundir)],
        env=sshd.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    assert follower.stdout
    assert follower.stdout.readline()
    until(lambda: relays(node) > 0)
    follower.send_signal(signal.SIGKILL)
    follower.wait(20)
    follower.stdout.close()
    until(lambda: relays(node) == 0)


@pytest.mark.long
def test_a_failure_is_one_line_that_says_what_to_do(
    afar: Afar, sshd: Sshd, service: Service, tmp_path: Path
) -> None:
    """Whatever is missing: the engine, the program, the key, the host, ssh itself."""
    host = sshd.host().removeprefix("ssh://")
    assert f"{host}: no engine runs here" in line(afar("status"), 3)
    assert "no engine runs here" in line(afar("health"), 3)
    missing = (sshd.host(program="/nowhere/plancton"),)
    assert f"say where: ssh://{host}/opt" in line(afar("status", hosts=missing), 1)
    assert "Connection refused" in line(afar("status", hosts=(DOWN,)), 1)
    nobody = (sshd.host().replace("root@", "nobody@"),)
    assert "Permission denied (publickey)" in line(afar("status", hosts=nobody), 1)
    assert "serve is about the machine it runs on" in line(afar("serve"), 1)
    no_ssh = tmp_path / "empty"
    no_ssh.mkdir()
    assert "ssh is not installed" in line(afar("status", PATH=str(no_ssh)), 1)
    chatty = tmp_path / "chatty"
    chatty.write_text("#!/bin/sh\necho welcome\nexec sleep 60\n")
    chatty.chmod(0o755)
    said = line(afar("status", hosts=(sshd.host(program=str(chatty)),)), 1)
    assert "speaks before Plancton does, its shell? welcome" in said
    sshd.known.write_text("")
    assert "its host key is not known here" in line(afar("status"), 1)
    sshd.known.write_text(f"[127.0.0.1]:{sshd.ports[0]} {(sshd.folder / 'user.pub').read_text()}")
    assert "its host key has changed" in line(afar("status"), 1)


@pytest.mark.long
def test_several_nodes_at_once(afar: Afar, sshd: Sshd, node: Service, tmp_path: Path) -> None:
    """One is down, on one no engine runs: the third is shown and drained all the same."""
    idle = tmp_path / "idle"
    idle.write_text(f'#!/bin/sh\nexec {PLANCTON} "$1" --rundir {tmp_path}/nowhere\n')
    idle.chmod(0o755)
    hosts = (DOWN, sshd.host(), sshd.host(1, str(idle)))
    done = afar("status", hosts=hosts)
    assert done.returncode == 1
    assert done.stderr == ""
    head, down, well, none = done.stdout.splitlines()
    assert head.split()[:3] == ["HOST", "NODE", "MODE"]
    assert "FAILED" in down
    assert "Connection refused" in down
    assert node.status()["node"] in well
    assert "active" in well
    assert "no engine runs here" in none
    told = json.loads(afar("status", "--json", hosts=hosts).stdout)
    assert [bool(each["error"]) for each in told] == [True, False, True]
    assert told[1]["status"]["pid"] == node.status()["pid"]
    both = {**sshd.environment, "PLANCTON_HOST": f"{sshd.host()} {DOWN}"}
    command = [PLANCTON, "status", "--rundir", str(node.rundir)]
    named = subprocess.run(command, env=both, capture_output=True, text=True, check=False)
    assert len(named.stdout.splitlines()) == 3
    done = afar("drain", hosts=hosts)
    assert done.returncode == 1
    assert f"root@127.0.0.1:{sshd.ports[0]}: draining: no new pilots" in done.stdout
    assert done.stderr.count("\n") == 2
    assert node.status()["mode"] == "draining"
    assert "is for one node at a time" in line(afar("pilots", hosts=hosts), 1)


def relays(service: Service) -> int:
    """Count the relays to a service."""
    lines = (
        Path(f"/proc/{pid.name}/cmdline") for pid in Path("/proc").iterdir() if pid.name.isdecimal()
    )
    found = 0
    for each in lines:
        try:
            words = each.read_bytes().split(b"\0")
        except OSError:
            continue
        found += b"relay" in words and str(service.rundir).encode() in words
    return found


def test_a_node_that_stands_still_is_not_waited_for(
    sshd: Sshd, node: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine answers, the engine does not: that is said in time."""
    monkeypatch.setenv("PATH", sshd.environment["PATH"])
    assert node.process
    node.process.send_signal(signal.SIGSTOP)
    engine = RemoteEngine(SshTransport(SshHost.parse(sshd.host()), node.rundir, timeout=3.0))
    with pytest.raises(UnreachableError, match="it does not answer"):
        engine.snapshot()
    node.process.send_signal(signal.SIGCONT)
    until(lambda: relays(node) == 0)


def test_one_login_serves_many_requests(
    sshd: Sshd, node: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the engine ends; one that came after it is found by another."""
    monkeypatch.setenv("PATH", sshd.environment["PATH"])
    transport = SshTransport(SshHost.parse(sshd.host()), node.rundir)
    engine = RemoteEngine(transport)
    for _ in range(3):
        assert engine.snapshot().node == node.status()["node"]
        with pytest.raises(RefusedError, match="no pilot is called nobody"):
            engine.command_pilot("nobody", PilotCommand.KILL)
    assert sshd.logins == 1
    node.stop(signal.SIGKILL)
    with pytest.raises(NotRunningError):
        engine.snapshot()
    node.start()
    assert engine.snapshot().pid == node.status()["pid"]
    assert sshd.logins <= 3
    transport.close()
    until(lambda: relays(node) == 0)


def test_the_screen_from_afar(sshd: Sshd, node: Service) -> None:
    """In a terminal: ssh asks about the unknown host, then keys take the node in hand."""
    sshd.known.write_text("")
    words = ["env", f"PATH={sshd.environment['PATH']}", PLANCTON, "--host", sshd.host()]
    rundir = ["--rundir", str(node.rundir)]
    with closing(Terminal([*words, "status", *rundir])) as asks:
        asks.shows("Are you sure you want to continue connecting")
        asks.type("y", "e", "s", "Enter")
        asks.shows("ended with 0", 60)
    with closing(Terminal([*words, "tui", *rundir])) as screen:
        screen.shows("ACTIVE", 60)
        screen.shows("attached to root@127.0.0.1")
        screen.type("d")
        screen.shows("DRAINING")
        assert node.status()["mode"] == "draining"
        node.stop(signal.SIGKILL)
        screen.shows("NO CONNECTION")
        node.start()
        until(lambda: "NO CONNECTION" not in screen.screen(), 60)
        screen.type("u")
        until(lambda: node.status()["mode"] == "active")
        screen.type("q")
        screen.shows("ended with 0")
    until(lambda: relays(node) == 0)
