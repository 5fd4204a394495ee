"""A figure is read, or it is said in one line why not; within its time, and leaving nothing."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plancton.config.schema import Figure
from plancton.runtime.figures import FigureError, read_figure
from plancton.runtime.figures.command import run_command
from plancton.runtime.figures.read import number_in
from tests.conftest import until
from tests.unit.runtime.figures.server import Server, serving


@pytest.fixture
def server() -> Iterator[Server]:
    """Serve."""
    with serving() as one:
        yield one


def figure(**fields: Any) -> Figure:
    """Return a figure that has half a second."""
    return Figure.model_validate({"name": "x", "timeout": 0.5, **fields})


def why(**fields: Any) -> str:
    """Return why a figure cannot be read; it takes no longer than it may."""
    began = time.monotonic()
    with pytest.raises(FigureError) as error:
        read_figure(figure(**fields))
    assert time.monotonic() - began < 3
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300
    return str(error.value)


def shell(text: str) -> list[str]:
    """Return a command that does *text*."""
    return ["/bin/sh", "-c", text]


def test_a_command_prints_the_figure(tmp_path: Path) -> None:
    """Its words go as they are, without a shell; a JSON path works too."""
    assert read_figure(figure(command=shell("echo ' 12.5'"))) == 12.5
    assert read_figure(figure(command=["/bin/echo", "1e3"])) == 1000
    assert "'$(touch x)'" in why(command=["/bin/echo", "$(touch x)"])
    assert read_figure(figure(command=["/bin/echo", '{"a": [0, 3]}'], json_path="a.1")) == 3
    assert read_figure(figure(command=shell("pwd >&2; echo $(( $(pwd | wc -c) ))"))) == 2


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (shell("echo fast"), "the answer is not a number: 'fast'"),
        (shell("echo 1 2"), "the answer is not a number: '1 2'"),
        (shell("echo nan"), "the answer is not a number: 'nan'"),
        (shell("true"), "the answer is not a number: ''"),
        (shell("echo 5; echo no such shop >&2; exit 3"), "exit code 3: no such shop"),
        (shell(r"printf '\033[31mred\a' >&2; exit 1"), "exit code 1: ?[31mred?"),
        (shell("kill -9 $$"), "the command was ended by signal 9"),
        (["/no/such"], "/no/such cannot be run: No such file or directory"),
        (["/etc/passwd"], "/etc/passwd cannot be run: Permission denied"),
        (["/usr/bin/yes"], "the command prints more than 65536 bytes"),
        (shell("yes >&2"), "the command did not end within 0.5 s"),
        (shell("head -c 1000000 /dev/zero"), "the command prints more than 65536 bytes"),
        (shell("head -c 300 /dev/urandom"), "the answer is not a number"),
        (["/bin/sleep", "60"], "the command did not end within 0.5 s"),
        (shell("exec >&- 2>&-; sleep 60"), "the command did not end within 0.5 s"),
        (shell("echo 1; trap '' TERM; sleep 60"), "the command did not end within 0.5 s"),
    ],
)
def test_a_command_that_gives_no_figure(command: list[str], says: str) -> None:
    """Whatever it does."""
    assert says in why(command=command)


@pytest.mark.parametrize("ends", ["echo 5", "sleep 60", "yes"])
def test_nothing_of_a_command_is_left_behind(ends: str, tmp_path: Path) -> None:
    """What it left in the background is killed, whether it ended well or not."""
    pid = tmp_path / "pid"
    text = f"sleep 61 & echo $! > {pid}; {ends}"
    before, began = _children(), time.monotonic()
    if ends == "echo 5":
        assert read_figure(figure(command=shell(text))) == 5
        assert time.monotonic() - began < 0.4
    else:
        why(command=shell(text))
    until(lambda: not _runs(int(pid.read_text())), 5)
    assert _children() <= before


def _children() -> set[int]:
    """Return the processes that this one has begun, those included that nobody waited for."""
    return {child.pid for child in psutil.Process().children()}


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_command_that_is_no_longer_wanted_is_killed_at_once() -> None:
    """Long before its time is over."""
    began = time.monotonic()
    with pytest.raises(FigureError, match="no longer wanted"):
        run_command(["/bin/sleep", "60"], 60, lambda: time.monotonic() - began > 0.2)
    assert time.monotonic() - began < 2


def test_a_server_answers_with_the_figure(server: Server) -> None:
    """As plain text or inside JSON, with what the address or the token says of who asks."""
    assert read_figure(figure(http=server.address)) == 7
    assert read_figure(figure(http=f"{server.address}/json?a=b", json_path="data.p99")) == 41.5
    assert read_figure(figure(http=f"{server.address}/json", json_path="data.list.1.x")) == 2.5
    with_user = server.address.replace("://", "://me:p%40ss@")
    assert read_figure(figure(http=with_user)) == 7
    assert read_figure(figure(http=server.address, **{"token": "abc"})) == 7
    assert [seen[1] for seen in server.seen[-2:]] == ["Basic bWU6cEBzcw==", "Bearer abc"]
    assert server.seen[1][0] == "/json?a=b"


@pytest.mark.parametrize(
    ("path", "json_path", "says"),
    [
        ("/json", "data.p95", "the answer has no data.p95"),
        ("/json", "data.p99.x", "the answer has no data.p99.x"),
        ("/json", "data.list.2", "the answer has no data.list.2"),
        ("/json", "data.on", "data.on is not a number: 'True'"),
        ("/json", "data", "data is not a number"),
        ("", "data", "the answer has no data"),
        ("/moved", "", "the server redirects to http://***@elsewhere.example/x?key=***, which"),
        ("/away", "", "the server answers 503 Service Unavailable"),
        ("/large", "", "the answer is larger than 262144 bytes"),
        ("/endless", "", "the answer is larger than 262144 bytes"),
        ("/silent", "", "there is no whole answer within 0.5 s"),
        ("/dribble", "", "there is no whole answer within 0.5 s"),
        ("/body", "", "there is no whole answer within 0.5 s"),
        ("/noise", "", "the server does not speak HTTP"),
        ("/closed", "", "the answer is cut off"),
    ],
)
def test_a_server_that_gives_no_figure(
    server: Server, path: str, json_path: str, says: str
) -> None:
    """Whatever it does; no redirect is followed."""
    assert says in why(http=server.address + path, json_path=json_path)
    assert len(server.seen) == 1


def test_a_server_that_is_not_there() -> None:
    """No secret of the address is in what is said."""
    assert "Connection refused" in why(http="http://me:secret@127.0.0.1:9/")
    assert "secret" not in why(http="http://me:secret@127.0.0.1:9/?key=secret")
    assert "/no/such cannot be read" in why(http="https://127.0.0.1:9/", ca_file="/no/such")


def test_https_is_checked_against_the_chosen_authority(server: Server, tmp_path: Path) -> None:
    """Not trusted without it."""
    key, certificate = tmp_path / "key", tmp_path / "ca.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=x", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    address = server.address.replace("http:", "https:")
    assert "certificate is not trusted: self-signed certificate" in why(http=address)
    assert read_figure(figure(http=address, ca_file=str(certificate))) == 7
    late = why(http=f"{address}/dribble", ca_file=str(certificate))
    assert late == "there is no whole answer within 0.5 s"


def test_a_server_that_only_listens(tmp_path: Path) -> None:
    """Neither a greeting of TLS nor an answer ever comes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}/"
        assert why(http=f"http://{address}") == "there is no whole answer within 0.5 s"
        assert why(http=f"https://{address}") == "there is no whole answer within 0.5 s"


