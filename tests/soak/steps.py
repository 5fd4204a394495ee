"""The steps of the walk, and how often each is drawn."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from docker.errors import APIError

from tests.conftest import until
from tests.e2e.docker_proxy import FAULTS
from tests.e2e.test_bad_disks import BAD_FILES, remove
from tests.soak.node import MAXIMUM, Node


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is done to a node."""

    name: str
    weight: int
    do: Callable[[Node], object]


# --- the operator ---------------------------------------------------------------------------


def _look(node: Node) -> None:
    verbs = ("status", "why", "pilots", "ledger", "events", "history", "health", "doctor")
    verb = node.chance.choice(verbs)
    if verb != "doctor":
        node.verb(verb)


def _order(*words: str) -> Callable[[Node], object]:
    return lambda node: node.verb(*words)


def _end(*words: str) -> Callable[[Node], None]:
    def do(node: Node) -> None:
        node.hurt()
        node.verb(*words)

    return do


def _command(node: Node) -> None:
    verb = node.chance.choice(("kill", "freeze", "thaw"))
    node.verb(verb, "--all", "--no-wait")


def _tick(node: Node) -> None:
    """Let it tick a few times, if it can."""
    if node.runs and not node.stopped and node.answers:
        tick = node.service.status()["tick"]
        until(lambda: not node.answers or node.service.status()["tick"] > tick + 2, 300)


# --- signals --------------------------------------------------------------------------------


def _signal(number: signal.Signals, *codes: int) -> Callable[[Node], None]:
    def do(node: Node) -> None:
        if node.runs:
            node.go_on()
            node.allowed_codes = {0, *codes}
            node.signal(number)
            if codes and node.service.process:
                node.hurt()
                node.service.process.wait(60)

    return do


def _hold(node: Node) -> None:
    if node.runs:
        node.hurt()
        node.signal(signal.SIGSTOP)
        node.stopped = True


# --- Docker ---------------------------------------------------------------------------------


def _kill_docker(node: Node) -> None:
    node.hurt()
    node.daemon.signal(signal.SIGKILL)
    node.daemon.start()


def _stall_docker(node: Node) -> None:
    """Nothing answers until the engine has noticed, or a verb has been asked."""
    node.hurt()
    node.daemon.signal(signal.SIGSTOP)
    if node.runs and not node.stopped:
        node.verb("status")
    node.daemon.signal(signal.SIGCONT)
    node.hurt()


def _spoil(node: Node) -> None:
    """Answer nonsense in Docker's name for some requests."""
    pattern = node.chance.choice(("", "POST|DELETE", "json", "/containers/json", "start", "create"))
    name = node.chance.choice([name for name in FAULTS if name != "hang"])
    node.hurt()
    node.proxy.spoil(FAULTS[name], pattern)


def _behave(node: Node) -> None:
    node.hurt()
    node.proxy.behave()


# --- other people -----------------------------------------------------------------------------


def _meddle(what: Callable[[Node, str], object]) -> Callable[[Node], None]:
    def do(node: Node) -> None:
        id_ = node.victim()
        if id_:
            with suppress(APIError):
                what(node, id_)

    return do


def _rename(node: Node, id_: str) -> None:
    node.docker.rename(id_, f"renamed-{id_[:12]}")
    node.left_alone.add(id_)


# --- files --------------------------------------------------------------------------------------


def _bad_config(node: Node) -> None:
    # Not an empty file: a start with it would be another instance, on the machine's own Docker.
    texts = ("a: b", "pilots: [", "spawn: {maximum: -", "\0\0", "x" * 2_000_000, "spawn: 5")
    node.service.write(node.chance.choice(texts))


def _no_config(node: Node) -> None:
    node.service.config.unlink(missing_ok=True)


def _remote(node: Node) -> None:
    maximum = node.chance.randint(0, MAXIMUM)
    far = node.config_json(spawn={"maximum": maximum})
    bad = node.config_json(spawn={"maximum": "1/0", "maximun": 3})
    huge = b"#" * 2_000_000
    node.set_remote(
        *node.chance.choice(((far, 200), (bad, 200), (huge, 200), (b"", 500), (b"", 404)))
    )
    node.write_good(remote=True, maximum=node.chance.randint(0, MAXIMUM))


def _bad_state(node: Node) -> None:
    names = (
        f"memory-{node.instance}.json",
        f"memory-{node.instance}.new",
        f"remote-{node.instance}.json",
    )
    path = node.folder / "state" / node.chance.choice(names)
    put = node.chance.choice(BAD_FILES)
    with suppress(OSError):  # the disk is full
        remove(path)
        put(path)


def _lose_run_files(node: Node) -> None:
    """Lose what a tidy person removes: all but the lock."""
    for path in (*node.service.rundir.glob("*"),) if node.service.rundir.is_dir() else ():
        if path.name not in ("plancton.lock", "plancton.sock"):
            remove(path)


def _lose_folder(node: Node) -> None:
    for path in (node.folder / node.chance.choice(("state", "log"))).glob("*"):
        remove(path)


def _fill(node: Node) -> None:
    node.fill(node.chance.choice(("state", "log")))


def _make_room(node: Node) -> None:
    for name in ("state", "log"):
        (node.folder / name / "filler").unlink(missing_ok=True)


def _burn(node: Node) -> None:
    node.burn(node.chance.randint(1, 8))


STEPS = (
    Step("look", 6, _look),
    Step("let it tick", 10, _tick),
    Step("start", 12, Node.start),
    Step("drain", 2, _order("drain", "--no-wait")),
    Step("resume", 6, _order("resume")),
    Step("stop", 2, _end("stop", "--timeout", "60")),
    Step("drain-stop", 1, _end("drain-stop", "--no-wait")),
    Step("force-stop", 1, lambda node: node.verb("force-stop", "--no-wait") if node.runs else None),
    Step("kill, freeze or thaw all", 5, _command),
    Step("reload", 3, _order("reload", "--no-wait")),
    Step("SIGHUP", 2, _signal(signal.SIGHUP)),
    Step("SIGTERM", 2, _signal(signal.SIGTERM, 0)),
    Step("SIGKILL", 3, _signal(signal.SIGKILL, -signal.SIGKILL)),
    Step("SIGUSR1", 1, _signal(signal.SIGUSR1, -signal.SIGUSR1)),
    Step("SIGSTOP", 2, _hold),
    Step("SIGCONT", 8, Node.go_on),
    Step("kill Docker", 2, _kill_docker),
    Step("stall Docker", 1, _stall_docker),
    Step("nonsense in Docker's name", 4, _spoil),
    Step("the proxy behaves", 8, _behave),
    Step("somebody kills a pilot", 3, _meddle(lambda node, id_: node.docker.kill(id_))),
    Step("somebody removes one", 2, _meddle(
        lambda node, id_: node.docker.remove_container(id_, force=True))),
    Step("somebody restarts one", 2, _meddle(
        lambda node, id_: node.docker.restart(id_, timeout=0))),
    Step("somebody pauses one", 3, _meddle(lambda node, id_: node.docker.pause(id_))),
    Step("somebody renames one", 1, _meddle(_rename)),
    Step("a good configuration", 8, Node.write_good),
    Step("a bad configuration", 2, _bad_config),
    Step("no configuration", 1, _no_config),
    Step("a remote configuration", 3, _remote),
    Step("a bad state file", 2, _bad_state),
    Step("run files are lost", 1, _lose_run_files),
    Step("state or log is lost", 1, _lose_folder),
    Step("a disk is full", 2, _fill),
    Step("there is room again", 4, _make_room),
    Step("load", 2, _burn),
)  # fmt: skip
