"""InfluxDB: what 0.6.0 wrote, what is new, every kind of access, and every kind of outage."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plancton.config.schema import InfluxTarget, Monitor
from plancton.engine.api import RefusedError
from plancton.monitor.points import MetricPoint, node_points
from plancton.monitor.publisher import MetricsPublisher
from plancton.monitor.sinks.influxdb import InfluxSink, line_protocol
from tests.conftest import until
from tests.monitor.conftest import Reporter
from tests.monitor.servers import Gate, InfluxServer, Process, Victoria, certificate

Start = Callable[..., Reporter]
Run = Callable[[Process], None]


AT = 1_700_000_000_000_000_000
"""A moment of the simulated node; a field's type holds for a week of points."""


def test_dashboards_of_0_6_0_find_what_they_ask_for(influx: InfluxServer, reporter: Start) -> None:
    """The old measurements go on in a database that 0.6.0 has filled, its field types included."""
    influx.ask('CREATE DATABASE "plancton"')
    old = (
        'daemon,hostname=node uptime=12.5 1700000000000000000\n'
        'daemon,hostname=node containers=3,status="active" 1700000000000000001\n'
        'measurement,hostname=node cpu_eff=42.0 1700000000000000000\n'
        'container,hostname=node,started=True,killed=False uptime=60.0 1700000000000000000\n'
        'container,hostname=node,started=False,killed=False uptime=0 1700000000000000001'
    )  # fmt: skip
    InfluxSink(InfluxTarget(url=influx.url())).send(old.split("\n"))
    made = reporter(influxdb=[influx.url()])
    made.ends(3)
    assert made.sends().dropped == 0
    by_host = "WHERE \"hostname\" = 'node' AND time > now() - 90000d"
    for field in ("uptime", "containers", "status"):
        assert len(influx.ask(f"SELECT {field} FROM daemon {by_host}")[0]["values"]) >= 2
    (row,) = influx.ask(f'SELECT cpu_eff FROM "measurement" {by_host} ORDER BY time DESC LIMIT 1')
    assert 0 < row["values"][0][1] <= 100
    lived = "SELECT mean(uptime) FROM container WHERE started = 'True' AND killed = 'False'"
    assert influx.ask(lived)[0]["values"][0][1] == 60
    assert influx.count("container", "uptime") == 5
    keys = influx.ask("SHOW TAG KEYS FROM container")[0]["values"]
    assert [key for (key,) in keys] == ["hostname", "killed", "started"]


def test_the_new_measurements(influx: InfluxServer, reporter: Start) -> None:
    """Each has a point for each report, with the full name of the node."""
    made = reporter(influxdb=[influx.url()])
    made.ends(2)
    made.sends()
    names = {name for (name,) in influx.ask("SHOW MEASUREMENTS")[0]["values"]}
    new = {f"plancton_{n}" for n in ("node", "host", "engine", "ledger", "pilots", "exit")}
    assert names == {"daemon", "measurement", "container"} | new
    for name in new:
        tags = influx.ask(f'SHOW TAG VALUES FROM {name} WITH KEY = "node"')[0]["values"]
        assert tags == [["node", "node.example.org"]]
    profiles = influx.ask('SHOW TAG VALUES FROM plancton_pilots WITH KEY = "profile"')
    assert [value for _, value in profiles[0]["values"]] == ["a", "b"]
    assert influx.ask("SELECT core_seconds, lifetime, reason FROM plancton_exit")[0]["values"]


def test_the_same_short_name_in_two_domains(influx: InfluxServer, reporter: Start) -> None:
    """Nodes with one short name are two nodes."""
    made = reporter(influxdb=[influx.url()])
    made.sends()
    made.sinks.node = "node.example.com"
    until(lambda: made.sends() and influx.ask("SHOW SERIES CARDINALITY"))

    def nodes() -> list[str]:
        found = influx.ask('SHOW TAG VALUES FROM plancton_node WITH KEY = "node"')
        return [value for _, value in found[0]["values"]]

    until(lambda: made.snapshot() and nodes() == ["node.example.com", "node.example.org"])


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    words=st.lists(
        st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1), min_size=1, max_size=20
    )
)
def test_any_words_come_back(influx: InfluxServer, words: list[str]) -> None:
    """Tags and fields are escaped: quotes, commas, blanks, backslashes, other scripts."""
    target = InfluxSink(InfluxTarget(url=influx.url(database="words")))
    points = [
        MetricPoint("words", {"t": word.replace("\\", "/").strip() or "x"}, {"text": word}, n + 1)
        for n, word in enumerate(words)
    ]
    target.send(line_protocol(points))
    found = influx.ask("SELECT text, t FROM words", database="words")[0]["values"]
    texts = {at: text for at, text, _ in found}
    assert [texts[n + 1] for n in range(len(words))] == words
    influx.ask("DROP MEASUREMENT words", database="words")


