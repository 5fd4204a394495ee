"""The screen as a user has it: the installed command in a terminal, on real Docker."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from plancton.engine.api import NotRunningError
from tests.conftest import until
from tests.e2e.conftest import Containers
from tests.e2e.service import PLANCTON, Service
from tests.e2e.terminal import Terminal

Open = Callable[..., Terminal]


@pytest.fixture
def terminal() -> Iterator[Open]:
    """Return what opens terminals; they are closed afterwards."""
    opened: list[Terminal] = []

    def open_(*command: str, **size: int) -> Terminal:
        opened.append(Terminal(list(command), **size))
        return opened[-1]

    yield open_
    for each in opened:
        each.close()


def tui(service: Service, *options: str) -> list[str]:
    """Return the command for a service's files."""
    return [
        *service.idle_node,
        PLANCTON,
        "tui",
        "-c",
        str(service.config),
        *service.options,
        *options,
    ]


def two_pilots(service: Service, **node: object) -> None:
    """Configure two small pilots that write something."""
    service.configure(
        {"command": "sh -c 'echo hello from the pilot; exec sleep 1000'", "cpus": 0.2,
         "memory": "20MB"},
        spawn={"maximum": 2},
        node=node,
    )  # fmt: skip


def test_a_node_is_taken_in_hand(service: Service, containers: Containers, terminal: Open) -> None:
    """Keys are typed, containers are really gone, and other commands see it."""
    two_pilots(service)
    screen = terminal(*tui(service))
    screen.shows("2 running")
    assert "hosting the engine" in screen.screen()
    before = containers.ids()
    screen.type("l")
    screen.shows("hello from the pilot")
    screen.type("Escape")
    screen.shows("Pilots: 2")
    screen.type("k")
    screen.shows("Kill plancton-default-")
    screen.type("y")
    screen.shows("killed")
    until(lambda: len(containers.ids() - before) == 1 and len(containers.ids()) == 2)
    # The screen follows the engine: a key typed sooner is for the pilot that has gone.
    for id_ in containers.ids():
        screen.shows(id_[:12])
    (killed,) = before - containers.ids()
    until(lambda: killed[:12] not in screen.screen())
    screen.type("f")
    screen.shows("1 frozen")
    inspected = [containers.client.inspect_container(name) for name in containers.names()]
    assert sum(each["State"]["Paused"] for each in inspected) == 1
    screen.type("f")
    screen.shows("2 running")
    screen.type("d")
    screen.shows("DRAINING")
    assert service.status()["mode"] == "draining"
    left = containers.names()
    screen.type("K")
    screen.shows("Kill all 2 pilots?")
    for key in "kill all":
        screen.type("Space" if key == " " else key)
    screen.type("Enter")
    screen.shows("No pilots: the node is draining")
    until(lambda: not containers.names(running=False) & left)
    screen.type("u")
    screen.shows("2 running")
    screen.type("q")
    screen.shows("What becomes of its 2 pilots?")
    screen.type("k")
    screen.shows("ended with 0")
    assert containers.names(running=False) == set()


def test_it_attaches_and_outlives_a_restart(
    service: Service, containers: Containers, terminal: Open
) -> None:
    """A lost service is shown as such, and found again; quitting leaves it alone."""
    two_pilots(service)
    service.start()
    screen = terminal(*tui(service), width=80, height=24)
    assert service.process
    screen.shows(f"attached to process {service.process.pid}"[:12])
    screen.shows("2 running")
    service.stop(signal.SIGKILL)
    screen.shows("NO CONNECTION")
    assert len(containers.names()) == 2
    service.start()
    until(lambda: "NO CONNECTION" not in screen.screen())
    screen.shows("2 running")
    screen.type("q")
    screen.shows("ended with 0")
    assert service.status()["mode"] == "active"


@pytest.mark.parametrize(("on_stop", "left"), [("leave", 2), ("kill", 0)])
def test_a_closed_terminal_does_what_is_configured(
    service: Service, containers: Containers, terminal: Open, on_stop: str, left: int
) -> None:
    """The engine ends in good order: its lock, socket and pilots are as after SIGTERM."""
    two_pilots(service, on_stop=on_stop)
    screen = terminal(*tui(service))
    screen.shows("2 running")
    pid = service.node.pid
    screen.hang_up()
    until(lambda: service.node.pid is None, 30)
    assert pid
    until(lambda: not Path(f"/proc/{pid}").exists())
    assert len(containers.names()) == left
    assert not (service.rundir / "plancton.sock").exists()
    log = (service.folder / "log" / "plancton.log").read_text()
    assert "Traceback" not in log
    assert "Plancton ends" in log
    with pytest.raises(NotRunningError):
        service.status()


