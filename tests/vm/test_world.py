"""What protects the owner where systemd is PID 1, with cgroup v2 and Docker's systemd driver."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.vm.guest import Guest
from tests.vm.test_service import pid, soon, status

SLICE = "/sys/fs/cgroup/plancton.slice"
BURN = ["sh", "-c", "while :; do :; done"]
BURNER = {"command": BURN, "network": "none", "cpus": 0.4, "memory": "20MiB", "grace": "1s"}
WORK = "for i in 1 2; do python3 -S -c 'sum(i*i for i in range(3000000))' & done; wait"
RUNNING = "docker ps -q --no-trunc --filter label=io.plancton.instance"


def lend(guest: Guest, path: str = "/etc/plancton/config.yaml", **groups: Any) -> None:
    """Write a configuration of burning pilots that give way late."""
    base = {"node": {"interval": "1s"}, "pilots": [BURNER], "spawn": {"maximum": 4}}
    late = {"protect": {"freeze_after": "1h"}, "image": {"pull": False}}
    guest.write(path, json.dumps({**base, **late, **groups}))


@pytest.fixture(scope="module")
def node(guest: Guest) -> Iterator[Guest]:
    """Return the guest with four burning pilots."""
    lend(guest)
    guest.run("plancton bootstrap", 180)
    soon(lambda: len(guest.run(RUNNING).split()) == 4)
    yield guest
    guest.run("plancton bootstrap --uninstall --purge", 180, check=False)


def test_pilots_lie_in_the_slice_and_it_is_idle(node: Guest) -> None:
    """Each in a scope of systemd's below the one parent, which is in the idle class."""
    listed = set(node.run(f"ls -d {SLICE}/docker-*.scope").split())
    assert listed == {f"{SLICE}/docker-{id_}.scope" for id_ in node.run(RUNNING).split()}
    assert node.run(f"cat {SLICE}/cpu.idle") == "1"
    assert status(node)["protection"] == "idle class"


def test_own_cpu_is_what_the_kernel_counts(node: Guest) -> None:
    """Cores of the last ten seconds, against the slice's own counter over about the same."""
    read = f"cat {SLICE}/cpu.stat /proc/uptime"

    def used() -> tuple[float, float]:
        words = node.run(read).split()
        return int(words[words.index("usage_usec") + 1]) / 1e6, float(words[-2])

    before, begin = used()
    node.run("sleep 12")
    shown = status(node)["load"]
    after, end = used()
    cores = (after - before) / (end - begin)
    print(f"own: {shown['own']:.3f} cores shown, {cores:.3f} counted")
    assert shown["own"] == pytest.approx(cores, rel=0.15)
    assert shown["foreground"] + shown["own"] + shown["idle"] == pytest.approx(2, abs=0.01)


def test_own_memory_is_seen(node: Guest) -> None:
    """Anonymous memory of the slice: four shells."""
    assert 100_000 < status(node)["host"]["own_memory"] < 80_000_000


def seconds(guest: Guest, command: str) -> float:
    """Return how long a command takes, as the guest's clock tells: the better of two."""
    took = []
    for _ in range(2):
        line = f"a=$(cut -d' ' -f1 /proc/uptime); {command}; cut -d' ' -f1 /proc/uptime; echo $a"
        end, begin = guest.run(line, 300).split()[-2:]
        took.append(float(end) - float(begin))
    return min(took)


def test_the_owner_is_not_slowed_down(node: Guest) -> None:
    """Two busy processes beside four burning pilots, from a login and as a service.

    Without the idle class they take twice to four times as long.
    """
    node.write("/root/work.sh", WORK)
    ways = {
        "login": "sh /root/work.sh",
        "service": "systemd-run --quiet --wait sh /root/work.sh",
    }
    beside = {name: seconds(node, command) for name, command in ways.items()}
    assert len(node.run(RUNNING).split()) == 4
    node.run("plancton drain && plancton kill --all", 120)
    alone = {name: seconds(node, command) for name, command in ways.items()}
    node.run("plancton resume")
    for name in ways:
        slowdown = beside[name] / alone[name]
        print(f"{name}: {alone[name]:.2f} s alone, {beside[name]:.2f} s beside: {slowdown:.2f}")
        assert slowdown < 1.5


def test_pilots_are_frozen_while_the_owner_works(node: Guest) -> None:
    """As configured, by the kernel's freezer; nobody is ended."""
    soon(lambda: len(node.run(RUNNING).split()) == 4)
    before = set(node.run(RUNNING).split())
    lend(node, protect={"freeze_after": "3s", "evict_after": "1h"})
    node.run("systemd-run --quiet --unit=owner sh -c 'while :; do :; done & while :; do :; done'")
    # Seen by the kernel's own files: asking Docker costs so much here that it keeps pilots frozen.
    frozen = f"grep -l 1 {SLICE}/docker-*.scope/cgroup.freeze | wc -l"
    soon(lambda: int(node.run(frozen)) >= 3)
    node.run("systemctl stop owner", 120)
    assert set(node.run(RUNNING).split()) == before
    lend(node)


def test_without_the_unit_root_sets_the_idle_class_again_and_again(node: Guest) -> None:
    """A daemon-reload takes it away from a slice without a file; the next tick gives it back."""
    node.run("plancton force-stop", 120)
    node.run("mv /etc/systemd/system/plancton.slice /root/ && systemctl daemon-reload")
    node.run("systemctl start plancton", 120)
    soon(lambda: node.run(f"cat {SLICE}/cpu.idle", check=False) == "1")
    for _ in range(2):
        node.run("systemctl daemon-reload")
        time.sleep(3)
        soon(lambda: node.run(f"cat {SLICE}/cpu.idle") == "1")
    assert status(node)["protection"] == "idle class"
    node.run("plancton force-stop", 120)
    node.run("mv /root/plancton.slice /etc/systemd/system/ && systemctl daemon-reload")


def test_a_users_own_plancton_is_protected_by_the_slice(node: Guest) -> None:
    """A member of the group docker, with the slice that root installed."""
    node.run("plancton force-stop", 120, check=False)
    node.run("useradd -m -G docker carl", check=False)
    home = "/home/carl"
    lend(node, f"{home}/c.yaml", spawn={"maximum": 1})
    where = f"--rundir {home}/run"
    own = f"--config {home}/c.yaml {where} --logdir {home}/log --statedir {home}/state"
    done = node.run(f"plancton start {own}", 180, user="carl")
    assert "started, process" in done

    def seen() -> dict[str, Any]:
        found = node.call(f"plancton status --json {where}", user="carl")
        return json.loads(found.stdout) if found.returncode == 0 else {}

    soon(lambda: seen().get("protection") == "idle class" and seen()["pilots"])
    assert node.run(f"ls -d {SLICE}/plancton-u*.slice/docker-*.scope")
    assert seen()["load"]["own"] >= 0
    node.run(f"plancton force-stop {where}", 120, user="carl")
    assert pid(node) == "0"