@pytest.fixture
def guarded(tmp_path: Path, run: Run) -> InfluxServer:
    """Return a database with users and TLS."""
    made = InfluxServer(tmp_path / "guarded", auth=True, tls=certificate(tmp_path))
    run(made)
    made.ask("CREATE USER root WITH PASSWORD 'secret' WITH ALL PRIVILEGES")
    return made


def test_access(guarded: InfluxServer, reporter: Start) -> None:
    """All rights; write alone on a database that is there; a wrong password; a CA or none."""
    root = {"url": guarded.url("root:secret", "made"), "ca_file": guarded.ca}
    made = reporter(influxdb=[root])
    made.sends()
    assert "made" in str(guarded.ask("SHOW DATABASES", "root:secret"))

    guarded.ask("CREATE DATABASE there", "root:secret")
    guarded.ask("CREATE USER writer WITH PASSWORD 'w'", "root:secret")
    guarded.ask("GRANT WRITE ON there TO writer", "root:secret")
    writer = {"url": guarded.url("writer:w", "there"), "ca_file": guarded.ca}
    made.configure(influxdb=[writer])
    until(lambda: "there" in made.state.name)

    def measured() -> str:
        made.snapshot()
        return str(guarded.ask("SHOW MEASUREMENTS", "root:secret", "there"))

    until(lambda: "daemon" in measured(), pause=0.3)

    made.configure(influxdb=[{**writer, "url": guarded.url("writer:wrong", "there")}])
    state = made.fails()
    assert "401" in state.error
    assert "check user, password" in state.error
    assert "wrong" not in state.name

    made.configure(influxdb=[{**writer, "url": guarded.url("writer:w", "elsewhere")}])
    until(lambda: "elsewhere" in made.state.name)
    until(lambda: any(code in made.state.error for code in ("403", "404")))

    made.configure(influxdb=[{"url": writer["url"]}])
    until(lambda: "certificate" in made.state.error)
    unchecked = str(writer["url"]).replace("https", "insecure_https")
    made.configure(influxdb=[unchecked])
    until(lambda: "insecure_https" in made.state.name)
    made.sends()
    made.configure(influxdb=[str(writer["url"]).replace("https", "http")])
    until(lambda: "http:" in made.state.name)
    assert made.fails().error


def test_several_targets_at_once(
    influx: InfluxServer, tmp_path: Path, run: Run, reporter: Start
) -> None:
    """One that is away keeps its points, and holds none of the others up."""
    other = InfluxServer(tmp_path / "other")
    made = reporter(influxdb=[other.url(), influx.url()])
    made.ends(5)
    until(lambda: made.snapshot() and made.sinks.status()[0].error)
    until(lambda: made.sinks.status()[1].sent > 10)
    assert influx.count("plancton_exit", "name") == 5
    run(other)
    until(lambda: not made.sinks.status()[0].queued and made.sinks.status()[0].sent)
    assert other.count("plancton_exit", "name") == 5


