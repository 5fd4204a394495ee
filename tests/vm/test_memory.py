"""Frozen pilots give their memory back, for real: cgroup v2, swap and zram, systemd's driver."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.vm.guest import Guest
from tests.vm.test_service import pid, pilots, soon, status

SLICE = "/sys/fs/cgroup/plancton.slice"
MIB = 2**20
HOG = """
import hashlib, os, time
block = os.urandom(2**20)
data = bytearray().join(block if i % 2 else bytes([i % 251]) * 2**20 for i in range(300))
first, rounds = hashlib.md5(data).hexdigest(), 0
while True:
    rounds += 1
    good = hashlib.md5(data).hexdigest() == first
    print(rounds, "good" if good else "BAD", flush=True)
    time.sleep(0.2)
"""
"""Holds 300 MB, half of them not to be compressed, and computes with all of them."""
PILOT = {
    "command": ["/usr/bin/python3", "-S", "/hog.py"],
    "binds": ["/usr:/usr", "/lib:/lib", "/lib64:/lib64", "/opt/hog.py:/hog.py"],
    "network": "none",
    "cpus": 0.5,
    "memory": "512MiB",
    "grace": "1s",
}


@pytest.fixture(scope="module")
def node(guest: Guest) -> Iterator[Guest]:
    """Return the guest with one pilot that holds 300 MB, and may use no swap while it runs."""
    guest.write("/opt/hog.py", HOG)
    configure(guest)
    guest.run("plancton bootstrap", 180)
    soon(lambda: rounds(guest) > 1)
    yield guest
    guest.run("plancton bootstrap --uninstall --purge", 180, check=False)


def configure(guest: Guest, **memory: Any) -> None:
    """Write a configuration whose pilots give way to the operator alone."""
    groups = {
        "node": {"interval": "1s"},
        "pilots": [PILOT],
        "spawn": {"maximum": 1},
        "image": {"pull": False},
        "protect": {
            "freeze_after": "1h",
            "evict_after": "2h",
            "memory": {"reclaim_below": "100%", **memory},
        },
    }
    guest.write("/etc/plancton/config.yaml", json.dumps(groups))


def rounds(guest: Guest) -> int:
    """Return how often the pilot has computed, rightly each time."""
    (name,) = pilots(guest) or ("",)
    said = guest.run(f"docker logs {name} 2>&1", check=False) if name else ""
    assert "BAD" not in said
    return int(said.split()[-2]) if "good" in said else 0


def available(guest: Guest) -> int:
    """Return the node's available memory, bytes."""
    return int(guest.run("awk '/MemAvailable/ {print $2}' /proc/meminfo")) * 1024


def kernel(guest: Guest, name: str) -> str:
    """Return what stands in a file of the only pilot's cgroup."""
    return guest.run(f"cat {SLICE}/docker-*.scope/{name}")


def pilot(guest: Guest) -> dict[str, Any]:
    """Return the only pilot as the engine shows it."""
    found: dict[str, Any] = status(guest)["pilots"][0]
    return found


def give_back(guest: Guest) -> int:
    """Freeze the pilot, wait until it has given its memory back, return how much is available."""
    guest.run("plancton freeze --all", 120)
    soon(lambda: int(kernel(guest, "memory.current")) < 40 * MIB)
    return available(guest)


def test_without_swap_a_frozen_pilot_keeps_its_memory(node: Guest) -> None:
    """There is nowhere to put it."""
    node.run("swapoff -a")
    node.run("plancton freeze --all", 120)
    node.run("sleep 5")
    assert int(kernel(node, "memory.current")) > 250 * MIB
    node.run("plancton thaw --all", 120)


