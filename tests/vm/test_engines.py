"""One contract with each container engine of a guest: ``make test-worlds``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conftest import until
from tests.vm.engines import ENGINES, REFERENCE, Engine, ask, status
from tests.vm.guest import Guest
from tests.vm.tested import recorded

pytestmark = pytest.mark.world

SLICE = "/sys/fs/cgroup/plancton.slice"
CONFIG = "/etc/plancton/config.yaml"
WRITTEN = 3_000_000
WRITE = f"head -c {WRITTEN} /dev/zero > /out"
WORK = f'test -z "$BAD" || exit 7; echo hello; {WRITE}; while :; do :; done'
PILOT = {
    "image": REFERENCE,
    "command": ["sh", "-c", WORK],
    "user": "0:0",
    **{"network": "none", "cpus": 0.25, "memory": "30MiB", "grace": "2s"},
}
IMAGE = {"refresh": "15s"}


def configure(engine: Engine, image: dict[str, Any] = IMAGE, **groups: Any) -> None:
    """Write a configuration of two burning pilots that nothing stops."""
    values = {
        "node": {"interval": "2s", "docker": engine.url},
        "pilots": [PILOT],
        "spawn": {"maximum": 2, "short_life": 0, "backoff": "2s", "backoff_max": "5s"},
        "protect": {"freeze_after": "1h"},
        "image": image,
    }
    engine.guest.write(CONFIG, json.dumps({**values, **groups}))


def reconfigure(engine: Engine, image: dict[str, Any] = IMAGE, **groups: Any) -> None:
    """Change the configuration, and wait until it counts."""
    before = status(engine.guest)["config_revision"]
    configure(engine, image, **groups)
    ask(engine.guest, "POST", "/v1/reload")
    soon(lambda: status(engine.guest).get("config_revision", before) != before)


def soon(met: Callable[[], object]) -> None:
    """Wait as long as emulation takes."""
    until(met, 180, 2.0)


def pilots(engine: Engine) -> list[dict[str, Any]]:
    """Return the pilots of the status."""
    found: list[dict[str, Any]] = status(engine.guest).get("pilots", [])
    return found


def full(engine: Engine) -> bool:
    """Say whether two pilots run, as the engine and Plancton agree."""
    running = {each["name"] for each in pilots(engine) if each["state"] == "running"}
    return len(running) == 2 and engine.pilots() == running


def ids(engine: Engine) -> set[str]:
    """Return the IDs of the pilots' images."""
    return {each["image_id"].removeprefix("sha256:") for each in pilots(engine)}


def known_image(engine: Engine) -> str:
    """Return the ID of the image that the pilots' reference means, as Plancton knows it."""
    found: dict[str, Any] = status(engine.guest).get("images", {})
    return str(found.get(REFERENCE, {}).get("id") or "").removeprefix("sha256:")


