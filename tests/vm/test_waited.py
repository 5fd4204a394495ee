"""What the foreground waited for a core, where the kernel keeps the pressure of each cgroup."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.vm.guest import Guest
from tests.vm.test_service import configure, pilots, soon, status

BURN = "while :; do :; done"
SPAN = 15.0


@pytest.fixture(scope="module")
def node(guest: Guest) -> Iterator[Guest]:
    """Return the guest with one sleeping pilot, and two burners a core beside it in its slice."""
    configure(guest, "/etc/plancton/config.yaml", maximum=1)
    guest.run("plancton bootstrap", 180)
    soon(lambda: len(pilots(guest)) == 1)
    burner = "docker run -d --cgroup-parent plancton.slice --network none --cpuset-cpus"
    burners = [guest.run(f"{burner} {core} busybox sh -c '{BURN}'", 120) for core in (0, 1, 0, 1)]
    yield guest
    guest.run(f"docker rm -f {' '.join(burners)}", 120)
    guest.run("plancton bootstrap --uninstall --purge", 180, check=False)


def host(guest: Guest) -> dict[str, Any]:
    """Return the node as Plancton saw it last."""
    found: dict[str, Any] = status(guest).get("host") or {}
    return found


def after(guest: Guest, at: float) -> dict[str, Any]:
    """Return the node as Plancton saw it *at* a time of its clock, or soon after."""
    soon(lambda: host(guest).get("at", 0.0) >= at)
    return host(guest)


def test_what_pilots_wait_for_each_other_is_not_the_foregrounds(node: Guest) -> None:
    """The kernel's count of the whole node has it; the foreground does nothing."""
    quiet = "sleep 20"  # longer than either looks back, for what asks is foreground
    said = node.run(f"{quiet}; head -n 1 /proc/pressure/cpu; plancton status --json", 120)
    pressure, _, answer = said.partition("\n")
    whole = float(pressure.split("avg10=")[1].split()[0]) / 100
    waited = json.loads(answer)["load"]["waited"]
    print(f"each second some task waited {whole:.2f} s, of the foreground {waited:.2f} s")
    # On a busy host: 0.04 to 0.10 s, of 0.98 to 0.99 s.
    assert whole > 0.8
    assert waited < whole / 2


def test_two_owners_on_one_core_wait_for_it(node: Guest) -> None:
    """One of them waits at any time; the ledger, kept beside pilots, has it."""
    owner = f"systemd-run --unit owner -p CPUAffinity=0 sh -c '{BURN} & {BURN}'"
    node.run(owner)
    try:
        before = after(node, host(node)["at"] + 3)
        seen = after(node, before["at"] + SPAN)
    finally:
        node.run("systemctl stop owner")
    waited = seen["waited_seconds"] - before["waited_seconds"]
    assert 0.5 <= waited / (seen["at"] - before["at"]) <= 1.5
    assert status(node)["ledger"]["total"]["waited"] >= waited
    assert "foreground waited, beside pilots" in node.run("plancton ledger", 60)
