"""What holds after each step, at once or within a bounded time."""

from __future__ import annotations

import json
import time
from pathlib import Path

import jsonschema
import psutil
from docker.errors import APIError

from plancton.runtime.docker import container_spec as spec
from plancton.runtime.docker.creator import SPARE_SUFFIX
from tests.conftest import until
from tests.soak.node import GRACE, MAXIMUM, Node

MOST_MEMORY, MOST_THREADS, MOST_FILES = 400_000_000, 80, 150
MOST_SPARES = 2
"""One, and one whose making a killed Plancton began."""
SLACK = 75.0
"""Seconds beyond TTL and grace: the longest wait between two tries of Docker, and some work."""
_SCHEMA = json.loads((Path(__file__).parents[2] / "docs/control-v1.schema.json").read_text())
_STATUS = {**_SCHEMA, **_SCHEMA["answers"]["GET /v1/status"]}


def check(node: Node) -> None:
    """Check all; AssertionError says what does not hold."""
    for holds in (ended_as_allowed, no_traceback, answers, bounded, at_most, in_time, untouched):
        holds(node)


def ended_as_allowed(node: Node) -> None:
    """See that it runs, or has ended as it may, and says why if it failed."""
    process = node.service.process
    if process is None or node.runs:
        return
    code = process.returncode
    assert code in node.allowed_codes | {0}, f"it ended with code {code}"
    assert code != 1 or node.service.log.strip().splitlines(), "it failed and says nothing"


def no_traceback(node: Node) -> None:
    """Nothing that only a programmer understands is said."""
    for never in ("Traceback", "this is a bug", "a tick failed", "thread died"):
        assert never not in node.service.log, never


def answers(node: Node) -> None:
    """See that it tells how it is, in the form that is promised; what is frozen has a reason."""
    if not node.runs or node.stopped:
        return
    until(lambda: node.answers or not node.runs, 60)
    if node.runs:
        status = json.loads(node.verb("status", "--json") or "{}")
        if status:
            jsonschema.validate(status, _STATUS)
            for pilot in status["pilots"]:
                assert pilot["state"] != "frozen" or pilot["note"], pilot


def bounded(node: Node) -> None:
    """Neither memory nor threads nor files grow without end."""
    if not node.runs or node.service.process is None:
        return
    try:
        process = psutil.Process(node.service.process.pid)
        values = process.memory_info().rss, process.num_threads(), process.num_fds()
    except psutil.NoSuchProcess:
        return
    for value, most in zip(values, (MOST_MEMORY, MOST_THREADS, MOST_FILES), strict=True):
        assert value <= most, f"memory, threads, files: {values}"


def at_most(node: Node) -> None:
    """Never more pilots run than any configuration allows."""
    running = [each["Names"] for each in node.pilots() if each["State"] in ("running", "paused")]
    spares = [names for names in running if str(names).endswith(f"{SPARE_SUFFIX}']")]
    assert len(running) - len(spares) <= MAXIMUM, running
    assert len(spares) <= MOST_SPARES, spares


def in_time(node: Node) -> None:
    """No pilot lives beyond its time, if Plancton could work that long."""
    if not node.runs or node.stopped or time.monotonic() - node.hurt_at < SLACK:
        return
    for each in node.pilots():
        try:
            state = node.docker.inspect_container(each["Id"])["State"]
            began = node.began(each)
        except APIError:
            continue
        if state["Running"] and began:
            lived, ttl = time.time() - began, float(each["Labels"][spec.TTL])
            assert lived < ttl + GRACE + SLACK, f"{each['Names']} lives {lived:.0f} s"


def untouched(node: Node) -> None:
    """Containers of other people run as they did."""
    for id_, started in node.foreign.items():
        assert node.started_at(id_) == started, f"{id_} is none of ours"
