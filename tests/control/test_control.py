"""The control socket: one suite for the handle in this process and the one behind the socket."""

from __future__ import annotations

import http.client
import json
import logging
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from plancton.config.schema import Monitor
from plancton.control.broadcast import Broadcaster
from plancton.control.client import RemoteEngine
from plancton.control.protocol import MAX_BODY, schema
from plancton.control.server import ControlServer
from plancton.engine.api import EngineApi, Item, LogRecord, Lost, NotRunningError, RefusedError
from plancton.engine.model.operator import Mode, PilotCommand
from plancton.engine.views.snapshot import Snapshot
from plancton.runtime.docker.engine_url import EngineUrl
from plancton.service.container_engines.docker import DockerEngine
from plancton.service.local_engine import LocalEngine
from plancton.service.marker_files import MarkerFiles
from tests.conftest import until
from tests.control.conftest import Stage
from tests.scenario.rig import Rig

SCHEMA = Path(__file__).parents[2] / "docs" / "control-v1.schema.json"


@pytest.fixture(params=["local", "remote"])
def handle(stage: Stage, request: pytest.FixtureRequest) -> EngineApi:
    """Return one of the two handles."""
    stage.rig.run(10)
    assert stage.rig.running == 2
    chosen: EngineApi = getattr(stage, request.param)
    return chosen


def test_the_snapshot_is_the_engines_own(stage: Stage, handle: EngineApi) -> None:
    """Every field, through JSON and back."""
    assert handle.snapshot() == stage.rig.latest
    assert handle.health() == ""


def test_the_fleet_is_read_by_the_engine(stage: Stage, handle: EngineApi) -> None:
    """With its own rights; a node that reports nowhere says what to do."""
    with pytest.raises(RefusedError, match=r"monitor\.influxdb"):
        handle.fleet()
    monitor = Monitor.model_validate({"influxdb": ["http://user:secret@127.0.0.1:9#plancton"]})
    config = stage.rig.settings.state.config.model_copy(update={"monitor": monitor})
    stage.rig.settings.state = replace(stage.rig.settings.state, config=config)
    stage.tick()
    with pytest.raises(RefusedError, match="cannot be reached") as caught:
        handle.fleet()
    assert "secret" not in str(caught.value)


def test_orders_are_on_disk_before_the_answer(stage: Stage, handle: EngineApi) -> None:
    """And in force with the next tick; resume takes them back."""
    for mode in (Mode.DRAINING, Mode.STOPPING, Mode.FORCED):
        handle.order(mode)
        assert stage.orders.mode() is mode
    handle.order(Mode.ACTIVE)
    assert stage.orders.mode() is Mode.ACTIVE
    handle.order(Mode.DRAINING)
    stage.tick()
    assert handle.snapshot().mode is Mode.DRAINING


def test_pilots_are_frozen_thawed_and_killed(stage: Stage, handle: EngineApi) -> None:
    """By name or by the beginning of the ID; frozen ones stay so while there is room."""
    first = stage.rig.latest.pilots[0]
    assert handle.command_pilot(first.name, PilotCommand.FREEZE) == first.name
    for _ in range(20):
        stage.tick()
    by_id = {pilot.id: pilot for pilot in handle.snapshot().pilots}
    assert by_id[first.id].state == "frozen"
    assert by_id[first.id].note == "the operator asked to freeze it"
    with pytest.raises(RefusedError, match="may be each of"):
        handle.command_pilot(first.id[:3], PilotCommand.THAW)
    handle.command_pilot(first.id, PilotCommand.THAW)
    stage.tick()
    stage.tick()
    assert {p.id: p.state for p in handle.snapshot().pilots}[first.id] == "running"
    handle.command_pilot(first.name, PilotCommand.KILL)
    for _ in range(4):
        stage.tick()
    assert first.id not in {pilot.id for pilot in handle.snapshot().pilots}
    ended = handle.snapshot().ended[-1]
    assert (ended.id, ended.reason) == (first.id, "the operator asked to kill it")
    for word in ("nobody", ""):
        with pytest.raises(RefusedError):
            handle.command_pilot(word, PilotCommand.KILL)


def test_a_preview_says_what_would_be_done_and_does_nothing(
    stage: Stage, handle: EngineApi
) -> None:
    """A lower maximum would end a pilot; a bad text is refused with its line."""
    found = handle.preview("spawn: {maximum: 1}")
    assert [(each.does, each.subject[:9]) for each in found.actions] == [("terminate", "plancton-")]
    assert found.maximum == 1
    assert stage.rig.running == 2
    with pytest.raises(RefusedError, match=r"the candidate:1: spawn\.maximun: no such key"):
        handle.preview("spawn: {maximun: 1}")


