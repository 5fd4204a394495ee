"""The walk: draw a step, do it, check what must hold; in the end all is quiet and nothing left."""

from __future__ import annotations

import random
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from plancton.engine.api import NotRunningError
from tests.conftest import until
from tests.soak import invariants
from tests.soak.node import Node
from tests.soak.steps import STEPS


class WalkError(AssertionError):
    """Something does not hold. Says what, after which steps, and how to walk there again."""


def walk(seed: int, minutes: float) -> int:
    """Walk so many *minutes*; returns the number of steps.

    The same seed draws the same steps. How they meet Plancton's own threads is chance.
    """
    chance, done = random.Random(seed), list[str]()  # noqa: S311 (repeatable)
    end = time.monotonic() + 60 * minutes
    with tempfile.TemporaryDirectory(prefix="plt-") as folder:  # sockets' paths are short
        node = Node(Path(folder), chance)
        try:
            node.start()
            while time.monotonic() < end:
                (step,) = chance.choices(STEPS, [each.weight for each in STEPS])
                done.append(step.name)
                step.do(node)
                invariants.check(node)
            done.append("quiet")
            _quiet(node)
            done.append("the end")
            _end(node)
        except BaseException as error:
            tail = "\n".join(node.service.log.splitlines()[-60:])
            walked = "\n".join(f"{n:4} {name}" for n, name in enumerate(done, 1))
            raise WalkError(f"make soak SEED={seed}\n{walked}\n{tail}\n{error!r}") from error
        finally:
            node.close()
    return len(done)


def _quiet(node: Node) -> None:
    """With everything well again, as many pilots run as shall."""
    node.idle()
    node.service.configure({"cpus": 0.3}, image={"pull": False}, spawn=_TWO)
    until(lambda: _settled(node), 180)
    invariants.check(node)


def _settled(node: Node) -> bool:
    """Take back what was asked, also if it ends as asked before; say whether it is full."""
    node.start()
    node.verb("resume")
    with suppress(NotRunningError):
        return len(node.service.names()) == 2
    return False


_TWO = {"maximum": 2, "min_room": 0.3, "short_life": 0, "backoff": "1s"}


def _end(node: Node) -> None:
    """Nothing is left of it but its files."""
    node.allowed_codes = {0}
    node.verb("force-stop", codes=(0,))
    until(lambda: not node.runs, 60)
    invariants.ended_as_allowed(node)
    assert not node.pilots(), node.pilots()
    left = {path.name for path in node.service.rundir.iterdir()}
    assert left <= {"plancton.lock", "pilots"}, left
    assert not list((node.service.rundir / "pilots").glob("*"))
    others = node.left_alone | _never_begun(node)
    left = {place.parent.name for place in _cgroups(node) if place.read_text().strip()} - others
    assert not left, f"processes in the cgroups of {left}"


def _cgroups(node: Node) -> list[Path]:
    """Return the lists of processes of all containers in the parent cgroup."""
    return list(Path("/sys/fs/cgroup").glob(f"*/plancton-{node.instance}/*/cgroup.procs"))


def _never_begun(node: Node) -> set[str]:
    """Return IDs of containers that a Docker was starting when it was killed, and forgot.

    Nothing of the pilot has run there, only the runtime that waits for a word of Docker.
    """
    found = set()
    for place in _cgroups(node):
        commands = [Path(f"/proc/{pid}/cmdline").read_text() for pid in place.read_text().split()]
        if all(command.startswith("runc\0init") for command in commands):
            found.add(place.parent.name)
    return found
