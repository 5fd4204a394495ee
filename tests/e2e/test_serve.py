"""``plancton serve`` and the verbs, on real Docker."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import until
from tests.e2e.conftest import Containers
from tests.e2e.owner import CountedOwner, RealOwner
from tests.e2e.service import CORES, PLANCTON, Service

pytestmark = pytest.mark.docker


def full(service: Service, count: int = CORES) -> None:
    """Wait until so many pilots run."""
    until(lambda: len(service.names()) == count)


def test_fills_the_node_shows_it_and_refills_an_exit(
    service: Service, containers: Containers
) -> None:
    """One pilot a core; a pilot that is killed is replaced at once; views agree with Docker."""
    service.configure(node={"interval": "10min"}, spawn={"short_life": 0})
    service.start()
    full(service)
    assert service.names() == containers.names()
    victim = sorted(containers.names())[0]
    containers.client.kill(victim)
    until(lambda: len(containers.names() - {victim}) == CORES)
    until(lambda: service.status()["ended"])
    assert service.status()["ended"][0]["exit_code"] == 137
    full(service)
    until(lambda: f"the maximum of {CORES} pilots is reached" in service.ask("status"))
    assert "protection  idle class" in service.run("status").stdout
    table = service.run("pilots").stdout
    assert all(name in table for name in containers.names())
    why = service.run("why").stdout
    assert f"{victim} removed: it exited with code 137" in why
    assert json.loads(service.run("why", "--json").stdout)["now"]
    assert service.stop() == 0


def test_sigterm_leaves_pilots_and_the_next_start_adopts_them(
    service: Service, containers: Containers
) -> None:
    """The default for on_stop."""
    service.start()
    full(service)
    before = containers.names()
    assert service.stop() == 0
    assert containers.names() == before
    service.start()
    full(service)
    assert containers.names() == before
    assert service.status()["spawned"] == 0


@pytest.mark.parametrize("on_stop", ["drain", "kill"])
def test_sigterm_ends_pilots_where_configured(
    service: Service, containers: Containers, on_stop: str
) -> None:
    """Drained pilots end by themselves, killed ones now; none is left."""
    service.configure(node={"on_stop": on_stop})
    service.start()
    full(service)
    assert service.process
    service.process.send_signal(signal.SIGTERM)
    if on_stop == "drain":
        time.sleep(2)
        assert len(containers.names()) == CORES
        containers.leave()
    assert service.ended() == 0
    assert containers.names(running=False) == set()


def test_drain_resume_and_drain_stop(service: Service, containers: Containers) -> None:
    """Requests add up, are said, and end the engine only when it is empty."""
    service.configure(spawn={"short_life": 0})
    service.start()
    full(service)
    service.ask("drain")
    until(lambda: service.status()["mode"] == "draining")
    containers.leave()
    until(lambda: not service.names() and not containers.names())
    assert "the node is draining" in service.ask("why")
    service.ask("resume")
    full(service)
    service.ask("drain")
    service.ask("drain-stop")
    assert len(containers.names()) == CORES
    containers.leave()
    assert service.ended() == 0
    assert containers.names(running=False) == set()
    assert service.run("status").returncode == 3
    assert (service.rundir / "drain").exists()
    assert not (service.rundir / "stop").exists()


def test_drain_asked_for_while_away_is_honoured(service: Service, containers: Containers) -> None:
    """The marker is kept and the answer says so."""
    asked = service.run("drain")
    assert "kept for the next start" in asked.stdout
    service.start()
    until(lambda: service.status()["mode"] == "draining")
    until(lambda: service.status()["load"])
    assert containers.names() == set()
    service.ask("resume")
    full(service)


def test_force_stop_with_and_without_an_engine(service: Service, containers: Containers) -> None:
    """Pilots are really killed, either way."""
    service.start()
    full(service)
    assert service.run("force-stop", config=True).returncode == 0
    assert service.ended() == 0
    assert containers.names(running=False) == set()
    service.start()
    full(service)
    service.stop(signal.SIGKILL)
    assert containers.names()
    done = service.run("force-stop", config=True)
    assert done.returncode == 0
    assert f"{CORES} pilots ended" in done.stdout
    assert containers.names(running=False) == set()


def test_reap_ends_only_what_is_due(service: Service, containers: Containers) -> None:
    """The time to live holds when Plancton is away; with an engine there is nothing to do."""
    service.configure({"ttl": "30s"})
    service.start()
    full(service)
    assert "nothing to do" in service.run("reap", config=True).stdout
    service.stop(signal.SIGKILL)
    assert "0 pilots ended" in service.run("reap", config=True).stdout
    time.sleep(30)
    done = service.run("reap", config=True)
    assert f"{CORES} pilots ended and removed, 0 left" in done.stdout, done.stderr
    assert containers.names(running=False) == set()


def test_ttl_sends_sigterm_at_the_deadline(service: Service) -> None:
    """By Docker's own stamp of the start; the pilot's exit code tells of SIGTERM."""
    service.configure({"ttl": "5s", "grace": "30s"}, spawn={"maximum": 1, "short_life": "1s"})
    service.start()
    until(lambda: service.status()["ended"])
    ended = service.status()["ended"][0]
    assert ended["exit_code"] == 143
    assert 5.0 <= ended["lifetime"] < 30
    assert "time to live is over" in ended["reason"]


def test_the_second_engine_is_refused_and_names_the_first(service: Service, tmp_path: Path) -> None:
    """In the same run directory, and for the same instance in another."""
    service.start()
    assert service.process
    for rundir in (service.rundir, tmp_path / "elsewhere"):
        command = [PLANCTON, "serve", "-c", str(service.config), "--rundir", str(rundir)]
        command += ["--logdir", str(tmp_path / "log2")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 1
        assert f"process {service.process.pid}" in done.stderr
        assert done.stderr.count("\n") == 1


def test_config_is_live_and_a_bad_one_changes_nothing(
    service: Service, containers: Containers
) -> None:
    """By a change of the file, by reload, and by SIGHUP."""
    service.start()
    full(service)
    service.configure(spawn={"maximum": 1})
    until(lambda: len(containers.names()) == 1)
    service.write("spawn: {maximun: 2}")
    until(lambda: service.status()["config_error"])
    assert "did you mean maximum?" in service.status()["config_error"]
    assert service.status()["maximum"] == 1
    assert "refused, the last good one stays" in service.ask("status")
    assert len(containers.names()) == 1
    service.configure(spawn={"maximum": 2})
    service.ask("reload")
    until(lambda: len(containers.names()) == 2)
    service.configure(spawn={"maximum": 0})
    assert service.process
    service.process.send_signal(signal.SIGHUP)
    until(lambda: not containers.names())
    assert "Traceback" not in service.log


def test_a_file_of_the_first_plancton_works_as_it_is(
    service: Service, containers: Containers
) -> None:
    """JSON-style YAML, stray keys, 0.6.0 defaults."""
    service.write(
        """{"main_sleep": 1, "docker_cmd": "/bin/sleep 500", "max_docks": "ncpus - 1 + 0*ram_bytes",
        "max_ttl": 600, "docker_image": "busybox", "max_dock_mem": 50000000, "rocket": 1}"""
    )
    shown = subprocess.run(
        [PLANCTON, "config", "check", str(service.config)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert shown.returncode == 0
    assert f"= {CORES - 1} pilots" in shown.stdout
    assert "rocket is no key of 0.6.0" in shown.stderr
    native = subprocess.run(
        [PLANCTON, "config", "convert", str(service.config)],
        capture_output=True, text=True, timeout=60, check=True,
    ).stdout  # fmt: skip
    mine = f"node:\n  instance: {containers.instance}\n"
    service.write(native.replace("node:\n", mine))
    service.start()
    full(service, CORES - 1)
    (item,) = containers.client.containers(
        filters={"label": f"io.plancton.instance={containers.instance}"}
    )[:1]
    host = containers.client.inspect_container(item["Id"])["HostConfig"]
    assert host["Memory"] == 50000000
    assert not host["CapDrop"]


def test_black_hole_backs_off_and_says_so(service: Service) -> None:
    """A pilot that exits at once is not hammered."""
    service.configure({"command": "false"})
    service.start()
    until(lambda: any(f["code"] == "backoff" for f in service.status()["findings"]))
    time.sleep(3)
    assert service.status()["spawned"] <= 2 * CORES
    assert service.status()["ended"][0]["exit_code"] == 1


def test_no_engine_no_traceback(service: Service) -> None:
    """Exit code 3 and one line that says what to do."""
    for verb in ("status", "pilots", "why", "reload"):
        done = service.run(verb)
        assert done.returncode == 3
        assert done.stderr.count("\n") == 1
        assert "plancton serve" in done.stderr


def test_bad_config_at_start_is_refused_with_every_problem(service: Service) -> None:
    """File, line, key and the nearest valid key, all at once."""
    service.write("node:\n  interval: soon\npilots:\n  - imgae: x\n    cpus: -1\n")
    command = [PLANCTON, "serve", "-c", str(service.config), *service.options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert len(lines) == 3
    assert any(":2: node.interval:" in line for line in lines)
    assert any(":4: pilots[0].imgae: no such key; did you mean image?" in line for line in lines)
    assert any(":5: pilots[0].cpus:" in line for line in lines)


def test_doctor_finds_this_node_well(service: Service) -> None:
    """Every check is there, and none fails."""
    done = service.run("doctor", config=True)
    assert done.returncode == 0, done.stdout
    for what in ("config", "docker", "protection", "time", "disk", "image"):
        assert f"\n{what} " in "\n" + done.stdout
    assert "FAIL" not in done.stdout


@pytest.fixture
def public(instance: str) -> Iterator[Service]:
    """Return a service in a folder that every user may write; pytest's own are for root alone."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        made = Service(Path(name), instance)
        yield made
        made.close()


