"""The life of the service as its administrator leads it: each verb in each state."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import until
from tests.e2e.conftest import Containers
from tests.e2e.service import CORES, PLANCTON, Service

pytestmark = pytest.mark.docker
NOBODY = 65534
KILLS = int(os.environ.get("PLANCTON_TEST_KILLS", "10"))


@pytest.fixture(params=[pytest.param(0, marks=pytest.mark.long), NOBODY], ids=["root", "user"])
def admin(instance: str, request: pytest.FixtureRequest) -> Iterator[Service]:
    """Return the service of root, or of a user who may use Docker; one pilot at most."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        made = Service(Path(name), instance, uid=request.param)
        pilot = {"command": ["sh", "-c", "echo hello; sleep 1000"], "cpus": 0.3}
        made.configure(pilot, spawn={"maximum": 1})
        yield made
        made.close()


def said(service: Service, verb: str, code: int, words: str, *more: str) -> None:
    """Run a verb and check its exit code and its one line."""
    needs_config = verb in ("force-stop", "reap")
    if verb in ("start", "force-start"):
        done = service.daemon(verb)
    else:
        done = service.run(verb, *more, config=needs_config)
    text = done.stdout + done.stderr
    assert done.returncode == code, (verb, text)
    assert words in text, (verb, text)
    assert "Traceback" not in text
    if code:
        assert done.stderr.count("\n") == 1, done.stderr


def test_every_verb_while_nothing_runs(admin: Service, containers: Containers) -> None:
    """Orders are kept, questions refused with exit code 3, and nothing is done twice."""
    for verb in ("status", "pilots", "why", "ledger", "events", "reload", "health"):
        said(admin, verb, 3, "start one: plancton start")
    for verb in ("kill", "freeze", "thaw", "logs"):
        said(admin, verb, 3, "no engine runs here", "somebody")
    said(admin, "stop", 0, "nothing to stop")
    said(admin, "reap", 0, "0 pilots ended")
    for _ in range(2):
        said(admin, "drain", 0, "draining: no new pilots are started (no engine runs: kept")
    said(admin, "drain-stop", 0, "stopping:")
    said(admin, "start", 1, "as asked while it was away")
    said(admin, "start", 0, "the node is draining as asked")  # the stop is done, the drain stays
    assert containers.names() == set()
    said(admin, "resume", 0, "active: pilots are started again")
    until(containers.names)
    said(admin, "force-stop", 0, "ended; all pilots were killed")
    assert containers.names(running=False) == set()
    said(admin, "force-stop", 0, "0 pilots ended")
    for order in ("drain", "drain-stop"):
        said(admin, order, 0, "kept for the next start")
    said(admin, "force-start", 0, "started, process")
    until(containers.names)
    assert admin.status()["mode"] == "active"


def test_every_verb_while_it_runs(admin: Service, containers: Containers) -> None:
    """In a row, each twice: the second time nothing changes, and it is said."""
    said(admin, "start", 0, "started, process")
    pid = admin.node.pid
    assert pid
    assert (admin.folder / "run.pid").read_text() == f"{pid}\n"
    for verb in ("start", "force-start"):
        said(admin, verb, 0, f"runs already, process {pid}")
    until(lambda: len(admin.names()) == 1)
    (name,) = admin.names()
    said(admin, "health", 0, "the engine ticks")
    said(admin, "status", 0, "mode        active")
    said(admin, "logs", 0, "hello", name)
    said(admin, "logs", 1, "no pilot is called nobody", "nobody")
    said(admin, "events", 0, "pilot started")
    said(admin, "reap", 0, "nothing to do")
    assert admin.run("kill").returncode == 2
    for _ in range(2):
        said(admin, "freeze", 0, f"frozen: {name}", name)
    assert admin.names("frozen") == {name}
    inspected = containers.client.inspect_container(name)
    assert inspected["State"]["Paused"]
    for _ in range(2):
        said(admin, "thaw", 0, f"thawed: {name}", "--all")
    assert admin.names() == {name}
    said(admin, "reload", 0, "is in force (unchanged)")
    admin.write("spawn: {maximun: 1}")
    said(admin, "reload", 1, "did you mean maximum?")
    admin.configure({"cpus": 0.3}, spawn={"maximum": 1, "per_tick": 2})
    said(admin, "reload", 0, "is in force")
    for verb, words in (("drain", "draining:"), ("drain", "1 pilot left running")):
        said(admin, verb, 0, words)
    said(admin, "resume", 0, "active:")
    said(admin, "resume", 0, "active:")
    said(admin, "drain", 0, "draining:")
    for _ in range(2):
        said(admin, "drain-stop", 0, "stopping:")
    said(admin, "drain", 0, "the node is stopping")  # the stronger word stays, and is said
    said(admin, "start", 0, "the node is stopping as asked")
    said(admin, "resume", 0, "active:")
    assert containers.names() == {name}
    said(admin, "kill", 0, f"killed: {name}", name)
    until(lambda: containers.names() and name not in containers.names())
    said(admin, "logs", 0, "hello", name)  # what was kept of it
    (other,) = containers.names()
    said(admin, "drain-stop", 0, "stopping:")
    said(admin, "kill", 0, "killed:", "--all")
    until(lambda: admin.node.pid is None)
    assert not (admin.folder / "run.pid").exists()
    assert containers.names(running=False) == set()
    assert other
    said(admin, "start", 0, "started")  # the stop was done, and is forgotten
    until(admin.names)
    said(admin, "stop", 0, "ended; 1 pilot left running")
    said(admin, "force-stop", 0, "1 pilot ended and removed")


