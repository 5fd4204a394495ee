"""Stays with one pilot: starts it, keeps its log within bounds, writes down how it ended.

Each pilot has one, as containers of other engines have. It outlives Plancton, so that an engine
that is started again finds the pilot, and is told of its end. It runs as a script of its own,
with the standard library alone, so that it starts quickly and stays small:

    python -I -S shim.py FOLDER

FOLDER holds ``task.json``. The shim adds ``started.json`` and, at last, ``ended.json``.
"""

from __future__ import annotations

import fcntl
import json
import os
import resource
import select
import signal
import socket
import sys
import time

TYPE_CHECKING = False  # typing itself would take longer to load than all the rest
if TYPE_CHECKING:
    from typing import Any

    Task = dict[str, Any]

TASK, STARTED, ENDED = "task.json", "started.json", "ended.json"
ENVIRONMENT = "environment.json"
"""Read once, and removed: it may hold secrets."""
LOCK, LOG, OLDER_LOG = "lock", "log", "log.1"
ENDS = "ends.sock"
"""Beside the pilots' folders: where the engine hears of ends."""
NOT_STARTED = 125
"""Exit code of a pilot that could not be started, as other engines have it."""
_PIECE = 65536
_SWEEPS, _PAUSE = 100, 0.02


def main(folder: str) -> None:
    """Run the pilot of a folder to its end."""
    os.chdir(folder)
    lock = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # held while it lives
    with open(TASK, encoding="utf-8") as file:
        task = json.load(file)
    with open(ENVIRONMENT, encoding="utf-8") as file:
        task["env"] = json.load(file)
    os.unlink(ENVIRONMENT)
    try:
        _enter_cgroup(task)
        code, error = _run(task)
        _empty_cgroup(task)
    except (OSError, ValueError) as problem:
        code, error = NOT_STARTED, str(problem)
    oom = _oom_kills(task)
    _write(ENDED, {"code": code, "error": error, "finished": time.time(), "oom_killed": oom > 0})
    _remove_cgroup(task)
    _tell(task["name"])


def _enter_cgroup(task: Task) -> None:
    """Make the pilot's cgroup with its limits, and go where the shim's own place is."""
    for place in task["folders"]:
        os.makedirs(place, exist_ok=True)
    for place in task["own"]:
        _set(place, str(os.getpid()))
    for place, value, needed in task["writes"]:
        try:
            _set(place, value)
        except OSError as error:
            if needed:
                raise OSError(f"cannot write {value} to {place}: {error.strerror}") from error


def _run(task: Task) -> tuple[int, str]:
    """Start the pilot and wait for its end; returns its exit code and why it did not start."""
    ended, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken)
    output, writer = os.pipe()
    trouble, reporter = os.pipe()
    pid = os.fork()
    if pid == 0:
        _become(task, writer, reporter)
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(each, lambda number, _: os.kill(pid, number))
    signal.signal(signal.SIGCHLD, lambda *_: None)
    os.close(writer)
    os.close(reporter)
    error = os.read(trouble, 4096).decode(errors="replace")  # nothing once it runs
    if not error:
        _write(STARTED, {"pid": pid, "started": time.time()})
    log = _Log(task["log_size"])
    status = None
    while status is None:
        ready, _, _ = select.select([output, ended], [], [])
        if ended in ready:
            os.read(ended, 512)
            found, value = os.waitpid(pid, os.WNOHANG)
            status = value if found else None
        elif output in ready:
            piece = os.read(output, _PIECE)
            log.write(piece)
            if not piece:  # it has closed its output, and may run on
                status = os.waitpid(pid, 0)[1]
    _drain(output, log)
    log.close()
    code = os.waitstatus_to_exitcode(status)
    return (NOT_STARTED if error else code if code >= 0 else 128 - code), error


def _become(task: Task, output: int, reporter: int) -> None:
    """Turn this process into the pilot; what goes wrong is written to *reporter*."""
    try:
        signal.set_wakeup_fd(-1)
        for place in task["procs"]:
            _set(place, str(os.getpid()))
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(source, target)
        try:
            _set("/proc/self/oom_score_adj", str(task["oom_score_adj"]))
        except OSError:
            pass  # less than now only with a right to it
        for name, soft, hard in task["ulimits"]:
            most = [resource.RLIM_INFINITY if each < 0 else each for each in (soft, hard)]
            resource.setrlimit(getattr(resource, f"RLIMIT_{name.upper()}"), (most[0], most[1]))
        os.chdir(task["cwd"])
        if task["user"]:
            uid, gid = task["user"]
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
        os.umask(0o022)
        os.execve(task["command"][0], task["command"], task["env"])
    except (OSError, ValueError, AttributeError) as error:
        os.write(reporter, str(error).encode())
    finally:
        os._exit(NOT_STARTED)


class _Log:
    """A log of two files that together take no more than a bound."""

    def __init__(self, size: int) -> None:
        """Keep to *size* bytes."""
        self._most = max(512, size // 2)
        self._open()

    def _open(self) -> None:
        self._file = os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
        self._size = 0

    def write(self, piece: bytes) -> None:
        """Add to it; what cannot be written is lost, and the pilot goes on."""
        try:
            while piece:
                if self._size >= self._most:
                    os.close(self._file)
                    os.replace(LOG, OLDER_LOG)
                    self._open()
                written = os.write(self._file, piece[: self._most - self._size])
                self._size += written
                piece = piece[written:]
        except OSError:
            pass

    def close(self) -> None:
        """Have it on its way to disk."""
        os.close(self._file)


def _drain(output: int, log: _Log) -> None:
    """Take what the pilot wrote before its end; who still holds its output is not waited for."""
    os.set_blocking(output, False)
    try:
        while piece := os.read(output, _PIECE):
            log.write(piece)
    except BlockingIOError:
        pass


def _empty_cgroup(task: Task) -> None:
    """End what the pilot left behind in its cgroup."""
    for _ in range(_SWEEPS):
        left = [pid for place in task["procs"] for pid in _pids(place)]
        if not left:
            return
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        time.sleep(_PAUSE)


def _remove_cgroup(task: Task) -> None:
    """Remove the pilot's cgroup; the kernel may need a moment for what has just ended in it."""
    left = [os.path.dirname(place) for place in task["procs"]]
    for _ in range(_SWEEPS):
        left = [place for place in left if not _removed(place)]
        if not left:
            return
        time.sleep(_PAUSE)


def _removed(place: str) -> bool:
    try:
        os.rmdir(place)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _pids(place: str) -> list[int]:
    try:
        with open(place, encoding="ascii") as file:
            return [int(line) for line in file]
    except OSError:
        return []


def _oom_kills(task: Task) -> int:
    """Return how often the kernel killed something in the pilot's cgroup for its memory."""
    try:
        with open(task["oom_file"], encoding="ascii") as file:
            lines = (line.split() for line in file)
            return sum(int(words[1]) for words in lines if words[0] == "oom_kill")
    except (OSError, KeyError):
        return 0


def _set(place: str, value: str) -> None:
    file = os.open(place, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(file, value.encode())
    finally:
        os.close(file)


def _write(name: str, content: Task) -> None:
    with open(f"{name}.new", "w", encoding="utf-8") as file:
        json.dump(content, file)
    os.replace(f"{name}.new", name)


def _tell(name: str) -> None:
    """Tell the engine that the pilot ended; if nobody listens, its next look shows it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as line:
        try:
            line.sendto(name.encode(), f"../{ENDS}")
        except OSError:
            pass


if __name__ == "__main__":
    main(sys.argv[1])