def test_another_user_is_refused_in_one_line(public: Service) -> None:
    """Root's engine is not for everybody: neither its snapshot nor its orders."""
    service = public.start()
    for name in ("status", "pilots", "why"):
        assert service.run(name).returncode == 0
    for verb in ("status", "drain", "reload"):
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", PLANCTON, verb]
        command += ["--rundir", str(service.rundir)]
        environment = {**os.environ, "HOME": "/nonexistent"}
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=False, env=environment
        )
        assert done.returncode == 1, done.stderr
        assert done.stderr.count("\n") == 1
        assert "permission denied: this control socket is for its owner, root" in done.stderr
    service.close()


def test_a_user_in_the_group_docker_runs_it_with_less_protection(
    public: Service, containers: Containers
) -> None:
    """No right to write cgroups: it works all the same, and says what is missing."""
    service = public
    service.configure({"cpus": 0.5})  # half a core stays free where nothing protects the owner
    group = str(Path("/var/run/docker.sock").stat().st_gid)
    command = [
        *service.idle_node,
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        f"--groups={group}",
        PLANCTON,
        "serve",
    ]
    command += ["--config", str(service.config), *service.options]
    environment = {
        "HOME": str(service.folder),
        "PATH": os.environ["PATH"],
        "TMPDIR": str(service.folder),
    }
    with (service.folder / "stderr").open("ab") as log:
        service.process = subprocess.Popen(command, stderr=log, env=environment)
    until(lambda: len(containers.names()) == CORES)
    status = service.ask("status")
    assert "protection  weight only - run as root, or have root create" in status
    name = sorted(containers.names())[0]
    host = containers.client.inspect_container(name)["HostConfig"]
    assert host["CpuShares"] == 2
    assert host["CgroupParent"] == f"/plancton-{containers.instance}"
    until(lambda: service.status()["load"]["own"] >= 0)
    assert service.stop() == 0
    assert "Traceback" not in service.log


