"""Addresses of other machines, the command that reaches them, and its failures in words."""

from __future__ import annotations

import pytest

from plancton.control.ssh_host import SshHost, failure_of
from plancton.engine.api import NotRunningError, UnreachableError

HOST = SshHost("node", "me", 2222)


@pytest.mark.parametrize(
    ("address", "host", "shown"),
    [
        ("ssh://node", SshHost("node"), "node"),
        ("ssh://node/", SshHost("node"), "node"),
        ("ssh://me@node:2222", HOST, "me@node:2222"),
        ("ssh://a.b@c.example@node", SshHost("node", "a.b@c.example"), "a.b@c.example@node"),
        ("ssh://[::1]:22", SshHost("::1", port=22), "[::1]:22"),
        ("ssh://10.0.0.7/opt/p/bin/plancton", SshHost("10.0.0.7", program="/opt/p/bin/plancton"),
         "10.0.0.7"),
    ],
)  # fmt: skip
def test_addresses(address: str, host: SshHost, shown: str) -> None:
    """As Docker writes them, with a program for those that have it elsewhere."""
    assert SshHost.parse(address) == host
    assert str(host) == shown


@pytest.mark.parametrize(
    "address",
    [
        *("", "node", "me@node", "ssh://", "ssh://@node", "http://node", "ssh://me@", "tcp://x:1"),
        *("ssh://-oProxyCommand=x", "ssh://-l@node", "ssh://me@-x", "ssh://me:secret@node"),
        *("ssh://node:0", "ssh://node:65536", "ssh://node:x", "ssh://node:-1", "ssh://a b"),
        *("ssh://node;id", "ssh://$(id)", "ssh://me'@node", "ssh://node\n", "ssh://node/a b"),
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    """Nothing that ssh, or a shell, could take for something else."""
    with pytest.raises(ValueError, match=r"is not ssh://|there is no port"):
        SshHost.parse(address)


def test_the_command_is_a_list_and_the_shell_there_gets_quoted_words() -> None:
    """Options end before the host, and nothing is asked in batch."""
    command = HOST.command(("relay", "--rundir", "/a b/$x"), batch=True)
    assert command[0] == "ssh"
    assert command[-3:] == ["--", "node", "plancton relay --rundir '/a b/$x'"]
    assert "BatchMode=yes" in command
    assert command[command.index("-l") + 1] == "me"
    assert command[command.index("-p") + 1] == "2222"
    assert any(word.startswith("ConnectTimeout=") for word in command)
    assert "BatchMode=yes" not in HOST.command(("relay",), batch=False)
    assert SshHost("node", program="/x;id").command((), batch=True)[-1] == "'/x;id'"


@pytest.mark.parametrize(
    ("code", "said", "kind", "words"),
    [
        (255, "ssh: connect to host node port 22: Connection refused", UnreachableError,
         "me@node:2222: ssh: connect to host node port 22: Connection refused"),
        (255, "No ED25519 host key is known\nHost key verification failed.", UnreachableError,
         "look at it and accept it: ssh -p 2222 -l me node"),
        (255, "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.",
         UnreachableError, "its host key has changed"),
        (255, "Warning: x\nme@node: Permission denied (publickey).", UnreachableError,
         "Permission denied (publickey)"),
        (255, "", UnreachableError, "it says nothing"),
        (127, "bash: line 1: plancton: command not found", UnreachableError, "plancton is not"),
        (126, "sh: plancton: Permission denied", UnreachableError, "plancton is not there"),
        (2, "Usage: plancton\n\nError: No such command 'relay'.", UnreachableError,
         "another version: Error: No such command 'relay'."),
        (3, "plancton: no engine runs here (x)", NotRunningError, "me@node:2222: no engine runs"),
        (1, "plancton: /x: permission denied", UnreachableError, "me@node:2222: /x: permission"),
        (0, "", NotRunningError, "the engine there ended meanwhile"),
        (-9, "Killed \x1b[31m", UnreachableError, "Killed  [31m (exit code -9)"),
    ],
)  # fmt: skip
def test_each_failure_is_one_line(code: int, said: str, kind: type[Exception], words: str) -> None:
    """With the machine, and what to do; whatever is said there cannot steer the terminal."""
    error = failure_of(HOST, code, said)
    assert type(error) is kind
    assert words in str(error)
    assert str(error).isprintable()