def test_waiting_ends_when_it_is_done_or_the_time_is_over(
    admin: Service, containers: Containers
) -> None:
    """Drain --wait and its limit; what was asked goes on."""
    admin.configure({"command": "sleep 10", "cpus": 0.3}, spawn={"maximum": 1})
    said(admin, "start", 0, "started")
    until(containers.names)
    said(admin, "drain", 1, "not within 1 s: 1 pilot left", "--wait", "--timeout", "1")
    assert admin.status()["mode"] == "draining"
    said(admin, "drain", 0, "no pilot is left", "--wait", "--timeout", "60s")
    assert containers.names() == set()
    said(admin, "drain-stop", 0, "ended; no pilot is left", "--wait")
    assert admin.node.pid is None
    done = admin.run("stop", "--timeout", "soon")
    assert done.returncode == 2
    assert "not a duration" in done.stderr


def test_start_reports_what_went_wrong(admin: Service) -> None:
    """To the shell that called it, in the words of the service."""
    admin.write("spawn: {maximun: 1}")
    said(admin, "start", 1, "did you mean maximum?")
    admin.configure(node={"docker": "unix:///nonexistent.sock"})
    said(admin, "start", 0, "but Docker does not run at unix:///nonexistent.sock")
    said(admin, "stop", 0, "ended")
    admin.config.unlink()
    said(admin, "start", 1, "No such file")


def test_the_daemon_is_detached(admin: Service) -> None:
    """A session of its own, the root as directory, no terminal, and its log in a file."""
    said(admin, "start", 0, "started")
    pid = admin.node.pid
    assert pid
    status = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    parent, session, terminal = int(status[1]), int(status[3]), int(status[4])
    assert parent != os.getpid()
    assert session == pid
    assert terminal == 0
    assert Path(f"/proc/{pid}/cwd").readlink() == Path("/")
    assert Path(f"/proc/{pid}/fd/0").readlink() == Path("/dev/null")
    assert "Plancton starts" in (admin.folder / "log" / "plancton.log").read_text()
    said(admin, "stop", 0, "ended")


def test_a_reused_pid_and_stale_files_do_no_harm(admin: Service) -> None:
    """PID file, lock, socket and markers of a dead one, with a PID that lives."""
    said(admin, "start", 0, "started")
    first = admin.node.pid
    assert first
    os.kill(first, signal.SIGKILL)
    until(lambda: admin.node.pid is None)
    for name in ("run/plancton.lock", "run.pid"):
        (admin.folder / name).write_text(f"{os.getpid()}\n")
    said(admin, "stop", 0, "nothing to stop")
    said(admin, "start", 0, "started")
    assert admin.node.pid not in (first, os.getpid(), None)


def test_a_hanging_engine_is_said_and_orders_are_kept(service: Service) -> None:
    """Stopped in its tracks: no verb hangs, no request is lost."""
    admin = service
    said(admin, "start", 0, "started")
    until(admin.names)
    pid = admin.node.pid
    assert pid
    os.kill(pid, signal.SIGSTOP)
    try:
        said(admin, "status", 3, "does not answer")
        said(admin, "drain", 0, "it is kept, and done as soon as it looks")
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: admin.status()["mode"] == "draining")


def test_a_change_is_seen_before_it_is_made(service: Service, containers: Containers) -> None:
    """Keys, and what the running engine would do; nothing happens."""
    service.start()
    until(lambda: len(service.names()) == CORES)
    candidate = service.folder / "new.yaml"
    candidate.write_text(service.config.read_text().replace("sleep 1000", "sleep 2000"))
    options = ["--config", str(service.config), "--statedir", str(service.folder / "state")]
    shown = service.run("config", "diff", str(candidate), *options).stdout
    assert 'pilots[default].command: ["sleep", "1000"] -> ["sleep", "2000"]' in shown
    assert "now it would:\n  nothing more: the maximum" in shown
    candidate.write_text("spawn: {maximum: 0}")
    shown = service.run("config", "diff", str(candidate), *options).stdout
    assert shown.count("terminate plancton-default-") == CORES
    candidate.write_text("spawn: {maximun: 0}")
    refused = service.run("config", "diff", str(candidate), *options)
    assert refused.returncode == 1
    assert "did you mean maximum?" in refused.stderr
    assert len(containers.names()) == CORES


