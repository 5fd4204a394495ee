"""A Docker daemon of the tests' own, in a network namespace of its own, to be hurt."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from plancton.runtime.docker.client import DockerClient
from tests.conftest import remove_cgroups, until


class Daemon:
    """A dockerd below a folder.

    It never shares the host's network namespace: a second daemon there would take the first
    one's bridge away.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        live_restore: bool,
        settings: Mapping[str, object] | None = None,
        options: Sequence[str] = (),
        sub_ids: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare; nothing runs yet.

        *settings* are those of its daemon.json, *options* more words of its command, *sub_ids*
        what stands in its own /etc/subuid and /etc/subgid, by their names.
        """
        self.options, self.sub_ids = list(options), dict(sub_ids or {})
        self.folder, self.name, self.live_restore = folder, name, live_restore
        self.socket = folder / "docker.sock"
        self.url = f"unix://{self.socket}"
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir()
        (folder / "daemon.json").write_text(json.dumps(settings or {}))
        for file, line in self.sub_ids.items():
            (folder / file).write_text(f"{line}\n")
        subprocess.run(["ip", "netns", "add", name], check=True)
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        stale = ("dockerd.pid", "docker.sock", "exec/containerd/containerd.pid")
        for name in stale:
            (self.folder / name).unlink(missing_ok=True)
        at = str(self.folder)
        command = ["nsenter", f"--net=/run/netns/{self.name}", *self._own_files, "dockerd"]
        command += ["--config-file", f"{at}/daemon.json", "--host", self.url]
        command += ["--data-root", f"{at}/data", "--exec-root", f"{at}/exec"]
        command += ["--pidfile", f"{at}/dockerd.pid", "--cgroup-parent", f"/{self.name}"]
        command += ["--live-restore"] if self.live_restore else []
        command += self.options
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        until(self.answers, 60)

    @property
    def _own_files(self) -> list[str]:
        """What runs it where files of its own lie in place of the machine's."""
        binds = [f"mount --bind {self.folder / name} /etc/{name} && " for name in self.sub_ids]
        own = ["unshare", "--mount", "--propagation", "slave", "sh", "-c"]
        return [*own, f'{"".join(binds)}exec "$@"', "sh"] if binds else []

    def link(self, *addresses: str) -> None:
        """Connect it to the machine by a cable of its own: *addresses* are X.X.X.N, not X.X.X.1."""
        here, there = f"{self.name}h"[-15:], f"{self.name}d"[-15:]
        ours = f"{addresses[0].rpartition('.')[0]}.1/24"
        inside = ["ip", "-n", self.name]
        for command in (
            ["ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", self.name],
            ["ip", "addr", "add", ours, "dev", here],
            ["ip", "link", "set", here, "up"],
            *([*inside, "addr", "add", f"{each}/24", "dev", there] for each in addresses),
            [*inside, "link", "set", there, "up"],
        ):
            subprocess.run(command, check=True)

    def answers(self) -> bool:
        """Say whether it answers."""
        ask = ["timeout", "3", "docker", "-H", self.url, "version"]
        return subprocess.run(ask, capture_output=True, check=False).returncode == 0

    def load(self, archive: Path) -> None:
        """Load images from a file."""
        command = ["docker", "-H", self.url, "load", "-q", "-i", str(archive)]
        subprocess.run(command, check=True, capture_output=True)

    def signal(self, number: signal.Signals) -> None:
        """Hurt it. After SIGKILL its PID has vanished, after SIGSTOP all its threads stand."""
        assert self.process
        self.process.send_signal(number)
        if number is signal.SIGSTOP:
            until(lambda: self._states() == {"T"})
        if number in (signal.SIGKILL, signal.SIGTERM):
            self.process.wait(60)

    def _states(self) -> set[str]:
        assert self.process
        threads = Path(f"/proc/{self.process.pid}/task").glob("*/stat")
        return {each.read_text().rpartition(")")[2].split()[0] for each in threads}

    def close(self) -> None:
        """End it with all its containers, and leave nothing."""
        try:
            self._end()
        finally:
            self._clear()

    def _end(self) -> None:
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
        if not self.answers():
            if self.process.poll() is None:
                self.signal(signal.SIGKILL)
            self.start()
        client = DockerClient(self.url, timeout=60)
        for item in client.containers(all=True):
            client.remove_container(item["Id"], force=True)
        client.close()
        self.signal(signal.SIGTERM)
        time.sleep(0.2)

    def _clear(self) -> None:
        self._end_orphans()
        for line in Path("/proc/mounts").read_text().splitlines():
            point = line.split()[1]
            if point.startswith(str(self.folder)) or point == f"/run/netns/{self.name}":
                subprocess.run(["umount", "-l", point], check=False, capture_output=True)
        subprocess.run(["ip", "netns", "del", self.name], check=False, capture_output=True)
        remove_cgroups(self.name)

    def _end_orphans(self) -> None:
        """End the shims of containers that it was just starting when it was killed, and forgot."""
        for process in psutil.process_iter(["cmdline"]):
            if f"{self.folder}/exec/containerd/containerd.sock" in (process.info["cmdline"] or ()):
                orphans = [*process.children(recursive=True), process]
                for each in orphans:
                    with suppress(psutil.NoSuchProcess):
                        each.kill()
                psutil.wait_procs(orphans, timeout=10)
