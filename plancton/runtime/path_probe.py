"""Look at paths of the node without hanging where their file system does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from plancton.runtime import path_facts
from plancton.runtime.mounts import mount_of, parse_mountinfo

_PATIENCE = 2.0
"""Seconds in which a file system has to answer."""
_MOST_STUCK = 8
"""Looks that may hang at the same time."""
# Isolated and without packages, it starts in a third of the time.
_PROGRAM = (sys.executable, "-I", "-S", path_facts.__file__)


@dataclass(frozen=True, slots=True)
class Place:
    """What is at a path."""

    real: str
    """Where it leads, all links followed."""
    errno: int = 0
    """Why it cannot be used; 0: it can."""

    @property
    def trouble(self) -> str:
        """Say why it cannot be used; empty: it can."""
        return os.strerror(self.errno) if self.errno else ""


class ProbeError(Exception):
    """A path could not be looked at. Says which, and why."""


class PathProbe:
    """Looks in processes that may hang. Of those there are few, and one for each path at most."""

    def __init__(self, patience: float = _PATIENCE, most_stuck: int = _MOST_STUCK) -> None:
        """Wait for an answer for *patience* seconds."""
        self.patience, self.most_stuck = patience, most_stuck
        self._stuck: dict[str, subprocess.Popen[bytes]] = {}

    def look(self, paths: Iterable[str], viewer: str = "self") -> Mapping[str, Place]:
        """Return what is at each of the absolute *paths*, as the process *viewer* sees the node.

        Raises ProbeError if one does not answer in time; at once, if it has not answered since
        an earlier look.
        """
        wanted = tuple(dict.fromkeys(paths))
        self._forget_answered()
        for path in wanted:
            if path in self._stuck:
                raise ProbeError(_no_answer(path, viewer))
        if len(self._stuck) >= self.most_stuck:
            raise ProbeError(f"{', '.join(self._stuck)} do not answer; no more is looked at")
        if not wanted:
            return {}
        return dict(zip(wanted, self._answers(wanted, viewer), strict=True))

    def _answers(self, paths: tuple[str, ...], viewer: str) -> list[Place]:
        try:
            process = subprocess.Popen(
                [*_PROGRAM, f"/proc/{viewer}/root", *paths],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except (OSError, ValueError) as error:  # no process to be had; a zero byte in a path
            raise ProbeError(f"cannot look at {paths[0]}: {error}") from error
        try:
            lines = process.communicate(timeout=self.patience)[0].splitlines()
        except subprocess.TimeoutExpired as late:
            answered = (late.stdout or b"").count(b"\n")
            first = paths[min(answered, len(paths) - 1)]
            self._stuck[first] = process
            raise ProbeError(_no_answer(first, viewer)) from late
        if len(lines) < len(paths):
            code = process.returncode
            raise ProbeError(f"cannot look at {paths[len(lines)]}: exit code {code}")
        return [Place(*json.loads(line)) for line in lines]

    def _forget_answered(self) -> None:
        for path, process in list(self._stuck.items()):
            if process.poll() is not None:
                process.communicate()
                del self._stuck[path]

    def close(self) -> None:
        """End the looks that hang. What hangs in the kernel ends when it is answered."""
        for process in self._stuck.values():
            process.kill()
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.2)
        self._forget_answered()


def _no_answer(path: str, viewer: str) -> str:
    # What is mounted the kernel tells without asking the file system.
    text = Path("/proc", viewer, "mountinfo").read_text(errors="surrogateescape")
    mount = mount_of(os.path.normpath(path), parse_mountinfo(text))
    return f"{path} does not answer (it lies on {mount.point}, {mount.kind})"