def test_a_remote_configuration_is_followed_shown_and_bounded(
    service: Service, containers: Containers
) -> None:
    """From a git repository: in force, changed, refused; kept for a start without it."""
    repository = service.folder / "repository"
    repository.mkdir()
    commit(repository, "init", "-q")
    far = {"command": "sleep 1000", "network": "none", "grace": "1s"}
    change(repository, {"pilots": [far], "spawn": {"maximum": 1}})
    remote = {"url": f"git+file://{repository}", "interval": "1h"}
    node = {"instance": service.instance, "interval": "1s"}
    service.write(json.dumps({"node": node, "remote": remote}))
    service.start()
    until(lambda: len(service.names()) == 1)
    options = ["--config", str(service.config), "--statedir", str(service.folder / "state")]
    change(repository, {"pilots": [far], "spawn": {"maximum": 2}})
    shown = service.run("config", "diff", "--remote", *options).stdout
    assert 'spawn.maximum: "1" -> "2"' in shown
    assert "  spawn default: " in shown
    said(service, "reload", 0, "is in force (new)")
    until(lambda: len(containers.names()) == 2)
    change(repository, {"pilots": [{**far, "privileged": True}]})
    said(service, "reload", 1, "privileged is not allowed here")
    assert "CONFIG      refused, the last good one stays" in service.run("status").stdout
    repository.rename(service.folder / "gone")
    assert service.stop() == 0
    service.start()
    until(lambda: service.status()["maximum"] == 2)
    service.run("reload")  # by itself it looks within a minute
    until(lambda: "FAILED: git: " in service.run("status").stdout)
    assert len(containers.names()) == 2
    assert service.status()["spawned"] == 0


def change(repository: Path, values: dict[str, object]) -> None:
    """Commit a configuration."""
    (repository / "config.yaml").write_text(json.dumps(values))
    commit(repository, "add", "-A")
    commit(repository, "commit", "-q", "-m", "x")


def commit(repository: Path, *words: str) -> None:
    """Run git."""
    who = ["-c", "user.name=x", "-c", "user.email=x@x"]
    subprocess.run(["git", "-C", str(repository), *who, *words], check=True, capture_output=True)


def test_colours_on_a_terminal_and_none_in_a_pipe(service: Service) -> None:
    """Nor where NO_COLOR is set."""
    service.start()
    assert "\x1b[" not in service.run("status").stdout
    command = f"{PLANCTON} status --rundir {service.rundir}"
    for variable, coloured in (("TERM", True), ("NO_COLOR", False)):
        environment = {**os.environ, "TERM": "xterm-256color", variable: "xterm-256color"}
        done = subprocess.run(
            ["script", "-qec", command, "/dev/null"],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        )
        assert ("\x1b[32mactive" in done.stdout) is coloured
        assert "mode" in done.stdout


def test_shell_completion_knows_verbs_and_options() -> None:
    """As the shell asks for it."""
    shell = {**os.environ, "_PLANCTON_COMPLETE": "complete_bash", "COMP_CWORD": "1"}
    shell["COMP_WORDS"] = "plancton force-"
    done = subprocess.run([PLANCTON], capture_output=True, text=True, check=False, env=shell)
    assert done.stdout.split() == ["force-start", "force-stop"]


@pytest.mark.parametrize("spawn", [{}, {"spare": True, "short_life": 1}], ids=["plain", "spare"])
@pytest.mark.long
@pytest.mark.timeout(300 + 3 * KILLS)
def test_killed_at_any_point_nothing_is_lost_leaked_or_doubled(
    service: Service, containers: Containers, spawn: dict[str, Any]
) -> None:
    """Kill -9 at random moments, drains and resumes between them: the last word holds."""
    chance = random.Random(7)  # noqa: S311 (a repeatable test)
    spawn = {"maximum": 3, "min_room": 0.3, **spawn}
    service.configure({"command": "sleep 2.5"}, spawn=spawn)
    asked = ""
    for _ in range(KILLS):
        service.launch()
        time.sleep(chance.uniform(0.2, 1.0))
        if chance.random() < 0.3:
            asked = chance.choice(["drain", "resume"])
            done = service.run(asked, "--no-wait")
            assert done.returncode == 0, done.stderr
        service.stop(signal.SIGKILL)
        assert (service.rundir / "drain").exists() is (asked == "drain")
        assert len(containers.names()) <= 3
        assert len(containers.spares()) <= 2  # one that began before the kill, and its successor
    assert not list((service.folder / "state").glob("*.unreadable"))
    for path in (service.folder / "state").glob("*.json"):
        assert json.loads(path.read_text())
    assert "Traceback" not in service.log
    assert service.run("drain").returncode == 0
    service.start()
    assert service.status()["mode"] == "draining"
    service.configure({"command": "sleep 1000"}, spawn={"maximum": 2, "short_life": 0})
    service.run("resume")
    until(lambda: len(service.names()) == 2 and len(containers.names(running=False)) == 2, 60)
