"""The shim as a real process, with a shell in the pilot's place and no cgroup."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plancton.runtime.apptainer import shim
from plancton.runtime.apptainer.pilot_folder import PilotFolder
from tests.conftest import until


class Stage:
    """One pilot's folder, and its shim."""

    def __init__(self, place: Path) -> None:
        """Prepare; nothing runs."""
        self.folder = PilotFolder(place / "pilot")
        self.process: subprocess.Popen[bytes] | None = None

    def run(self, script: str, **changes: Any) -> None:
        """Start the shim of a pilot that runs a shell script."""
        task: dict[str, Any] = {
            "name": "pilot",
            "command": ["/bin/sh", "-c", script],
            "folders": [],
            "own": [],
            "writes": [],
            "procs": [],
            "oom_file": "",
            "user": None,
            "cwd": "/",
            "ulimits": [],
            "oom_score_adj": 1000,
            "log_size": 100_000,
        }
        self.folder.make(task | changes, {"PATH": "/usr/bin:/bin", "A": "of its own"})
        command = [sys.executable, "-I", "-S", shim.__file__, str(self.folder.place)]
        self.process = subprocess.Popen(command)

    def ends(self) -> tuple[int, str]:
        """Wait for its end; returns exit code and error."""
        assert self.process is not None
        assert self.process.wait(60) == 0
        ending = self.folder.ending()
        assert ending is not None
        return ending.code, ending.error


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """Return a stage on which nothing runs on afterwards."""
    made = Stage(tmp_path)
    yield made
    if made.process and made.process.poll() is None:
        made.process.kill()
        made.process.wait(10)


def test_a_pilot_runs_to_its_end(stage: Stage) -> None:
    """Its code, its log of both outputs, its environment and nothing else of ours."""
    stage.run("echo $A $HOME; echo error >&2; exit 7")
    assert stage.ends() == (7, "")
    assert stage.folder.log(1000) == b"of its own\nerror\n"
    assert not stage.folder.has_shim()
    assert not (stage.folder.place / shim.ENVIRONMENT).exists()


def test_a_signal_goes_to_the_pilot(stage: Stage) -> None:
    """As when systemd stops the unit."""
    stage.run("trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done")
    until(lambda: stage.folder.log(10))
    assert stage.folder.has_shim()
    assert stage.process is not None
    stage.process.send_signal(signal.SIGTERM)
    assert stage.ends() == (9, "")


def test_a_killed_pilot_tells_the_signal(stage: Stage) -> None:
    """As a shell has it: 128 and the signal."""
    stage.run("exec sleep 1000")
    until(stage.folder.started)
    started = stage.folder.started()
    assert started is not None
    os.kill(started[0], signal.SIGKILL)
    assert stage.ends() == (137, "")


def test_a_program_that_is_not_there_is_no_start(stage: Stage) -> None:
    """It says which, and there was no start."""
    stage.run("", command=["/nonexistent/apptainer"])
    code, error = stage.ends()
    assert code == shim.NOT_STARTED
    assert "No such file" in error
    assert stage.folder.started() is None


@pytest.mark.parametrize("needed", [True, False])
def test_only_limits_that_are_needed_keep_a_pilot_from_starting(
    stage: Stage, tmp_path: Path, needed: bool
) -> None:
    """A limit that the kernel does not take."""
    stage.run("exit 0", writes=[[f"{tmp_path}/nowhere/memory.max", "5", needed]])
    code, error = stage.ends()
    assert (code, "memory.max" in error) == ((shim.NOT_STARTED, True) if needed else (0, False))


def test_a_log_keeps_its_end_and_its_bound(stage: Stage) -> None:
    """However much is written, and the last line is there."""
    stage.run("yes 0123456789 | head -c 3000000; echo; echo the end", log_size=50_000)
    assert stage.ends() == (0, "")
    files = [stage.folder.place / name for name in (shim.LOG, shim.OLDER_LOG)]
    assert sum(file.stat().st_size for file in files) <= 50_000
    assert stage.folder.log(1_000_000).endswith(b"\nthe end\n")
    assert len(stage.folder.log(1_000_000)) > 25_000


def test_a_pilot_that_closes_its_output_is_waited_for(stage: Stage) -> None:
    """Its code still counts."""
    stage.run("exec >&- 2>&-; sleep 0.3; exit 3")
    assert stage.ends() == (3, "")


def test_what_holds_the_output_open_holds_nobody(stage: Stage) -> None:
    """A daemon that the pilot left behind, in a session of its own."""
    stage.run("setsid sleep 30 & echo $!")
    assert stage.ends() == (0, "")
    os.kill(int(stage.folder.log(20)), signal.SIGKILL)


def test_an_end_is_told(stage: Stage, tmp_path: Path) -> None:
    """To whoever listens beside the folders; nobody need."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(str(tmp_path / shim.ENDS))
        line.settimeout(60)
        stage.run("exit 0")
        assert line.recv(100) == b"pilot"
    assert stage.ends() == (0, "")


def test_two_shims_are_not_of_one_pilot(stage: Stage) -> None:
    """The lock is held as long as the first one lives."""
    stage.run("echo ready; exec sleep 1000")
    until(lambda: stage.folder.log(10))
    second = [sys.executable, "-I", "-S", shim.__file__, str(stage.folder.place)]
    assert subprocess.run(second, capture_output=True, check=False).returncode == 1
    assert stage.folder.has_shim()


def test_resource_limits_hold(stage: Stage) -> None:
    """Those of the profile."""
    stage.run("ulimit -n; ulimit -Hn", ulimits=[["nofile", 123, 456]])
    assert stage.ends() == (0, "")
    assert stage.folder.log(100) == b"123\n456\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts pilots as somebody else")
def test_a_pilot_of_root_is_somebody_else(stage: Stage) -> None:
    """With no group of root's left."""
    stage.run("id -u; id -G", user=[65534, 65534])
    assert stage.ends() == (0, "")
    assert stage.folder.log(100) == b"65534\n65534\n"


@pytest.mark.parametrize("name", [shim.TASK, shim.STARTED, shim.ENDED])
@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x", "code": []}', "null"])
def test_damaged_notes_are_no_notes(tmp_path: Path, name: str, text: str) -> None:
    """A full disk, or somebody's hand."""
    folder = PilotFolder(tmp_path / "p")
    folder.place.mkdir()
    (folder.place / name).write_text(text)
    assert (folder.task(), folder.started(), folder.ending()) == (None, None, None)


def test_a_task_of_an_earlier_boot_is_none(tmp_path: Path) -> None:
    """Its processes are gone, whatever their numbers."""
    folder = PilotFolder(tmp_path / "p")
    folder.make({"user": None}, {})
    assert folder.task() is not None
    file = folder.place / shim.TASK
    file.write_text(json.dumps({**json.loads(file.read_text()), "boot": "another"}))
    assert folder.task() is None