def test_doctor_says_how_to_mend_missing_rights(tmp_path: Path) -> None:
    """A user outside the group docker."""
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", PLANCTON, "doctor"]
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_RUNTIME_DIR": "/tmp"}  # noqa: S108 (any)
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env=environment
    )
    assert done.returncode == 1, done.stderr
    assert "join the group docker" in done.stdout


@pytest.fixture
def owner(service: Service) -> Iterator[CountedOwner]:
    """Return the owner of a service's machine, who goes afterwards."""
    made = CountedOwner(service.stat)
    yield made
    made.go()


@pytest.fixture
def real_owner() -> Iterator[RealOwner]:
    """Return one who loads the machine; the load ends afterwards."""
    made = RealOwner()
    yield made
    made.go()


def paused(containers: Containers) -> set[str]:
    """Return the states of the instance's containers as Docker tells them."""
    names = containers.names(running=False)
    inspected = (containers.client.inspect_container(name) for name in names)
    return {str(each["State"]["Status"]) for each in inspected}


def asleep(service: Service, containers: Containers, owner: CountedOwner | RealOwner) -> set[str]:
    """Fill the node, let the owner use it until all pilots are frozen; returns their names."""
    service.configure(protect={"freeze_after": "2s", "evict_after": "1h"})
    service.start()
    full(service)
    owner.come()
    until(lambda: paused(containers) == {"paused"}, 40)
    return containers.names()


@pytest.mark.quiet
def test_the_owner_comes_and_goes_and_pilots_sleep_meanwhile(
    measuring: Service, containers: Containers, real_owner: RealOwner
) -> None:
    """Frozen after the time that is set, thawed when the owner has gone, and nothing is lost."""
    service = measuring
    before = asleep(service, containers, real_owner)
    until(lambda: service.names("frozen") == before)
    assert "frozen pilots go on first" in service.ask("why")
    real_owner.go()
    until(lambda: paused(containers) == {"running"})
    assert containers.names() == before
    assert service.stop() == 0


