"""An OpenSSH server of the tests' own on loopback, and an ssh that knows it."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

from tests.conftest import until
from tests.e2e.service import PLANCTON


class Sshd:
    """Lets root in on two ports with one throwaway key. All its files are below a folder."""

    def __init__(self, folder: Path) -> None:
        """Make keys, start it and wait until it listens."""
        self.folder = folder
        folder.mkdir()
        for name in ("host", "user"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
            subprocess.run(command, check=True)
        self.ports = (_free_port(), _free_port())
        config = folder / "sshd_config"
        config.write_text(
            "".join(f"Port {port}\n" for port in self.ports) + "ListenAddress 127.0.0.1\n"
            f"HostKey {folder}/host\nAuthorizedKeysFile {folder}/user.pub\nPidFile none\n"
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\n"
            "StrictModes no\nPermitRootLogin yes\n"
            f"SetEnv PATH={Path(PLANCTON).parent}:/usr/bin:/bin\n"
        )
        Path("/run/sshd").mkdir(exist_ok=True)  # Debian's sshd wants it there
        command = ["setpriv", "--pdeathsig=TERM", "/usr/sbin/sshd", "-D", "-f", str(config)]
        with (folder / "log").open("ab") as log:
            self.process = subprocess.Popen([*command, "-e"], stderr=log)
        until(lambda: all(map(_listens, self.ports)))
        self.known = folder / "known_hosts"
        self._trust()
        self._client()

    def _trust(self) -> None:
        kind, key, *_ = (self.folder / "host.pub").read_text().split()
        names = (f"[127.0.0.1]:{port} {kind} {key}\n" for port in self.ports)
        self.known.write_text("".join(names))

    def _client(self) -> None:
        """Write an ``ssh`` that is the system's with files of the tests' own."""
        config = self.folder / "ssh_config"
        config.write_text(
            f"UserKnownHostsFile {self.known}\nGlobalKnownHostsFile /dev/null\n"
            f"IdentityFile {self.folder}/user\nIdentitiesOnly yes\nIdentityAgent none\n"
        )
        (self.folder / "bin").mkdir()
        program = self.folder / "bin" / "ssh"
        program.write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {config} "$@"\n')
        program.chmod(0o755)

    @property
    def environment(self) -> dict[str, str]:
        """An environment in which that ssh is found first."""
        return {**os.environ, "PATH": f"{self.folder}/bin:{os.environ['PATH']}"}

    def host(self, which: int = 0, program: str = "") -> str:
        """Return the address of one of its two ports."""
        return f"ssh://root@127.0.0.1:{self.ports[which]}{program}"

    @property
    def logins(self) -> int:
        """How often somebody has logged in."""
        return (self.folder / "log").read_text().count("Accepted publickey")

    def close(self) -> None:
        """End it, and whoever is logged in."""
        self.process.terminate()
        self.process.wait(20)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