def _result(kind: str, result: Any) -> str:
    data = {"resultType": kind, "result": result}
    return json.dumps({"status": "success", "data": data})


@pytest.mark.parametrize(
    ("answer", "value", "says"),
    [
        (_result("vector", [{"metric": {}, "value": [1, "0.25"]}]), 0.25, ""),
        (_result("scalar", [1, "3"]), 3.0, ""),
        (_result("vector", []), None, "the query has 0 results; it must have one"),
        (_result("vector", [{"value": [1, "1"]}] * 3), None, "has 3 results"),
        (_result("vector", [{"value": [1, "NaN"]}]), None, "not a number: 'NaN'"),
        (_result("matrix", []), None, "not one number of Prometheus"),
        ('{"status": "error", "error": "parse error"}', None, "refuses the query: parse error"),
        ("[" * 100_000, None, "not one number of Prometheus"),
        ("hello", None, "not one number of Prometheus"),
    ],
)
def test_prometheus(server: Server, answer: str, value: float | None, says: str) -> None:
    """One number is an answer, everything else is not."""
    server.figure = answer
    asked = {"prometheus": f"{server.address}/", "query": "a{b='c d'}"}
    if value is not None:
        assert read_figure(figure(**asked)) == value
    else:
        assert says in why(**asked)
    assert server.seen[0][0] == "/api/v1/query?query=a%7Bb%3D%27c%20d%27%7D"


@given(st.text() | st.recursive(st.none() | st.floats() | st.text(), st.lists).map(json.dumps))
def test_any_text_is_a_number_or_refused(text: str) -> None:
    """And nothing else is raised."""
    for path in ("", "0", "a.1"):
        with suppress(FigureError):
            assert abs(number_in(text, path)) < float("inf")