def test_what_stays_frozen_is_ended_and_booked(
    service: Service, containers: Containers, owner: CountedOwner
) -> None:
    """SIGTERM after evict_after; the ledger has it, and has it still after a restart."""
    service.configure(protect={"freeze_after": "1s", "evict_after": "2s"})
    service.start()
    full(service)
    owner.come()
    until(lambda: service.status()["evicted"] == CORES, 40)
    until(lambda: containers.names(running=False) == set())
    assert "was frozen for" in service.ask("why")
    assert service.stop() == 0
    owner.go()
    service.start()
    total = json.loads(service.ask("ledger", "--json"))["total"]
    assert (total["frozen"], total["evicted"]) == (CORES, CORES)
    assert total["ended"]["frozen long"] == CORES
    assert total["reaction_max"] >= 1
    assert "pilots evicted" in service.ask("ledger")


def test_frozen_pilots_are_taken_over_after_a_crash(
    service: Service, containers: Containers, owner: CountedOwner
) -> None:
    """Killed while its pilots are frozen, the next Plancton thaws them."""
    before = asleep(service, containers, owner)
    service.stop(signal.SIGKILL)
    owner.go()
    service.start()
    until(lambda: paused(containers) == {"running"})
    assert containers.names() == before


def test_a_closed_calendar_ends_pilots_and_says_when_it_opens(
    service: Service, containers: Containers
) -> None:
    """A change of the configuration is enough."""
    service.start()
    full(service)
    day = time.strftime("%a", time.localtime(time.time() + 3 * 86400))
    service.configure(protect={"calendar": {"lend": [day], "step": "evict"}})
    until(lambda: containers.names(running=False) == set())
    status = service.ask("status")
    assert f"the machine is lent again from {day} 00:00" in status
    assert "calendar: not lent" in status
    assert "now: evict" in status


def test_config_check_shows_every_name_with_its_value(service: Service) -> None:
    """As the running engine sees it; measured on the spot without one."""
    service.configure(spawn={"when": "foreground_12h < ncpus and mem > 1"})
    alone = service.run("config", "check", config=True).stdout
    assert "spawn.when: foreground_12h < ncpus and mem > 1 = true" in alone
    assert "measured now" in alone
    service.start()
    beside = service.run("config", "check", config=True).stdout
    assert "as the running engine sees them" in beside
    for name in ("ncpus", "cpu", "load_5m", "mem_30m", "disk_1h", "foreground_1d"):
        assert f"  {name} = " in beside


def test_a_bind_of_what_is_not_there_is_warned_of_and_waited_for(
    service: Service, tmp_path: Path
) -> None:
    """Nothing is made in its place; when it is there, the pilot starts."""
    source = tmp_path / "data"
    service.configure({"binds": [f"{source}:/data:rw,Z"]}, spawn={"maximum": 1, "backoff": "1s"})
    said = f"{source} does not exist on this node; create it, or correct binds"
    checked = service.run("config", "check", config=True)
    assert (checked.returncode, checked.stderr) == (
        0,
        f"warning: pilots[default].binds: {said}\n",
    )
    service.start()
    until(lambda: f"profile default: {said}" in service.ask("why"))
    assert not source.exists()
    source.mkdir()
    until(service.names)
    assert service.run("config", "check", config=True).stderr == ""


def test_record_writes_what_simulate_reads(tmp_path: Path) -> None:
    """A trace of this machine, and a refusal to overwrite one."""
    trace = tmp_path / "t.csv"
    command = [PLANCTON, "record", "-o", str(trace), "--for", "2", "--every", "0.5"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "rows to" in done.stdout
    assert len(trace.read_text().splitlines()) >= 6
    shown = [PLANCTON, "simulate", "--trace", str(trace), "--json"]
    result = json.loads(subprocess.run(shown, capture_output=True, check=True).stdout)[0]
    assert result["seconds"] >= 2
    again = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert again.returncode == 1
    assert "File exists" in again.stderr
    assert "Traceback" not in again.stderr


def test_force_stop_finds_the_instance_of_a_dead_engine(
    service: Service, containers: Containers, tmp_path: Path
) -> None:
    """By the run directory alone, though only the configuration names it; others are named."""
    service.start()
    full(service)
    service.stop(signal.SIGKILL)
    other = tmp_path / "other.yaml"
    other.write_text("node: {instance: somebodyelse}\n")
    elsewhere = ["--config", str(other), "--rundir", str(tmp_path / "elsewhere")]
    done = service.command("force-stop", *elsewhere)
    assert "instance somebodyelse: 0 pilots ended and removed" in done.stdout, done.stderr
    assert f"{service.instance} ({CORES})" in done.stdout
    assert len(containers.names()) == CORES
    done = service.run("force-stop")
    assert done.returncode == 0, done.stderr
    assert f"instance {service.instance}: {CORES} pilots ended and removed" in done.stdout
    assert containers.names(running=False) == set()
