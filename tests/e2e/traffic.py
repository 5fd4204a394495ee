"""Traffic of pilots, made by processes of the tests in the pilots' network namespaces.

Pilots themselves run in the idle class, and on a busy machine they may send nothing for long.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from contextlib import suppress

_CHUNK = bytes(65536)
_TALK = """
import socket, sys, threading
peer = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def take():
    while peer.recv(65536): pass
threading.Thread(target=take, daemon=True).start()
while True: peer.sendall(bytes(65536))
"""
_SAY = """
import socket, sys, time
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as voice:
    while not time.sleep(0.1):
        voice.sendto(b"x", (sys.argv[1], int(sys.argv[2])))
"""


def gateway() -> str:
    """Return the node's own address on Docker's default bridge."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("172.17.0.2", 9))
        return str(probe.getsockname()[0])


def talk(pid: int, host: str, port: int) -> subprocess.Popen[bytes]:
    """Send and receive all that is possible, where the process *pid* has its network."""
    return _inside(pid, _TALK, host, port)


def say(pid: int, host: str, port: int) -> subprocess.Popen[bytes]:
    """Send a datagram each tenth of a second, where the process *pid* has its network."""
    return _inside(pid, _SAY, host, port)


def _inside(pid: int, script: str, host: str, port: int) -> subprocess.Popen[bytes]:
    command = ["setpriv", "--pdeathsig=KILL", "nsenter", f"--net=/proc/{pid}/ns/net"]
    return subprocess.Popen([*command, sys.executable, "-c", script, host, str(port)])


class Peer:
    """Listens on the default bridge: sends all it can, takes all it gets, and counts."""

    def __init__(self) -> None:
        """Listen, and serve whoever comes."""
        self.uploaded: dict[str, int] = {}
        """Bytes taken, by who sent them."""
        self._listener = socket.create_server((gateway(), 0))
        self.host, self.port = self._listener.getsockname()[:2]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Listen no longer."""
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, (host, _) = self._listener.accept()
                threading.Thread(target=self._send, args=(connection,), daemon=True).start()
                threading.Thread(target=self._take, args=(connection, host), daemon=True).start()

    def _send(self, connection: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection.sendall(_CHUNK)

    def _take(self, connection: socket.socket, host: str) -> None:
        with suppress(OSError), connection:
            while taken := len(connection.recv(65536)):
                self.uploaded[host] = self.uploaded.get(host, 0) + taken


def type_of_service(listener: socket.socket) -> int:
    """Return the DSCP and ECN bits of the next datagram that a socket gets."""
    _, (found, *_), *_ = listener.recvmsg(100, 100)
    return found[2][0]
