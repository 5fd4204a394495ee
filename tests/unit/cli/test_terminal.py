"""What the command line writes to a terminal."""

from __future__ import annotations

import io
import sys

import pytest

from plancton.cli.terminal import write_output

OUTPUT = [b"\x1b[31mred\x1b[0m\n", b"caf\xc3", b"\xa9\t\x1b]52;c;aGk=\x07\x1b[2J\x1b[H\xff\n"]


class Terminal(io.TextIOWrapper):
    """A terminal, or a pipe."""

    tty = True

    def isatty(self) -> bool:
        """Say which of the two."""
        return self.tty


@pytest.mark.parametrize(
    ("tty", "shown"),
    [
        (True, "\x1b[31mred\x1b[0m\ncaf\xe9\t]52;c;aGk=[2J[H\ufffd\n\x1b[0m".encode()),
        (False, b"".join(OUTPUT)),
    ],
)
def test_a_pilots_output_steers_no_terminal(
    monkeypatch: pytest.MonkeyPatch, tty: bool, shown: bytes
) -> None:
    """Its colours stay; clipboard, cursor and screen are not its own. A pipe gets all."""
    raw = io.BytesIO()
    terminal = Terminal(raw, encoding="utf-8")
    terminal.tty = tty
    monkeypatch.setattr(sys, "stdout", terminal)
    write_output(OUTPUT)
    terminal.flush()
    assert raw.getvalue() == shown