def test_logs_of_a_docker_that_is_away_are_refused_in_words(
    stage: Stage, handle: EngineApi
) -> None:
    """No traceback, no hang."""
    name = stage.rig.latest.pilots[0].name
    with pytest.raises(RefusedError, match="Docker does not run"):
        list(handle.logs(name, tail=1, follow=False))


def test_reload_and_stop_reach_the_engine(stage: Stage, handle: EngineApi) -> None:
    """The second stop leaves the pilots."""
    before = stage.rig.latest.reloads
    handle.reload()
    stage.tick()
    assert handle.snapshot().reloads == before + 1
    handle.stop()
    assert stage.rig.engine.turn(0) is None


def up_to_a_snapshot(stream: Iterator[Item]) -> Iterator[Item]:
    """Yield items up to the next snapshot, that included."""
    for item in stream:
        yield item
        if isinstance(item, Snapshot):
            return


def test_a_stream_begins_with_now_and_holds_what_follows(stage: Stage, handle: EngineApi) -> None:
    """Snapshots and log records in their order; it ends with the engine."""
    stream = handle.stream()
    first = next(stream)
    assert first == stage.rig.latest
    stage.broadcaster.emit(
        logging.LogRecord("plancton", logging.WARNING, "", 0, "hello", None, None)
    )
    stage.tick()
    rest = list(islice(up_to_a_snapshot(stream), 10))
    record = next(item for item in rest if isinstance(item, LogRecord))
    assert (record.level, record.text) == ("WARNING", "hello")
    stage.broadcaster.close_streams()
    assert list(stream) in ([], [None])


def test_slow_readers_hold_nobody_up(stage: Stage) -> None:
    """Five that never read: ticks go on at once, a quick reader sees all, status is answered."""
    stage.rig.run(5)
    slow = [socket.socket(socket.AF_UNIX) for _ in range(5)]
    for each in slow:
        each.connect(str(stage.path))
        each.sendall(b"GET /v1/stream HTTP/1.1\r\nHost: x\r\n\r\n")
    until(lambda: len(stage.broadcaster._subscribers) == 5)
    quick = stage.remote.stream()
    next(quick)
    began = time.monotonic()
    for number in range(3000):
        text = f"{number} " + "x" * 500
        stage.broadcaster.emit(logging.LogRecord("plancton", logging.INFO, "", 0, text, None, None))
    stage.tick()
    took = time.monotonic() - began
    assert stage.remote.snapshot() == stage.rig.latest
    got = 0
    while got < 3000:
        item = next(quick)
        got += item.records if isinstance(item, Lost) else isinstance(item, LogRecord)
    assert got == 3000
    assert took < 5  # blocked writers would need their time-out of 10 s each
    for each in slow:
        each.close()


def test_too_many_followers_are_told_so_and_places_come_back(stage: Stage) -> None:
    """The rest of the socket stays usable."""
    stage.rig.run(5)
    streams = [stage.remote.stream() for _ in range(8)]
    for each in streams:
        next(each)
    with pytest.raises(NotRunningError, match="8 clients follow already"):
        next(stage.remote.stream())
    assert stage.remote.snapshot()
    for each in streams:
        each.close()  # type: ignore[attr-defined]
    stage.tick()

    def free() -> bool:
        try:
            next(stage.remote.stream())
        except NotRunningError:
            return False
        return True

    until(free)


def raw(stage: Stage, method: str, path: str, body: bytes | None = None) -> tuple[int, Any]:
    """Ask as curl would."""
    connection = http.client.HTTPConnection("x")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(stage.path))
    connection.request(method, path, body)
    response = connection.getresponse()
    text = response.read()
    connection.close()
    return response.status, json.loads(text) if text[:1] == b"{" else text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v2/status", 404),
        ("POST", "/v1/status", 405),
        ("GET", "/v1/drain", 405),
        ("POST", "/v1/pilots/none/kill", 409),
        ("POST", "/v1/pilots/none/explode", 404),
        ("GET", "/v1/pilots/none/logs?tail=many", 400),
        ("GET", "/v1/pilots/..%2f..%2fetc/logs", 404),
        ("POST", "/v1/config/preview", 400),
    ],
)
def test_wrong_requests_get_one_sentence(stage: Stage, method: str, path: str, status: int) -> None:
    """As JSON, with a fitting code."""
    stage.rig.run(5)
    body = b"\xff\xfe" if path.endswith("preview") else None
    got, answer = raw(stage, method, path, body)
    assert got == status
    assert list(answer) == ["error"]