def test_sigterm_gives_the_terminal_back(service: Service, terminal: Open) -> None:
    """And the engine ends as ``node.on_stop`` says."""
    two_pilots(service, on_stop="kill")
    screen = terminal(*tui(service))
    screen.shows("2 running")
    assert service.node.pid
    os.kill(service.node.pid, signal.SIGTERM)
    screen.shows("ended with 0")
    assert "Pilots:" not in screen.screen()  # the other screen is back
    assert service.node.pid is None


def test_bad_states_are_said_before_the_screen(
    service: Service, terminal: Open, instance: str
) -> None:
    """A refused configuration, and a socket of somebody else: one line, no screen."""
    service.write("spawn: {maximun: 1}")
    screen = terminal(*tui(service))
    screen.shows("ended with 1")
    assert "did you mean maximum?" in screen.screen()
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        theirs = Service(Path(name), instance)
        two_pilots(theirs)
        stranger = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        stranger += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
        try:
            theirs.start()
            screen = terminal(*stranger, PLANCTON, "tui", "--rundir", str(theirs.rundir))
            screen.shows("ended with 1")
        finally:
            theirs.close()
    words = screen.screen().replace("\n", "")
    assert "permission denied: this control socket is for its owner" in words


def test_a_demo_needs_no_docker(terminal: Open) -> None:
    """It says what it is, and ends when told to."""
    environment = ["env", "DOCKER_HOST=unix:///nonexistent.sock"]
    screen = terminal(*environment, PLANCTON, "demo", "--speed", "600")
    screen.shows("SIMULATED")
    screen.shows("running")
    screen.type("q")
    screen.shows("ended with 0")
    terminal(*environment, PLANCTON, "demo", "--for", "1").shows("ended with 0")


def test_the_web_page_only_looks(service: Service) -> None:
    """On the loopback alone; with --control its keys do what they do on a terminal."""
    two_pilots(service)
    service.start()
    for options, word, mode in (
        ([], "read-only: drain", "active"),
        (["--control"], "DRAINING", "draining"),  # the engine has heard it
    ):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        command = ["setpriv", "--pdeathsig=KILL", PLANCTON, "web", "--port", str(port)]
        command += ["--rundir", str(service.rundir), *options]
        served = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            until(lambda port=port: _listens("127.0.0.1", port))  # type: ignore[misc]
            addresses = subprocess.run(
                ["ss", "-Hltn", f"sport = :{port}"], capture_output=True, text=True, check=True
            ).stdout
            assert addresses.split()[3] == f"127.0.0.1:{port}"
            done = partial(_is_in_mode, service, mode)
            asyncio.run(_page(port, "d", word, done))
        finally:
            os.killpg(served.pid, signal.SIGKILL)
            served.wait(10)


def _listens(host: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


def _is_in_mode(service: Service, mode: str) -> bool:
    return bool(service.status()["mode"] == mode)


async def _page(port: int, key: str, answer: str, done: Callable[[], bool]) -> None:
    """Open the page, wait for the pilots, press a key; leave when it is answered and *done*.

    What was asked for on a page that is left may not have reached the engine.
    """
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{port}/") as response:
            assert response.status == 200
            assert "Plancton" in await response.text()
        url = f"http://127.0.0.1:{port}/ws?width=100&height=30"
        async with session.ws_connect(url) as page:
            await _seen(page, "2 running")
            await page.send_str(json.dumps(["stdin", key]))
            await _seen(page, answer)
            await asyncio.to_thread(until, done)


async def _seen(page: aiohttp.ClientWebSocketResponse, text: str) -> None:
    shown = b""
    async with asyncio.timeout(90):
        async for message in page:
            shown += message.data if isinstance(message.data, bytes) else b""
            if text.encode() in shown:
                return
    raise AssertionError(f"{text!r} did not come")
