"""A terminal of the tests' own, in tmux: keys go in, the screen comes out."""

from __future__ import annotations

import shlex
import subprocess
import tempfile
from pathlib import Path

from tests.conftest import until


class Terminal:
    """One window of a tmux server of its own, which ends with whoever made it."""

    def __init__(self, command: list[str], width: int = 100, height: int = 30) -> None:
        """Run *command* in it; what its exit code is stands on the screen then."""
        self._folder = tempfile.TemporaryDirectory(prefix="plancton-tmux-")
        self.socket = f"{self._folder.name}/tmux"
        config = Path(self._folder.name, "conf")
        size = f"set -g default-size {width}x{height}\n"
        config.write_text(f"set -g default-terminal tmux-256color\n{size}")
        server = ["setpriv", "--pdeathsig=TERM", "tmux", "-S", self.socket, "-f", str(config), "-D"]
        self._server = subprocess.Popen(server, stdin=subprocess.DEVNULL)
        until(lambda: Path(self.socket).exists())
        line = f"{shlex.join(command)}; echo ended with $?; sleep 1000"
        self._tmux("new-session", "-d", f"sh -c {shlex.quote(line)}")
        self.pane = self._tmux("display-message", "-p", "#{pane_id}").strip()

    def type(self, *keys: str) -> None:
        """Press keys, as tmux calls them."""
        for key in keys:
            self._tmux("send-keys", "-t", self.pane, key)

    def screen(self) -> str:
        """Return the text on the screen."""
        return self._tmux("capture-pane", "-p", "-t", self.pane)

    def shows(self, text: str, seconds: float = 60) -> None:
        """Wait until the screen shows *text*; fail with what it shows instead."""
        try:
            until(lambda: text in self.screen(), seconds)
        except AssertionError:
            raise AssertionError(f"{text!r} is not on the screen:\n{self.screen()}") from None

    def hang_up(self) -> None:
        """Close the window, as a lost connection does: what runs in it gets SIGHUP."""
        self._tmux("kill-pane", "-t", self.pane)

    def close(self) -> None:
        """End it with all that runs in it."""
        self._server.terminate()
        self._server.wait(20)
        self._folder.cleanup()

    def _tmux(self, *words: str) -> str:
        command = ["tmux", "-S", self.socket, *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return done.stdout