@pytest.fixture(scope="module", params=ENGINES)
def engine(guest: Guest, request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Return each engine in turn, with Plancton as ``bootstrap`` installs it."""
    made = Engine(guest, request.param)
    made.set_up()
    made.push("one")
    configure(made)
    guest.run("plancton bootstrap", 240)
    yield made
    recorded(request, made)
    guest.run("plancton bootstrap --uninstall --purge", 240, check=False)


def test_it_pulls_starts_and_protects(engine: Engine) -> None:
    """Each pilot in a scope of systemd's below the one parent, which is in the idle class."""
    soon(lambda: full(engine))
    assert known_image(engine) == engine.image()
    assert ids(engine) == {engine.image()}
    soon(lambda: status(engine.guest).get("protection") == "idle class")
    assert engine.guest.run(f"cat {SLICE}/cpu.idle") == "1"
    scopes = engine.guest.run(f"ls -d {SLICE}/{engine.scope}-*.scope").split()
    wanted = {f"{SLICE}/{engine.scope}-{id_}.scope" for id_ in engine.containers()}
    assert wanted <= set(scopes)
    assert engine.guest.run("systemctl is-enabled plancton") == "enabled"
    said = engine.guest.call("plancton doctor", 120)
    assert "FAIL" not in said.stdout, said.stdout


def test_what_pilots_use_is_known(engine: Engine) -> None:
    """All pilots' CPU as the kernel counts it; of each its CPU, memory and disk."""
    read = f"cat {SLICE}/cpu.stat /proc/uptime"

    def used() -> tuple[float, float]:
        words = engine.guest.run(read).split()
        return int(words[words.index("usage_usec") + 1]) / 1e6, float(words[-2])

    before, begin = used()
    engine.guest.run("sleep 12")
    shown = status(engine.guest)["load"]["own"]
    after, end = used()
    cores = (after - before) / (end - begin)
    print(f"own: {shown:.3f} cores shown, {cores:.3f} counted")
    assert shown == pytest.approx(cores, rel=0.2)
    soon(lambda: all(each["disk_used"] for each in pilots(engine)))
    for each in pilots(engine):
        assert each["cpu"] > 0
        assert 0 < each["memory_used"] <= 30 * 2**20
        assert WRITTEN <= each["disk_used"] < 2 * WRITTEN


def test_logs_and_events(engine: Engine) -> None:
    """What a pilot wrote, and what happened."""
    name = min(engine.pilots())
    assert engine.guest.run(f"plancton logs {name}") == "hello"
    assert name in engine.guest.run("plancton events")


def test_freeze_and_thaw(engine: Engine) -> None:
    """A frozen pilot uses no CPU, and goes on when it is thawed."""
    name, other = sorted(engine.pilots())
    id_ = engine.run(f"inspect -f '{{{{.Id}}}}' {name}")
    usage = f"grep usage_usec {SLICE}/{engine.scope}-{id_}.scope/cpu.stat"

    def stands_still() -> bool:
        first, second = engine.guest.run(f"{usage}; sleep 3; {usage}").splitlines()
        return first == second

    assert not stands_still()
    engine.guest.run(f"plancton freeze {name}", 120)
    assert stands_still()
    assert {each["name"]: each["state"] for each in pilots(engine)}[name] == "frozen"
    engine.guest.run(f"plancton thaw {name}", 120)
    assert not stands_still()
    assert engine.pilots() == {name, other}


def test_a_killed_pilot_is_replaced_at_once(engine: Engine) -> None:
    """The engine's event wakes Plancton, long before its next look."""
    reconfigure(engine, node={"interval": "20m", "docker": engine.url})
    soon(lambda: full(engine))
    for signal in ("KILL", "TERM"):
        name = min(engine.pilots())
        engine.run(f"kill -s {signal} {name}")
        soon(lambda: len(engine.pilots() - {name}) == 2)  # noqa: B023
    reconfigure(engine)
    soon(lambda: full(engine))


def test_a_time_to_live_is_kept(engine: Engine) -> None:
    """Ended by SIGTERM when it is over, and replaced."""
    reconfigure(engine, pilots=[{**PILOT, "ttl": "40s"}])
    before = engine.pilots()
    engine.guest.run("plancton kill --all", 120)
    soon(lambda: len(engine.pilots() - before) == 2)
    overdue = engine.pilots()
    reconfigure(engine)
    soon(lambda: not engine.pilots() & overdue)
    soon(lambda: full(engine))
    ended = {each["name"]: each["code"] for each in status(engine.guest)["ended"]}
    assert {ended.get(name) for name in overdue} == {"ttl"}


def test_restarted_and_killed_it_adopts_its_pilots(engine: Engine) -> None:
    """The same containers; nothing is started."""
    before = engine.pilots()
    for how in ("systemctl restart plancton", "systemctl kill -s KILL plancton"):
        pid = engine.guest.run("systemctl show -P MainPID plancton")
        engine.guest.run(how, 180)
        soon(lambda: status(engine.guest).get("pid") not in (None, int(pid)))  # noqa: B023
        soon(lambda: len(pilots(engine)) == 2)
        assert engine.pilots() == before
        assert status(engine.guest)["spawned"] == 0


def test_a_new_image_is_used_and_the_old_one_goes(engine: Engine) -> None:
    """Pilots that run stay as they are; with the last of them the old image is removed."""
    old, before = known_image(engine), engine.pilots()
    engine.push("two")
    soon(lambda: known_image(engine) not in ("", old))
    assert known_image(engine) == engine.image()
    assert engine.pilots() == before
    assert ids(engine) == {old}
    engine.guest.run("plancton kill --all", 120)
    soon(lambda: full(engine) and ids(engine) == {engine.image()})
    until(lambda: old not in engine.images(), 300, 3.0)  # tried ever more seldom
    assert engine.image() in engine.images()


def test_a_bad_image_is_tried_by_one_pilot(engine: Engine) -> None:
    """The others stay with the last good one, which no tag means any more and nobody removes."""
    good = known_image(engine)
    reconfigure(engine, {**IMAGE, "canary": True, "canary_life": "1h"})
    soon(lambda: full(engine))
    engine.push("three", "BAD=1")
    soon(lambda: known_image(engine) not in ("", good))
    engine.run(f"kill {min(engine.pilots())}")
    soon(lambda: any(f["code"] == "image-pinned" for f in status(engine.guest)["findings"]))
    soon(lambda: full(engine))
    engine.guest.run("plancton kill --all", 120)
    soon(lambda: full(engine))
    assert ids(engine) == {good}
    assert good in engine.images()
    assert "exited with code 7" in engine.guest.run("plancton why")
    bad = known_image(engine)
    engine.push("four")
    reconfigure(engine)
    soon(lambda: known_image(engine) not in ("", good, bad))
    engine.guest.run("plancton kill --all", 120)
    soon(lambda: full(engine) and ids(engine) == {engine.image()})


def test_a_restart_of_the_engine(engine: Engine) -> None:
    """Docker ends its containers, and they are replaced; Podman's live on. Plancton does too."""
    before, pid = engine.pilots(), status(engine.guest)["pid"]
    engine.guest.run(f"systemctl restart {engine.units}", 180)
    soon(lambda: full(engine))
    assert (engine.pilots() == before) == engine.podman
    assert status(engine.guest)["pid"] == pid
    assert not status(engine.guest)["degraded"]


def test_after_a_reboot_it_runs_again(engine: Engine) -> None:
    """With new pilots; those of before died with the machine and are removed."""
    before = set(engine.containers())
    engine.guest.reboot()
    soon(lambda: full(engine))
    soon(lambda: not set(engine.containers()) & before)
    soon(lambda: status(engine.guest).get("protection") == "idle class")


def test_uninstalled_it_leaves_no_pilot(engine: Engine) -> None:
    """Nor a container that has ended."""
    engine.guest.run("plancton bootstrap --uninstall", 240)
    assert engine.containers() == []