@pytest.mark.parametrize("kind", ["disk", "zram"])
def test_a_frozen_pilot_gives_its_memory_back(node: Guest, kind: str) -> None:
    """Most of it; thawed it computes rightly with all of it, and its swap is bounded again."""
    make = {
        "disk": "fallocate -l 1G /swap && chmod 600 /swap && mkswap -q /swap && swapon /swap",
        # Whoever looks at a new device holds it for a moment.
        "zram": "modprobe zram && udevadm settle && d=$(zramctl -f -s 1G || (sleep 5; "
        "zramctl -f -s 1G)) && mkswap -q $d && swapon $d",
    }
    node.run(f"swapoff -a; {make[kind]}", 120)
    before = available(node)
    assert kernel(node, "memory.swap.max") == "0"
    after = give_back(node)
    gained, done = after - before, rounds(node)
    print(f"{kind}: {gained / MIB:.0f} MiB more are available")
    # A half of it cannot be compressed, so in zram that half stays.
    assert gained > (200 if kind == "disk" else 90) * MIB
    soon(lambda: pilot(node)["swapped"] > 250 * MIB)
    assert "it gave back" in pilot(node)["note"]
    assert "frozen pilots gave back" in node.run("plancton status")
    assert "memory given back by frozen pilots" in node.run("plancton ledger")
    node.run("plancton thaw --all", 120)
    soon(lambda: rounds(node) > done + 2)
    assert kernel(node, "memory.swap.max") == "0"
    assert kernel(node, "memory.high") == "max"
    assert int(kernel(node, "memory.current")) > 250 * MIB


def test_after_a_kill_it_is_put_right(node: Guest) -> None:
    """Somebody thaws the pilot while Plancton is dead; the next start bounds its swap again."""
    give_back(node)
    done = rounds(node)
    node.run("systemctl kill --signal KILL plancton; systemctl stop plancton", 120)
    assert kernel(node, "memory.swap.max") == "max"
    (name,) = pilots(node)
    # With what it keeps, it would hold to the operator's freeze.
    node.run(f"docker unpause {name} && rm /var/lib/plancton/memory-root.json")
    node.run("systemctl start plancton", 120)
    soon(lambda: kernel(node, "memory.swap.max") == "0")
    soon(lambda: rounds(node) > done + 2)


def test_a_killed_plancton_goes_on_reclaiming(node: Guest) -> None:
    """It finds the pilot frozen, and takes its memory."""
    node.run("plancton freeze --all", 120)
    before = pid(node)
    node.run(f"kill -9 {before}")
    soon(lambda: pid(node) not in ("0", before))
    soon(lambda: int(kernel(node, "memory.current")) < 40 * MIB)
    done = rounds(node)
    node.run("plancton thaw --all", 120)
    soon(lambda: rounds(node) > done + 2)


def test_what_a_daemon_reload_takes_away_is_set_again(node: Guest) -> None:
    """That a pilot dies whole, that it does not swap, and what all may take together."""
    total = int(node.run("awk '/MemTotal/ {print $2}' /proc/meminfo")) * 1024
    for _ in range(2):
        node.run("systemctl daemon-reload")
        soon(lambda: kernel(node, "memory.oom.group") == "1")
        soon(lambda: kernel(node, "memory.swap.max") == "0")
        high = int(node.run(f"cat {SLICE}/memory.high"))
        assert abs(high - 0.9 * total) < MIB
    configure(node, stop_below="1GB")
    soon(lambda: int(node.run(f"cat {SLICE}/memory.high")) == (total - 10**9) // 4096 * 4096)
    pids = int(node.run(f"cat {SLICE}/pids.max"))
    most = node.run("cat /proc/sys/kernel/pid_max /proc/sys/kernel/threads-max")
    assert pids == min(map(int, most.split())) // 2
    configure(node)


def test_a_pilot_of_which_a_part_is_killed_for_memory_dies_whole(node: Guest) -> None:
    """And it is on record why."""
    greedy = ["sh", "-c", "sleep 2; (tail /dev/zero); sleep 1000"]
    base = {"pilots": [{**PILOT, "command": greedy, "memory": "32MiB"}]}
    configure(node)
    groups = json.loads(node.run("cat /etc/plancton/config.yaml"))
    node.write("/etc/plancton/config.yaml", json.dumps({**groups, **base}))
    node.run("plancton kill --all", 120)

    def killed() -> list[dict[str, Any]]:
        return [each for each in status(node).get("ended", ()) if each["oom_killed"]]

    soon(killed)
    assert killed()[-1]["exit_code"] == 137
    configure(node)