@pytest.mark.parametrize("fault", [401, 429, 500, 503, "hang", "killed", "stopped"])
def test_outages(
    fault: int | str,
    influx: InfluxServer,
    gate: Callable[[int], Gate],
    reporter: Start,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Under load, whatever the trouble: counted before and after, nothing is lost."""
    monkeypatch.setattr("plancton.monitor.sinks.influxdb.TIMEOUT", 1.0)
    door = gate(influx.port)
    url = f"http://127.0.0.1:{door.port}#plancton"
    made = reporter(influxdb=[url])
    made.ends(20)
    made.sends()
    if fault == "killed":
        influx.kill()
    elif fault == "stopped":
        influx.signal(signal.SIGSTOP)
    else:
        door.fault = fault
    made.ends(300)
    state = made.fails()
    assert state.queued >= 300
    assert state.since_wall
    made.ends(300)
    if fault == "killed":
        influx.start()
    elif fault == "stopped":
        influx.signal(signal.SIGCONT)
    door.fault = ""
    door.released.set()
    state = made.sends(30)
    assert state.dropped == 0
    assert influx.count("plancton_exit", "name") == influx.count("container", "uptime") == 620
    fields = (
        *(("plancton_exit", "name"), ("container", "uptime"), ("daemon", "uptime")),
        *(("measurement", "cpu_eff"), ("plancton_node", "mode"), ("plancton_host", "ncpus")),
        *(("plancton_engine", "ticks"), ("plancton_ledger", "ended")),
        ("plancton_pilots", "running"),
    )
    # A last report may still be on its way.
    until(lambda: sum(influx.count(*each) for each in fields) == made.state.sent)


def test_413_is_halved(influx: InfluxServer, gate: Callable[[int], Gate], reporter: Start) -> None:
    """A proxy that takes little at once gets little at once."""
    door = gate(influx.port)
    plain = door.answer

    def small(handler: object, behind: int, body: bytes) -> None:
        door.fault = 413 if len(body) > 700 else ""
        plain(handler, behind, body)  # type: ignore[arg-type]

    door.answer = small  # type: ignore[method-assign]
    made = reporter(influxdb=[f"http://127.0.0.1:{door.port}#plancton"])
    made.ends(400)
    assert made.sends(40).dropped == 0
    assert influx.count("plancton_exit", "name") == 400


def test_refused_points_are_counted_and_the_others_stored(
    influx: InfluxServer, reporter: Start
) -> None:
    """A field that is of another type in this database costs only its own points."""
    influx.ask('CREATE DATABASE "plancton"')
    target = InfluxSink(InfluxTarget(url=influx.url()))
    target.send(
        [f"plancton_node,node=x mode=1 {AT}", f'measurement,hostname=x cpu_eff="high" {AT}']
    )
    made = reporter(influxdb=[influx.url()])
    made.ends(10)
    made.snapshot()
    assert made.sends().dropped >= 2
    assert influx.count("plancton_exit", "name") == 10
    until(lambda: influx.count("plancton_host", "ncpus") * 2 == made.state.dropped)


def test_a_full_disk(tmp_path: Path, run: Run, reporter: Start) -> None:
    """The database says 500 as long as its disk is full, and gets all when it is not."""
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", small], check=True)
    try:
        server = InfluxServer(small)
        run(server)
        made = reporter(influxdb=[server.url()])
        made.ends(10)
        made.sends()
        with pytest.raises(OSError, match="No space"):
            (small / "filler").write_bytes(os.urandom(4 * 2**20))
        made.ends(50)
        assert "500" in made.fails().error
        (small / "filler").unlink()
        server.kill()  # this release goes on to refuse until it is started anew
        server.start()
        state = made.sends(30)
        assert state.dropped == 0
        assert server.count("plancton_exit", "name") == 60
        server.kill()
    finally:
        subprocess.run(["umount", "-l", small], check=True)


def test_the_target_changes_while_points_are_kept(influx: InfluxServer, reporter: Start) -> None:
    """What was kept for an address that was wrong goes to the right one, at once."""
    made = reporter(influxdb=["http://127.0.0.1:9#plancton"])
    made.ends(40)
    assert made.fails().queued >= 80
    made.configure(influxdb=[influx.url()])
    until(lambda: "127.0.0.1:9#" not in made.state.name)
    made.sends()
    assert influx.count("plancton_exit", "name") == 40
    made.configure()
    until(lambda: not made.sinks.status())


def test_the_buffer_is_bounded(reporter: Start) -> None:
    """The oldest are dropped and counted."""
    made = reporter(influxdb=["http://127.0.0.1:9#plancton"], buffer=100)
    made.ends(200)
    until(lambda: made.snapshot() and made.state.dropped > 200)
    assert made.state.queued <= 100


def test_require_at_start(influx: InfluxServer, tmp_path: Path) -> None:
    """A database that can be written to, or one sentence why not."""
    sinks = MetricsPublisher("n", "t", tmp_path)
    sinks.write_start_event(Monitor.model_validate({"influxdb": [influx.url()]}), "1.0")
    assert influx.count("plancton_start", "version") == 1
    away = Monitor.model_validate({"influxdb": ["http://u:secret@127.0.0.1:9#plancton"]})
    with pytest.raises(RefusedError, match="require_at_start") as caught:
        sinks.write_start_event(away, "1.0")
    assert "secret" not in str(caught.value)


def test_victoria_metrics_takes_the_same_lines(tmp_path: Path, run: Run, reporter: Start) -> None:
    """It has no databases and no words, and keeps every number."""
    server = Victoria(tmp_path / "victoria")
    run(server)
    made = reporter(influxdb=[f"http://127.0.0.1:{server.port}#plancton"])
    made.ends(30)
    assert made.sends().dropped == 0
    until(lambda: server.exported("plancton_exit_lifetime"))
    (series,) = server.exported("plancton_exit_lifetime")
    assert series["values"] == [60.0] * 30
    assert series["metric"]["node"] == "node.example.org"
    assert server.exported("daemon_containers")


def test_old_numbers_are_floats(reporter: Start) -> None:
    """A whole number there would be refused where 0.6.0 has written."""
    made = reporter()
    points = {p.measurement: p for p in node_points(made.snapshot(), 30)}
    assert type(points["daemon"].fields["containers"]) is float
    assert type(points["measurement"].fields["cpu_eff"]) is float
    assert points["daemon"].tags == {"hostname": "node"}