def test_a_huge_request_is_refused(stage: Stage) -> None:
    """Before it is read."""
    stage.rig.run(5)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(stage.path))
        length = f"Content-Length: {MAX_BODY + 1}"
        client.sendall(f"POST /v1/config/preview HTTP/1.1\r\nHost: x\r\n{length}\r\n\r\n".encode())
        assert b" 413 " in client.recv(1000)


def test_answers_are_as_the_published_schema_says(stage: Stage) -> None:
    """The schema in the documentation is the one that is served, and it holds."""
    stage.rig.run(20)
    assert json.loads(SCHEMA.read_text()) == schema(), "write docs/control-v1.schema.json anew"
    _, served = raw(stage, "GET", "/v1/schema")
    assert served == schema()
    name = stage.rig.latest.pilots[0].name
    asked = {
        "GET /v1/status": raw(stage, "GET", "/v1/status"),
        "POST /v1/config/preview": raw(stage, "POST", "/v1/config/preview", b"{}"),
        "POST": raw(stage, "POST", f"/v1/pilots/{name}/freeze"),
        "error": raw(stage, "GET", "/none"),
    }
    for what, (_, answer) in asked.items():
        jsonschema.validate(answer, {**served["answers"][what], "$defs": served["$defs"]})
    wrong = {**asked["GET /v1/status"][1], "mode": "dancing"}
    whole = {**served["answers"]["GET /v1/status"], "$defs": served["$defs"]}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, whole)


def test_a_hanging_engine_is_not_well(stage: Stage) -> None:
    """Health tells it, and no engine at all from one that hangs."""
    assert stage.remote.health() == "the engine has only just started"
    stage.rig.run(5)
    assert stage.remote.health() == ""
    stage.rig.engine.busy_since = stage.rig.node.now() - 100
    assert stage.remote.health() == "the engine hangs since 100 s"
    assert "no engine listens" in RemoteEngine(Path("/nonexistent/x.sock")).health()


def test_only_owner_and_group_may_connect(stage: Stage) -> None:
    """Another user gets one sentence; the file's rights are set before it listens."""
    mode = stage.path.stat().st_mode
    assert not mode & stat.S_IRWXO
    code = (
        "from plancton.control.client import RemoteEngine; from pathlib import Path; import sys\n"
    )
    code += "try: RemoteEngine(Path(sys.argv[1])).snapshot()\n"
    code += "except PermissionError as error: print(error.strerror)"
    for folder in (stage.path.parent, *stage.path.parent.parents[:2]):
        folder.chmod(0o755)
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable]
    done = subprocess.run(
        [*command, "-c", code, str(stage.path)], capture_output=True, text=True, check=False
    )
    assert "is for its owner, root and the group plancton" in done.stdout, done.stderr


def test_a_long_path_and_a_stale_socket_are_no_obstacle(tmp_path: Path) -> None:
    """Beyond the kernel's 108 bytes; a file that a dead engine left is replaced."""
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    path = folder / "plancton.sock"
    path.touch()
    rig, broadcaster = Rig(1), Broadcaster()
    rig.run(3)
    local = LocalEngine(
        rig.engine,
        MarkerFiles(folder),
        broadcaster,
        DockerEngine(EngineUrl("")).output,
        build_config=lambda *_, **__: rig.settings.state.config,
    )
    server = ControlServer(path, local)
    server.prepare()
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert RemoteEngine(path).snapshot() == rig.latest
    server.stop()
    thread.join(10)


def test_metrics_come_in_the_form_that_is_asked_for(stage: Stage) -> None:
    """As a scraper asks for them."""
    stage.rig.run(10)
    for accept, media in (("", "text/plain"), ("application/openmetrics-text", "application/open")):
        with socket.socket(socket.AF_UNIX) as wire:
            wire.connect(str(stage.path))
            head = f"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\n"
            wire.sendall(f"{head}Connection: close\r\n\r\n".encode())
            answer = b"".join(iter(lambda wire=wire: wire.recv(65536), b""))  # type: ignore[misc]
        assert f"Content-Type: {media}".encode() in answer
        assert b"plancton_pilots" in answer


def test_history_and_settings_are_the_engines_own(stage: Stage, handle: EngineApi) -> None:
    """Through JSON and back."""
    assert handle.history() == stage.rig.engine.history
    assert handle.history().levels[0]
    found = {each.key: each.value for each in handle.settings()}
    assert found["node.interval"] == "5.0"


def test_a_socket_that_somebody_removed_is_made_anew(stage: Stage) -> None:
    """In its place."""
    stage.rig.run(5)
    stage.server.renew()
    assert stage.remote.snapshot()
    stage.path.unlink()
    assert not stage.server.in_place
    stage.server.renew()
    assert stage.server.in_place
    assert stage.remote.snapshot()
